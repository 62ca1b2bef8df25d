import type { Organization } from "../atlas/organization.ts";
import type { Atlas } from "./atlas.ts";
import type { PersonalDeed } from "./story.ts";
import { LISTS_ARE_SHARED_FOR_MS, type Watch } from "./watch.ts";
import type { WireRequest } from "./wire.ts";

// From a look to the request that follows it at once, with the round trips that new credentials may cost.
export const AT_ONCE_MS = 1_000;
const WAIT_WITHOUT_A_LOOK_MS = 11_000;

/**
 * What nobody can win against the API itself, and what therefore does not happen in a story:
 *
 * - In the users API nothing but a look tells whether a PATCH or a DELETE will meet a member. So nobody accepts
 *   between a look and the request that follows it at once, however slow the network is, and even if the
 *   request has to be sent again with other credentials.
 * - Where the invitations API sends a second e-mail to somebody pending, nothing but a look tells either; looks
 *   are shared for 30 seconds, and another one is due after a wait of 10. So nobody else invites in that time.
 * - Atlas writes times in whole seconds. So nothing happens twice to one person within one.
 */
export class Races {
  readonly #atlas: Atlas;
  readonly #watch: Watch;
  readonly #now: () => number;
  readonly #looks = new Map<string, number>();
  readonly #lists = new Map<string, number>();

  constructor(atlas: Atlas, watch: Watch, now: () => number) {
    this.#atlas = atlas;
    this.#watch = watch;
    this.#now = now;
  }

  allow(deed: PersonalDeed, organization: Organization, username: string): boolean {
    const now = this.#now();
    if (now - this.#watch.lastTouch(organization, username) < AT_ONCE_MS) return false;
    if (deed === "accept") {
      const lookedAt = this.#looks.get(organization.find(username)?.userId ?? "");
      return lookedAt === undefined || now - lookedAt > AT_ONCE_MS;
    }
    if (deed === "invite" && this.#atlas.settings.secondInvite === "replace" && !this.#atlas.isSunset) {
      const listedAt = this.#lists.get(organization.id);
      return listedAt === undefined || now - listedAt > LISTS_ARE_SHARED_FOR_MS + WAIT_WITHOUT_A_LOOK_MS;
    }
    return true;
  }

  /** A request has come to Atlas, and then its answer to whom it is for: until then nothing can follow from it. */
  passed({ method, target }: WireRequest, status: number | undefined, place: "Atlas" | "client"): void {
    const at = place === "Atlas" ? Number.POSITIVE_INFINITY : this.#now();
    const [, orgId = "", userId] = /\/orgs\/(\w+)\/(?:users|invites)(?:\/(\w+))?/.exec(target) ?? [];
    if (userId && (method === "GET" || status === 401)) this.#looks.set(userId, at);
    if (!userId && method === "GET") this.#lists.set(orgId, at);
  }

  /** A command is over, and with it all that was remembered. */
  forget(): void {
    this.#looks.clear();
    this.#lists.clear();
  }
}
