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

/** Writes a package.json, and the files that it exports. */
async function addPackage(folder: string, exports: Record<string, string> = {}): Promise<void> {
  for (const file of Object.values(exports)) {
    await mkdir(dirname(join(root, folder, file)), { recursive: true });
    await writeFile(join(root, folder, file), "");
  }
  await mkdir(join(root, folder), { recursive: true });
  await writeFile(join(root, folder, "package.json"), JSON.stringify({ exports }));
}

/** Installs this package. */
const install = (folder: string) => addPackage(folder, { "./provider": "./dist/org-invitation-provider.js" });

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

test("a package that npm installed is found from the program and from the folders in it", async () => {
  await addPackage(".");
  await install("node_modules/pulumi-atlas-invitations");
  await mkdir(join(root, "dist/program"), { recursive: true });

  expectFound();
  expectFound("dist/program");
});

test("a package that pnpm installed for the program is found", async () => {
  const store = "node_modules/.pnpm/pulumi-atlas-invitations@0.1.0/node_modules/pulumi-atlas-invitations";
  await addPackage(".");
  await install(store);
  await link("node_modules/pulumi-atlas-invitations", store);

  expectFound();
});

test("a member of a workspace is found from another one", async () => {
  await addPackage(".");
  await addPackage("packages/program");
  await install("packages/pulumi-atlas-invitations");
  await link("node_modules/pulumi-atlas-invitations", "packages/pulumi-atlas-invitations");

  expectFound("packages/program");
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

test("the error names the nearest package.json", async () => {
  await addPackage(".");
  await addPackage("packages/program");
  const folder = join(root, "packages/program/dist");
  await mkdir(folder);

  expectMissing(folder, join("packages", "program", "package.json"));
});

test("the error names the package.json to create where there is none", () => {
  expectMissing(root);
});

test("a package of that name without the entry of the provider is not found", async () => {
  await addPackage(".");
  await addPackage("node_modules/pulumi-atlas-invitations", { ".": "./index.js" });

  expectMissing(root);
});

test("a package that is installed after the error is found, and not resolved again", async () => {
  await addPackage(".");
  expectMissing(root);
  await install("node_modules/pulumi-atlas-invitations");
  expectFound();

  await rm(join(root, "node_modules"), { recursive: true });
  expectFound();
});

test("the folder is the one in which the program runs", () => {
  vi.spyOn(process, "cwd").mockReturnValue(root);
  expectMissing(undefined);
});
