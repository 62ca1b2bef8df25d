import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { cleanEnv } from "../pulumi-cli/clean-env.ts";

const REPOSITORY = join(import.meta.dirname, "../../..");
const SDK_VERSION = createRequire(import.meta.url)("@pulumi/pulumi/package.json").version;
const PACKAGE = "pulumi-atlas-invitations";
const NPM_INSTALL = ["npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"];
const PNPM_INSTALL = ["pnpm", "install", "--prefer-offline", "--ignore-scripts"];

/**
 * How a program gets the package: `npm` and `pnpm` install the packed tarball, `workspace` links it in an npm
 * workspace, `self` is the repository, whose examples import the package by its own name.
 */
export type InstallKind = "npm" | "pnpm" | "workspace" | "self";

export interface Installation {
  /** The folder of the program. */
  folder: string;
  dispose(): Promise<void>;
}

/**
 * Creates a folder in which a program finds the package, which must have been built, and the Pulumi SDK.
 * @param dependencies more packages for the program, or another version of the SDK, as in a package.json
 */
export async function installPackage(
  kind: InstallKind,
  dependencies: Record<string, string> = {},
): Promise<Installation> {
  if (kind === "self") return { folder: REPOSITORY, dispose: async () => {} };
  const root = await mkdtemp(join(tmpdir(), `pulumi-atlas-${kind}-`));
  const dispose = () => rm(root, { recursive: true, force: true });
  try {
    const tarball = await packTarball();
    const complete = { [PACKAGE]: `file:${tarball}`, "@pulumi/pulumi": SDK_VERSION, ...dependencies };
    if (kind === "workspace") return { folder: await installWorkspace(root, tarball, complete), dispose };
    await writeManifest(root, complete);
    await run(root, kind === "npm" ? NPM_INSTALL : PNPM_INSTALL);
    return { folder: root, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function installWorkspace(
  root: string,
  tarball: string,
  dependencies: Record<string, string>,
): Promise<string> {
  const member = join(root, "packages", PACKAGE);
  const program = join(root, "packages", "program");
  await mkdir(member, { recursive: true });
  await run(member, ["tar", "-xzf", tarball, "--strip-components", "1"]);
  await mkdir(program);
  await writeManifest(program, { ...dependencies, [PACKAGE]: "*" });
  await writeFile(join(root, "package.json"), '{ "private": true, "workspaces": ["packages/*"] }');
  await run(root, [...NPM_INSTALL, "--omit=dev"]);
  return program;
}

let packed: Promise<string> | undefined;

/** Packs the repository, once for each process; it must have been built. */
export function packTarball(): Promise<string> {
  packed ??= pack();
  return packed;
}

async function pack(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "pulumi-atlas-tarball-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  // Scripts would build again, while other tests use the build.
  const command = ["npm", "pack", "--ignore-scripts", "--silent", "--pack-destination", folder];
  return join(folder, (await run(REPOSITORY, command)).trim());
}

function writeManifest(folder: string, dependencies: Record<string, string>): Promise<void> {
  const manifest = { name: "program", version: "1.0.0", private: true, dependencies };
  return writeFile(join(folder, "package.json"), JSON.stringify(manifest));
}

async function run(folder: string, [command = "", ...args]: readonly string[]): Promise<string> {
  const env = cleanEnv(join(REPOSITORY, "node_modules", ".bin"));
  const { stdout } = await promisify(execFile)(command, args, { cwd: folder, env, timeout: 300_000 });
  return stdout;
}
