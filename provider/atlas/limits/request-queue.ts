import { type Clock, duration } from "../clock.ts";
import { AtlasError, cancelledError } from "../errors.ts";
import type { Notify } from "../notice.ts";
import type { Subject } from "../subject.ts";
import type { Peers } from "./peers.ts";

/** A rate that several queues share, such as those of other processes of this machine, under one topic. */
export interface SharedRate {
  peers: Peers;
  topic: string;
}

export interface RequestQueueOptions {
  shared?: SharedRate | undefined;
  /** Aborted when the run is cancelled: every request that waits, or comes later, is rejected. */
  signal?: AbortSignal | undefined;
}

/** What the queue tells the user about a request. */
export interface QueuedRequest {
  /** The address of a person, or the name of a list. */
  subject: string;
  person?: Subject | undefined;
}

interface Waiting {
  request: QueuedRequest;
  /** In ms of the monotonic clock. */
  deadline: number;
  resolve: () => void;
  reject: (error: AtlasError) => void;
}

/**
 * A FIFO queue of requests to one limit of Atlas. While the limit is not reached, requests pass at once. After
 * `blockFor` or `setInterval` they wait in their order. A notice once a minute says how long. A request is rejected as
 * soon as it is known that it cannot pass before its deadline.
 *
 * A queue with a shared rate announces itself to its peers while requests wait, and until the interval after the last one
 * has passed. Its intervals are multiplied by the number of queues that share the rate.
 */
export class RequestQueue {
  readonly #clock: Clock;
  readonly #notify: Notify;
  readonly #shared: SharedRate | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #queue: Waiting[] = [];
  #isDraining = false;
  #blockedUntil = 0;
  /** When the last request passed, and the interval that follows it. */
  #passedAt = 0;
  #intervalAfterLastMs = 0;
  #intervalMs = 0;
  /** How many queues share the rate, and the position of this one among them. */
  #shares = 1;
  #position = 0;
  #reason = "";
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, notify: Notify, { shared, signal }: RequestQueueOptions = {}) {
    this.#clock = clock;
    this.#notify = notify;
    this.#shared = shared;
    this.#signal = signal;
    signal?.addEventListener("abort", () => {
      for (const { request, reject } of this.#queue.splice(0)) reject(cancelledError(request.subject));
    });
  }

  /** Whether requests wait, or the interval after the last one has not passed; its peers know that. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Blocks all requests for so long. `reason` completes the notice "Waiting for {reason}: …". */
  blockFor(durationMs: number, reason: string): void {
    this.#blockedUntil = Math.max(this.#blockedUntil, this.#clock.monotonic() + durationMs);
    this.#reason = reason;
    this.#rejectLate();
  }

  /** After the next request, lets one request pass per interval, or all of them at 0. `reason` as in `blockFor`. */
  setInterval(intervalMs: number, reason: string): void {
    this.#intervalMs = intervalMs;
    this.#reason = reason;
    this.#rejectLate();
  }

  /**
   * Resolves when the request may be sent.
   *
   * @param deadline - In ms of the monotonic clock.
   * @throws AtlasError "waitTooLong" as soon as it is known that the request cannot pass in time; "cancelled" when the
   *   run is cancelled. The request was not sent.
   */
  async acquire(request: QueuedRequest, deadline: number): Promise<void> {
    if (this.#signal?.aborted) throw cancelledError(request.subject);
    if (!this.#isDraining && this.#clock.monotonic() >= this.#opensAt) {
      this.#pass();
      return;
    }
    await new Promise<void>((resolve, reject) => {
      this.#queue.push({ request, deadline, resolve, reject });
      this.#rejectLate();
      if (!this.#isDraining && this.#queue.length > 0) void this.#drain();
    });
  }

  get #opensAt(): number {
    // A block ends for all queues at about the same time, so each starts at its own position.
    return Math.max(this.#blockedUntil + this.#position * this.#intervalMs, this.#intervalEndsAt);
  }

  get #intervalEndsAt(): number {
    return this.#passedAt + this.#intervalAfterLastMs * this.#shares;
  }

  #pass(): void {
    this.#passedAt = this.#clock.monotonic();
    this.#intervalAfterLastMs = this.#intervalMs;
  }

  async #drain(): Promise<void> {
    this.#isDraining = true;
    this.#shared?.peers.announce(this.#shared.topic);
    this.#updateShare();
    // Requests that Atlas throttles together are reported in one notice.
    await this.#clock.sleep(Math.min(1_000, this.#opensAt - this.#clock.monotonic()), this.#signal);
    while (this.#isNeeded()) {
      const waitMs = this.#opensAt - this.#clock.monotonic();
      if (waitMs > 0) {
        if (this.#queue.length > 0) this.#reportWait();
        const sleepMs = this.#shared ? Math.min(waitMs, this.#intervalMs || waitMs) : waitMs;
        await this.#clock.sleep(sleepMs, this.#signal);
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
    if (this.#signal?.aborted) return false;
    return (
      this.#queue.length > 0 || (this.#shared !== undefined && this.#clock.monotonic() < this.#intervalEndsAt)
    );
  }

  /** Peers start and end at any time. */
  #updateShare(): void {
    if (!this.#shared) return;
    const { peers, topic } = this.#shared;
    this.#position = peers.place(topic);
    this.#shares = peers.others(topic) + 1;
    if (this.#shares > 1) this.#rejectLate();
  }

  /** Rejects the requests that would pass too late even if no peer shared the rate from now on. */
  #rejectLate(): void {
    let passesAt = this.#opensAt;
    for (const waiting of this.#queue.splice(0)) {
      if (passesAt > waiting.deadline) {
        waiting.reject(waitTooLong(waiting.request, this.#reason));
      } else {
        this.#queue.push(waiting);
        passesAt += this.#intervalMs;
      }
    }
  }

  #reportWait(): void {
    const now = this.#clock.monotonic();
    const lastMs = this.#opensAt + (this.#queue.length - 1) * this.#intervalMs * this.#shares - now;
    if (lastMs < 2_000 || now - this.#reportedAt < 60_000) return;
    this.#reportedAt = now;
    const [{ request }, ...others] = this.#queue as [Waiting, ...Waiting[]];
    const waiting = others.length > 0 ? `${request.subject} and ${others.length} more` : request.subject;
    this.#notify({
      severity: "info",
      text: `Waiting for ${this.#reason}: ${waiting}, about ${duration(lastMs)} left.`,
      subject: others.length > 0 ? undefined : request.person,
    });
  }
}

function waitTooLong({ subject }: QueuedRequest, reason: string): AtlasError {
  return new AtlasError(
    "waitTooLong",
    `The request for ${subject} was not sent: it would have to wait for ${reason}, longer than one operation may wait.`,
  );
}
