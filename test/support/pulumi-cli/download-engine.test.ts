import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { downloadEngine } from "./download-engine.ts";

/** Runs a script as the download. */
async function download(script: string, timeoutMs = 5000) {
  const folder = await mkdtemp(join(tmpdir(), "download-engine-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const command = ["sh", "-c", script, "sh", folder];
  const options = { env: process.env, log() {} };
  return { folder, done: downloadEngine(folder, "3.0.0", options, { timeoutMs, command }) };
}

it("leaves only what was installed", async () => {
  const { folder, done } = await download('echo x > "$TMPDIR/archive" && echo y > "$1/pulumi"');
  await done;
  expect(await readdir(folder)).toEqual(["pulumi"]);
});

it("fails with the first line of the error", async () => {
  const { done } = await download("echo 'no such host' >&2; echo more >&2; exit 1");
  await expect(done).rejects.toThrow("the download failed (no such host)");
});

it("is killed when it takes too long, with all processes that it started", async () => {
  const { folder, done } = await download('sleep 60 & echo $! > "$1/pid"; wait', 300);
  await expect(done).rejects.toThrow("the download failed (it took over 0.3 s)");
  const child = Number(await readFile(join(folder, "pid"), "utf8"));
  // A killed process is a zombie until its new parent waits for it.
  const state = async () => (await readFile(`/proc/${child}/stat`, "utf8").catch(() => "")).split(" ")[2];
  await expect.poll(async () => (await state()) ?? "Z").toBe("Z");
});
