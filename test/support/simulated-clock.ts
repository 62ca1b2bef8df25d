import { subscribe } from "node:diagnostics_channel";
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../provider/atlas/clock.ts";

// The HTTP requests of this process, from their creation to the last byte of the answer, or to their failure.
const inProgress = new Set<object>();
const requestIn = (message: unknown) => (message as { request: { method: string } }).request;
subscribe("undici:request:create", (message) => {
  // The channels never report the end of a CONNECT request.
  if (requestIn(message).method !== "CONNECT") inProgress.add(requestIn(message));
});
for (const end of ["trailers", "error"]) {
  subscribe(`undici:request:${end}`, (message) => void inProgress.delete(requestIn(message)));
}

interface Sleeper {
  until: number;
  wake: () => void;
}

/** A clock whose time passes only in `advance` and `run`, from one sleeper to the next. */
export class SimulatedClock implements Clock {
  /** The durations of all sleeps, in ms and in their order. */
  readonly slept: number[] = [];
  /** A test may replace it at any time. */
  random: () => number;
  #elapsed = 0;
  #wallOffset = Date.UTC(2026, 7, 21, 12);
  #sleepers: Sleeper[] = [];
  #travelling = 0;

  /** @param random - By default, it always returns 0.5. */
  constructor(random: () => number = () => 0.5) {
    this.random = random;
  }

  readonly now = (): number => this.#wallOffset + this.#elapsed;

  readonly monotonic = (): number => this.#elapsed;

  /** Sets the wall clock back, as an administrator may. Durations and sleeps do not change. */
  setBack(durationMs: number): void {
    this.#wallOffset -= durationMs;
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    this.slept.push(durationMs);
    return this.#parked(signal?.aborted ? 0 : durationMs, signal);
  }

  /** Delays an HTTP request on the server side, while time passes for all sleepers. */
  async travel(durationMs: number): Promise<void> {
    this.#travelling += 1;
    await this.#parked(durationMs);
    this.#travelling -= 1;
  }

  /** Lets time pass, and resolves when all work that this causes is done. */
  async advance(durationMs: number): Promise<void> {
    const end = this.#elapsed + durationMs;
    await this.#quiet();
    for (let next = this.#next(); next && next.until <= end; next = this.#next()) {
      this.#wake(next);
      await this.#quiet();
    }
    this.#elapsed = end;
  }

  /**
   * Lets time pass until the work is done. Whenever no HTTP request is in progress and no other work is left,
   * the next sleeper wakes.
   */
  async run<Result>(work: Promise<Result>): Promise<Result> {
    let isDone = false;
    const done = () => {
      isDone = true;
    };
    work.then(done, done);
    for (await this.#quiet(); !isDone; await this.#quiet()) {
      const next = this.#next();
      if (next) this.#wake(next);
    }
    return work;
  }

  #parked(durationMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((wake) => {
      const sleeper = { until: this.#elapsed + durationMs, wake };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", () => {
        sleeper.until = Math.min(sleeper.until, this.#elapsed);
      });
    });
  }

  #next(): Sleeper | undefined {
    return this.#sleepers.reduce<Sleeper | undefined>(
      (first, other) => (first && first.until <= other.until ? first : other),
      undefined,
    );
  }

  #wake(sleeper: Sleeper): void {
    this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
    this.#elapsed = Math.max(this.#elapsed, sleeper.until);
    sleeper.wake();
  }

  /** Resolves when no request is in progress, and none has started in a few turns of the event loop. */
  async #quiet(): Promise<void> {
    for (let turns = 0; turns < 3; turns++) {
      await setImmediate();
      if (inProgress.size > this.#travelling) turns = 0;
    }
  }
}
