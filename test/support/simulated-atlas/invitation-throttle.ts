import { type Answer, refusal } from "./answer.ts";
import { SlidingWindow } from "./window.ts";

/** The limit of invitations from one source address. */
export interface InvitationThrottle {
  /** @default 10 */
  limit?: number;
  /** @default 1 */
  perMinutes?: number;
  /**
   * The first is recorded, the second documented.
   * @default "INVITATIONS_RATE_LIMITED_IP"
   */
  errorCode?: "INVITATIONS_RATE_LIMITED_IP" | "RATE_LIMITED_IP";
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
      const { errorCode = "INVITATIONS_RATE_LIMITED_IP" } = throttle;
      const detail = `Rate limit of ${limit} invitations per ${perMinutes} minutes exceeded`;
      // Inferred: the parameters are the numbers of the detail.
      throw refusal(400, errorCode, detail, [limit, perMinutes]);
    }
    const answer = create();
    if (!refusedCount) this.#window.add(now);
    return answer;
  }
}
