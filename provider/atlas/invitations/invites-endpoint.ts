import * as v from "valibot";
import type { AtlasClient, AtlasRequest, Bounds } from "../atlas-client.ts";
import type { AtlasError } from "../errors.ts";
import { normalizeAccess, type PartialAccess } from "./access.ts";
import {
  AtlasId,
  type InvitationsApi,
  type Invitee,
  isNotOwner,
  type Listing,
  listingOf,
  type PeopleList,
  type Person,
  type Recheck,
  unlessUnknown,
} from "./invitations-api.ts";
import type { UsersEndpoint } from "./users-endpoint.ts";

/** The generations with endpoints of their own for invitations: v1.0, of the legacy page, and v2. */
export const INVITES_API_VERSIONS = {
  "v1.0": { root: "/api/atlas/v1.0/orgs", mediaType: "application/json" },
  v2: { root: "/api/atlas/v2/orgs", mediaType: "application/vnd.atlas.2023-01-01+json" },
} as const;

/** `/orgs/{orgId}/invites`, of v1.0 or v2. It shows pending invitations only, and can never touch a member. */
export class InvitesEndpoint implements InvitationsApi {
  readonly updateMember: InvitationsApi["updateMember"];
  readonly removeMember: InvitationsApi["removeMember"];
  readonly #client: AtlasClient;
  readonly #root: string;
  readonly #mediaType: string;
  readonly #now: () => number;
  readonly #lists: readonly PeopleList[];
  /** Why the list of an organization's invitations was refused, where the credentials may only read. */
  readonly #notOwner = new Map<string, AtlasError>();

  /** @param now - The wall clock, in ms since 1970: tells whether an invitation has run out. */
  constructor(
    client: AtlasClient,
    users: UsersEndpoint,
    { root, mediaType }: { root: string; mediaType: string },
    now: () => number,
  ) {
    this.#client = client;
    this.#root = root;
    this.#mediaType = mediaType;
    this.#now = now;
    this.#lists = [(orgId, bounds) => this.listOrgInvites(orgId, bounds), users.listOrgUsers];
    this.updateMember = users.updateMember.bind(users);
    this.removeMember = users.removeMember.bind(users);
  }

  lookUp<Result>(find: (lists: readonly PeopleList[]) => Promise<Result>): Promise<Result> {
    return find(this.#lists);
  }

  /**
   * Not paginated (documented). The filter by username is not used: whether it respects letter case is unknown.
   * Empty where the credentials may only read: then the list of users tells of pending people, too.
   */
  async listOrgInvites(orgId: string, bounds: Bounds): Promise<Listing> {
    try {
      const request = this.#request("GET", orgId, "the list of invitations", bounds);
      const entries = await this.#client.fetch(request, v.array(v.unknown()));
      this.#notOwner.delete(orgId);
      return listingOf(entries, Invitation, (invitation) => this.#personOf(invitation));
    } catch (error) {
      if (!isNotOwner(error)) throw error;
      this.#notOwner.set(orgId, error as AtlasError);
      return { people: [], unusable: [] };
    }
  }

  async createOrgInvite(
    orgId: string,
    username: string,
    { roles, teamIds, groupRoleAssignments }: PartialAccess,
    recheck: Recheck,
    bounds: Bounds,
  ): Promise<Person> {
    const body = {
      username,
      roles,
      ...(teamIds?.length && { teamIds }),
      ...(groupRoleAssignments?.length && { groupRoleAssignments }),
    };
    const request = this.#request("POST", orgId, username, bounds);
    return this.#personOf(await this.#client.fetch({ ...request, body, invites: true, recheck }, Invitation));
  }

  async updateOrgInvite(
    orgId: string,
    invitee: Invitee,
    change: PartialAccess,
    bounds: Bounds,
  ): Promise<Person | undefined> {
    const request = this.#requestFor("PATCH", orgId, invitee, bounds);
    if (!request) return undefined;
    // The legacy page marks the roles as required.
    const body = { roles: invitee.roles, ...change };
    const invitation = await unlessUnknown(this.#client.fetch({ ...request, body }, Invitation));
    return invitation && this.#personOf(invitation);
  }

  async deleteOrgInvite(orgId: string, invitee: Invitee, bounds: Bounds): Promise<true | undefined> {
    const request = this.#requestFor("DELETE", orgId, invitee, bounds);
    return request && unlessUnknown(this.#client.sendWithoutBody(request));
  }

  #requestFor(
    method: AtlasRequest["method"],
    orgId: string,
    { username, invitationId }: Invitee,
    bounds: Bounds,
  ): AtlasRequest | undefined {
    if (invitationId) return this.#request(method, orgId, username, bounds, `/${invitationId}`);
    const notOwner = this.#notOwner.get(orgId);
    if (notOwner) throw notOwner;
    return undefined;
  }

  #request(
    method: AtlasRequest["method"],
    orgId: string,
    subject: string,
    bounds: Bounds,
    rest = "",
  ): AtlasRequest {
    const path = `${this.#root}/${orgId}/invites${rest}`;
    return { method, path, mediaType: this.#mediaType, subject, bounds };
  }

  #personOf(invitation: v.InferOutput<typeof Invitation>): Person {
    const { expiresAt } = invitation;
    // Whether an invitation that has run out is still listed is unknown.
    const isOver = expiresAt ? Date.parse(expiresAt) <= this.#now() : false;
    return {
      username: invitation.username.toLowerCase(),
      orgMembershipStatus: isOver ? "INVITATION_EXPIRED" : "PENDING",
      ...normalizeAccess({
        roles: invitation.roles,
        teamIds: invitation.teamIds,
        groupRoleAssignments: invitation.groupRoleAssignments.map(({ groupId, groupRole }) => ({
          groupId,
          roles: groupRole ? [groupRole] : [],
        })),
      }),
      invitationId: invitation.id,
      createdAt: invitation.createdAt ?? undefined,
      expiresAt: expiresAt ?? undefined,
      inviterUsername: invitation.inviterUsername ?? undefined,
      orgName: invitation.orgName ?? undefined,
      ...(invitation.groupId && { isProjectInvitation: true }),
    };
  }
}

/** A request lists the roles of a project together, an answer one role at a time (documented). */
const Invitation = v.object({
  id: AtlasId,
  username: v.string(),
  roles: v.array(v.string()),
  teamIds: v.nullish(v.array(v.string()), []),
  groupRoleAssignments: v.nullish(
    v.array(v.object({ groupId: v.string(), groupRole: v.nullish(v.string()) })),
    [],
  ),
  createdAt: v.nullish(v.string()),
  expiresAt: v.nullish(v.string()),
  inviterUsername: v.nullish(v.string()),
  orgName: v.nullish(v.string()),
  // The official Go client's structure has it, for invitations to a project (inferred).
  groupId: v.nullish(v.string()),
});
