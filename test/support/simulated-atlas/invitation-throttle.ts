import { type Answer, refusal } from "./answer.ts";

/** The limit of invitations from one source address. */
export interface InvitationThrottle {
  /** @default 10 */
  limit?: number;
  /** @default 1 */
  perMinutes?: number;
  /**
   * Unknown: whether a refused attempt counts like an invitation that was sent, whatever the reason of the
   * refusal. If it does, a client that retries without a pause is refused for ever.
   * @default false
   */
  refusedCount?: boolean;
}

/** Refuses invitations above the limit with a 400 (recorded; not a 429). */
export class ThrottledInvitations {
  // One window for all organizations: the limit is per source address, and all requests have the same.
  readonly #window = new SlidingWindow();

  /** Sends an invitation unless the throttle refuses it. */
  send(throttle: InvitationThrottle, now: number, create: () => Answer): Answer {
    const { limit = 10, perMinutes = 1, refusedCount = false } = throttle;
    const fits = this.#window.waitMs(now, limit, perMinutes * 60_000) === 0;
    if (refusedCount) this.#window.add(now);
    if (!fits) {
      const detail = `Rate limit of ${limit} invitations per ${perMinutes} minutes exceeded`;
      // Inferred: the parameters are the numbers of the detail.
      throw refusal(400, "INVITATIONS_RATE_LIMITED_IP", detail, [limit, perMinutes]);
    }
    const answer = create();
    if (!refusedCount) this.#window.add(now);
    return answer;
  }
}

/** Counts the events in a window of time that ends now. All times are in ms. */
export class SlidingWindow {
  #times: number[] = [];

  /** The time until one more event fits, 0 if it fits now. */
  waitMs(now: number, limit: number, lengthMs: number): number {
    this.#times = this.#times.filter((time) => now - time < lengthMs);
    if (this.#times.length < limit) return 0;
    // One more fits when all but the last limit - 1 have left the window.
    return (this.#times.at(-limit) ?? now) + lengthMs - now;
  }

  add(now: number): void {
    this.#times.push(now);
  }
}
