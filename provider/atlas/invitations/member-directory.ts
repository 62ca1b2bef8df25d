import { isKnownStatus } from "../../lifecycle/membership.ts";
import type { Bounds } from "../atlas-client.ts";
import type { Clock } from "../clock.ts";
import { AtlasError } from "../errors.ts";
import type { InvitationsApi, Listing, PeopleList, Person, UnusableEntry } from "./invitations-api.ts";

const MAX_AGE_MS = 30_000;

/** Who is looked for: by address, and by the ids that are stored of them. */
export interface Sought {
  orgId: string;
  username: string;
  /** The address that Atlas had for them last, where it is another one. */
  knownAs?: string | undefined;
  invitationId?: string | undefined;
  userId?: string | undefined;
}

export interface FindOptions {
  /** Whether to ask the list of users, too, about a person who is pending: they may have joined by single sign-on. */
  thorough?: boolean;
  /** What may be taken from a list that was requested before the person was last invalidated. */
  trust?: (person: Person) => boolean;
}

interface CachedList {
  /** Position among all requests and invalidations. */
  order: number;
  /** In ms of the monotonic clock. */
  requestedAt: number;
  /** How long its request may wait, in ms of the monotonic clock; 0 once it is answered. */
  deadline: number;
  listing: Promise<Listing>;
}

/**
 * Looks people up in the lists of their organization, one request for all who ask.
 *
 * Caches each list for 30 s. A person who was invalidated after a list was requested is looked up in a newer one.
 * Failures are not cached.
 */
export class MemberDirectory {
  readonly #api: Pick<InvitationsApi, "lookUp">;
  readonly #clock: Clock;
  readonly #notify: (line: string) => void;
  readonly #cache = new Map<PeopleList, Map<string, CachedList>>();
  readonly #invalidated = new Map<string, number>();
  readonly #reported = new Set<string>();
  #order = 0;

  /** @param notify - Takes one line about each entry of a list that cannot be used. */
  constructor(api: Pick<InvitationsApi, "lookUp">, clock: Clock, notify: (line: string) => void) {
    this.#api = api;
    this.#clock = clock;
    this.#notify = notify;
  }

  /**
   * What Atlas says about the person; `undefined` where it does not know them.
   *
   * @throws AtlasError where the entry about the person cannot be used: nothing is known then.
   */
  find(sought: Sought, bounds: Bounds, options: FindOptions = {}): Promise<Person | undefined> {
    const since = this.#invalidated.get(keyOf(sought)) ?? 0;
    return this.#api.lookUp(async (lists) => {
      if (options.trust) {
        const cached = lists.map((list) => this.#cached(list, sought.orgId, bounds)?.listing);
        const person = await this.#search(lists, (index) => cached[index]?.catch(() => NOBODY), sought, true);
        if (person && options.trust(person)) return person;
      }
      const listing = (index: number) =>
        this.#listing(lists[index] as PeopleList, sought.orgId, bounds, since);
      return this.#search(lists, listing, sought, options.thorough);
    });
  }

  /** What the list of users, which shows everybody, says about the person. */
  findUser(sought: Sought, bounds: Bounds): Promise<Person | undefined> {
    return this.#api.lookUp(async (lists) => {
      const users = lists.at(-1) as PeopleList;
      return this.#search([users], () => this.#listing(users, sought.orgId, bounds), sought);
    });
  }

  /** Lists that were requested before now are no longer used for this person. */
  invalidate(sought: Pick<Sought, "orgId" | "username">): void {
    this.#invalidated.set(keyOf(sought), ++this.#order);
  }

  /** The best entry: a member before somebody pending before the rest, as one address may stand there twice. */
  async #search(
    lists: readonly PeopleList[],
    listingOf: (index: number) => Promise<Listing> | undefined,
    sought: Sought,
    thorough = false,
  ): Promise<Person | undefined> {
    let best: Person | undefined;
    for (const index of lists.keys()) {
      const { people, unusable } = (await listingOf(index)) ?? NOBODY;
      const wrong = unusable.find((entry) => isSought(entry, sought));
      if (wrong) {
        throw new AtlasError(`Atlas's entry about ${sought.username} cannot be used: ${wrong.reason}.`);
      }
      for (const person of entriesOf(people, sought)) {
        if (!person.isProjectInvitation) best = preferred(best, person);
      }
      if (best?.orgMembershipStatus === "PENDING" && !thorough) return best;
    }
    return best;
  }

  /** A list that may be used: not too old, and not one that waits for longer than this operation may. */
  #cached(list: PeopleList, orgId: string, { deadline }: Bounds, since = 0): CachedList | undefined {
    const cached = this.#cache.get(list)?.get(orgId);
    if (!cached || cached.order < since || cached.deadline > deadline) return undefined;
    return this.#clock.monotonic() - cached.requestedAt < MAX_AGE_MS ? cached : undefined;
  }

  #listing(list: PeopleList, orgId: string, bounds: Bounds, since?: number): Promise<Listing> {
    const cached = this.#cached(list, orgId, bounds, since);
    if (cached) return cached.listing;
    const requested: CachedList = {
      order: ++this.#order,
      requestedAt: this.#clock.monotonic(),
      deadline: bounds.deadline,
      listing: list(orgId, bounds).then((listing) => this.#report(orgId, listing)),
    };
    const byOrganization = this.#cache.get(list) ?? new Map<string, CachedList>();
    this.#cache.set(list, byOrganization.set(orgId, requested));
    requested.listing.then(
      () => {
        requested.deadline = 0;
      },
      () => {
        if (byOrganization.get(orgId) === requested) byOrganization.delete(orgId);
      },
    );
    return requested.listing;
  }

  #report(orgId: string, listing: Listing): Listing {
    for (const { username = "somebody", reason } of listing.unusable) {
      this.#reportOnce(`An entry about ${username} in a list of ${orgId} was skipped: ${reason}.`);
    }
    for (const { username, isProjectInvitation, inviterUsername, orgMembershipStatus } of listing.people) {
      if (!isKnownStatus(orgMembershipStatus)) {
        this.#reportOnce(
          `${username} in ${orgId} has the status "${orgMembershipStatus}", which this version does not know. Update pulumi-atlas-invitations.`,
        );
      }
      if (!isProjectInvitation) continue;
      const by = inviterUsername ? `, from ${inviterUsername}` : "";
      this.#reportOnce(
        `${username} has an invitation to a project of ${orgId}${by}: it is not an invitation to the organization, and is left as it is.`,
      );
    }
    return listing;
  }

  #reportOnce(line: string): void {
    if (this.#reported.has(line)) return;
    this.#reported.add(line);
    this.#notify(line);
  }
}

const NOBODY: Listing = { people: [], unusable: [] };

/** The properties by which an entry says whom it is about. */
type Identified = UnusableId & Pick<Person, "invitationId" | "userId">;
type UnusableId = Pick<UnusableEntry, "username" | "id">;

function keyOf({ orgId, username }: Pick<Sought, "orgId" | "username">): string {
  return `${orgId} ${username.toLowerCase()}`;
}

function isSought({ username, id, invitationId, userId }: Identified, sought: Sought): boolean {
  if (username && [sought.username.toLowerCase(), sought.knownAs].includes(username)) return true;
  const ids = [id, invitationId, userId].filter(Boolean);
  return [sought.invitationId, sought.userId].some((known) => ids.includes(known));
}

/** Those with the address itself; where none of them is a member or pending, those with an id or another address, too. */
function entriesOf(people: Person[], sought: Sought): Person[] {
  const named = people.filter(({ username }) => username === sought.username.toLowerCase());
  const isKnown = named.some((person) => rank(person) < PRECEDENCE.length);
  return isKnown ? named : people.filter((person) => isSought(person, sought));
}

const PRECEDENCE = ["ACTIVE", "PENDING"];

function preferred(one: Person | undefined, other: Person): Person {
  if (!one) return other;
  const [first, second] = rank(other) < rank(one) ? [other, one] : [one, other];
  if (first.orgMembershipStatus === "ACTIVE" && second.orgMembershipStatus === "PENDING") {
    // Both lists may show it, and each knows an id of its own.
    return { ...first, openInvitation: preferred(first.openInvitation, second) };
  }
  if (isSameInvitation(first, second)) return { ...second, orgMembershipStatus: first.orgMembershipStatus };
  const isSame = first.orgMembershipStatus === second.orgMembershipStatus;
  return isSame ? { ...second, ...withoutUndefined(first) } : first;
}

/** Whether only this machine's clock says that the invitation, which the list of users has as pending, has run out. */
function isSameInvitation(user: Person, { orgMembershipStatus, invitationId, createdAt }: Person): boolean {
  const isOver = orgMembershipStatus === "INVITATION_EXPIRED" && invitationId !== undefined;
  return user.orgMembershipStatus === "PENDING" && isOver && user.createdAt === createdAt;
}

function rank({ orgMembershipStatus }: Person): number {
  const index = PRECEDENCE.indexOf(orgMembershipStatus);
  return index < 0 ? PRECEDENCE.length : index;
}

function withoutUndefined(person: Person): Person {
  return Object.fromEntries(Object.entries(person).filter(([, value]) => value !== undefined)) as never;
}
