import { execFile } from "node:child_process";
import { promisify } from "node:util";

/**
 * Kills a process and, if it was spawned as `detached`, all processes that it started. The engine gives each plugin a
 * process group of its own and leaves the plugins running when it is killed, but all share one session.
 */
export async function killProcessTree(leader: number): Promise<void> {
  let pids = [-leader, leader];
  // Until it is killed, each process can start others.
  while (pids.length > 0) {
    pids.forEach(kill);
    pids = await processesInSession(leader);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // The process has ended already.
  }
}

/** The ids of the processes in the session that still run. */
export async function processesInSession(leader: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,sess=,state="]);
  return stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, session, state]) => session === String(leader) && state !== "Z")
    .map(([pid]) => Number(pid));
}
