import * as v from "valibot";
import type { Bounds } from "../bounds.ts";
import type { AtlasClient, AtlasRequest } from "../client/atlas-client.ts";
import { type Auth, type RequestLine, type ResponseHead, type SendOnce, StaticAuth } from "../client/auth.ts";
import type { Clock } from "../clock.ts";
import { AtlasError } from "../errors.ts";

/** A service account of Atlas. */
export interface ServiceAccount {
  clientId: string;
  clientSecret: string;
}

interface Token {
  authorization: string;
  value: string;
  /** In ms of the monotonic clock. */
  renewAt: number;
  /**
   * Atlas answered 401 when the token was new. Atlas also answers 401 for authorization failures, so the token is not the
   * cause, and another one would be rejected as well.
   */
  refusedWhenFresh?: boolean;
}

// The engine kills the process some seconds after it asks it to stop.
const REVOCATION_MS = 3_000;
// Ten minutes of the usual hour, so that no request is under way with a token that expires.
const RENEWED_BEFORE_MS = 10 * 60_000;

/**
 * Access tokens of a service account (OAuth 2.0 client credentials).
 *
 * All requests share one token. The first request asks for it. It is renewed before it expires, and once when Atlas
 * rejects it. Atlas allows a hundred active tokens, so `close` revokes the token.
 */
export class ServiceAccountAuth implements Auth {
  readonly #client: AtlasClient;
  readonly #clock: Clock;
  #token: Token | undefined;
  #tokenRequest: Promise<Token> | undefined;

  /** @param clientOf - Makes the client for requests about tokens, which have other credentials. */
  constructor(
    { clientId, clientSecret }: ServiceAccount,
    clientOf: (auth: Auth) => AtlasClient,
    clock: Clock,
  ) {
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString("base64");
    this.#client = clientOf(new StaticAuth(`Basic ${basic}`));
    this.#clock = clock;
  }

  /** @throws AtlasError "noToken" when Atlas issues no token. */
  async send<Response extends ResponseHead>(
    { bounds }: RequestLine,
    sendOnce: SendOnce<Response>,
  ): Promise<Response> {
    const token = await this.#validToken(bounds);
    const response = await sendOnce(token.authorization);
    if (response.status !== 401 || token.refusedWhenFresh) return response;
    // Requests whose token was rejected together renew it once.
    if (this.#token === token) this.#token = undefined;
    const renewed = await this.#validToken(bounds);
    const lastResponse = await sendOnce(renewed.authorization);
    renewed.refusedWhenFresh = lastResponse.status === 401;
    return lastResponse;
  }

  /** Revokes the token, if there is one. A failure is ignored: the token expires by itself. */
  async close(): Promise<void> {
    await this.#tokenRequest?.catch(() => undefined);
    const token = this.#token;
    this.#token = undefined;
    if (!token) return;
    const form = { token: token.value, token_type_hint: "access_token" };
    const bounds = { deadline: this.#clock.monotonic() + REVOCATION_MS };
    await this.#client.sendWithoutBody(request("/api/oauth/revoke", form, bounds)).catch(() => undefined);
  }

  async #validToken(bounds: Bounds): Promise<Token> {
    if (this.#token && this.#clock.monotonic() < this.#token.renewAt) return this.#token;
    this.#tokenRequest ??= this.#requestToken(bounds).finally(() => {
      this.#tokenRequest = undefined;
    });
    return this.#tokenRequest;
  }

  async #requestToken(bounds: Bounds): Promise<Token> {
    try {
      const { access_token: value, expires_in } = await this.#client.fetch(
        {
          ...request("/api/oauth/token", { grant_type: "client_credentials" }, bounds),
          // Sending it again is safe: a token whose answer was lost expires by itself.
          recheck: async () => {},
        },
        TokenAnswer,
      );
      const lifetimeMs = expires_in * 1000;
      const renewAt = this.#clock.monotonic() + lifetimeMs - Math.min(RENEWED_BEFORE_MS, lifetimeMs / 6);
      this.#token = { value, authorization: `Bearer ${value}`, renewAt };
      return this.#token;
    } catch (error) {
      if (!(error instanceof AtlasError) || error.kind === "cancelled") throw error;
      // Not an AtlasApiError: its status would be taken for that of the request that needs the token.
      throw new AtlasError(
        "noToken",
        `Atlas issued no access token for the service account: ${error.message}`,
        {
          cause: error,
        },
      );
    }
  }
}

function request(path: string, form: Record<string, string>, bounds: Bounds): AtlasRequest {
  return {
    method: "POST",
    path,
    mediaType: "application/json",
    form,
    subject: "the service account",
    bounds,
  };
}

const TokenAnswer = v.object({
  access_token: v.pipe(v.string(), v.nonEmpty()),
  expires_in: v.pipe(v.number(), v.minValue(1)),
});
