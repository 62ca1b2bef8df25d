import * as v from "valibot";
import type { Bounds } from "../bounds.ts";
import type { AtlasClient, AtlasRequest, Recheck } from "../client/atlas-client.ts";
import type { AtlasError } from "../errors.ts";
import { normalizeAccess, type PartialAccess } from "./access.ts";
import { isNotOwner, unlessUnknown } from "./error-meaning.ts";
import type { InvitationsApi, Invitee, Listing, PeopleList, PeopleLists, Person } from "./invitations-api.ts";
import { AtlasId, parseListing } from "./listing.ts";
import { OrgCollection } from "./org-collection.ts";

/** The two API versions with an endpoint for invitations: v1.0 (the documented legacy API), and v2 at 2023-01-01. */
export const INVITES_API_VERSIONS = {
  "v1.0": { root: "/api/atlas/v1.0/orgs", mediaType: "application/json" },
  v2: { root: "/api/atlas/v2/orgs", mediaType: "application/vnd.atlas.2023-01-01+json" },
} as const;

/** `/orgs/{orgId}/invites`, of v1.0 or v2. It lists pending invitations only, and cannot change or remove a member. */
export class InvitesEndpoint implements InvitationsApi {
  readonly #client: AtlasClient;
  readonly #collection: OrgCollection;
  readonly #now: () => number;
  readonly #lists: PeopleLists;
  /** By organization, the error with which Atlas rejected the list of invitations to credentials that may only read. */
  readonly #notOwner = new Map<string, AtlasError>();

  /**
   * @param listUsers - Lists the users of an organization.
   * @param now - The wall clock, in ms since 1970, by which an invitation expires.
   */
  constructor(
    client: AtlasClient,
    listUsers: PeopleList,
    { root, mediaType }: { root: string; mediaType: string },
    now: () => number,
  ) {
    this.#client = client;
    this.#collection = new OrgCollection(root, "invites", mediaType);
    this.#now = now;
    this.#lists = { invitations: (orgId, bounds) => this.listOrgInvites(orgId, bounds), users: listUsers };
  }

  lookUp<Result>(find: (lists: PeopleLists) => Promise<Result>): Promise<Result> {
    return find(this.#lists);
  }

  /**
   * Not paginated (documented). Not filtered by username, as it is unknown whether the filter respects letter case.
   * Empty where the credentials may only read: the list of users contains pending people, too.
   */
  async listOrgInvites(orgId: string, bounds: Bounds): Promise<Listing> {
    try {
      const request = this.#collection.request("GET", orgId, "the list of invitations", bounds);
      const entries = await this.#client.fetch(request, v.array(v.unknown()));
      this.#notOwner.delete(orgId);
      return parseListing(entries, Invitation, (invitation) => this.#personOf(invitation));
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
    const request = this.#collection.requestAbout(username, "POST", orgId, bounds);
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
    // The legacy documentation marks the roles as required.
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
    if (invitationId)
      return this.#collection.requestAbout(username, method, orgId, bounds, `/${invitationId}`);
    const notOwner = this.#notOwner.get(orgId);
    if (notOwner) throw notOwner;
    return undefined;
  }

  #personOf(invitation: v.InferOutput<typeof Invitation>): Person {
    const { expiresAt } = invitation;
    // It is unknown whether Atlas still lists an expired invitation.
    const isExpired = expiresAt ? Date.parse(expiresAt) <= this.#now() : false;
    return {
      username: invitation.username.toLowerCase(),
      orgMembershipStatus: isExpired ? "INVITATION_EXPIRED" : "PENDING",
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

/** A request has one entry per project with all its roles, an answer one entry per role (documented). */
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
  // Present in the official Go client's type, for invitations to a project (inferred).
  groupId: v.nullish(v.string()),
});
