import { AtlasConfigError } from "./atlas-config-error.ts";

/**
 * Rejects a version of Node.js that cannot load `digest-fetch`, an ES module, by `require`. Node.js does so since 20.19
 * and 22.12.
 *
 * @param version - Of Node.js. @default the one that runs
 * @throws AtlasConfigError "nodeVersion"
 */
export function assertNodeVersion(version: string = process.versions.node): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major === 20 ? minor >= 19 : major > 22 || (major === 22 && minor >= 12)) return;
  throw new AtlasConfigError(
    "nodeVersion",
    `pulumi-atlas-invitations needs Node.js 22.12 or later, or 20.19 or later in version 20, but runs on Node.js ${version}.`,
  );
}
