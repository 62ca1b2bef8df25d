import type { Clock } from "../../provider/atlas/clock.ts";

/** Nobody waits for anything any more, and yet the work is not done. */
export class HangError extends Error {
  override readonly name = "HangError";
}

const START = Date.UTC(2026, 0, 5);
// A module that is loaded for the first time takes some turns of the event loop, in which nothing seems to happen.
const IDLE_TURNS = 2_000;

/**
 * Time that passes only when everybody waits, and then jumps to whoever wakes first. What happens at the same
 * time happens in the order in which it was begun, so a run can be repeated exactly.
 */
export class VirtualClock implements Clock {
  readonly random: () => number;
  #elapsed = 0;
  #sleepers: { until: number; wake: () => void }[] = [];

  /** @param random - From 0 up to, but not including, 1: the same for the same story. */
  constructor(random: () => number) {
    this.random = random;
  }

  now = (): number => START + this.#elapsed;

  monotonic = (): number => this.#elapsed;

  sleep = (durationMs: number): Promise<void> =>
    new Promise((wake) => {
      const until = this.#elapsed + durationMs;
      const later = this.#sleepers.findIndex((other) => other.until > until);
      this.#sleepers.splice(later < 0 ? this.#sleepers.length : later, 0, { until, wake });
    });

  /** Lets time pass until the work is done. */
  async run<Result>(work: Promise<Result>): Promise<Result> {
    let isDone = false;
    const done = () => {
      isDone = true;
    };
    work.then(done, done);
    for (let idleTurns = 0; ; ) {
      await new Promise(setImmediate);
      if (isDone) return work;
      const next = this.#sleepers.shift();
      if (next) {
        this.#elapsed = Math.max(this.#elapsed, next.until);
        next.wake();
        idleTurns = 0;
      } else if (++idleTurns > IDLE_TURNS) {
        throw new HangError("an operation hangs: nobody waits for anything, and it is not done");
      }
    }
  }
}
