import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { AtlasConfigError } from "../atlas/errors.ts";

const found = new Set<string>();

/**
 * Refuses a folder from which Pulumi's plugin host would not find this package: it resolves
 * `pulumi-atlas-invitations/provider` from the folder of the program (see `PROVIDER` in org-invitation.ts),
 * wherever the program itself found the package. A dependency of a dependency is not found so under pnpm, and
 * neither is a package that a bundler put into the program.
 *
 * @param folder - Of the program. @default the working directory
 * @throws AtlasConfigError
 */
export function demandPackage(folder: string = process.cwd()): void {
  if (found.has(folder)) return;
  try {
    createRequire(join(folder, "_")).resolve("pulumi-atlas-invitations/provider");
    found.add(folder);
  } catch {
    throw new AtlasConfigError(
      `Pulumi loads pulumi-atlas-invitations from ${folder}, where it is not found: add "pulumi-atlas-invitations", in the version that the program uses, to the dependencies in ${nearestManifest(folder)}.`,
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
