import type { Bounds } from "../atlas-client.ts";
import type { PartialAccess } from "./access.ts";
import {
  type InvitationsApi,
  type Invitee,
  type PeopleList,
  type Person,
  type Recheck,
  unlessStale,
} from "./invitations-api.ts";
import type { UsersEndpoint } from "./users-endpoint.ts";

/**
 * Invitations through the organization's users (2025-02-19), which replaces the invitations API.
 *
 * Its requests act on members as well: DELETE removes one. So the client reads the status immediately before it
 * sends each of them, a repeated one too, and sends nothing to anybody who is not pending. Who accepts within the
 * round trip that remains is treated as they were.
 */
export class UsersAsInvitations implements InvitationsApi {
  readonly updateMember: InvitationsApi["updateMember"];
  readonly removeMember: InvitationsApi["removeMember"];
  readonly createOrgInvite: InvitationsApi["createOrgInvite"];
  readonly #users: UsersEndpoint;
  readonly #lists: readonly PeopleList[];

  constructor(users: UsersEndpoint) {
    this.#users = users;
    this.#lists = [users.listOrgUsers];
    this.updateMember = users.updateMember.bind(users);
    this.removeMember = users.removeMember.bind(users);
    this.createOrgInvite = users.createOrgUser.bind(users);
  }

  lookUp<Result>(find: (lists: readonly PeopleList[]) => Promise<Result>): Promise<Result> {
    return find(this.#lists);
  }

  async updateOrgInvite(
    orgId: string,
    invitee: Invitee,
    change: PartialAccess,
    bounds: Bounds,
  ): Promise<Person | undefined> {
    if (!invitee.userId) return undefined;
    const isPending = this.#isPending(orgId, invitee);
    return unlessStale(this.#users.updateOrgUser(orgId, invitee, change, bounds, isPending));
  }

  async deleteOrgInvite(orgId: string, invitee: Invitee, bounds: Bounds): Promise<true | undefined> {
    if (!invitee.userId) return undefined;
    return unlessStale(this.#users.removeOrgUser(orgId, invitee, bounds, this.#isPending(orgId, invitee)));
  }

  #isPending(orgId: string, invitee: Invitee): Recheck {
    return (bounds) => this.#users.assertStatus("PENDING", orgId, invitee, bounds);
  }
}
