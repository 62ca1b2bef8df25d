import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { STALE_AFTER_MS, withBuildLock } from "./build-lock.ts";

it("is taken from a process that died, with an empty folder, but not from one that runs", async () => {
  const parent = await mkdtemp(join(tmpdir(), "build-lock-test-"));
  const folder = join(parent, "building");
  await mkdir(folder);
  await writeFile(join(folder, "half"), "");
  const abort = new AbortController();
  const options = { onWait: () => abort.abort(), pollMs: 5, signal: abort.signal };
  const waiting = withBuildLock(folder, () => readdir(folder), options);
  await expect(waiting).rejects.toThrow(expect.objectContaining({ name: "AbortError" }));

  const past = new Date(Date.now() - STALE_AFTER_MS - 1000);
  await utimes(folder, past, past);
  expect(await withBuildLock(folder, () => readdir(folder), { pollMs: 5 })).toEqual([]);
  expect(await readdir(parent)).toEqual([]);
  await rm(parent, { recursive: true });
});
