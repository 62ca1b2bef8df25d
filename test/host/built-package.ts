import { readdir, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const REPOSITORY = dirname(dirname(import.meta.dirname));

/** Loads a package as a program in the root of the repository does: this one by its own name, and the SDK. */
export const requireBuilt = createRequire(join(REPOSITORY, "program.js"));

/** @throws Error where `dist/` was built before the last change of `provider/`: it is what a user loads */
export async function assertBuilt(): Promise<void> {
  for (const name of await readdir(join(REPOSITORY, "provider"), { recursive: true })) {
    if (!name.endsWith(".ts")) continue;
    const source = await stat(join(REPOSITORY, "provider", name));
    const built = await stat(join(REPOSITORY, "dist", name.replace(/\.ts$/, ".js"))).catch(() => undefined);
    if (!built || built.mtimeMs < source.mtimeMs) {
      throw new Error(`dist/ does not hold provider/${name} as it is now: run npm run build first.`);
    }
  }
}
