import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { changelogSection, packPackage, SIZE_LINE, sizeLine } from "./packed-package.ts";
import { REPOSITORY } from "./repository-copy.ts";

// Measures the package, and writes its size into the changelog's section about the version of package.json: the
// release notes are that section.
const file = join(REPOSITORY, "CHANGELOG.md");
const changelog = await readFile(file, "utf8");
const { version } = JSON.parse(await readFile(join(REPOSITORY, "package.json"), "utf8"));
const section = changelogSection(changelog, version);
if (section === undefined) throw new Error(`CHANGELOG.md has no section about ${version}.`);

await using packed = await packPackage();
const line = sizeLine(packed.size);
const measured = SIZE_LINE.test(section) ? section.replace(SIZE_LINE, line) : `${section}\n${line}`;
await writeFile(
  file,
  changelog.replace(section, () => measured),
);
console.log(line);
