import { type Clock, duration } from "./clock.ts";
import { AtlasError } from "./errors.ts";

interface Waiting {
  who: string;
  until: number;
  go: () => void;
  giveUp: (error: AtlasError) => void;
}

/**
 * Lets requests through one after the other, in their order, once they must wait at all: what one of them was
 * told, holds for all. While they wait it says so, once a minute.
 */
export class Gate {
  readonly #clock: Clock;
  readonly #notify: (line: string) => void;
  readonly #queue: Waiting[] = [];
  #opensAt = 0;
  #intervalMs = 0;
  #why = "";
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, notify: (line: string) => void) {
    this.#clock = clock;
    this.#notify = notify;
  }

  /** Closes for so long, and lets one through at each interval from then on. `why` ends the sentence "wait for". */
  hold(durationMs: number, intervalMs: number, why: string): void {
    this.#opensAt = Math.max(this.#opensAt, this.#clock.now() + durationMs);
    this.#intervalMs = intervalMs;
    this.#why = why;
  }

  /** Lets one through at each interval, or, at 0, everybody again. */
  pace(intervalMs: number, why: string): void {
    this.#intervalMs = intervalMs;
    this.#why = why;
  }

  /**
   * Resolves when it is the turn of this request.
   *
   * @throws AtlasError when that would take longer than `maxWaitMs`; nothing was sent then.
   */
  turn(who: string, maxWaitMs: number): Promise<void> {
    const now = this.#clock.now();
    if (this.#queue.length === 0 && now >= this.#opensAt) {
      this.#opensAt = now + this.#intervalMs;
      return Promise.resolve();
    }
    return new Promise((go, giveUp) => {
      this.#queue.push({ who, until: now + maxWaitMs, go, giveUp });
      if (this.#queue.length === 1) void this.#serve();
    });
  }

  async #serve(): Promise<void> {
    for (let next = this.#queue[0]; next; next = this.#queue[0]) {
      const waitMs = this.#opensAt - this.#clock.now();
      if (this.#opensAt > next.until) {
        next.giveUp(new AtlasError(tooLong(next.who, this.#why)));
      } else if (waitMs > 0) {
        this.#say();
        await this.#clock.sleep(waitMs);
        continue;
      } else {
        this.#opensAt = this.#clock.now() + this.#intervalMs;
        next.go();
      }
      this.#queue.shift();
    }
  }

  #say(): void {
    const now = this.#clock.now();
    const lastMs = this.#opensAt + (this.#queue.length - 1) * this.#intervalMs - now;
    if (lastMs < 2_000 || now - this.#saidAt < 60_000) return;
    this.#saidAt = now;
    const [first, ...others] = this.#queue;
    const who = others.length > 0 ? `${first?.who} and ${others.length} more wait` : `${first?.who} waits`;
    this.#notify(`${who} for ${this.#why}: about ${duration(lastMs)}.`);
  }
}

function tooLong(who: string, why: string): string {
  return `${who} would have to wait for ${why}, and longer than mongodbatlas:maxWait allows; nothing was sent. Run pulumi up again later, or raise mongodbatlas:maxWait.`;
}
