import * as v from "valibot";
import { type Access, canonicalAccess } from "./access.ts";
import type { AtlasClient, AtlasRequest } from "./atlas-client.ts";
import { type InvitationsApi, type Invitee, type Person, unlessUnknown } from "./invitations-api.ts";
import type { OrgUsers } from "./org-users.ts";

/** The generations with endpoints of their own for invitations: all of a page of the vendor's, and its v2. */
export const INVITES = {
  "v1.0": { root: "/api/atlas/v1.0/orgs", mediaType: "application/json" },
  v2: { root: "/api/atlas/v2/orgs", mediaType: "application/vnd.atlas.2023-01-01+json" },
} as const;

/** `/orgs/{orgId}/invites`, of v1.0 or v2. It shows pending invitations only, and can never touch a member. */
export class OrgInvites implements InvitationsApi {
  readonly lists: InvitationsApi["lists"];
  readonly updateMember: InvitationsApi["updateMember"];
  readonly removeMember: InvitationsApi["removeMember"];
  readonly #client: AtlasClient;
  readonly #root: string;
  readonly #mediaType: string;

  constructor(
    client: AtlasClient,
    users: OrgUsers,
    { root, mediaType }: { root: string; mediaType: string },
  ) {
    this.#client = client;
    this.#root = root;
    this.#mediaType = mediaType;
    this.lists = [(orgId) => this.listOrgInvites(orgId), (orgId) => users.listOrgUsers(orgId)];
    this.updateMember = users.updateMember.bind(users);
    this.removeMember = users.removeMember.bind(users);
  }

  /** Not paginated (documented). The filter by username is not used: whether it heeds letter case is unknown. */
  async listOrgInvites(orgId: string): Promise<Person[]> {
    const invitations = await this.#client.fetch(
      this.#request("GET", orgId, "the list of invitations"),
      v.array(Invitation),
    );
    return invitations.map(personOf);
  }

  async createOrgInvite(
    orgId: string,
    username: string,
    access: Access,
    lookAgain: () => Promise<void>,
  ): Promise<Person> {
    const { roles, teamIds, groupRoleAssignments } = access;
    const body = {
      username,
      roles,
      ...(teamIds.length > 0 && { teamIds }),
      ...(groupRoleAssignments.length > 0 && { groupRoleAssignments }),
    };
    const request = { ...this.#request("POST", orgId, username), body, invites: true, lookAgain };
    return personOf(await this.#client.fetch(request, Invitation));
  }

  async updateOrgInvite(
    orgId: string,
    { username, invitationId }: Invitee,
    { roles, teamIds, groupRoleAssignments }: Access,
  ): Promise<Person | undefined> {
    if (!invitationId) return undefined;
    const request = {
      ...this.#request("PATCH", orgId, username, invitationId),
      body: { roles, teamIds, groupRoleAssignments },
    };
    const invitation = await unlessUnknown(this.#client.fetch(request, Invitation));
    return invitation && personOf(invitation);
  }

  async deleteOrgInvite(orgId: string, { username, invitationId }: Invitee): Promise<true | undefined> {
    if (!invitationId) return undefined;
    const request = this.#request("DELETE", orgId, username, invitationId);
    return unlessUnknown(this.#client.command(request));
  }

  #request(
    method: AtlasRequest["method"],
    orgId: string,
    subject: string,
    invitationId?: string,
  ): AtlasRequest {
    const path = `${this.#root}/${orgId}/invites${invitationId ? `/${invitationId}` : ""}`;
    return { method, path, mediaType: this.#mediaType, subject };
  }
}

/** A request lists the roles of a project together, an answer one role at a time (documented). */
const Invitation = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  username: v.string(),
  roles: v.array(v.string()),
  teamIds: v.nullish(v.array(v.string()), []),
  groupRoleAssignments: v.nullish(v.array(v.object({ groupId: v.string(), groupRole: v.string() })), []),
  createdAt: v.nullish(v.string()),
  expiresAt: v.nullish(v.string()),
  inviterUsername: v.nullish(v.string()),
  orgName: v.nullish(v.string()),
});

function personOf(invitation: v.InferOutput<typeof Invitation>): Person {
  return {
    username: invitation.username.toLowerCase(),
    orgMembershipStatus: "PENDING",
    access: canonicalAccess({
      roles: invitation.roles,
      teamIds: invitation.teamIds,
      groupRoleAssignments: invitation.groupRoleAssignments.map(({ groupId, groupRole }) => ({
        groupId,
        roles: [groupRole],
      })),
    }),
    invitationId: invitation.id,
    createdAt: invitation.createdAt ?? undefined,
    expiresAt: invitation.expiresAt ?? undefined,
    inviterUsername: invitation.inviterUsername ?? undefined,
    orgName: invitation.orgName ?? undefined,
  };
}
