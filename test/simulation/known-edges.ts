import { currentOperation } from "./engine-model.ts";
import type { WireRequest } from "./fake-undici.ts";
import { whoIs } from "./people.ts";

/** From the look at a person in the users API to the request that follows it. */
export const LOOK_IS_FRESH_FOR_MS = 500;
/** From the request for a list to the last operation that uses it. */
export const LISTS_ARE_SHARED_FOR_MS = 30_000;
/** From the last look to an invitation that follows it. */
export const INVITATION_WITHOUT_A_LOOK_MS = 10_000;

/** When a request was answered by Atlas, and when its answer came. */
interface Look {
  answeredAt: number;
  cameAt: number;
}

/**
 * What nobody can win against the API itself, as each request is based on what Atlas said before. The harm is done
 * only within these bounds; everywhere else it is a violation.
 *
 * - Users API, which cancels an invitation and removes a member by one and the same request: somebody who accepts
 *   after Atlas has answered the look, and before it gets the request that follows it, is treated as they were. That
 *   is one round trip and at most 500 ms.
 * - Invitations API, where Atlas sends a second e-mail to somebody pending: a colleague's invitation is replaced that
 *   is sent after Atlas has answered the list, and before it gets the invitation. That is at most 30 s for which a list
 *   is shared (or as long as its answer takes), 10 s without a look, and one round trip.
 * - A PATCH replaces whole lists: what a colleague gives a person is taken if Atlas gets the PATCH after it and answered
 *   the list before it. That is at most 30 s for which a list is shared, and as long as the request waits.
 */
export class KnownEdges {
  readonly #now: () => number;
  readonly #accepted = new Map<string, number>();
  readonly #invited = new Map<string, number>();
  readonly #looks = new WeakMap<object, { userId: string; look: Look }[]>();
  readonly #lists = new Map<string, Look[]>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Somebody in Atlas does something to a person. */
  acts(deed: string, orgId: string, username: string): void {
    if (deed === "accept") this.#accepted.set(whoIs(orgId, username), this.#now());
    // Who is invited and changes to an address is pending under it like one who is invited there.
    if (deed === "invite" || deed === "changeAddress") this.#invited.set(whoIs(orgId, username), this.#now());
  }

  /** Atlas answers a request; calls back when the answer has come. */
  answers({ method, target }: WireRequest): () => void {
    const look = { answeredAt: this.#now(), cameAt: Number.POSITIVE_INFINITY };
    const [, orgId = "", userId] = /\/orgs\/(\w+)\/(?:users|invites)(?:\/(\w+))?/.exec(target) ?? [];
    const operation = currentOperation();
    if (method === "GET" && userId && operation) {
      this.#looks.set(operation, [...(this.#looks.get(operation) ?? []), { userId, look }]);
    }
    if (method === "GET" && !userId) this.#lists.set(orgId, [...(this.#lists.get(orgId) ?? []), look]);
    return () => {
      look.cameAt = this.#now();
    };
  }

  /** Whether the person has accepted while a request about them was on its way. */
  hasJustAccepted(
    orgId: string,
    { username, userId }: { username: string; userId: string },
    sentAt: number,
  ): boolean {
    const operation = currentOperation();
    // A request that Atlas carries out late is based on a look before it was sent.
    const looks = (operation && this.#looks.get(operation)) ?? [];
    const look = looks.findLast((one) => one.userId === userId && one.look.cameAt <= sentAt)?.look;
    const acceptedAt = this.#accepted.get(whoIs(orgId, username)) ?? Number.NEGATIVE_INFINITY;
    return (
      look !== undefined && acceptedAt >= look.answeredAt && sentAt - look.cameAt <= LOOK_IS_FRESH_FOR_MS
    );
  }

  /** Whether a colleague has invited the person since the list on which an invitation is based. */
  wasJustInvited(orgId: string, username: string, sentAt: number): boolean {
    const invitedAt = this.#invited.get(whoIs(orgId, username)) ?? Number.NEGATIVE_INFINITY;
    return (this.#lists.get(orgId) ?? []).some(({ answeredAt, cameAt }) => {
      const ageMs = Math.max(LISTS_ARE_SHARED_FOR_MS, cameAt - answeredAt) + INVITATION_WITHOUT_A_LOOK_MS;
      return answeredAt <= invitedAt && answeredAt + ageMs >= sentAt;
    });
  }
}
