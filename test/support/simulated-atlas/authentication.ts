import type { IncomingHttpHeaders } from "node:http";
import type { Answer } from "./answer.ts";
import type { ApiKey } from "./api.ts";
import { Digest } from "./digest.ts";
import type { Organization } from "./organization.ts";
import type { ServiceAccounts } from "./service-accounts.ts";
import type { Settings } from "./settings.ts";

/** A whole request as it arrives. */
export interface ReceivedRequest {
  method: string;
  /** The path with its query. */
  target: string;
  headers: IncomingHttpHeaders;
  text: string;
}

/** The API key or the service account of a request. */
export interface Principal {
  organization: Organization;
  roles: string[];
  /** The public key or the client id: Atlas shows it to others. */
  name: string;
}

/** Verifies the credentials of requests to the API: a digest or an access token. */
export class Authentication {
  readonly #digest: Digest<ApiKey>;
  readonly #accounts: ServiceAccounts;

  constructor(keys: readonly ApiKey[], accounts: ServiceAccounts, settings: Settings, now: () => number) {
    this.#digest = new Digest(() => keys, now, settings);
    this.#accounts = accounts;
  }

  verify({ method, target, headers: { authorization } }: ReceivedRequest): Principal | { refused: Answer } {
    const token = authorization?.match(/^Bearer +(\S+)$/i)?.[1];
    // Documented: the unversioned API accepts API keys only. Inferred: it treats a token like no credentials.
    if (token !== undefined && !target.startsWith("/api/atlas/v1.0/")) {
      return this.#accounts.verify(token) ?? { refused: invalidTokenAnswer };
    }
    const outcome = this.#digest.verify(method, target, authorization);
    if ("challenge" in outcome) return { refused: challengeAnswer(outcome.challenge) };
    const { organization, roles, publicKey } = outcome.key;
    return { organization, roles, name: publicKey };
  }
}

/** Recorded: no body. Unknown: whether Atlas sends the header, which RFC 6750 requires. */
const invalidTokenAnswer: Answer = { status: 401, headers: { "WWW-Authenticate": "Bearer" } };

/** Recorded: the same body, without parameters, for a wrong public key, a wrong private key and no key. */
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
