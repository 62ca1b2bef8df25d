import type { Bounds } from "../bounds.ts";
import type { Recheck } from "../client/atlas-client.ts";
import type { Clock } from "../clock.ts";
import { AtlasError } from "../errors.ts";
import type { Notify } from "../notice.ts";
import { addressKey, type Subject } from "../subject.ts";
import { StaleObservationError } from "./error-meaning.ts";
import {
  type InvitationsApi,
  isKnownStatus,
  type Listing,
  type PeopleList,
  type Person,
  type UnusableEntry,
} from "./invitations-api.ts";

const MAX_AGE_MS = 30_000;

/** The person to find: by address, and by the stored ids. */
export interface PersonQuery {
  orgId: string;
  username: string;
  /** The address that Atlas had for the person last, where it is another one. */
  knownAs?: string | undefined;
  invitationId?: string | undefined;
  userId?: string | undefined;
}

export interface FindOptions {
  /** Whether to read the list of users about a pending person, too, who may have joined by single sign-on. */
  thorough?: boolean;
  /** Accepts a person from a list that was requested before the last invalidation. */
  trust?: (person: Person) => boolean;
}

interface CachedList {
  /** Position among all requests and invalidations. */
  order: number;
  /** In ms of the monotonic clock. */
  requestedAt: number;
  /** The deadline of its request, in ms of the monotonic clock; 0 once it is answered. */
  deadline: number;
  listing: Promise<Listing>;
}

/**
 * Looks people up in the lists of their organization.
 *
 * Concurrent look-ups share one request for a list. A list is cached for 30 s. A person who was invalidated after a list
 * was requested is looked up in a newer one. Failures are not cached.
 */
export class MemberDirectory {
  readonly #api: Pick<InvitationsApi, "lookUp">;
  readonly #clock: Clock;
  readonly #notify: Notify;
  readonly #cache = new Map<PeopleList, Map<string, CachedList>>();
  readonly #invalidated = new Map<string, number>();
  readonly #reported = new Set<string>();
  #order = 0;

  /** @param notify - Shows the entries of a list that cannot be used, and invitations to projects. */
  constructor(api: Pick<InvitationsApi, "lookUp">, clock: Clock, notify: Notify) {
    this.#api = api;
    this.#clock = clock;
    this.#notify = notify;
  }

  /**
   * What Atlas says about the person; `undefined` where no list contains them.
   *
   * @throws AtlasError "unknownPerson" where a list, or the entry about the person, cannot be read.
   */
  find(query: PersonQuery, bounds: Bounds, options: FindOptions = {}): Promise<Person | undefined> {
    const since = this.#invalidated.get(addressKey(query)) ?? 0;
    const found = this.#api.lookUp(async ({ invitations, users }) => {
      const lists = invitations ? [invitations, users] : [users];
      if (options.trust) {
        const cached = new Map(lists.map((list) => [list, this.#cached(list, query.orgId, bounds)?.listing]));
        const person = await this.#search(lists, (list) => cached.get(list)?.catch(() => EMPTY), query, true);
        if (person && options.trust(person)) return person;
      }
      const listing = (list: PeopleList) => this.#listing(list, query.orgId, bounds, since);
      return this.#search(lists, listing, query, options.thorough);
    });
    return orUnknown(query, found);
  }

  /** What the list of users, which contains everyone, says about the person. */
  findUser(query: PersonQuery, bounds: Bounds): Promise<Person | undefined> {
    const found = this.#api.lookUp(({ users }) =>
      this.#search([users], () => this.#listing(users, query.orgId, bounds), query),
    );
    return orUnknown(query, found);
  }

  /** Lists that were requested before now are no longer used for this person. */
  invalidate(query: Subject): void {
    this.#invalidated.set(addressKey(query), ++this.#order);
  }

  /** A recheck that throws a `StaleObservationError` when the person is pending or a member. */
  expectUninvited(query: PersonQuery, options: FindOptions): Recheck {
    return async (bounds) => {
      this.invalidate(query);
      const person = await this.find(query, bounds, options);
      if (!person || isEnded(person)) return;
      throw new StaleObservationError(
        `${query.username} was invited to ${query.orgId}, or became a member, while this operation was running.`,
      );
    };
  }

  /** The best entry: a member, else a pending person, else any other, as an address may be listed twice. */
  async #search(
    lists: readonly PeopleList[],
    listingOf: (list: PeopleList) => Promise<Listing> | undefined,
    query: PersonQuery,
    thorough = false,
  ): Promise<Person | undefined> {
    let best: Person | undefined;
    for (const list of lists) {
      const { people, unusable } = (await listingOf(list)) ?? EMPTY;
      const unusableEntry = unusable.find((entry) => matches(entry, query));
      if (unusableEntry) {
        throw new AtlasError(
          "unusableEntry",
          `Atlas's entry about ${query.username} cannot be used: ${unusableEntry.reason}.`,
        );
      }
      for (const person of entriesOf(people, query)) {
        if (!person.isProjectInvitation) best = preferred(best, person);
      }
      if (best?.orgMembershipStatus === "PENDING" && !thorough) return best;
    }
    return best;
  }

  /** A list that may be used: not too old, and not one whose request may wait longer than this operation. */
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
    for (const { username, reason } of listing.unusable) {
      const about = username ? ` about ${username}` : "";
      this.#warnOnce(
        `An entry${about} in Atlas's list of the people of ${orgId} was skipped: ${reason}.`,
        orgId,
        username,
      );
    }
    for (const { username, isProjectInvitation, inviterUsername, orgMembershipStatus } of listing.people) {
      if (!isKnownStatus(orgMembershipStatus)) {
        this.#warnOnce(
          `${username} in ${orgId} has the status "${orgMembershipStatus}", which this version does not know. Update pulumi-atlas-invitations.`,
          orgId,
          username,
        );
      }
      if (!isProjectInvitation) continue;
      const by = inviterUsername ? `, from ${inviterUsername}` : "";
      this.#warnOnce(
        `${username} has an invitation to a project of ${orgId}${by}. It is not an invitation to the organization, and is not changed.`,
        orgId,
        username,
      );
    }
    return listing;
  }

  #warnOnce(text: string, orgId: string, username: string | undefined): void {
    if (this.#reported.has(text)) return;
    this.#reported.add(text);
    this.#notify({ severity: "warning", text, subject: username ? { orgId, username } : undefined });
  }
}

const EMPTY: Listing = { people: [], unusable: [] };

/** A look-up that fails is an error, never "gone". */
async function orUnknown(
  { username, orgId }: PersonQuery,
  found: Promise<Person | undefined>,
): Promise<Person | undefined> {
  try {
    return await found;
  } catch (error) {
    if (!(error instanceof AtlasError)) throw error;
    const text = `It is unknown whether ${username} is invited to ${orgId}, is a member, or neither, because the look-up failed. ${error.message}`;
    throw new AtlasError("unknownPerson", text, { cause: error });
  }
}

/** Whether the invitation no longer stands in the way of a new one. */
function isEnded({ orgMembershipStatus }: Person): boolean {
  return ["INVITATION_EXPIRED", "INVITATION_REJECTED"].includes(orgMembershipStatus);
}

/** The properties by which an entry names the person. */
type Identified = UnusableId & Pick<Person, "invitationId" | "userId">;
type UnusableId = Pick<UnusableEntry, "username" | "id">;

function matches({ username, id, invitationId, userId }: Identified, query: PersonQuery): boolean {
  if (username && [query.username.toLowerCase(), query.knownAs].includes(username)) return true;
  const ids = [id, invitationId, userId].filter(Boolean);
  return [query.invitationId, query.userId].some((known) => ids.includes(known));
}

/** The entries with the address itself. Without a member or pending person among them, also those with an id or `knownAs`. */
function entriesOf(people: Person[], query: PersonQuery): Person[] {
  const named = people.filter(({ username }) => username === query.username.toLowerCase());
  const isPresent = named.some((person) => rank(person) < PRECEDENCE.length);
  return isPresent ? named : people.filter((person) => matches(person, query));
}

const PRECEDENCE = ["ACTIVE", "PENDING"];

function preferred(one: Person | undefined, other: Person): Person {
  if (!one) return other;
  const [first, second] = rank(other) < rank(one) ? [other, one] : [one, other];
  if (first.orgMembershipStatus === "ACTIVE" && second.orgMembershipStatus === "PENDING") {
    // Both lists may contain the open invitation, each with an id of its own.
    return { ...first, openInvitation: preferred(first.openInvitation, second) };
  }
  if (isExpiredHereOnly(first, second)) return { ...second, orgMembershipStatus: first.orgMembershipStatus };
  const isSame = first.orgMembershipStatus === second.orgMembershipStatus;
  return isSame ? { ...second, ...withoutUndefined(first) } : first;
}

/** Whether the invitation expired by this machine's clock, while the list of users still has the person as pending. */
function isExpiredHereOnly(user: Person, { orgMembershipStatus, invitationId, createdAt }: Person): boolean {
  const isExpired = orgMembershipStatus === "INVITATION_EXPIRED" && invitationId !== undefined;
  return user.orgMembershipStatus === "PENDING" && isExpired && user.createdAt === createdAt;
}

function rank({ orgMembershipStatus }: Person): number {
  const index = PRECEDENCE.indexOf(orgMembershipStatus);
  return index < 0 ? PRECEDENCE.length : index;
}

function withoutUndefined(person: Person): Person {
  return Object.fromEntries(Object.entries(person).filter(([, value]) => value !== undefined)) as never;
}
