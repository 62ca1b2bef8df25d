import type { Access } from "./access.ts";
import { isAtlasApiError } from "./errors.ts";
import type { InvitationsApi, Invitee, PeopleList, Person } from "./invitations-api.ts";

/**
 * One generation until Atlas has retired it, and from then on its successor, for good: the operation that
 * meets the sunset is finished by the successor. Ids of one generation mean nothing to the other, which then
 * finds the person by their address.
 */
export class UntilSunset implements InvitationsApi {
  readonly lists: readonly PeopleList[];
  readonly #successor: InvitationsApi;
  readonly #onSunset: () => void;
  #current: InvitationsApi;

  constructor(retiring: InvitationsApi, successor: InvitationsApi, onSunset: () => void) {
    this.#current = retiring;
    this.#successor = successor;
    this.#onSunset = onSunset;
    this.lists = retiring.lists.map(
      (_, index) => (orgId) => this.#request(async ({ lists }) => lists[index]?.(orgId) ?? []),
    );
  }

  createOrgInvite(
    orgId: string,
    username: string,
    access: Access,
    lookAgain: () => Promise<void>,
  ): Promise<Person> {
    return this.#request((api) => api.createOrgInvite(orgId, username, access, lookAgain));
  }

  updateOrgInvite(orgId: string, invitee: Invitee, access: Access): Promise<Person | undefined> {
    return this.#request((api) => api.updateOrgInvite(orgId, invitee, access));
  }

  deleteOrgInvite(orgId: string, invitee: Invitee): Promise<true | undefined> {
    return this.#request((api) => api.deleteOrgInvite(orgId, invitee));
  }

  updateMember(orgId: string, member: Invitee, access: Access): Promise<Person | undefined> {
    return this.#current.updateMember(orgId, member, access);
  }

  removeMember(orgId: string, member: Invitee): Promise<true | undefined> {
    return this.#current.removeMember(orgId, member);
  }

  async #request<Result>(send: (api: InvitationsApi) => Promise<Result>): Promise<Result> {
    const api = this.#current;
    try {
      return await send(api);
    } catch (error) {
      if (api === this.#successor || !isSunset(error)) throw error;
      // Requests that met it at the same time switch once.
      if (this.#current === api) {
        this.#current = this.#successor;
        this.#onSunset();
      }
      return send(this.#successor);
    }
  }
}

/** A retired version answers 410 VERSION_GONE; the other 410 that is documented is about the key. */
function isSunset(error: unknown): boolean {
  return isAtlasApiError(error) && error.status === 410 && error.errorCode !== "PERSONAL_API_KEYS_DEPRECATED";
}
