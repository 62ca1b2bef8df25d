import type { ResponseHead } from "../auth.ts";
import { type Clock, duration } from "../clock.ts";
import { type InvitationRate, parseInvitationRate } from "../retry.ts";
import { RequestQueue, type SharedRate } from "./request-queue.ts";

/** What the limits need to know of a request. */
export interface LimitedRequest {
  path: string;
  /** Whom or what it is about, for the line that says who waits. */
  subject: string;
  /** Whether Atlas sends an e-mail for it, and so counts it for the throttle of invitations. */
  invites?: boolean | undefined;
}

export interface RateLimiterOptions {
  /** Who else sends invitations to this host from this machine, and so meets the same throttle. */
  shared?: SharedRate | undefined;
  /** When it aborts, the run is cancelled: everybody is rejected, who waits now or comes later. */
  signal?: AbortSignal | undefined;
}

const BUCKET = "Atlas, which limits how many requests it takes";

/**
 * What Atlas lets through, and the queues of those who wait for it: the throttle of invitations, which counts
 * by source address, and the token bucket of each set of endpoints in an organization.
 */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #notify: (line: string) => void;
  readonly #shared: SharedRate | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #invitations: RequestQueue;
  readonly #buckets = new Map<string, RequestQueue>();
  #pace = parseInvitationRate([], "");

  constructor(clock: Clock, notify: (line: string) => void, { shared, signal }: RateLimiterOptions = {}) {
    this.#clock = clock;
    this.#notify = notify;
    this.#shared = shared;
    this.#signal = signal;
    this.#invitations = new RequestQueue(clock, notify, { shared, signal });
  }

  /**
   * Resolves when it is the turn of this request.
   *
   * @param deadline - By the monotonic clock.
   * @throws AtlasError at once when its turn would come later, or the run is cancelled; nothing was sent then.
   */
  async acquire(request: LimitedRequest, deadline: number): Promise<void> {
    // First the limit that takes longer, so that whoever cannot be sent in time is told before any other wait.
    if (request.invites) {
      this.#joinOthers();
      await this.#invitations.acquire(request.subject, deadline);
    }
    await this.#bucket(request).acquire(request.subject, deadline);
  }

  /**
   * The throttle of invitations was met. Nobody sends one until a whole window has passed, as a refused attempt
   * may count too; then they go at its pace, 4 % slower, so that the jitter of the network, and of the look before
   * each, does not meet it again: over a window of a minute these may take two seconds more or less.
   */
  onInvitationThrottle(pace: InvitationRate): void {
    this.#pace = pace;
    this.#holdInvitations(pace.windowMs);
  }

  /** A token bucket is empty for so long. */
  onTooManyRequests(request: LimitedRequest, durationMs: number): void {
    this.#bucket(request).blockFor(durationMs, BUCKET);
  }

  /**
   * What is left in the bucket, by the headers of an answer. In its last tenth requests go no faster than it is
   * refilled: half of it a minute (documented for these endpoints).
   */
  updateFromHeaders(request: LimitedRequest, { headers }: ResponseHead): void {
    const limit = Number(headers["ratelimit-limit"]);
    const left = Number(headers["ratelimit-remaining"]);
    if (!(Number.isInteger(limit) && left >= 0)) return;
    this.#bucket(request).setInterval(left * 10 < limit ? 60_000 / (limit / 2) : 0, BUCKET);
  }

  /** Where others wait for the throttle, it would refuse what is sent at once, and perhaps count it against them. */
  #joinOthers(): void {
    if (this.#invitations.hasWaiting || !this.#shared?.peers.others(this.#shared.topic)) return;
    this.#holdInvitations(this.#pace.windowMs / this.#pace.invitations);
  }

  #holdInvitations(durationMs: number): void {
    const { invitations, windowMs } = this.#pace;
    const why = `Atlas, which takes ${invitations} invitations in ${duration(windowMs)}`;
    this.#invitations.blockFor(durationMs, why);
    this.#invitations.setInterval((windowMs / invitations) * 1.04, why);
  }

  #bucket({ path }: LimitedRequest): RequestQueue {
    const name = /\/orgs\/[^/]+\/[^/?]+/.exec(path)?.[0] ?? path;
    const gate =
      this.#buckets.get(name) ?? new RequestQueue(this.#clock, this.#notify, { signal: this.#signal });
    this.#buckets.set(name, gate);
    return gate;
  }
}
