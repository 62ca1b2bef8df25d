import { readdir, readFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { changelogSection, type PackedPackage, packPackage, SIZE_LINE, sizeLine } from "./packed-package.ts";
import { REPOSITORY } from "./repository-copy.ts";

let packed: PackedPackage;
const texts = new Map<string, string>();
beforeAll(async () => {
  packed = await packPackage();
  for (const file of packed.files) texts.set(file, await readFile(join(packed.folder, file), "utf8"));
}, 120_000);
afterAll(() => packed?.[Symbol.asyncDispose]());

const textsOf = (pattern: RegExp) => [...texts].filter(([file]) => pattern.test(file));

/** The source files, relative to provider/, with `/`. */
async function sources(): Promise<string[]> {
  const entries = await readdir(join(REPOSITORY, "provider"), { recursive: true });
  return entries.map((entry) => entry.replaceAll("\\", "/")).filter((entry) => entry.endsWith(".ts"));
}

describe("the package that npm would publish", () => {
  it("holds what was built of each source file, the documents that npm expects, and nothing else", async () => {
    const built = (await sources()).flatMap((source) => {
      const path = `dist/${source.slice(0, -".ts".length)}`;
      return [`${path}.js`, `${path}.d.ts`];
    });
    const expected = [...built, "package.json", "README.md", "LICENSE", "CHANGELOG.md"];
    expect([...packed.files].sort()).toEqual(expected.sort());
    const onDisk = await readdir(packed.folder, { recursive: true, withFileTypes: true });
    expect(onDisk.filter((entry) => entry.isFile())).toHaveLength(expected.length);
  });

  // Each source file is one file in dist/, not bundled, not minified and with its comments, so a stack trace names a
  // line that its reader has. Source maps would name lines of files that are not in the package.
  it("holds readable code without source maps", async () => {
    for (const source of await sources()) {
      const text = await readFile(join(REPOSITORY, "provider", source), "utf8");
      const path = `dist/${source.slice(0, -".ts".length)}`;
      const built = `${texts.get(`${path}.js`)}${texts.get(`${path}.d.ts`)}`;
      const comments = text.match(/^\/\*\* .*|^ {2}\/\/ .*/gm) ?? [];
      const kept = comments.filter((comment) => built.includes(comment.trim()));
      expect(kept.length, `comments of ${source}`).toBeGreaterThanOrEqual(comments.length / 2);
    }
    for (const [file, text] of textsOf(/^dist\//)) expect(text, file).not.toContain("sourceMappingURL");
  });

  it("has every file that another of its files names", () => {
    for (const [file, text] of textsOf(/^dist\//)) {
      const named = text.matchAll(/(?:\brequire\(|\bfrom |\bimport\()"(\.[^"]*)"/g);
      for (const [, path = ""] of named) {
        const target = join(dirname(file), path).replaceAll("\\", "/");
        // TypeScript reads ./a.ts in a declaration as ./a.d.ts.
        const found = file.endsWith(".d.ts") ? target.replace(/\.[jt]s$/, ".d.ts") : target;
        expect(packed.files, `${file} names ${path}`).toContain(found);
      }
    }
    const { main, types, exports } = JSON.parse(texts.get("package.json") ?? "");
    const entries = [main, types, ...Object.values(exports).flatMap((entry) => Object.values(Object(entry)))];
    for (const entry of entries.filter((path) => path.length > 1)) {
      expect(packed.files).toContain(entry.replace(/^\.\//, ""));
    }
  });

  it("names no test and no folder of the machine that built it", () => {
    for (const [file, text] of texts) {
      for (const folder of [REPOSITORY, homedir(), join(tmpdir(), "pulumi-atlas")]) {
        expect(text, file).not.toContain(folder);
      }
    }
    for (const [file, text] of textsOf(/^dist\/.*\.js$/)) expect(text, file).not.toMatch(/["'/]test\//);
  });

  it("is as large as the changelog says, unless a changeset waits", async (test) => {
    console.info(sizeLine(packed.size));
    const waiting = (await readdir(join(REPOSITORY, ".changeset"))).some((name) => name.endsWith(".md"));
    test.skip(waiting, "the next version measures again");
    const { version } = JSON.parse(texts.get("package.json") ?? "");
    const said = SIZE_LINE.exec(changelogSection(texts.get("CHANGELOG.md") ?? "", version) ?? "");
    expect(said, `CHANGELOG.md does not say the size of ${version}: run npm run release:size`).not.toBeNull();
    for (const [index, bytes] of [packed.size.packedBytes, packed.size.unpackedBytes].entries()) {
      const ratio = bytes / 1000 / Number(said?.[index + 1]);
      expect(Math.abs(ratio - 1), "run npm run release:size").toBeLessThan(0.1);
    }
  });
});
