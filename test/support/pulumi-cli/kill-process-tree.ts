import { execFile } from "node:child_process";
import { promisify } from "node:util";

/**
 * Kills the process and everything that it started and that still runs. The engine gives each plugin a
 * process group of its own and leaves them behind when it is killed; the session is what they have in common.
 * @param leader a process spawned as `detached`
 */
export async function endSession(leader: number): Promise<void> {
  for (const pid of [-leader, ...(await processesOf(leader))]) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself in the meantime.
    }
  }
}

/** The processes of the session that still run, by id. */
export async function processesOf(leader: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,sess=,state="]);
  return stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, session, state]) => session === String(leader) && state !== "Z")
    .map(([pid]) => Number(pid));
}
