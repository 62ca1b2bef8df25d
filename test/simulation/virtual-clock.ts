import type { Clock } from "../../provider/atlas/clock.ts";

const START = Date.UTC(2026, 0, 5);
// The first load of a module takes several turns of the event loop, in which no work waits for the clock.
const MAX_IDLE_TURNS = 2_000;

/**
 * Stands still while work is in progress, and jumps to the next timer once all work waits. Timers that are due at the
 * same time fire in the order in which they were set, so that a run can be repeated exactly.
 */
export class VirtualClock implements Clock {
  random: () => number = Math.random;
  #elapsed = 0;
  #timers: { dueAt: number; fire: () => void }[] = [];

  /** Begins a run. */
  reset(seed: number): void {
    this.random = prng(seed);
    this.#elapsed = 0;
    this.#timers = [];
  }

  now = (): number => START + this.#elapsed;

  monotonic = (): number => this.#elapsed;

  sleep = (durationMs: number): Promise<void> =>
    new Promise((fire) => {
      const dueAt = this.#elapsed + durationMs;
      const later = this.#timers.findIndex((other) => other.dueAt > dueAt);
      this.#timers.splice(later < 0 ? this.#timers.length : later, 0, { dueAt, fire });
    });

  /** Advances until the work is done. */
  async run<Result>(work: Promise<Result>): Promise<Result> {
    let isDone = false;
    const done = () => {
      isDone = true;
    };
    work.then(done, done);
    for (let idleTurns = 0; ; ) {
      await new Promise(setImmediate);
      if (isDone) return work;
      const next = this.#timers.shift();
      if (next) {
        this.#elapsed = Math.max(this.#elapsed, next.dueAt);
        next.fire();
        idleTurns = 0;
      } else if (++idleTurns > MAX_IDLE_TURNS) {
        throw new Error("deadlock: an operation is not done, and no timer is set");
      }
    }
  }
}

/** Replaces the constant of provider/atlas/clock.ts. */
export const systemClock = new VirtualClock();

/** Numbers from 0 up to, but not including, 1: the same sequence for the same seed (mulberry32). */
function prng(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
