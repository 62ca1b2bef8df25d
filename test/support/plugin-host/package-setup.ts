import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { installPackage } from "./install-package.ts";

const REPOSITORY = join(import.meta.dirname, "../../..");

declare module "vitest" {
  interface ProvidedContext {
    /** A folder in which npm has installed the packed package and the SDK. */
    packageFolder: string;
  }
}

/** Global setup of vitest for every tier that needs the package: the first one installs it for all. */
export default async function setup({ vitest }: TestProject): Promise<(() => Promise<void>) | undefined> {
  const root = vitest.getRootProject();
  if (root.getProvidedContext().packageFolder) return undefined;
  await assertBuilt();
  const installation = await installPackage("npm");
  root.provide("packageFolder", installation.folder);
  return () => installation.dispose();
}

/** @throws Error where `dist/`, which is what users load, is older than `provider/` */
async function assertBuilt(): Promise<void> {
  for (const name of await readdir(join(REPOSITORY, "provider"), { recursive: true })) {
    if (!name.endsWith(".ts")) continue;
    const source = await stat(join(REPOSITORY, "provider", name));
    const built = await stat(join(REPOSITORY, "dist", name.replace(/\.ts$/, ".js"))).catch(() => undefined);
    if (!built || built.mtimeMs < source.mtimeMs) {
      throw new Error(`dist/ is older than provider/${name}: run npm run build first.`);
    }
  }
}
