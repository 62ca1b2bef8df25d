import { randomBytes } from "node:crypto";
import { type Answer, Refusal, refusal } from "./answer.ts";
import type { Principal, ReceivedRequest } from "./api.ts";
import { SlidingWindow } from "./invitation-throttle.ts";
import type { Context } from "./settings.ts";
import { retryAfterHeader } from "./token-buckets.ts";

const tokenPath = "/api/oauth/token";
const revokePath = "/api/oauth/revoke";

/** A service account, with its organization and its roles there. */
export interface ServiceAccount extends Omit<Principal, "name"> {
  clientId: string;
  clientSecret: string;
}

/** An access token. The time of its expiry is in ms. */
export interface AccessToken {
  token: string;
  clientId: string;
  expiresAt: number;
  revoked: boolean;
}

/** The service accounts of all organizations, their access tokens, and the endpoints for these. */
export class ServiceAccounts {
  /** Every token that was issued, oldest first. */
  readonly tokens: AccessToken[] = [];
  readonly #accounts: ServiceAccount[] = [];
  readonly #windows = new Map<string, SlidingWindow>();
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Adds an account, by default one of an owner, with credentials in the form of Atlas. */
  add({
    organization,
    roles = ["ORG_OWNER"],
    clientId = `mdb_sa_id_${randomBytes(12).toString("hex")}`,
    clientSecret = `mdb_sa_sk_${randomBytes(30).toString("base64url")}`,
  }: Pick<ServiceAccount, "organization"> & Partial<ServiceAccount>): ServiceAccount {
    const account = { organization, roles, clientId, clientSecret };
    this.#accounts.push(account);
    return account;
  }

  issue({ clientId }: Pick<ServiceAccount, "clientId">): AccessToken {
    // Inferred: a token has the form of a JWT, which clients do not read.
    const token = `eyJ${randomBytes(90).toString("base64url")}`;
    const expiresAt = this.#context.now() + this.#context.settings.tokenLifetimeS * 1000;
    const issued = { token, clientId, expiresAt, revoked: false };
    this.tokens.push(issued);
    return issued;
  }

  /** The service account of a token, if the token is valid. */
  verify(token: string): Principal | undefined {
    const isValid = (issued: AccessToken) => !issued.revoked && this.#context.now() < issued.expiresAt;
    const clientId = this.tokens.find((issued) => issued.token === token && isValid(issued))?.clientId;
    const account = this.#accounts.find((one) => one.clientId === clientId);
    return account && { organization: account.organization, roles: account.roles, name: account.clientId };
  }

  /** Makes every token expire now. */
  expireTokens(): void {
    for (const token of this.tokens) token.expiresAt = this.#context.now();
  }

  /** The account whose credentials are in a request to an endpoint. */
  accountOf({ headers: { authorization } }: ReceivedRequest): ServiceAccount | undefined {
    const credentials = basicCredentials(authorization);
    return this.#accounts.find(({ clientId, clientSecret }) => credentials === `${clientId}:${clientSecret}`);
  }

  /** `/api/oauth/token` and `/api/oauth/revoke`. No access list applies to them (documented). */
  answer(request: ReceivedRequest): Answer {
    const { method, target, headers, text } = request;
    if (method !== "POST") return { status: 405 };
    if (target === tokenPath) this.#limit(basicCredentials(headers.authorization).split(":")[0] ?? "");
    else if (target !== revokePath)
      throw refusal(404, "RESOURCE_NOT_FOUND", `Nothing is at ${target}.`, [target]);
    if (!/^application\/x-www-form-urlencoded\b/.test(headers["content-type"] ?? "")) {
      throw refused(400, "invalid_request", "The body is not a form.");
    }
    const account = this.accountOf(request);
    if (!account) throw refused(401, "invalid_client", "Invalid credentials provided.");
    const name = target === tokenPath ? "grant_type" : "token";
    const value = new URLSearchParams(text).get(name);
    if (value === null) throw refused(400, "invalid_request", `${name} is missing.`);
    if (target === revokePath) return this.#revoke(account, value);
    if (value === "client_credentials") return this.#token(account);
    throw refused(400, "unsupported_grant_type", "grant_type must be client_credentials.");
  }

  #token(account: ServiceAccount): Answer {
    const { token } = this.issue(account);
    return json(200, {
      access_token: token,
      expires_in: this.#context.settings.tokenLifetimeS,
      token_type: "Bearer",
    });
  }

  /** RFC 7009: an unknown token is no error. Unknown: a token of another account. */
  #revoke({ clientId }: ServiceAccount, revoked: string): Answer {
    const issued = this.tokens.find(({ token }) => token === revoked);
    if (issued?.clientId === clientId) issued.revoked = true;
    return { status: 200 };
  }

  /** Documented: per source address and client. Unknown: whether a refused request counts; here it does not. */
  #limit(client: string): void {
    const window = this.#windows.get(client) ?? new SlidingWindow();
    this.#windows.set(client, window);
    const now = this.#context.now();
    const { tokenRequestsPerMinute: limit, retryAfter } = this.#context.settings;
    const waitMs = window.waitMs(now, limit, 60_000);
    if (waitMs === 0) {
      window.add(now);
      return;
    }
    const detail = `Resource ${tokenPath} is limited to ${limit} requests every 1 minutes.`;
    // Unknown: whether it has a Retry-After header.
    const headers = retryAfterHeader(retryAfter, waitMs, now);
    throw refusal(429, "RATE_LIMITED", detail, [tokenPath, limit, 1], headers);
  }
}

/** "id:secret" from a Basic header, empty if there is none. */
function basicCredentials(header = ""): string {
  return Buffer.from(header.match(/^Basic +(\S+)$/i)?.[1] ?? "", "base64").toString();
}

const json = (status: number, body: object): Answer => ({
  status,
  headers: { "Content-Type": "application/json" },
  body,
});

/** OAuth's own errors have the shape of RFC 6749 (documented). */
const refused = (status: number, error: string, error_description: string) =>
  new Refusal(json(status, { error, error_description }));
