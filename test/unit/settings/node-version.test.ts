import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { assertNodeVersion } from "../../../provider/settings/node-version.ts";
import { rejectionOf } from "./settings-fixture.ts";

test.each(["20.19.0", "20.20.1", "22.12.0", "22.99.0", "23.0.0", "24.21.0", "100.0.0", "22.12.0-nightly"])(
  "Node.js %s is accepted",
  (version) => {
    expect(() => assertNodeVersion(version)).not.toThrow();
  },
);

test.each(["20.18.0", "20.18.3", "18.20.8", "20.0.0", "21.7.3", "22.11.0", "22.0.0", "16.20.2", "0.12.18"])(
  "Node.js %s is rejected by an error that names it",
  (version) => {
    const { kind, message } = rejectionOf(() => assertNodeVersion(version));
    expect(kind).toBe("nodeVersion");
    expect(message).toContain(version);
  },
);

test("the version that runs is the default", () => {
  expect(() => assertNodeVersion()).not.toThrow();
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
