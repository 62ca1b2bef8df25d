import type { Access } from "./access.ts";
import { type InvitationsApi, type Invitee, type Person, unlessOutdated } from "./invitations-api.ts";
import type { OrgUsers } from "./org-users.ts";

/**
 * Invitations through the organization's users (2025-02-19), which replaces the invitations API.
 *
 * Its requests act on members as well: DELETE removes one. So the status is read immediately before each of
 * them, a repeated one too, and nothing is done to anybody who is not pending. Who accepts between the two
 * requests, a matter of milliseconds, is treated as they were.
 */
export class UserInvites implements InvitationsApi {
  readonly lists: InvitationsApi["lists"];
  readonly updateMember: InvitationsApi["updateMember"];
  readonly removeMember: InvitationsApi["removeMember"];
  readonly createOrgInvite: InvitationsApi["createOrgInvite"];
  readonly #users: OrgUsers;

  constructor(users: OrgUsers) {
    this.#users = users;
    this.lists = [(orgId) => users.listOrgUsers(orgId)];
    this.updateMember = users.updateMember.bind(users);
    this.removeMember = users.removeMember.bind(users);
    this.createOrgInvite = users.createOrgUser.bind(users);
  }

  updateOrgInvite(orgId: string, invitee: Invitee, access: Access): Promise<Person | undefined> {
    return this.#whilePending(orgId, invitee, (look) =>
      this.#users.updateOrgUser(orgId, invitee, access, look),
    );
  }

  deleteOrgInvite(orgId: string, invitee: Invitee): Promise<true | undefined> {
    return this.#whilePending(orgId, invitee, (look) => this.#users.removeOrgUser(orgId, invitee, look));
  }

  async #whilePending<Result>(
    orgId: string,
    invitee: Invitee,
    request: (look: () => Promise<void>) => Promise<Result | undefined>,
  ): Promise<Result | undefined> {
    if (!invitee.userId) return undefined;
    const look = () => this.#users.expect("PENDING", orgId, invitee);
    return unlessOutdated(look().then(() => request(look)));
  }
}
