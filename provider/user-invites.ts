import type { Access } from "./access.ts";
import type { InvitationIds, InvitationsApi, Person } from "./invitations-api.ts";
import type { OrgUsers } from "./org-users.ts";

/**
 * Invitations through the organization's users (2025-02-19), which replaces the invitations API.
 *
 * Its requests act on members as well: DELETE removes one. So the status is read immediately before each of
 * them, and nothing is done to anybody who is not pending. Who accepts between the two requests, a matter of
 * milliseconds, is treated as they were.
 */
export class UserInvites implements InvitationsApi {
  readonly lists: InvitationsApi["lists"];
  readonly updateOrgUser: InvitationsApi["updateOrgUser"];
  readonly removeOrgUser: InvitationsApi["removeOrgUser"];
  readonly #users: OrgUsers;

  constructor(users: OrgUsers) {
    this.#users = users;
    this.lists = [(orgId) => users.listOrgUsers(orgId)];
    this.updateOrgUser = users.updateOrgUser.bind(users);
    this.removeOrgUser = users.removeOrgUser.bind(users);
  }

  createOrgInvite(orgId: string, username: string, access: Access): Promise<Person> {
    return this.#users.createOrgUser(orgId, username, access);
  }

  updateOrgInvite(orgId: string, ids: InvitationIds, access: Access): Promise<Person | undefined> {
    return this.#whilePending(orgId, ids, (userId) => this.#users.updateOrgUser(orgId, userId, access));
  }

  deleteOrgInvite(orgId: string, ids: InvitationIds): Promise<true | undefined> {
    return this.#whilePending(orgId, ids, (userId) => this.#users.removeOrgUser(orgId, userId));
  }

  async #whilePending<Result>(
    orgId: string,
    { userId }: InvitationIds,
    request: (userId: string) => Promise<Result | undefined>,
  ): Promise<Result | undefined> {
    const user = userId && (await this.#users.getOrgUser(orgId, userId));
    return user && user.orgMembershipStatus === "PENDING" ? request(userId) : undefined;
  }
}
