import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { cleanEnv } from "../pulumi-cli/clean-env.ts";

const REPOSITORY = join(import.meta.dirname, "../../..");

/**
 * How a program gets the package: `npm` and `pnpm` install the packed tarball, `workspace` links it in an npm
 * workspace, `self` is the repository, whose examples import the package by its own name.
 */
export type InstallKind = "npm" | "pnpm" | "workspace" | "self";

export interface InstallOptions {
  /** What to pack; it must have been built. @default this repository */
  repository?: string;
  /** More packages for the program, as in a package.json. */
  dependencies?: Record<string, string>;
}

export interface Installation {
  /** The folder of the program. */
  folder: string;
  dispose(): Promise<void>;
}

/** Lays out a fresh folder in which a program finds the package and the Pulumi SDK. */
export async function installPackage(kind: InstallKind, options: InstallOptions = {}): Promise<Installation> {
  const { repository = REPOSITORY } = options;
  if (kind === "self") return { folder: repository, dispose: async () => {} };

  const root = await mkdtemp(join(tmpdir(), `pulumi-atlas-${kind}-`));
  const dispose = () => rm(root, { recursive: true, force: true });
  try {
    const tarball = await packTarball(repository);
    const dependencies = { "@pulumi/pulumi": await sdkVersion(), ...options.dependencies };
    return { folder: await INSTALL[kind](root, tarball, dependencies), dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

type Install = (root: string, tarball: string, dependencies: Record<string, string>) => Promise<string>;

const INSTALL: Record<Exclude<InstallKind, "self">, Install> = {
  npm: async (root, tarball, dependencies) => {
    await writeProgram(root, { ...dependencies, [PACKAGE]: `file:${tarball}` });
    await run(root, "npm", NPM_INSTALL);
    return root;
  },
  pnpm: async (root, tarball, dependencies) => {
    await writeProgram(root, { ...dependencies, [PACKAGE]: `file:${tarball}` });
    await run(root, "pnpm", ["install", "--prefer-offline", "--ignore-scripts"]);
    return root;
  },
  workspace: async (root, tarball, dependencies) => {
    const member = join(root, "packages", PACKAGE);
    const program = join(root, "packages", "program");
    await mkdir(member, { recursive: true });
    await run(member, "tar", ["-xzf", tarball, "--strip-components", "1"]);
    await mkdir(program);
    await writeProgram(program, { ...dependencies, [PACKAGE]: "*" });
    await writeFile(join(root, "package.json"), '{ "private": true, "workspaces": ["packages/*"] }');
    await run(root, "npm", [...NPM_INSTALL, "--omit=dev"]);
    return program;
  },
};

const PACKAGE = "pulumi-atlas-invitations";
const NPM_INSTALL = ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"];

const tarballs = new Map<string, Promise<string>>();

/** Packs the repository, once for each process; it must have been built. */
export function packTarball(repository = REPOSITORY): Promise<string> {
  const packed = tarballs.get(repository) ?? pack(repository);
  tarballs.set(repository, packed);
  return packed;
}

async function pack(repository: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "pulumi-atlas-tarball-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  // Without scripts: they build again, under the feet of tests that use what was built.
  const args = ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder];
  return join(folder, (await run(repository, "npm", args)).trim());
}

function writeProgram(folder: string, dependencies: Record<string, string>): Promise<void> {
  const manifest = { name: "program", version: "1.0.0", private: true, dependencies };
  return writeFile(join(folder, "package.json"), JSON.stringify(manifest));
}

async function sdkVersion(): Promise<string> {
  const manifest = await readFile(join(REPOSITORY, "node_modules/@pulumi/pulumi/package.json"), "utf8");
  return JSON.parse(manifest).version;
}

async function run(folder: string, command: string, args: readonly string[]): Promise<string> {
  const env = cleanEnv(join(REPOSITORY, "node_modules", ".bin"));
  const { stdout } = await promisify(execFile)(command, args, { cwd: folder, env, timeout: 300_000 });
  return stdout;
}
