import { mkdirSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** A lock that was not touched for that long belongs to a process that died. */
export const STALE_AFTER_MS = 30_000;

/**
 * Runs `work` while no other process runs its own. The lock is a folder for the work in progress: the holder creates
 * it, touches it regularly and removes it in the end; a stale one is removed by the next process.
 * @param options.onWait called before each wait, with the time waited so far
 * @param options.signal ends the wait
 */
export async function withBuildLock<T>(
  folder: string,
  work: () => Promise<T>,
  options: { onWait?: (waitedMs: number) => void; pollMs?: number; signal?: AbortSignal | undefined } = {},
): Promise<T> {
  const { onWait = () => {}, pollMs = 500, signal } = options;
  const started = Date.now();
  while (!createFolder(folder)) {
    onWait(Date.now() - started);
    await sleep(pollMs, undefined, { signal });
  }
  const heartbeat = setInterval(() => ignoring("ENOENT", () => touch(folder)), STALE_AFTER_MS / 10);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rm(folder, { recursive: true, force: true });
  }
}

function createFolder(folder: string): boolean {
  if (ignoring("EEXIST", () => mkdirSync(folder))) return true;
  ignoring("ENOENT", () => {
    if (Date.now() - statSync(folder).mtimeMs < STALE_AFTER_MS) return;
    // The rename is atomic: only one of several waiting processes removes the folder.
    const stalePath = `${folder}-${process.pid}`;
    renameSync(folder, stalePath);
    rmSync(stalePath, { recursive: true, force: true });
  });
  return false;
}

function touch(folder: string): void {
  const now = new Date();
  utimesSync(folder, now, now);
}

/** Whether the action succeeded; throws any other error. */
function ignoring(code: string, action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== code) throw error;
    return false;
  }
}
