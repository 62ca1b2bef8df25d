import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { messageOf } from "../../provider/dynamic/messages.ts";
import { RefusedError } from "../../provider/lifecycle/lifecycle-error.ts";
import { refusal } from "../../provider/lifecycle/membership.ts";
import { LIFECYCLE_TABLE } from "../support/lifecycle-table.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
const read = (path: string) => readFile(join(REPOSITORY, path), "utf8");

test("the table of the lifecycle in docs/operations.md is the tested one", async () => {
  const label = (row: string) => row.replace(/^ACTIVE, (\w+)$/, 'ACTIVE, `onAccepted` "$1"');
  const rows = Object.entries(LIFECYCLE_TABLE).map(
    ([row, { create, read, update, delete: remove }]) =>
      `| ${[label(row), create.does, read.does, update.does, remove.does].join(" | ")} |`,
  );
  const [, table] =
    /<!-- lifecycle: .*? -->\n\|.*\n\|.*\n([\s\S]*?)<!-- lifecycle end -->/.exec(
      await read("docs/operations.md"),
    ) ?? [];
  expect(table?.trimEnd().split("\n")).toEqual(rows);
});

test("docs/settings.md names every setting that is read, and no other", async () => {
  const files = ["settings", "credentials"].map((name) => read(`provider/settings/${name}.ts`));
  const source = (await Promise.all(files)).join("\n");
  const names = (text: string, pattern: RegExp) => [...new Set(text.match(pattern))].sort();
  const document = await read("docs/settings.md");

  const variables = /\b(MONGODB_ATLAS|MCLI)_[A-Z_]+\b/g;
  expect(names(document, variables)).toEqual(names(source, variables));
  for (const key of names(document, /(?<=`mongodbatlas:)\w+/g)) expect(source).toContain(`"${key}"`);
});

test("docs/arguments.md has every argument and every output", async () => {
  const source = await read("provider/program/org-invitation.ts");
  const document = await read("docs/arguments.md");
  const [, args = ""] = /interface OrgInvitationArgs \{\n([\s\S]*?)\n\}/.exec(source) ?? [];
  const names = [...args.matchAll(/^ {2}(\w+)\??:/gm), ...source.matchAll(/declare readonly (\w+):/g)];

  expect(names.length).toBeGreaterThan(15);
  for (const [, name] of names) expect(document).toContain(`\`${name}\``);
});

test("the README shows the error that Pulumi displays", async () => {
  const person = { username: "ada@example.com", orgId: "32b6e34b3d91647abb20e7b8" };
  const error = new RefusedError(refusal("delete", "ACTIVE, fail", person), "delete", "ACTIVE, fail");

  expect(await read("README.md")).toContain(`    error: ${messageOf(error)}\n`);
});

test("every relative link of a document leads to a file", async () => {
  for (const folder of [".", "docs", "examples/basic", "examples/two-organizations"]) {
    const names = (await readdir(join(REPOSITORY, folder))).filter((name) => name.endsWith(".md"));
    expect(names).not.toEqual([]);
    for (const name of names) {
      const text = await read(join(folder, name));
      for (const [, target = ""] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
        expect(existsSync(join(REPOSITORY, folder, target)), `${folder}/${name}: ${target}`).toBe(true);
      }
    }
  }
});
