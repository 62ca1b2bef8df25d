import { mkdirSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** A folder that nobody touched for so long was left by a run that died. */
export const ABANDONED_AFTER_MS = 30_000;

/**
 * Runs `work` in a folder that is the lock as well: it is made by whoever works, touched while they live,
 * and removed at the end. Others wait for that, and take over a folder that was abandoned.
 * @param onWait called before each wait, with the milliseconds waited so far
 */
export async function inBuildingFolder<T>(
  folder: string,
  work: () => Promise<T>,
  onWait: (waitedMs: number) => void = () => {},
  pollMs = 500,
): Promise<T> {
  const started = Date.now();
  while (!makeFolder(folder)) {
    onWait(Date.now() - started);
    await sleep(pollMs);
  }
  const heartbeat = setInterval(() => touch(folder), ABANDONED_AFTER_MS / 10);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rm(folder, { recursive: true, force: true });
  }
}

function makeFolder(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
    removeAbandoned(folder);
    return false;
  }
}

function removeAbandoned(folder: string): void {
  try {
    if (Date.now() - statSync(folder).mtimeMs < ABANDONED_AFTER_MS) return;
    // Moved in one step, so that of several waiting runs only one takes it away.
    const grave = `${folder}-${process.pid}`;
    renameSync(folder, grave);
    rmSync(grave, { recursive: true, force: true });
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
}

function touch(folder: string): void {
  const now = new Date();
  try {
    utimesSync(folder, now, now);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code;
}
