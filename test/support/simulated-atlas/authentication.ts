import type { IncomingHttpHeaders } from "node:http";
import type { Answer } from "./answer.ts";
import type { ApiKey } from "./api.ts";
import { Digest } from "./digest.ts";
import type { Principal } from "./principal.ts";
import type { ServiceAccounts } from "./service-accounts.ts";
import type { Settings } from "./settings.ts";

/** A whole request, as it arrived. */
export interface ReceivedRequest {
  method: string;
  /** The path with its query. */
  target: string;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Who uses the API, by digest or by an access token. */
export class Authentication {
  readonly #digest: Digest<ApiKey>;
  readonly #accounts: ServiceAccounts;

  constructor(keys: readonly ApiKey[], accounts: ServiceAccounts, settings: Settings, now: () => number) {
    this.#digest = new Digest(() => keys, now, settings);
    this.#accounts = accounts;
  }

  /** Looks at the credentials of a request, by their scheme. */
  verify({ method, target, headers: { authorization } }: ReceivedRequest): Principal | { refused: Answer } {
    const token = authorization?.match(/^Bearer +(\S+)$/i)?.[1];
    // Documented: the unversioned API takes API keys only. Inferred: a token there is like no credentials.
    if (token !== undefined && !target.startsWith("/api/atlas/v1.0/")) {
      return this.#accounts.verify(token) ?? { refused: invalidTokenAnswer };
    }
    const outcome = this.#digest.verify(method, target, authorization);
    if ("challenge" in outcome) return { refused: challengeAnswer(outcome.challenge) };
    const { organization, roles, publicKey } = outcome.key;
    return { organization, roles, name: publicKey };
  }
}

/** Recorded: no body. Unknown: whether the header is there; RFC 6750 wants it. */
const invalidTokenAnswer: Answer = { status: 401, headers: { "WWW-Authenticate": "Bearer" } };

/** Recorded: one body, without parameters, for a wrong public key, a wrong private key and no key at all. */
const challengeAnswer = (challenge: string): Answer => ({
  status: 401,
  headers: { "Content-Type": "application/json", "WWW-Authenticate": challenge },
  body: {
    error: 401,
    reason: "Unauthorized",
    detail: "You are not authorized for this resource.",
    errorCode: "UNEXPECTED_ERROR",
  },
});
