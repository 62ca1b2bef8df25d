import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { STALE_AFTER_MS, withBuildLock } from "./build-lock.ts";

let parent: string;
let folder: string;
const content = () => readdir(folder);

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "build-lock-test-"));
  folder = join(parent, "building");
});
afterEach(() => rm(parent, { recursive: true, force: true }));

it("is taken from a process that died, with an empty folder", async () => {
  await mkdir(folder);
  await writeFile(join(folder, "half"), "");
  const past = new Date(Date.now() - STALE_AFTER_MS - 1000);
  await utimes(folder, past, past);
  expect(await withBuildLock(folder, content, { pollMs: 5 })).toEqual([]);
  expect(await readdir(parent)).toEqual([]);
});

it("is not taken from a process that runs, and the wait can be aborted", async () => {
  await mkdir(folder);
  const abort = new AbortController();
  let waits = 0;
  const onWait = () => {
    waits += 1;
    if (waits === 3) abort.abort();
  };
  const waiting = withBuildLock(folder, content, { onWait, pollMs: 5, signal: abort.signal });
  await expect(waiting).rejects.toThrow(expect.objectContaining({ name: "AbortError" }));
  expect(await content()).toEqual([]);
});
