import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { downloadEngine } from "./download-engine.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "download-engine-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const download = (script: string, timeoutMs = 5000) =>
  downloadEngine(
    folder,
    "3.0.0",
    { env: process.env, log() {} },
    { timeoutMs, command: ["sh", "-c", script] },
  );

it("leaves only what was installed", async () => {
  await download(`echo x > "$TMPDIR/archive" && echo y > ${folder}/pulumi`);
  expect(await readdir(folder)).toEqual(["pulumi"]);
});

it("fails with the first line of the error", async () => {
  const script = "echo 'no such host' >&2; echo more >&2; exit 1";
  await expect(download(script)).rejects.toThrow("the download failed (no such host)");
});

it("is killed when it takes too long, with all processes that it started", async () => {
  const script = `sleep 60 & echo $! > ${folder}/pid; wait`;
  await expect(download(script, 300)).rejects.toThrow("the download failed (it took over 0.3 s)");
  const child = Number(await readFile(join(folder, "pid"), "utf8"));
  // A killed process is a zombie until its new parent waits for it.
  const state = async () => (await readFile(`/proc/${child}/stat`, "utf8").catch(() => "")).split(" ")[2];
  await expect.poll(async () => (await state()) ?? "Z").toBe("Z");
});
