import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { AtlasConfigError } from "../../../provider/settings/atlas-config-error.ts";
import { assertNodeVersion } from "../../../provider/settings/node-version.ts";

test.each(["20.19.0", "20.20.1", "22.12.0", "22.99.0", "23.0.0", "24.21.0", "100.0.0", "22.12.0-nightly"])(
  "Node %s is accepted",
  (version) => {
    expect(() => assertNodeVersion(version)).not.toThrow();
  },
);

test.each(["20.18.0", "20.18.3", "18.20.8", "20.0.0", "21.7.3", "22.11.0", "22.0.0", "16.20.2", "0.12.18"])(
  "Node %s is refused",
  (version) => {
    expect(() => assertNodeVersion(version)).toThrow(AtlasConfigError);
  },
);

test("the error is one sentence that names the Node that is needed and the one that runs", () => {
  expect(() => assertNodeVersion("20.18.0")).toThrow(
    /^pulumi-atlas-invitations needs Node 22\.12 or later, or 20\.19 or later in version 20, but runs on Node 20\.18\.0\.$/,
  );
});

test("the Node that runs is the one that is looked at", () => {
  expect(() => assertNodeVersion()).not.toThrow();
});

test("the versions are those of package.json", async () => {
  const { engines } = JSON.parse(await readFile(new URL("../../../package.json", import.meta.url), "utf8"));
  const [, older, olderMinor, newer, newerMinor] =
    /^\^(\d+)\.(\d+) \|\| >=(\d+)\.(\d+)$/.exec(engines.node) ?? [];
  const accepts = (major: number, minor: number) => {
    try {
      assertNodeVersion(`${major}.${minor}.0`);
      return true;
    } catch {
      return false;
    }
  };

  for (let major = 0; major < 40; major++) {
    for (let minor = 0; minor < 40; minor++) {
      const isOlder = major === Number(older) && minor >= Number(olderMinor);
      const isNewer = major > Number(newer) || (major === Number(newer) && minor >= Number(newerMinor));
      expect(accepts(major, minor), `${major}.${minor}`).toBe(isOlder || isNewer);
    }
  }
});

// A module that an old Node cannot load would fail before the sentence could be said.
test("the module loads nothing but the errors, which load nothing", async () => {
  const imports = async (name: string) => {
    const text = await readFile(new URL(`../../../provider/${name}`, import.meta.url), "utf8");
    return [...text.matchAll(/\bfrom "(.+)"|\b(?:import|require)\(/g)].map(([, module]) => module);
  };

  expect(await imports("settings/node-version.ts")).toEqual(["../atlas/errors.ts"]);
  expect(await imports("atlas/errors.ts")).toEqual([]);
});
