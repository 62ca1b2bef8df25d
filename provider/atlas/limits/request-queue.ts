import { type Clock, duration } from "../clock.ts";
import { AtlasError } from "../errors.ts";
import type { Peers } from "./peers.ts";

/** Those who share the pace of a gate, such as other processes of this machine: each has a gate with this topic. */
export interface SharedRate {
  peers: Peers;
  topic: string;
}

export interface RequestQueueOptions {
  shared?: SharedRate | undefined;
  /** When it aborts, the run is cancelled: everybody is rejected, who waits now or comes later. */
  signal?: AbortSignal | undefined;
}

interface QueuedRequest {
  subject: string;
  deadline: number;
  resolve: () => void;
  reject: (error: AtlasError) => void;
}

/**
 * Lets requests through one after the other, in their order, once they must wait at all: what one of them was
 * told, holds for all. While they wait it says so, once a minute. Those whose turn cannot come in time are rejected
 * as soon as that is known, and not when their time is over.
 *
 * A gate that shares its pace announces itself while somebody waits, and until the interval after the last one is
 * over. Its intervals are as many times longer as there are such gates.
 */
export class RequestQueue {
  readonly #clock: Clock;
  readonly #notify: (line: string) => void;
  readonly #shared: SharedRate | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #queue: QueuedRequest[] = [];
  #isDraining = false;
  #blockedUntil = 0;
  /** When the last one came through, and the interval that follows. */
  #passedAt = 0;
  #pauseMs = 0;
  #intervalMs = 0;
  /** How many gates share the pace, and the place of this one among them. */
  #shares = 1;
  #place = 0;
  #reason = "";
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, notify: (line: string) => void, { shared, signal }: RequestQueueOptions = {}) {
    this.#clock = clock;
    this.#notify = notify;
    this.#shared = shared;
    this.#signal = signal;
    signal?.addEventListener("abort", () => {
      for (const { subject: who, reject } of this.#queue.splice(0)) reject(new AtlasError(cancelled(who)));
    });
  }

  /** Whether somebody waits here, which those who share the pace know. */
  get hasWaiting(): boolean {
    return this.#isDraining;
  }

  /** Closes for so long. `why` ends the sentence "wait for". */
  blockFor(durationMs: number, why: string): void {
    this.#blockedUntil = Math.max(this.#blockedUntil, this.#clock.monotonic() + durationMs);
    this.#reason = why;
    this.#rejectLate();
  }

  /** From the next one on, lets one through at each interval, or, at 0, everybody. `why` as in `hold`. */
  setInterval(intervalMs: number, why: string): void {
    this.#intervalMs = intervalMs;
    this.#reason = why;
    this.#rejectLate();
  }

  /**
   * Resolves when it is the turn of this request.
   *
   * @param deadline - By the monotonic clock.
   * @throws AtlasError at once when its turn would come later, or the run is cancelled; nothing was sent then.
   */
  async acquire(who: string, deadline: number): Promise<void> {
    if (this.#signal?.aborted) throw new AtlasError(cancelled(who));
    if (!this.#isDraining && this.#clock.monotonic() >= this.#opensAt) {
      this.#pass();
      return;
    }
    await new Promise<void>((go, reject) => {
      this.#queue.push({ subject: who, deadline: deadline, resolve: go, reject });
      this.#rejectLate();
      if (!this.#isDraining && this.#queue.length > 0) void this.#drain();
    });
  }

  get #opensAt(): number {
    // After a hold, which ends for all at about the same time, they start one after the other.
    return Math.max(this.#blockedUntil + this.#place * this.#intervalMs, this.#pausesUntil);
  }

  get #pausesUntil(): number {
    return this.#passedAt + this.#pauseMs * this.#shares;
  }

  #pass(): void {
    this.#passedAt = this.#clock.monotonic();
    this.#pauseMs = this.#intervalMs;
  }

  async #drain(): Promise<void> {
    this.#isDraining = true;
    this.#shared?.peers.announce(this.#shared.topic);
    this.#updateShare();
    // Whoever else is sent back in this moment is told of in the same line.
    await this.#clock.sleep(Math.min(1_000, this.#opensAt - this.#clock.monotonic()));
    while (this.#isNeeded()) {
      const waitMs = this.#opensAt - this.#clock.monotonic();
      if (waitMs > 0) {
        if (this.#queue.length > 0) this.#reportWait();
        await this.#clock.sleep(this.#shared ? Math.min(waitMs, this.#intervalMs || waitMs) : waitMs);
        this.#updateShare();
      } else {
        this.#pass();
        this.#queue.shift()?.resolve();
      }
    }
    this.#shared?.peers.withdraw(this.#shared.topic);
    this.#isDraining = false;
  }

  #isNeeded(): boolean {
    return (
      this.#queue.length > 0 || (this.#shared !== undefined && this.#clock.monotonic() < this.#pausesUntil)
    );
  }

  /** Those who share the pace come and go at any time. */
  #updateShare(): void {
    if (!this.#shared) return;
    const { peers, topic } = this.#shared;
    this.#place = peers.place(topic);
    this.#shares = peers.others(topic) + 1;
    if (this.#shares > 1) this.#rejectLate();
  }

  /** Those whose turn would come too late even if nobody shared the pace from now on. */
  #rejectLate(): void {
    let turnAt = this.#opensAt;
    for (const waiting of this.#queue.splice(0)) {
      if (turnAt > waiting.deadline) {
        waiting.reject(new AtlasError(waitTooLong(waiting.subject, this.#reason)));
      } else {
        this.#queue.push(waiting);
        turnAt += this.#intervalMs;
      }
    }
  }

  #reportWait(): void {
    const now = this.#clock.monotonic();
    const lastMs = this.#opensAt + (this.#queue.length - 1) * this.#intervalMs * this.#shares - now;
    if (lastMs < 2_000 || now - this.#reportedAt < 60_000) return;
    this.#reportedAt = now;
    const [first, ...others] = this.#queue;
    const who =
      others.length > 0 ? `${first?.subject} and ${others.length} more wait` : `${first?.subject} waits`;
    this.#notify(`${who} for ${this.#reason}: about ${duration(lastMs)}.`);
  }
}

function waitTooLong(who: string, why: string): string {
  return `${who} would have to wait for ${why}, and longer than mongodbatlas:maxWait allows; nothing more was sent. Run the command again later, or raise mongodbatlas:maxWait.`;
}

function cancelled(who: string): string {
  return `The run was cancelled before the request for ${who} was sent; nothing more was sent for it.`;
}
