import { isAtlasApiError } from "../errors.ts";
import type { InvitationsApi, PeopleList } from "./invitations-api.ts";

/**
 * One generation until Atlas has retired it, and from then on its successor, for good: the operation that
 * meets the sunset is finished by the successor, and a look-up starts anew there, so that it never joins the lists
 * of two generations. Ids of one generation mean nothing to the other, which finds the person by their address.
 */
export class SunsetFallback implements InvitationsApi {
  readonly #successor: InvitationsApi;
  readonly #onSunset: () => void;
  #current: InvitationsApi;

  constructor(retiring: InvitationsApi, successor: InvitationsApi, onSunset: () => void) {
    this.#current = retiring;
    this.#successor = successor;
    this.#onSunset = onSunset;
  }

  lookUp<Result>(find: (lists: readonly PeopleList[]) => Promise<Result>): Promise<Result> {
    return this.#request((api) => api.lookUp(find));
  }

  readonly createOrgInvite: InvitationsApi["createOrgInvite"] = (...args) =>
    this.#request((api) => api.createOrgInvite(...args));

  readonly updateOrgInvite: InvitationsApi["updateOrgInvite"] = (...args) =>
    this.#request((api) => api.updateOrgInvite(...args));

  readonly deleteOrgInvite: InvitationsApi["deleteOrgInvite"] = (...args) =>
    this.#request((api) => api.deleteOrgInvite(...args));

  readonly updateMember: InvitationsApi["updateMember"] = (...args) => this.#current.updateMember(...args);

  readonly removeMember: InvitationsApi["removeMember"] = (...args) => this.#current.removeMember(...args);

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
