import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LIFECYCLE_TABLE } from "../support/lifecycle-table.ts";

const readme = await readFile(join(import.meta.dirname, "../../README.md"), "utf8");

test("the README's table of the lifecycle is the one that is tested", () => {
  const said = (row: string) => row.replace(/^ACTIVE, (\w+)$/, 'ACTIVE, `onAccepted` "$1"');
  const rows = Object.entries(LIFECYCLE_TABLE).map(
    ([row, { create, read, update, delete: remove }]) =>
      `| ${[said(row), create.does, read.does, update.does, remove.does].join(" | ")} |`,
  );
  const [, table] =
    /<!-- lifecycle: .*? -->\n\|.*\n\|.*\n([\s\S]*?)<!-- lifecycle end -->/.exec(readme) ?? [];
  expect(table?.trimEnd().split("\n")).toEqual(rows);
});
