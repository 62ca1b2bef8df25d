import type { IncomingHttpHeaders } from "node:http";
import { type Answer, errorAnswer, Refusal } from "./answer.ts";
import type { ReceivedRequest } from "./authentication.ts";
import { retryAfterHeader } from "./retry-after.ts";
import type { ServiceAccount, ServiceAccounts } from "./service-accounts.ts";
import type { Settings } from "./settings.ts";
import { SlidingWindow } from "./window.ts";

const tokenPath = "/api/oauth/token";
const revokePath = "/api/oauth/revoke";

/** `/api/oauth/token` and `/api/oauth/revoke`. No access list applies to them (documented). */
export class OAuthEndpoints {
  readonly #accounts: ServiceAccounts;
  readonly #settings: Settings;
  readonly #now: () => number;
  readonly #windows = new Map<string, SlidingWindow>();

  constructor(accounts: ServiceAccounts, settings: Settings, now: () => number) {
    this.#accounts = accounts;
    this.#settings = settings;
    this.#now = now;
  }

  /** The account whose credentials are in a request. */
  verify({ authorization }: IncomingHttpHeaders): ServiceAccount | undefined {
    const [id, secret] = basicCredentials(authorization);
    return this.#accounts.find(id, secret);
  }

  answer({ method, target, headers, text }: ReceivedRequest): Answer {
    if (method !== "POST") return { status: 405 };
    const serve = { [tokenPath]: this.#token, [revokePath]: this.#revoke }[target];
    if (!serve) return errorAnswer(404, "RESOURCE_NOT_FOUND", `Nothing is at ${target}.`, [target]);
    if (target === tokenPath) this.#limit(basicCredentials(headers.authorization)[0]);
    if (!/^application\/x-www-form-urlencoded\b/.test(headers["content-type"] ?? "")) {
      throw refused(400, "invalid_request", "The body is not a form.");
    }
    const account = this.verify(headers);
    if (!account) throw refused(401, "invalid_client", "Invalid credentials provided.");
    return serve.call(this, account, new URLSearchParams(text));
  }

  #token(account: ServiceAccount, form: URLSearchParams): Answer {
    const grantType = form.get("grant_type");
    if (grantType === null) throw refused(400, "invalid_request", "grant_type is missing.");
    if (grantType !== "client_credentials") {
      throw refused(400, "unsupported_grant_type", "grant_type must be client_credentials.");
    }
    const active = this.#accounts.tokens
      .filter(({ clientId }) => clientId === account.clientId)
      .filter((token) => this.#accounts.isActive(token));
    if (active.length >= this.#settings.maxActiveTokens) {
      throw refused(403, "access_denied", "Access Token limit reached.");
    }
    const { token } = this.#accounts.issue(account);
    return json(200, {
      access_token: token,
      expires_in: this.#settings.tokenLifetimeS,
      token_type: "Bearer",
    });
  }

  #revoke({ clientId }: ServiceAccount, form: URLSearchParams): Answer {
    const revoked = form.get("token");
    if (revoked === null) throw refused(400, "invalid_request", "token is missing.");
    // RFC 7009: an unknown token is no error. Unknown: a token of another account.
    for (const issued of this.#accounts.tokens) {
      if (issued.token === revoked && issued.clientId === clientId) issued.revoked = true;
    }
    return { status: 200 };
  }

  /** Documented: per source address and client. Unknown: whether a refused request counts; here it does not. */
  #limit(clientId: string): void {
    const window = this.#windows.get(clientId) ?? new SlidingWindow();
    this.#windows.set(clientId, window);
    const now = this.#now();
    const limit = this.#settings.tokenRequestsPerMinute;
    const waitMs = window.waitMs(now, limit, 60_000);
    if (waitMs === 0) {
      window.add(now);
      return;
    }
    const detail = `Resource ${tokenPath} is limited to ${limit} requests every 1 minutes.`;
    const answer = errorAnswer(429, "RATE_LIMITED", detail, [tokenPath, limit, 1]);
    // Unknown: whether it has a Retry-After header.
    const headers = { ...answer.headers, ...retryAfterHeader(this.#settings.retryAfter, waitMs, now) };
    throw new Refusal({ ...answer, headers });
  }
}

/** The id and the secret of a Basic header, both empty if there is none. */
function basicCredentials(header = ""): [id: string, secret: string] {
  const encoded = header.match(/^Basic +(\S+)$/i)?.[1] ?? "";
  const [id = "", ...secret] = Buffer.from(encoded, "base64").toString().split(":");
  return [id, secret.join(":")];
}

const json = (status: number, body: object): Answer => ({
  status,
  headers: { "Content-Type": "application/json" },
  body,
});

/** OAuth's own errors have the shape of RFC 6749 (documented). */
const refused = (status: number, error: string, error_description: string) =>
  new Refusal(json(status, { error, error_description }));
