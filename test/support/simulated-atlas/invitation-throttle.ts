import { type Answer, refusal } from "./answer.ts";
import { SlidingWindow } from "./window.ts";

/** How many invitations Atlas sends for one source address. */
export interface InvitationThrottle {
  /** @default 10 */
  limit?: number;
  /** @default 1 */
  perMinutes?: number;
  /**
   * Recorded is the first, documented the second.
   * @default "INVITATIONS_RATE_LIMITED_IP"
   */
  errorCode?: "INVITATIONS_RATE_LIMITED_IP" | "RATE_LIMITED_IP";
  /**
   * Unknown: whether an attempt that is refused, by the throttle or for any other reason, counts like an
   * invitation that was sent. If it does, who keeps trying is never let in again.
   * @default false
   */
  refusedCount?: boolean;
}

/** Refuses invitations that come too fast, with a 400 (recorded, and not 429). */
export class ThrottledInvitations {
  // One for all organizations, because it is a matter of the source address, and the simulator has one.
  readonly #window = new SlidingWindow();

  /** Sends an invitation unless the throttle refuses it. */
  send(throttle: InvitationThrottle, now: number, create: () => Answer): Answer {
    const { limit = 10, perMinutes = 1, refusedCount = false } = throttle;
    const fits = this.#window.waitMs(now, limit, perMinutes * 60_000) === 0;
    if (refusedCount) this.#window.add(now);
    if (!fits) {
      const { errorCode = "INVITATIONS_RATE_LIMITED_IP" } = throttle;
      const detail = `Rate limit of ${limit} invitations per ${perMinutes} minutes exceeded`;
      // Inferred: the parameters are what the detail is made of.
      throw refusal(400, errorCode, detail, [limit, perMinutes]);
    }
    const answer = create();
    if (!refusedCount) this.#window.add(now);
    return answer;
  }
}
