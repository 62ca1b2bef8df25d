import { isAtlasApiError } from "../errors.ts";
import type { InvitationsApi, PeopleLists } from "./invitations-api.ts";

/**
 * Uses an API version until Atlas answers that it is retired, and its replacement from then on.
 *
 * The operation that gets this answer is finished by the replacement. A look-up starts again there, so that it never
 * combines the lists of two versions. The ids of one version mean nothing to the other, so the replacement finds the
 * person by the address.
 */
export class SunsetFallback implements InvitationsApi {
  readonly #replacement: InvitationsApi;
  readonly #onSunset: () => void;
  #current: InvitationsApi;

  constructor(deprecated: InvitationsApi, replacement: InvitationsApi, onSunset: () => void) {
    this.#current = deprecated;
    this.#replacement = replacement;
    this.#onSunset = onSunset;
  }

  lookUp<Result>(find: (lists: PeopleLists) => Promise<Result>): Promise<Result> {
    return this.#request((api) => api.lookUp(find));
  }

  readonly createOrgInvite: InvitationsApi["createOrgInvite"] = (...args) =>
    this.#request((api) => api.createOrgInvite(...args));

  readonly updateOrgInvite: InvitationsApi["updateOrgInvite"] = (...args) =>
    this.#request((api) => api.updateOrgInvite(...args));

  readonly deleteOrgInvite: InvitationsApi["deleteOrgInvite"] = (...args) =>
    this.#request((api) => api.deleteOrgInvite(...args));

  async #request<Result>(send: (api: InvitationsApi) => Promise<Result>): Promise<Result> {
    const api = this.#current;
    try {
      return await send(api);
    } catch (error) {
      if (api === this.#replacement || !isSunset(error)) throw error;
      // Concurrent requests that get this answer switch once.
      if (this.#current === api) {
        this.#current = this.#replacement;
        this.#onSunset();
      }
      return send(this.#replacement);
    }
  }
}

/** A retired version answers 410 VERSION_GONE. The other documented 410 is about the API key. */
function isSunset(error: unknown): boolean {
  return isAtlasApiError(error) && error.status === 410 && error.errorCode !== "PERSONAL_API_KEYS_DEPRECATED";
}
