import * as v from "valibot";
import type { AtlasClient, Bounds } from "../atlas-client.ts";
import { type Auth, type RequestLine, type ResponseHead, type SendOnce, StaticAuth } from "../auth.ts";
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
  renewAt: number;
  /** Atlas answers 401 for other reasons, too: what it refused with a new token it refuses with any. */
  refusedWhenFresh?: boolean;
}

// A process that is stopped has a few seconds left.
const REVOCATION_MS = 3_000;
// Before it expires, so that no request is under way with a token that ends: ten minutes of the usual hour.
const RENEWED_BEFORE_MS = 10 * 60_000;

/**
 * Tokens for a service account: one for all requests, asked for by the first of them, renewed before it
 * expires and once more when Atlas refuses it. Atlas allows a hundred active tokens, so `close` revokes it.
 */
export class ServiceAccountAuth implements Auth {
  readonly #client: AtlasClient;
  readonly #clock: Clock;
  #token: Token | undefined;
  #tokenRequest: Promise<Token> | undefined;

  /** @param clientOf - A client for the requests about tokens, which have credentials of their own. */
  constructor(
    { clientId, clientSecret }: ServiceAccount,
    clientOf: (auth: Auth) => AtlasClient,
    clock: Clock,
  ) {
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString("base64");
    this.#client = clientOf(new StaticAuth(`Basic ${basic}`));
    this.#clock = clock;
  }

  /** @throws AtlasError when there is no token to be had. */
  async send<Answer extends ResponseHead>(
    { bounds }: RequestLine,
    dispatch: SendOnce<Answer>,
  ): Promise<Answer> {
    const token = await this.#validToken(bounds);
    const answer = await dispatch(token.authorization);
    if (answer.status !== 401 || token.refusedWhenFresh) return answer;
    // One renewal for all whose token was refused together.
    if (this.#token === token) this.#token = undefined;
    const renewed = await this.#validToken(bounds);
    const lastAnswer = await dispatch(renewed.authorization);
    renewed.refusedWhenFresh = lastAnswer.status === 401;
    return lastAnswer;
  }

  /** Revokes the token, if there is one. Its failure is nobody's concern: the token expires by itself. */
  async close(): Promise<void> {
    await this.#tokenRequest?.catch(() => undefined);
    const token = this.#token;
    this.#token = undefined;
    if (!token) return;
    const form = { token: token.value, token_type_hint: "access_token" };
    const bounds = { deadline: this.#clock.monotonic() + REVOCATION_MS };
    await this.#client
      .sendWithoutBody(this.#request("/api/oauth/revoke", form, bounds))
      .catch(() => undefined);
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
      const request = {
        ...this.#request("/api/oauth/token", { grant_type: "client_credentials" }, bounds),
        // A token that was made for a lost answer expires by itself.
        recheck: async () => {},
      };
      const { access_token: value, expires_in } = await this.#client.fetch(request, TokenAnswer);
      const lifetimeMs = expires_in * 1000;
      const renewAt = this.#clock.monotonic() + lifetimeMs - Math.min(RENEWED_BEFORE_MS, lifetimeMs / 6);
      this.#token = { value, authorization: `Bearer ${value}`, renewAt };
      return this.#token;
    } catch (error) {
      if (!(error instanceof AtlasError)) throw error;
      // Of another kind, as it says nothing about the request that needs the token, and was repeated already.
      throw new AtlasError(`There is no access token for the service account: ${error.message}`, {
        cause: error,
      });
    }
  }

  #request(path: string, form: Record<string, string>, bounds: Bounds) {
    return {
      method: "POST" as const,
      path,
      mediaType: "application/json",
      form,
      subject: "the service account",
      bounds,
    };
  }
}

const TokenAnswer = v.object({
  access_token: v.pipe(v.string(), v.nonEmpty()),
  expires_in: v.pipe(v.number(), v.minValue(1)),
});
