import * as v from "valibot";
import type { Bounds } from "../bounds.ts";
import type { AtlasClient, AtlasRequest, Recheck } from "../client/atlas-client.ts";
import { AtlasError } from "../errors.ts";
import { ACCESS_FIELDS, normalizeAccess, type PartialAccess, sameField } from "./access.ts";
import { StaleObservationError, unlessStale, unlessUnknown } from "./error-meaning.ts";
import {
  type Invitee,
  type Listing,
  MEMBERSHIP_STATUSES,
  type MembersApi,
  type Person,
} from "./invitations-api.ts";
import { AtlasId, parseListing } from "./listing.ts";
import { OrgCollection } from "./org-collection.ts";

const USERS = new OrgCollection("/api/atlas/v2/orgs", "users", "application/vnd.atlas.2025-02-19+json");
// The maximum (documented).
const ITEMS_PER_PAGE = 500;
const MAX_STARTS = 3;

/** `/api/atlas/v2/orgs/{orgId}/users`, version 2025-02-19: pending people and members. */
export class UsersEndpoint implements MembersApi {
  readonly #client: AtlasClient;

  constructor(client: AtlasClient) {
    this.#client = client;
  }

  /**
   * Everyone, whatever their status. Not filtered by username, as it is unknown whether the filter respects letter case.
   *
   * @throws AtlasError "inconsistentPages" for pages that do not fit together: a missing person would count as gone.
   */
  readonly listOrgUsers = async (orgId: string, bounds: Bounds): Promise<Listing> => {
    for (let start = 1; start <= MAX_STARTS; start++) {
      const entries = await this.#pages(orgId, bounds);
      if (entries) return parseListing(entries, OrgUser, personOf);
    }
    throw new AtlasError(
      "inconsistentPages",
      `The pages of the list of users of ${orgId} did not fit together, ${MAX_STARTS} times in a row: people joined or left while it was read, or Atlas's totalCount is not the number of users that it lists.`,
    );
  };

  /** The entries of all pages; `undefined` where the list changed between two pages. */
  async #pages(orgId: string, bounds: Bounds): Promise<unknown[] | undefined> {
    const entries: unknown[] = [];
    let total: number | undefined;
    for (let pageNum = 1; ; pageNum++) {
      // If somebody joins or leaves between two page requests, offsets shift and a user can be missed. So each page
      // overlaps the one before by one entry: another entry there means that the list has changed.
      const itemsPerPage = ITEMS_PER_PAGE - (pageNum - 1);
      const query = new URLSearchParams([
        ["itemsPerPage", String(itemsPerPage)],
        ["pageNum", String(pageNum)],
        // Atlas hides expired and rejected people unless the query names these statuses (documented).
        ...MEMBERSHIP_STATUSES.map((status) => ["orgMembershipStatuses", status] as [string, string]),
      ]);
      const request = USERS.request("GET", orgId, "the list of users", bounds, `?${query}`);
      const page = await this.#client.fetch(request, Page);
      total ??= page.totalCount;
      const overlap = entries.length - (pageNum - 1) * itemsPerPage;
      const isUnchanged = page.totalCount === total && overlaps(entries, page.results, overlap);
      entries.push(...page.results.slice(overlap));
      if (isUnchanged && entries.length >= total) return entries;
      if (!isUnchanged || page.results.length <= overlap) return undefined;
    }
  }

  /** Invites; Atlas sends the e-mail. `recheck` as in `AtlasRequest`. */
  async createOrgUser(
    orgId: string,
    username: string,
    access: PartialAccess,
    recheck: Recheck,
    bounds: Bounds,
  ): Promise<Person> {
    const body = { username, ...bodyOf(access, []) };
    const request = USERS.requestAbout(username, "POST", orgId, bounds);
    return personOf(await this.#client.fetch({ ...request, body, invites: true, recheck }, OrgUser));
  }

  /** Changes the given fields of a member or of a pending person. */
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

  /** Removes a member, or cancels the invitation of a pending person. */
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

  /** The member was just read from the list. After a wait it is read again, as a colleague may have changed its access. */
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
      throw new StaleObservationError(`The access of ${member.username} has changed in the meantime.`);
    };
    return unlessStale(this.updateOrgUser(orgId, member, change, bounds, recheck, false));
  }

  /** The member was just read from the list. After a wait the status is read again: a member who left may be invited anew. */
  removeMember(orgId: string, member: Invitee, bounds: Bounds): Promise<true | undefined> {
    const recheck: Recheck = (bounds) => this.assertStatus("ACTIVE", orgId, member, bounds);
    return unlessStale(this.removeOrgUser(orgId, member, bounds, recheck, false));
  }

  /** @throws StaleObservationError unless the person has this status now. */
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
    return USERS.requestAbout(username, method, orgId, bounds, `/${userId}`);
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

/** Whether the page begins with the last entries of the pages before it. */
function overlaps(entries: unknown[], page: unknown[], count: number): boolean {
  const idOf = (entry: unknown) => JSON.stringify((entry as { id?: unknown } | null | undefined)?.id);
  const last = entries.slice(entries.length - count);
  return count >= 0 && last.every((entry, index) => idOf(entry) === idOf(page[index]));
}

/** Only the given fields, as an empty list removes all (documented). `roles` requires organization roles. */
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
    // An invitation to an organization has at least one organization role (documented as required).
    ...(orgMembershipStatus === "PENDING" && roles.orgRoles.length === 0 && { isProjectInvitation: true }),
  };
}
