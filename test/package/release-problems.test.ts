import { expect, test } from "vitest";
import { type Release, releaseProblems } from "./release-problems.ts";

const ready: Release = {
  manifest: {
    version: "1.2.3",
    repository: { url: "git+https://github.com/owner/name.git" },
    bugs: "https://github.com/owner/name/issues",
    homepage: "https://github.com/owner/name#readme",
    publishConfig: { access: "public", provenance: true },
  },
  changelog:
    "# Changelog\n\n## 1.2.3\n\n- Size of the package: 1 kB packed, 2 kB unpacked, 3 files.\n\n## 1.2.2\n\nOlder.\n",
  npmVersion: "11.5.1",
  workflowRepository: "Owner/name",
};
const problemsWith = (change: Partial<Release>, manifest: Partial<Release["manifest"]> = {}) =>
  releaseProblems({ ...ready, ...change, manifest: { ...ready.manifest, ...manifest } });

test("a package with everything in place is ready", () => {
  expect(releaseProblems(ready)).toEqual([]);
  expect(problemsWith({ workflowRepository: undefined, npmVersion: "12.0.0" })).toEqual([]);
});

test.each<[string, Partial<Release>, Partial<Release["manifest"]>, RegExp]>([
  ["no repository", {}, { repository: {} }, /^package\.json has no "repository"\. .*OWNER\/NAME/],
  ["a repository without a host", {}, { repository: "owner/name" }, /is owner\/name, not of the form/],
  ["the repository of others", { workflowRepository: "other/name" }, {}, /runs in other\/name/],
  ["no page for bugs", {}, { bugs: undefined }, /no "bugs"/],
  ["no home page", {}, { homepage: "" }, /no "homepage"/],
  ["a private package", {}, { private: true }, /is "private"/],
  ["no provenance", {}, { publishConfig: { access: "public" } }, /"publishConfig"/],
  ["a version that the changelog does not know", {}, { version: "1.2.4" }, /size of 1\.2\.4/],
  ["a version without its size", {}, { version: "1.2.2" }, /size of 1\.2\.2/],
  ["an npm that needs a token", { npmVersion: "11.5.0" }, {}, /npm is 11\.5\.0/],
])("%s is named as the only problem", (_what, change, manifest, problem) => {
  const problems = problemsWith(change, manifest);
  expect(problems).toEqual([expect.stringMatching(problem)]);
});
