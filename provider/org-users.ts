import * as v from "valibot";
import { type Access, canonicalAccess } from "./access.ts";
import type { AtlasClient, AtlasRequest } from "./atlas-client.ts";
import { type Person, unlessUnknown } from "./invitations-api.ts";

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

  /** Everyone, whatever their status. The filter by username is not used: whether it heeds letter case is unknown. */
  async listOrgUsers(orgId: string): Promise<Person[]> {
    const people: Person[] = [];
    for (let pageNum = 1; ; pageNum++) {
      const query = new URLSearchParams([
        ["itemsPerPage", String(ITEMS_PER_PAGE)],
        ["pageNum", String(pageNum)],
        ...STATUSES.map((status) => ["orgMembershipStatuses", status] as [string, string]),
      ]);
      const page = await this.#client.fetch(this.#request("GET", orgId, `?${query}`), Page);
      people.push(...page.results.map(personOf));
      if (page.results.length === 0 || people.length >= page.totalCount) return people;
    }
  }

  /** Invites; Atlas sends the e-mail. */
  async createOrgUser(orgId: string, username: string, access: Access): Promise<Person> {
    const body = { username, ...bodyOf(access) };
    return personOf(await this.#client.fetch({ ...this.#request("POST", orgId, ""), body }, OrgUser));
  }

  /** Who is pending or a member under this id; `undefined` where nobody is. */
  async getOrgUser(orgId: string, userId: string): Promise<Person | undefined> {
    const user = await unlessUnknown(this.#client.fetch(this.#request("GET", orgId, `/${userId}`), OrgUser));
    return user && personOf(user);
  }

  async updateOrgUser(orgId: string, userId: string, access: Access): Promise<Person | undefined> {
    const request = { ...this.#request("PATCH", orgId, `/${userId}`), body: bodyOf(access) };
    const user = await unlessUnknown(this.#client.fetch(request, OrgUser));
    return user && personOf(user);
  }

  /** Removes a member as well as an invitation: whoever calls it has looked who it is. */
  async removeOrgUser(orgId: string, userId: string): Promise<true | undefined> {
    const request = this.#request("DELETE", orgId, `/${userId}`);
    return unlessUnknown(this.#client.command(request));
  }

  #request(method: AtlasRequest["method"], orgId: string, rest: string): AtlasRequest {
    return { method, path: `/api/atlas/v2/orgs/${orgId}/users${rest}`, mediaType: MEDIA_TYPE };
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
