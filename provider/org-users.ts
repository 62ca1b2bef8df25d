import * as v from "valibot";
import { type Access, canonicalAccess } from "./access.ts";
import type { AtlasClient, AtlasRequest } from "./atlas-client.ts";
import { AtlasError } from "./errors.ts";
import {
  type Invitee,
  OutdatedError,
  type Person,
  unlessOutdated,
  unlessUnknown,
} from "./invitations-api.ts";

const MEDIA_TYPE = "application/vnd.atlas.2025-02-19+json";
// The most that a page may hold (documented).
const ITEMS_PER_PAGE = 500;
// Without naming them, Atlas hides the last two (documented).
const STATUSES = ["PENDING", "ACTIVE", "INVITATION_EXPIRED", "INVITATION_REJECTED"];

/** `/api/atlas/v2/orgs/{orgId}/users`, version 2025-02-19: everyone an organization knows of. */
export class OrgUsers {
  readonly #client: AtlasClient;

  constructor(client: AtlasClient) {
    this.#client = client;
  }

  /**
   * Everyone, whatever their status. The filter by username is not used: whether it heeds letter case is unknown.
   *
   * @throws AtlasError for a list with a gap: who is missing in it would count as gone.
   */
  async listOrgUsers(orgId: string): Promise<Person[]> {
    const people: Person[] = [];
    let total: number | undefined;
    for (let pageNum = 1; ; pageNum++) {
      const query = new URLSearchParams([
        ["itemsPerPage", String(ITEMS_PER_PAGE)],
        ["pageNum", String(pageNum)],
        ...STATUSES.map((status) => ["orgMembershipStatuses", status] as [string, string]),
      ]);
      const page = await this.#client.fetch(
        this.#request("GET", orgId, "the list of users", `?${query}`),
        Page,
      );
      // Who comes or goes between two pages moves the others: the second may lack one that the first had not.
      total ??= page.totalCount;
      if (page.totalCount !== total) return this.listOrgUsers(orgId);
      people.push(...page.results.map(personOf));
      if (people.length >= total) return people;
      if (page.results.length === 0) {
        throw new AtlasError(
          `Atlas lists ${people.length} people of ${orgId}, but counts ${total}. Run the command again.`,
        );
      }
    }
  }

  /** Invites; Atlas sends the e-mail. `lookAgain` as in `InvitationsApi`. */
  async createOrgUser(
    orgId: string,
    username: string,
    access: Access,
    lookAgain: () => Promise<void>,
  ): Promise<Person> {
    const body = { username, ...bodyOf(access) };
    const request = { ...this.#request("POST", orgId, username), body, invites: true, lookAgain };
    return personOf(await this.#client.fetch(request, OrgUser));
  }

  /** Grants another access, to whoever it is: a member or somebody pending. */
  async updateOrgUser(orgId: string, user: Invitee, access: Access, lookAgain?: () => Promise<void>) {
    const request = { ...this.#requestFor("PATCH", orgId, user), body: bodyOf(access), lookAgain };
    const updated = await unlessUnknown(this.#client.fetch(request, OrgUser));
    return updated && personOf(updated);
  }

  /** Removes whoever it is: a member as well as somebody pending. */
  removeOrgUser(orgId: string, user: Invitee, lookAgain: () => Promise<void>): Promise<true | undefined> {
    return unlessUnknown(this.#client.command({ ...this.#requestFor("DELETE", orgId, user), lookAgain }));
  }

  updateMember(orgId: string, member: Invitee, access: Access): Promise<Person | undefined> {
    return this.updateOrgUser(orgId, member, access);
  }

  /** Looks again before it repeats the request: who left may have been invited meanwhile. */
  async removeMember(orgId: string, member: Invitee): Promise<true | undefined> {
    return unlessOutdated(this.removeOrgUser(orgId, member, () => this.expect("ACTIVE", orgId, member)));
  }

  /** @throws OutdatedError unless Atlas says this of the person, now. */
  async expect(orgMembershipStatus: string, orgId: string, user: Invitee): Promise<void> {
    const found = await unlessUnknown(this.#client.fetch(this.#requestFor("GET", orgId, user), OrgUser));
    if (found?.orgMembershipStatus !== orgMembershipStatus) {
      throw new OutdatedError(`${user.username} is no longer ${orgMembershipStatus}.`);
    }
  }

  #requestFor(method: AtlasRequest["method"], orgId: string, { username, userId }: Invitee): AtlasRequest {
    return this.#request(method, orgId, username, `/${userId}`);
  }

  #request(method: AtlasRequest["method"], orgId: string, subject: string, rest = ""): AtlasRequest {
    return { method, path: `/api/atlas/v2/orgs/${orgId}/users${rest}`, mediaType: MEDIA_TYPE, subject };
  }
}

const OrgUser = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  username: v.string(),
  orgMembershipStatus: v.string(),
  roles: v.object({
    orgRoles: v.nullish(v.array(v.string()), []),
    groupRoleAssignments: v.nullish(
      v.array(v.object({ groupId: v.string(), groupRoles: v.array(v.string()) })),
      [],
    ),
  }),
  teamIds: v.nullish(v.array(v.string()), []),
  invitationCreatedAt: v.nullish(v.string()),
  invitationExpiresAt: v.nullish(v.string()),
  inviterUsername: v.nullish(v.string()),
});

const Page = v.object({ results: v.array(OrgUser), totalCount: v.number() });

/** An empty list takes away what there was (documented). */
function bodyOf({ roles, teamIds, groupRoleAssignments }: Access) {
  const assignments = groupRoleAssignments.map(({ groupId, roles }) => ({ groupId, groupRoles: roles }));
  return { roles: { orgRoles: roles, groupRoleAssignments: assignments }, teamIds };
}

function personOf(user: v.InferOutput<typeof OrgUser>): Person {
  return {
    username: user.username.toLowerCase(),
    orgMembershipStatus: user.orgMembershipStatus,
    access: canonicalAccess({
      roles: user.roles.orgRoles,
      teamIds: user.teamIds,
      groupRoleAssignments: user.roles.groupRoleAssignments.map(({ groupId, groupRoles }) => ({
        groupId,
        roles: groupRoles,
      })),
    }),
    userId: user.id,
    createdAt: user.invitationCreatedAt ?? undefined,
    expiresAt: user.invitationExpiresAt ?? undefined,
    inviterUsername: user.inviterUsername ?? undefined,
  };
}
