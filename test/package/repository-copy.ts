import { cp, mkdtemp, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, sep } from "node:path";

export const REPOSITORY = dirname(dirname(import.meta.dirname));

const NOT_COPIED = [".git", "node_modules", "dist", "coverage"];

/** Copies the repository, without what is installed or built, into a new temporary folder. */
export async function copyRepository(): Promise<string> {
  const copy = await realpath(await mkdtemp(join(tmpdir(), "pulumi-atlas-copy-")));
  const isCopied = (source: string) => !NOT_COPIED.includes(relative(REPOSITORY, source).split(sep)[0] ?? "");
  await cp(REPOSITORY, copy, { recursive: true, filter: isCopied });
  return copy;
}
