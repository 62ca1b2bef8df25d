import { type Clock, duration } from "./clock.ts";
import { AtlasError } from "./errors.ts";

export interface GateOptions {
  /** When it aborts, the run is cancelled: everybody is rejected, who waits now or comes later. */
  signal?: AbortSignal | undefined;
}

interface Waiting {
  who: string;
  until: number;
  go: () => void;
  reject: (error: AtlasError) => void;
}

/**
 * Lets requests through one after the other, in their order, once they must wait at all: what one of them was
 * told, holds for all. While they wait it says so, once a minute. Those whose turn cannot come in time are rejected
 * as soon as that is known, and not when their time is over.
 */
export class Gate {
  readonly #clock: Clock;
  readonly #notify: (line: string) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #queue: Waiting[] = [];
  #isServing = false;
  #opensAt = 0;
  #intervalMs = 0;
  #why = "";
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, notify: (line: string) => void, { signal }: GateOptions = {}) {
    this.#clock = clock;
    this.#notify = notify;
    this.#signal = signal;
    signal?.addEventListener("abort", () => {
      for (const { who, reject } of this.#queue.splice(0)) reject(new AtlasError(cancelled(who)));
    });
  }

  /** Closes for so long. `why` ends the sentence "wait for". */
  hold(durationMs: number, why: string): void {
    this.#opensAt = Math.max(this.#opensAt, this.#clock.monotonic() + durationMs);
    this.#why = why;
    this.#rejectLate();
  }

  /** From the next one on, lets one through at each interval, or, at 0, everybody. `why` as in `hold`. */
  pace(intervalMs: number, why: string): void {
    this.#intervalMs = intervalMs;
    this.#why = why;
    this.#rejectLate();
  }

  /**
   * Resolves when it is the turn of this request.
   *
   * @param until - By the monotonic clock.
   * @throws AtlasError at once when its turn would come later, or the run is cancelled; nothing was sent then.
   */
  async turn(who: string, until: number): Promise<void> {
    if (this.#signal?.aborted) throw new AtlasError(cancelled(who));
    const now = this.#clock.monotonic();
    if (!this.#isServing && now >= this.#opensAt) {
      this.#opensAt = now + this.#intervalMs;
      return;
    }
    await new Promise<void>((go, reject) => {
      this.#queue.push({ who, until, go, reject });
      this.#rejectLate();
      if (!this.#isServing && this.#queue.length > 0) void this.#serve();
    });
  }

  async #serve(): Promise<void> {
    this.#isServing = true;
    // Whoever else is sent back in this moment is told of in the same line.
    await this.#clock.sleep(Math.min(1_000, this.#opensAt - this.#clock.monotonic()));
    while (this.#queue.length > 0) {
      const now = this.#clock.monotonic();
      if (now < this.#opensAt) {
        this.#say();
        await this.#clock.sleep(this.#opensAt - now);
      } else {
        this.#opensAt = now + this.#intervalMs;
        this.#queue.shift()?.go();
      }
    }
    this.#isServing = false;
  }

  #rejectLate(): void {
    let turnAt = this.#opensAt;
    for (const waiting of this.#queue.splice(0)) {
      if (turnAt > waiting.until) {
        waiting.reject(new AtlasError(tooLong(waiting.who, this.#why)));
      } else {
        this.#queue.push(waiting);
        turnAt += this.#intervalMs;
      }
    }
  }

  #say(): void {
    const now = this.#clock.monotonic();
    const lastMs = this.#opensAt + (this.#queue.length - 1) * this.#intervalMs - now;
    if (lastMs < 2_000 || now - this.#saidAt < 60_000) return;
    this.#saidAt = now;
    const [first, ...others] = this.#queue;
    const who = others.length > 0 ? `${first?.who} and ${others.length} more wait` : `${first?.who} waits`;
    this.#notify(`${who} for ${this.#why}: about ${duration(lastMs)}.`);
  }
}

function tooLong(who: string, why: string): string {
  return `${who} would have to wait for ${why}, and longer than mongodbatlas:maxWait allows; nothing more was sent. Run the command again later, or raise mongodbatlas:maxWait.`;
}

function cancelled(who: string): string {
  return `The run was cancelled before the request for ${who} was sent; nothing more was sent for it.`;
}
