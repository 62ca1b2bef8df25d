import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { killProcessTree } from "./kill-process-tree.ts";

/** How an engine is downloaded or built. */
export interface ProduceOptions {
  /** @default process.env */
  env: NodeJS.ProcessEnv;
  /** Called with one line at a time. */
  log: (line: string) => void;
  /** Stops a program that runs. */
  signal?: AbortSignal | undefined;
}

/**
 * Runs a program, and logs every 15 seconds how long it takes.
 * @param spawnOptions with `detached`, the signal also kills the processes that the program started
 */
export async function runWithProgress(
  title: string,
  [command = "", ...args]: readonly string[],
  { env, log, signal }: ProduceOptions,
  spawnOptions: { cwd: string; detached?: boolean },
): Promise<{ exitCode: number | null; stderr: string[] }> {
  signal?.throwIfAborted();
  const child = spawn(command, args, { ...spawnOptions, env, stdio: ["ignore", "ignore", "pipe"] });
  const stderr: string[] = [];
  createInterface(child.stderr).on("line", (line) => stderr.push(line));
  const kill = () => void (child.pid !== undefined && killProcessTree(child.pid));
  signal?.addEventListener("abort", kill);
  const started = Date.now();
  const timer = setInterval(() => log(`${title} (${minutes(Date.now() - started)})`), 15_000);
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject).on("close", resolve);
    });
    return { exitCode, stderr };
  } finally {
    clearInterval(timer);
    signal?.removeEventListener("abort", kill);
  }
}

/** 75,000 ms as `1:15`. */
export function minutes(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
