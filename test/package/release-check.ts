import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { npm } from "./npm.ts";
import { releaseProblems } from "./release-problems.ts";
import { REPOSITORY } from "./repository-copy.ts";

const problems = releaseProblems({
  manifest: JSON.parse(await readFile(join(REPOSITORY, "package.json"), "utf8")),
  changelog: await readFile(join(REPOSITORY, "CHANGELOG.md"), "utf8"),
  npmVersion: (await npm(REPOSITORY, "--version")).trim(),
  workflowRepository: process.env.GITHUB_REPOSITORY,
});
for (const problem of problems) console.error(`Not ready for npm: ${problem}`);
if (problems.length === 0) console.log("Ready for npm.");
process.exitCode = problems.length === 0 ? 0 : 1;
