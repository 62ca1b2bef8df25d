import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { assertPackageFound } from "../../../provider/program/package-resolution.ts";
import { rejectionOf } from "../settings/settings-fixture.ts";

let root: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "pulumi-atlas-resolution-")));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(root, { recursive: true, force: true });
});

/** Writes a package.json, and the file that it exports, if any. */
async function addPackage(folder: string, exported?: "./provider" | "."): Promise<void> {
  await mkdir(join(root, folder), { recursive: true });
  const exports = exported ? { [exported]: "./exported.js" } : {};
  await writeFile(join(root, folder, "package.json"), JSON.stringify({ exports }));
  if (exported) await writeFile(join(root, folder, "exported.js"), "");
}

/** Installs this package. */
const install = (folder: string) => addPackage(folder, "./provider");

/** Links as pnpm and npm workspaces do. */
async function link(from: string, to: string): Promise<void> {
  await mkdir(dirname(join(root, from)), { recursive: true });
  await symlink(relative(dirname(join(root, from)), join(root, to)), join(root, from));
}

/** The package is not found from the folder, and belongs into that package.json. */
function expectMissing(folder: string | undefined, manifest = "package.json"): void {
  const { kind, message } = rejectionOf(() => assertPackageFound(folder));
  expect(kind).toBe("packageNotFound");
  for (const fact of [folder ?? root, join(root, manifest)]) expect(message).toContain(fact);
}

const expectFound = (folder = ".") => expect(() => assertPackageFound(join(root, folder))).not.toThrow();

const PACKAGE = "node_modules/pulumi-atlas-invitations";

test.each<[layout: string, program: string, arrange: () => Promise<void>]>([
  ["that npm installed", ".", () => install(PACKAGE)],
  ["in a folder above that of the program", "dist/program", () => install(PACKAGE)],
  [
    "that pnpm installed for the program",
    ".",
    async () => {
      const store = `node_modules/.pnpm/pulumi-atlas-invitations@0.1.0/${PACKAGE}`;
      await install(store);
      await link(PACKAGE, store);
    },
  ],
  [
    "that is a member of the program's workspace",
    "packages/program",
    async () => {
      await install("packages/pulumi-atlas-invitations");
      await link(PACKAGE, "packages/pulumi-atlas-invitations");
    },
  ],
])("a package %s is found from %s", async (_, program, arrange) => {
  await addPackage(".");
  await addPackage(program);
  await arrange();

  expectFound(program);
});

test("a package that pnpm installed only for a dependency is not found from the program", async () => {
  const store = "node_modules/.pnpm/team-access@1.0.0/node_modules";
  await addPackage(".");
  await addPackage(`${store}/team-access`);
  await install(`${store}/pulumi-atlas-invitations`);
  await link("node_modules/team-access", `${store}/team-access`);

  // The dependency itself finds it.
  expectFound(join(store, "team-access"));
  expectMissing(root);
});

test("the error names the nearest package.json, or the one to create in the folder of the program", async () => {
  vi.spyOn(process, "cwd").mockReturnValue(root);
  expectMissing(undefined);
  await addPackage("packages/program");
  const folder = join(root, "packages/program/dist");
  await mkdir(folder);

  expectMissing(folder, join("packages", "program", "package.json"));
});

test("a package of that name without the entry of the provider is not found", async () => {
  await addPackage(PACKAGE, ".");
  expectMissing(root);
});

test("a package that is installed after the error is found, and not resolved again", async () => {
  expectMissing(root);
  await install(PACKAGE);
  expectFound();

  await rm(join(root, "node_modules"), { recursive: true });
  expectFound();
});
