import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { assertPackageFound } from "../../../provider/program/package-resolution.ts";
import { AtlasConfigError } from "../../../provider/settings/atlas-config-error.ts";

let root: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "pulumi-atlas-resolution-")));
});

afterEach(() => rm(root, { recursive: true, force: true }));

/** Writes a package.json, and what its exports name. */
async function addPackage(folder: string, exports: Record<string, string> = {}): Promise<void> {
  for (const file of Object.values(exports)) {
    await mkdir(dirname(join(root, folder, file)), { recursive: true });
    await writeFile(join(root, folder, file), "");
  }
  await mkdir(join(root, folder), { recursive: true });
  await writeFile(join(root, folder, "package.json"), JSON.stringify({ exports }));
}

/** Installs this package there. */
const install = (folder: string) => addPackage(folder, { "./provider": "./dist/org-invitation-provider.js" });

/** Links as pnpm and npm workspaces do. */
async function link(from: string, to: string): Promise<void> {
  await mkdir(dirname(join(root, from)), { recursive: true });
  await symlink(relative(dirname(join(root, from)), join(root, to)), join(root, from));
}

const refusal = (folder: string, manifest: string) =>
  `Pulumi loads pulumi-atlas-invitations from ${folder}, where it is not found: add "pulumi-atlas-invitations", in the version that the program uses, to the dependencies in ${manifest}.`;

test("a package that npm installed is found from the program and from the folders in it", async () => {
  await addPackage(".");
  await install("node_modules/pulumi-atlas-invitations");
  await mkdir(join(root, "dist/program"), { recursive: true });

  expect(() => assertPackageFound(root)).not.toThrow();
  expect(() => assertPackageFound(join(root, "dist/program"))).not.toThrow();
});

test("a package that pnpm installed for the program is found", async () => {
  const store = "node_modules/.pnpm/pulumi-atlas-invitations@0.1.0/node_modules/pulumi-atlas-invitations";
  await addPackage(".");
  await install(store);
  await link("node_modules/pulumi-atlas-invitations", store);

  expect(() => assertPackageFound(root)).not.toThrow();
});

test("a member of a workspace is found from another one", async () => {
  await addPackage(".");
  await addPackage("packages/program");
  await install("packages/pulumi-atlas-invitations");
  await link("node_modules/pulumi-atlas-invitations", "packages/pulumi-atlas-invitations");

  expect(() => assertPackageFound(join(root, "packages/program"))).not.toThrow();
});

test("a package that pnpm installed only for a dependency is not found, and the sentence says what to do", async () => {
  const store = "node_modules/.pnpm/team-access@1.0.0/node_modules";
  await addPackage(".");
  await addPackage(`${store}/team-access`);
  await install(`${store}/pulumi-atlas-invitations`);
  await link("node_modules/team-access", `${store}/team-access`);

  // The class itself loads from there.
  expect(() => assertPackageFound(join(root, store, "team-access"))).not.toThrow();
  expect(() => assertPackageFound(root)).toThrow(AtlasConfigError);
  expect(() => assertPackageFound(root)).toThrow(refusal(root, join(root, "package.json")));
});

test("the sentence names the nearest package.json", async () => {
  await addPackage(".");
  await addPackage("packages/program");
  const folder = join(root, "packages/program/dist");
  await mkdir(folder);

  expect(() => assertPackageFound(folder)).toThrow(
    refusal(folder, join(root, "packages/program/package.json")),
  );
});

test("the sentence names the package.json to be made where there is none", () => {
  expect(() => assertPackageFound(root)).toThrow(refusal(root, join(root, "package.json")));
});

test("another package of that name is not this one", async () => {
  await addPackage(".");
  await addPackage("node_modules/pulumi-atlas-invitations", { ".": "./index.js" });

  expect(() => assertPackageFound(root)).toThrow(refusal(root, join(root, "package.json")));
});

test("a package that is installed after a refusal is found", async () => {
  await addPackage(".");
  expect(() => assertPackageFound(root)).toThrow();

  await install("node_modules/pulumi-atlas-invitations");

  expect(() => assertPackageFound(root)).not.toThrow();
});

test("a package is looked for once", async () => {
  await addPackage(".");
  await install("node_modules/pulumi-atlas-invitations");
  assertPackageFound(root);
  await rm(join(root, "node_modules"), { recursive: true });

  expect(() => assertPackageFound(root)).not.toThrow();
});

test("the folder is the one in which the program runs", () => {
  const { cwd } = process;
  process.cwd = () => root;
  try {
    expect(() => assertPackageFound()).toThrow(refusal(root, join(root, "package.json")));
  } finally {
    process.cwd = cwd;
  }
});
