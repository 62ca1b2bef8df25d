import { type Clock, duration } from "../clock.ts";
import type { Notify } from "../notice.ts";
import { type InvitationRate, parseInvitationRate } from "./invitation-rate.ts";
import { type QueuedRequest, RequestQueue, type RequestQueueOptions } from "./request-queue.ts";

/** What the limits depend on in a request. */
export interface LimitedRequest extends QueuedRequest {
  path: string;
  /** Whether Atlas sends an e-mail for the request, and counts it for the throttle of invitations. */
  invites?: boolean | undefined;
}

const BUCKET = "Atlas's limit of requests";

/**
 * The limits of Atlas, each with a queue of its own: the throttle of invitations, which counts by source address, and
 * the token bucket of each set of endpoints in an organization.
 */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #notify: Notify;
  readonly #options: RequestQueueOptions;
  readonly #invitations: RequestQueue;
  readonly #buckets = new Map<string, RequestQueue>();
  #rate = parseInvitationRate([], "");

  /** @param options - `shared` is the rate of invitations to this host from this machine. */
  constructor(clock: Clock, notify: Notify, options: RequestQueueOptions = {}) {
    this.#clock = clock;
    this.#notify = notify;
    this.#options = options;
    this.#invitations = new RequestQueue(clock, notify, options);
  }

  /**
   * Resolves when the limits allow the request.
   *
   * @param deadline - In ms of the monotonic clock.
   * @throws AtlasError as {@link RequestQueue.acquire}.
   */
  async acquire(request: LimitedRequest, deadline: number): Promise<void> {
    // The slower limit first, so that a request that cannot be sent in time is rejected before any other wait.
    if (request.invites) {
      this.#joinPeers();
      await this.#invitations.acquire(request, deadline);
    }
    await this.#bucket(request).acquire(request, deadline);
  }

  /**
   * Atlas rejected an invitation because of its throttle. Stops all invitations for one window, as Atlas may count a
   * rejected attempt, then sends them 4 % slower than the rate allows: network latency and the look-up before each
   * invitation can shift a request by two seconds within a window of a minute.
   */
  onInvitationThrottle(rate: InvitationRate): void {
    this.#rate = rate;
    this.#blockInvitations(rate.windowMs);
  }

  /** Atlas answered 429: the token bucket is empty for so long. */
  onTooManyRequests(request: LimitedRequest, durationMs: number): void {
    this.#bucket(request).blockFor(durationMs, BUCKET);
  }

  /**
   * Reads `RateLimit-Remaining` of an answer. When less than a tenth of the bucket is left, slows requests down to its
   * refill rate: half of the bucket per minute (documented for these endpoints).
   */
  updateFromHeaders(
    request: LimitedRequest,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    const limit = Number(headers["ratelimit-limit"]);
    const left = Number(headers["ratelimit-remaining"]);
    if (!(Number.isInteger(limit) && left >= 0)) return;
    this.#bucket(request).setInterval(left * 10 < limit ? 60_000 / (limit / 2) : 0, BUCKET);
  }

  /** While other processes wait for the throttle, Atlas would reject an invitation sent at once, and may count it. */
  #joinPeers(): void {
    const { shared } = this.#options;
    if (this.#invitations.isDraining || !shared?.peers.others(shared.topic)) return;
    this.#blockInvitations(this.#rate.windowMs / this.#rate.invitations);
  }

  #blockInvitations(durationMs: number): void {
    const { invitations, windowMs } = this.#rate;
    const reason = `Atlas's limit of ${invitations} invitations in ${duration(windowMs)}`;
    this.#invitations.blockFor(durationMs, reason);
    this.#invitations.setInterval((windowMs / invitations) * 1.04, reason);
  }

  #bucket({ path }: LimitedRequest): RequestQueue {
    const name = /\/orgs\/[^/]+\/[^/?]+/.exec(path)?.[0] ?? path;
    const { signal } = this.#options;
    const queue = this.#buckets.get(name) ?? new RequestQueue(this.#clock, this.#notify, { signal });
    this.#buckets.set(name, queue);
    return queue;
  }
}
