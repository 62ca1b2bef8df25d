import type { Bounds } from "../bounds.ts";
import type { Recheck } from "../client/atlas-client.ts";
import type { PartialAccess } from "./access.ts";
import { unlessStale } from "./error-meaning.ts";
import type { InvitationsApi, Invitee, PeopleLists, Person } from "./invitations-api.ts";
import type { UsersEndpoint } from "./users-endpoint.ts";

/**
 * Invitations through the endpoint of users (2025-02-19), which replaces the endpoint of invitations.
 *
 * Its requests act on members as well: DELETE removes a member. So each request reads the status immediately before it is
 * sent, again before each retry, and is not sent unless the person is pending. The status can still change within the
 * round trip between the two requests.
 */
export class UsersAsInvitations implements InvitationsApi {
  readonly createOrgInvite: InvitationsApi["createOrgInvite"];
  readonly #users: UsersEndpoint;

  constructor(users: UsersEndpoint) {
    this.#users = users;
    this.createOrgInvite = users.createOrgUser.bind(users);
  }

  lookUp<Result>(find: (lists: PeopleLists) => Promise<Result>): Promise<Result> {
    return find({ users: this.#users.listOrgUsers });
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
