import { AtlasConfigError } from "../atlas/errors.ts";

/**
 * Refuses a Node that cannot load `digest-fetch`, an ES module, by `require`: Node does so since 20.19 and 22.12.
 *
 * @param version - Of Node. @default the one that runs
 * @throws AtlasConfigError
 */
export function demandNode(version: string = process.versions.node): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major === 20 ? minor >= 19 : major > 22 || (major === 22 && minor >= 12)) return;
  throw new AtlasConfigError(
    `pulumi-atlas-invitations needs Node 22.12 or later, or 20.19 or later in version 20, but runs on Node ${version}.`,
  );
}
