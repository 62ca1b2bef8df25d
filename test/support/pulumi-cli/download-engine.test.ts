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

const download = (script: string, stallMs = 5000) =>
  downloadEngine(folder, "3.0.0", {
    env: process.env,
    log: () => {},
    stallMs,
    command: ["/bin/sh", "-c", script],
  });

it("keeps what was installed and nothing temporary", async () => {
  await download(`mkdir ${folder}/bin && echo x > "$TMPDIR/archive" && echo y > ${folder}/bin/pulumi`);
  expect((await readdir(folder, { recursive: true })).sort()).toEqual(["bin", "bin/pulumi"]);
});

it("fails with the first line of what went wrong", async () => {
  await expect(
    download("echo 'Failed to download: no such host' >&2; echo more >&2; exit 1"),
  ).rejects.toThrow(/^Failed to download: no such host$/);
});

it("ends a download that hangs, with all that it started", async () => {
  await expect(download(`sleep 60 & echo $! > ${folder}/pid; wait`, 200)).rejects.toThrow(
    "nothing arrived for 0.2 s",
  );
  const sleeper = Number(await readFile(join(folder, "pid"), "utf8"));
  // An ended process whose parent did not wait for it is a zombie until the system takes it.
  await expect.poll(() => state(sleeper)).toMatch(/^(gone|Z)$/);
});

async function state(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat.split(" ")[2] ?? "gone";
}

it("lets a slow download go on while something arrives", async () => {
  await download(`for i in 1 2 3 4 5 6; do echo $i >> "$TMPDIR/archive"; sleep 0.1; done`, 400);
});
