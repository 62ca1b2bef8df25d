import { spawnSync } from "node:child_process";

/** What has to be undone before the process ends, however it ends. */
export class Ending {
  /** Resolves when the user wants to stop, or nobody reads any more. */
  readonly wanted: Promise<void>;
  readonly #steps: (() => Promise<void>)[] = [];

  constructor() {
    this.wanted = new Promise((resolve) => {
      // Every time, not once: npm passes on a signal that the terminal has sent already.
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => resolve());
      process.stdout.on("error", () => resolve());
    });
  }

  /** Waits for something to be made that has to be ended, also if the process is to end before it is made. */
  async owns<Made>(making: Promise<Made>, end: (made: Made) => Promise<void>): Promise<Made> {
    this.#steps.push(async () => {
      const made = await making.catch(() => undefined);
      if (made !== undefined) await end(made);
    });
    return making;
  }

  /** Undoes everything, last things first, and ends the process. */
  async exit(code: number): Promise<never> {
    for (const step of this.#steps.reverse()) await step().catch((error) => console.error(error));
    endChildren();
    process.exit(code);
  }
}

/** Ends what the search for an engine may have started, a download or a compiler, before it can start the next. */
function endChildren(): void {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  for (const line of stdout?.split("\n") ?? []) {
    const [pid = 0, parent] = line.trim().split(/\s+/).map(Number);
    // A download leads a group of its own.
    if (parent === process.pid && !signal(-pid)) signal(pid);
  }
}

function signal(pid: number): boolean {
  try {
    return process.kill(pid, "SIGTERM");
  } catch {
    return false;
  }
}
