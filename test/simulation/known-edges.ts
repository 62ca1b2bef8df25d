import type { ReceivedRequest } from "../support/simulated-atlas/api.ts";
import type { Person } from "../support/simulated-atlas/organization.ts";
import { currentOperation } from "./engine-model.ts";
import { personKey } from "./people.ts";

/** From the response to a look-up of one person in the users API to the request that is based on it. */
const LOOKUP_MAX_AGE_MS = 500;
/** From the request for a list to the last operation that uses it. */
export const LIST_MAX_AGE_MS = 30_000;
/** From the last look-up to an invitation that is based on it. */
const INVITATION_LOOKUP_MAX_AGE_MS = 10_000;

/** When Atlas answered a GET request, and when the provider received the response. */
interface LookUp {
  answeredAt: number;
  receivedAt: number;
}

/**
 * Races that the API does not let any client win, because each request is based on an earlier response. The checks
 * exclude them within these bounds only:
 *
 * - The users API cancels an invitation and removes a member by the same request. A person who accepts after Atlas
 *   answered the look-up, and before it receives the request that is based on it, is treated as pending. The bound is
 *   one round trip and 500 ms.
 * - The invitations API sends a second e-mail to a pending person. The invitation of a colleague is replaced if it is
 *   sent after Atlas answered the list, and before it receives the invitation of the provider. The bound is the 30 s
 *   for which a list is cached (or the time that its response takes), 10 s without a look-up, and one round trip.
 * - PATCH replaces whole lists. It takes away what a colleague grants after Atlas answered the list, and before it
 *   receives the PATCH. The bound is the 30 s for which a list is cached, and the time that the request waits.
 */
export class KnownEdges {
  readonly #now: () => number;
  readonly #changedAt = new Map<string, number>();
  readonly #lookUps = new WeakMap<object, (LookUp & { userId: string })[]>();
  readonly #lists = new Map<string, LookUp[]>();

  constructor(now: () => number) {
    this.#now = now;
  }

  onExternalChange(change: string, orgId: string, username: string): void {
    // A pending person who changes to an address is pending under it, like one who is invited there.
    const kind = change === "changeAddress" ? "invite" : change;
    this.#changedAt.set(`${kind} ${personKey(orgId, username)}`, this.#now());
  }

  /** Atlas answers a request. The caller calls the returned function when the response is received. */
  onAnswer({ method, target }: ReceivedRequest): () => void {
    const [, orgId = "", userId = ""] = /\/orgs\/(\w+)\/(?:users|invites)(?:\/(\w+))?/.exec(target) ?? [];
    const lookUp = { userId, answeredAt: this.#now(), receivedAt: Number.POSITIVE_INFINITY };
    const operation = currentOperation();
    if (method === "GET" && userId && operation) {
      this.#lookUps.set(operation, [...(this.#lookUps.get(operation) ?? []), lookUp]);
    }
    if (method === "GET" && !userId) this.#lists.set(orgId, [...(this.#lists.get(orgId) ?? []), lookUp]);
    return () => {
      lookUp.receivedAt = this.#now();
    };
  }

  /** Whether a request that changes the person may be based on a response that was outdated by then. */
  exclude(orgId: string, { username, userId, status }: Person, sentAt: number): boolean {
    const person = personKey(orgId, username);
    if (status === "ACTIVE") return this.#hasJustAccepted(person, userId, sentAt);
    return status === "PENDING" && this.#wasJustInvited(person, orgId, sentAt);
  }

  /** Whether the person accepted after the look-up on which the request is based. */
  #hasJustAccepted(person: string, userId: string, sentAt: number): boolean {
    const operation = currentOperation();
    const lookUps = (operation && this.#lookUps.get(operation)) ?? [];
    // Atlas may carry out a request late: it is based on a look-up before it was sent.
    const lookUp = lookUps.findLast((one) => one.userId === userId && one.receivedAt <= sentAt);
    const acceptedAt = this.#changedAt.get(`accept ${person}`);
    if (!lookUp || acceptedAt === undefined) return false;
    return acceptedAt >= lookUp.answeredAt && sentAt - lookUp.receivedAt <= LOOKUP_MAX_AGE_MS;
  }

  /** Whether a colleague invited the person after the list on which the invitation is based. */
  #wasJustInvited(person: string, orgId: string, sentAt: number): boolean {
    const invitedAt = this.#changedAt.get(`invite ${person}`);
    if (invitedAt === undefined) return false;
    return (this.#lists.get(orgId) ?? []).some(({ answeredAt, receivedAt }) => {
      const ageMs = Math.max(LIST_MAX_AGE_MS, receivedAt - answeredAt) + INVITATION_LOOKUP_MAX_AGE_MS;
      return answeredAt <= invitedAt && answeredAt + ageMs >= sentAt;
    });
  }
}
