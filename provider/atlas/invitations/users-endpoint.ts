import * as v from "valibot";
import type { AtlasClient, AtlasRequest, Bounds } from "../atlas-client.ts";
import { AtlasError } from "../errors.ts";
import { ACCESS_FIELDS, normalizeAccess, type PartialAccess, sameField } from "./access.ts";
import {
  AtlasId,
  type Invitee,
  type Listing,
  listingOf,
  type Person,
  type Recheck,
  StaleObservationError,
  unlessStale,
  unlessUnknown,
} from "./invitations-api.ts";

const MEDIA_TYPE = "application/vnd.atlas.2025-02-19+json";
// The most that a page may hold (documented).
const ITEMS_PER_PAGE = 500;
// Without naming them, Atlas hides the last two (documented).
const STATUSES = ["PENDING", "ACTIVE", "INVITATION_EXPIRED", "INVITATION_REJECTED"];
const MAX_STARTS = 3;

/** `/api/atlas/v2/orgs/{orgId}/users`, version 2025-02-19: everyone an organization knows of. */
export class UsersEndpoint {
  readonly #client: AtlasClient;

  constructor(client: AtlasClient) {
    this.#client = client;
  }

  /**
   * Everyone, whatever their status. The filter by username is not used: whether it respects letter case is unknown.
   *
   * @throws AtlasError for pages that do not fit together: a missing person would count as gone.
   */
  readonly listOrgUsers = async (orgId: string, bounds: Bounds): Promise<Listing> => {
    for (let start = 1; start <= MAX_STARTS; start++) {
      const entries = await this.#pages(orgId, bounds);
      if (entries) return listingOf(entries, OrgUser, personOf);
    }
    throw new AtlasError(
      `The pages of the list of users of ${orgId} did not fit together, ${MAX_STARTS} times in a row: people joined or left meanwhile, or Atlas counts others than it lists. So nobody's status is known for certain. Run the command again.`,
    );
  };

  /** The entries of all pages; `undefined` where the list changed in between. */
  async #pages(orgId: string, bounds: Bounds): Promise<unknown[] | undefined> {
    const entries: unknown[] = [];
    let total: number | undefined;
    for (let pageNum = 1; ; pageNum++) {
      // Each page begins with the last entry of the one before: if it is another one, somebody joined or left
      // meanwhile, and a person could have moved from a page that is not read yet to one that is.
      const itemsPerPage = ITEMS_PER_PAGE - (pageNum - 1);
      const query = new URLSearchParams([
        ["itemsPerPage", String(itemsPerPage)],
        ["pageNum", String(pageNum)],
        ...STATUSES.map((status) => ["orgMembershipStatuses", status] as [string, string]),
      ]);
      const request = this.#request("GET", orgId, "the list of users", bounds, `?${query}`);
      const page = await this.#client.fetch(request, Page);
      total ??= page.totalCount;
      const overlap = entries.length - (pageNum - 1) * itemsPerPage;
      const isUnchanged = page.totalCount === total && overlaps(entries, page.results, overlap);
      entries.push(...page.results.slice(overlap));
      if (isUnchanged && entries.length >= total) return entries;
      if (!isUnchanged || page.results.length <= overlap) return undefined;
    }
  }

  /** Invites; Atlas sends the e-mail. `recheck` as in `InvitationsApi`. */
  async createOrgUser(
    orgId: string,
    username: string,
    access: PartialAccess,
    recheck: Recheck,
    bounds: Bounds,
  ): Promise<Person> {
    const body = { username, ...bodyOf(access, []) };
    const request = this.#request("POST", orgId, username, bounds);
    return personOf(await this.#client.fetch({ ...request, body, invites: true, recheck }, OrgUser));
  }

  /** Changes the given fields, of whoever it is: a member or somebody pending. */
  async updateOrgUser(
    orgId: string,
    user: Invitee,
    change: PartialAccess,
    bounds: Bounds,
    recheck: Recheck,
    isUnchecked = true,
  ): Promise<Person | undefined> {
    const body = bodyOf(change, user.roles);
    const request = { ...this.#requestFor("PATCH", orgId, user, bounds), body, recheck, isUnchecked };
    const updated = await unlessUnknown(this.#client.fetch(request, OrgUser));
    return updated && personOf(updated);
  }

  /** Removes whoever it is: a member as well as somebody pending. */
  removeOrgUser(
    orgId: string,
    user: Invitee,
    bounds: Bounds,
    recheck: Recheck,
    isUnchecked = true,
  ): Promise<true | undefined> {
    const request = { ...this.#requestFor("DELETE", orgId, user, bounds), recheck, isUnchecked };
    return unlessUnknown(this.#client.sendWithoutBody(request));
  }

  /** The list has just shown the member; after a wait they are read again, as a colleague may have given them more. */
  updateMember(
    orgId: string,
    member: Person,
    change: PartialAccess,
    bounds: Bounds,
  ): Promise<Person | undefined> {
    const recheck: Recheck = async (bounds) => {
      const now = await this.#find(orgId, member, bounds);
      const isMember = now?.orgMembershipStatus === "ACTIVE";
      if (isMember && ACCESS_FIELDS.every((field) => sameField(field, now, member))) return;
      throw new StaleObservationError(`What ${member.username} may do has changed meanwhile.`);
    };
    return unlessStale(this.updateOrgUser(orgId, member, change, bounds, recheck, false));
  }

  /** The list has just shown the member; after a wait the status is read again, as who left may be invited by then. */
  removeMember(orgId: string, member: Invitee, bounds: Bounds): Promise<true | undefined> {
    const recheck: Recheck = (bounds) => this.assertStatus("ACTIVE", orgId, member, bounds);
    return unlessStale(this.removeOrgUser(orgId, member, bounds, recheck, false));
  }

  /** @throws OutdatedError unless Atlas says this of the person, now. */
  async assertStatus(
    orgMembershipStatus: string,
    orgId: string,
    user: Invitee,
    bounds: Bounds,
  ): Promise<void> {
    const found = await this.#find(orgId, user, bounds);
    if (found?.orgMembershipStatus !== orgMembershipStatus) {
      throw new StaleObservationError(`${user.username} is no longer ${orgMembershipStatus}.`);
    }
  }

  async #find(orgId: string, user: Invitee, bounds: Bounds): Promise<Person | undefined> {
    const request = this.#requestFor("GET", orgId, user, bounds);
    const found = await unlessUnknown(this.#client.fetch(request, OrgUser));
    return found && personOf(found);
  }

  #requestFor(
    method: AtlasRequest["method"],
    orgId: string,
    { username, userId }: Invitee,
    bounds: Bounds,
  ): AtlasRequest {
    return this.#request(method, orgId, username, bounds, `/${userId}`);
  }

  #request(
    method: AtlasRequest["method"],
    orgId: string,
    subject: string,
    bounds: Bounds,
    rest = "",
  ): AtlasRequest {
    const path = `/api/atlas/v2/orgs/${orgId}/users${rest}`;
    return { method, path, mediaType: MEDIA_TYPE, subject, bounds };
  }
}

const OrgUser = v.object({
  id: AtlasId,
  username: v.string(),
  orgMembershipStatus: v.string(),
  roles: v.object({
    orgRoles: v.nullish(v.array(v.string()), []),
    groupRoleAssignments: v.nullish(
      v.array(v.object({ groupId: v.string(), groupRoles: v.nullish(v.array(v.string()), []) })),
      [],
    ),
  }),
  teamIds: v.nullish(v.array(v.string()), []),
  invitationCreatedAt: v.nullish(v.string()),
  invitationExpiresAt: v.nullish(v.string()),
  inviterUsername: v.nullish(v.string()),
});

const Page = v.object({ results: v.array(v.unknown()), totalCount: v.number() });

/** Whether a page begins with the last entries of the pages before it. */
function overlaps(entries: unknown[], page: unknown[], count: number): boolean {
  const idOf = (entry: unknown) => JSON.stringify((entry as { id?: unknown } | null | undefined)?.id);
  const last = entries.slice(entries.length - count);
  return count >= 0 && last.every((entry, index) => idOf(entry) === idOf(page[index]));
}

/** Only what is given: an empty list takes away what there was (documented). Roles have to name organization roles. */
function bodyOf({ roles, teamIds, groupRoleAssignments }: PartialAccess, currentRoles: string[]) {
  const assignments = groupRoleAssignments?.map(({ groupId, roles }) => ({ groupId, groupRoles: roles }));
  return {
    ...((roles || assignments) && {
      roles: {
        orgRoles: roles ?? currentRoles,
        ...(assignments && { groupRoleAssignments: assignments }),
      },
    }),
    ...(teamIds && { teamIds }),
  };
}

function personOf(user: v.InferOutput<typeof OrgUser>): Person {
  const { orgMembershipStatus, roles } = user;
  return {
    username: user.username.toLowerCase(),
    orgMembershipStatus,
    ...normalizeAccess({
      roles: roles.orgRoles,
      teamIds: user.teamIds,
      groupRoleAssignments: roles.groupRoleAssignments.map(({ groupId, groupRoles }) => ({
        groupId,
        roles: groupRoles,
      })),
    }),
    userId: user.id,
    createdAt: user.invitationCreatedAt ?? undefined,
    expiresAt: user.invitationExpiresAt ?? undefined,
    inviterUsername: user.inviterUsername ?? undefined,
    // Every invitation to an organization names an organization role (documented as required).
    ...(orgMembershipStatus === "PENDING" && roles.orgRoles.length === 0 && { isProjectInvitation: true }),
  };
}
