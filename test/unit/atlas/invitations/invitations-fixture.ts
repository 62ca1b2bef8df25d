import type { AtlasClient, Recheck } from "../../../../provider/atlas/client/atlas-client.ts";
import type { Access, PartialAccess } from "../../../../provider/atlas/invitations/access.ts";
import type { InvitationsApi } from "../../../../provider/atlas/invitations/invitations-api.ts";
import {
  INVITES_API_VERSIONS,
  InvitesEndpoint,
} from "../../../../provider/atlas/invitations/invites-endpoint.ts";
import { UsersAsInvitations } from "../../../../provider/atlas/invitations/users-as-invitations.ts";
import { UsersEndpoint } from "../../../../provider/atlas/invitations/users-endpoint.ts";
import type { InvitationsApiVersion } from "../../../../provider/settings/settings.ts";
import type { Person as StoredPerson } from "../../../support/simulated-atlas/organization.ts";
import { clientFixture } from "../client/client-fixture.ts";

export const VERSIONS: InvitationsApiVersion[] = ["v1.0", "v2", "users"];
export const ada = "ada@example.com";
export const bob = "bob@example.com";
export const team = "5f0000000000000000000001";
export const project = "5f0000000000000000000002";
export const otherProject = "5f0000000000000000000003";
/** An id that the organization does not have. */
export const unknownId = "6a793f89c0eb9e7a177165b6";
export const member: Access = { roles: ["ORG_MEMBER"], teamIds: [], groupRoleAssignments: [] };
export const full: Access = {
  roles: ["ORG_MEMBER", "ORG_READ_ONLY"],
  teamIds: [team],
  groupRoleAssignments: [
    { groupId: project, roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] },
    { groupId: otherProject, roles: ["GROUP_READ_ONLY"] },
  ],
};

/** A recheck of a request that must not be rechecked. */
export const noRecheck: Recheck = () => Promise.reject(new Error("The request was rechecked."));

export function invitationsApiOf(
  version: InvitationsApiVersion,
  client: AtlasClient,
  now: () => number,
): InvitationsApi {
  const users = new UsersEndpoint(client);
  if (version === "users") return new UsersAsInvitations(users);
  return new InvitesEndpoint(client, users.listOrgUsers, INVITES_API_VERSIONS[version], now);
}

/** The body that the users API has for the access. */
export function usersBody({ roles, teamIds, groupRoleAssignments }: PartialAccess): object {
  const assignments = groupRoleAssignments?.map(({ groupId, roles }) => ({ groupId, groupRoles: roles }));
  return {
    ...(roles && { roles: { orgRoles: roles, ...(assignments && { groupRoleAssignments: assignments }) } }),
    ...(teamIds && { teamIds }),
  };
}

/** One version of the API, and what it looks like on the wire. */
export async function invitationsFixture(
  version: InvitationsApiVersion,
  ...[options]: Parameters<typeof clientFixture>
) {
  const fixture = await clientFixture(options);
  const orgId = fixture.organization.id;
  const isUsers = version === "users";
  const usersPath = `/api/atlas/v2/orgs/${orgId}/users`;
  const wire = {
    "v1.0": { path: `/api/atlas/v1.0/orgs/${orgId}/invites`, mediaType: "application/json" },
    v2: {
      path: `/api/atlas/v2/orgs/${orgId}/invites`,
      mediaType: "application/vnd.atlas.2023-01-01+json",
    },
    users: { path: usersPath, mediaType: "application/vnd.atlas.2025-02-19+json" },
  };
  return {
    ...fixture,
    orgId,
    isUsers,
    /** The path of the endpoint. */
    path: wire[version].path,
    api: invitationsApiOf(version, fixture.client, fixture.clock.now),
    apiOf: (client: AtlasClient) => invitationsApiOf(version, client, fixture.clock.now),
    /** The ids by which this version addresses a person. */
    idsOf: ({ invitationId, userId }: StoredPerson) => (isUsers ? { userId } : { invitationId }),
    /** A request as the simulated Atlas logs it. */
    logged: (method: string, path: string, status: number, body?: object) => {
      const { mediaType } = wire[path.startsWith(usersPath) ? "users" : version];
      return {
        method,
        path,
        accept: mediaType,
        ...(body && { contentType: mediaType, body }),
        authenticated: true,
        challenge: false,
        username: fixture.key.publicKey,
        status,
      };
    },
    /** The method and status of each request, without the challenges. */
    steps: () => fixture.verified().map(({ method, status, fault }) => `${method} ${status ?? fault}`),
  };
}
