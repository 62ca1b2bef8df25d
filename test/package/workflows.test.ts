import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, test } from "vitest";
import { GoMissingError, provideActionlint } from "./actionlint.ts";
import { REPOSITORY } from "./repository-copy.ts";

const FOLDER = join(REPOSITORY, ".github", "workflows");
const names = await readdir(FOLDER);
const textOf = (name: string) => readFile(join(FOLDER, name), "utf8");
const { scripts } = JSON.parse(await readFile(join(REPOSITORY, "package.json"), "utf8"));

test("actionlint finds nothing wrong in the workflows", { timeout: 300_000 }, async (context) => {
  const actionlint = await provideActionlint().catch((error) => {
    if (!(error instanceof GoMissingError) || process.env.CI) throw error;
    return context.skip(error.message);
  });
  // It asks shellcheck and pyflakes only where they are installed, which is not everywhere.
  const args = ["-no-color", "-shellcheck=", "-pyflakes=", ...names.map((name) => join(FOLDER, name))];
  const { stdout, stderr } = await promisify(execFile)(actionlint, args).catch((error) => error);
  expect(`${stdout}${stderr}`).toBe("");
});

test("each action is of one version in all workflows", async () => {
  const text = (await Promise.all(names.map(textOf))).join("\n");
  const pins = new Map<string, string>();
  for (const [, repository = "", pin = ""] of text.matchAll(/\buses: ([\w.-]+\/[\w.-]+)[^@]*@(.*)/g)) {
    expect(pin, repository).toBe(pins.get(repository) ?? pin);
    pins.set(repository, pin);
  }
  expect(pins.size).toBeGreaterThan(0);
});

describe.each(names)("%s", (name) => {
  it("pins every action by a commit, and says of which version that is", async () => {
    const uses = (await textOf(name)).match(/\buses:.*/g) ?? [];
    expect(uses).not.toEqual([]);
    for (const action of uses) {
      expect(action).toMatch(/^uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
  });

  it("runs nothing but npm ci, npm test and scripts of package.json", async () => {
    const commands = [...(await textOf(name)).matchAll(/^ *(?:- )?(?:run|script): (.*)/gm)];
    expect(commands).not.toEqual([]);
    for (const [, command = ""] of commands) {
      const [, script] = /^npm run ([\w:]+)(?: -- [\w "$.-]+)?$/.exec(command) ?? [];
      if (script) expect(Object.keys(scripts)).toContain(script);
      else expect(command).toMatch(/^npm (ci( --ignore-scripts)?|test)$/);
    }
  });

  it("grants permissions to jobs only, reads no secret, and leaves no credentials in the clone", async () => {
    const text = await textOf(name);
    expect(text).toMatch(/^permissions: \{\}$/m);
    expect(text.match(/^ {4}permissions:$/gm)).toHaveLength(text.match(/^ {4}runs-on:/gm)?.length ?? 0);
    expect(text.match(/persist-credentials: false/g)).toHaveLength(
      text.match(/uses: actions\/checkout@/g)?.length ?? 0,
    );
    expect(text).not.toMatch(/\bsecrets\./);
  });
});

test.each(Object.entries<string>(scripts))("the script %s runs in every shell", (_name, script) => {
  const outsideOfQuotes = script.replace(/"[^"$`]*"/g, '""');
  // npm runs scripts in cmd.exe on Windows.
  expect(outsideOfQuotes).not.toMatch(/[$`';|<>]|(^|&& )(\w+=|(cp|rm|mv|cat|export) )/);
});
