import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { assertNodeVersion } from "../../../provider/settings/node-version.ts";
import { rejectionOf } from "./settings-fixture.ts";

test("an error names the version that is too old", () => {
  const { kind, message } = rejectionOf(() => assertNodeVersion("22.11.0"));
  expect(kind).toBe("nodeVersion");
  expect(message).toContain("22.11.0");
  for (const accepted of ["22.12.0", "22.12.0-nightly", undefined]) {
    expect(() => assertNodeVersion(accepted)).not.toThrow();
  }
});

test("the accepted versions are those of package.json", async () => {
  const { engines } = JSON.parse(await readFile(new URL("../../../package.json", import.meta.url), "utf8"));
  const [, older, olderMinor, newer, newerMinor] =
    /^\^(\d+)\.(\d+) \|\| >=(\d+)\.(\d+)$/.exec(engines.node)?.map(Number) ?? [];
  const accepted = (major: number, minor: number) => {
    try {
      assertNodeVersion(`${major}.${minor}.0`);
      return true;
    } catch {
      return false;
    }
  };

  for (let major = 0; major < 40; major++) {
    for (let minor = 0; minor < 40; minor++) {
      const isOlder = major === older && minor >= Number(olderMinor);
      const isNewer = major > Number(newer) || (major === newer && minor >= Number(newerMinor));
      expect(accepted(major, minor), `${major}.${minor}`).toBe(isOlder || isNewer);
    }
  }
});

// A module that an old Node.js cannot load would fail before the version is checked.
test("the check loads only modules that load nothing else", async () => {
  const imports = async (name: string) => {
    const text = await readFile(new URL(`../../../provider/${name}`, import.meta.url), "utf8");
    return [...text.matchAll(/\bfrom "(.+)"|\b(?:import|require)\(/g)].map(([, module]) => module);
  };

  expect(await imports("settings/node-version.ts")).toEqual(["./atlas-config-error.ts"]);
  expect(await imports("settings/atlas-config-error.ts")).toEqual(["../atlas/errors.ts"]);
  expect(await imports("atlas/errors.ts")).toEqual([]);
});
