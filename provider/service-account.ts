import * as v from "valibot";
import type { AtlasClient } from "./atlas-client.ts";
import { type Auth, type Challengeable, type Dispatch, FixedAuth, type Target } from "./auth.ts";
import type { Clock } from "./clock.ts";

/** A service account of Atlas. */
export interface ServiceAccount {
  clientId: string;
  clientSecret: string;
}

interface Token {
  authorization: string;
  value: string;
  renewAt: number;
}

// Before it expires, so that no request is under way with a token that ends: ten minutes of the usual hour.
const RENEWED_BEFORE_MS = 10 * 60_000;

/**
 * Tokens for a service account: one for all requests, asked for by the first of them, renewed before it
 * expires and once more when Atlas refuses it. Atlas allows a hundred active tokens, so `close` revokes it.
 */
export class ServiceAccountAuth implements Auth {
  readonly #client: AtlasClient;
  readonly #clock: Clock;
  #token: Promise<Token> | undefined;

  /** @param clientOf - A client for the requests about tokens, which have credentials of their own. */
  constructor(
    { clientId, clientSecret }: ServiceAccount,
    clientOf: (auth: Auth) => AtlasClient,
    clock: Clock,
  ) {
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString("base64");
    this.#client = clientOf(new FixedAuth(`Basic ${basic}`));
    this.#clock = clock;
  }

  async send<Answer extends Challengeable>(_request: Target, dispatch: Dispatch<Answer>): Promise<Answer> {
    const token = await this.#valid();
    const answer = await dispatch(token.authorization);
    if (answer.status !== 401) return answer;
    // One renewal for all whose token was refused together.
    if ((await this.#token) === token) this.#token = undefined;
    return dispatch((await this.#valid()).authorization);
  }

  /** Revokes the token, if there is one. Its failure is nobody's concern: the token expires by itself. */
  async close(): Promise<void> {
    const token = await this.#token?.catch(() => undefined);
    this.#token = undefined;
    if (!token) return;
    const form = { token: token.value, token_type_hint: "access_token" };
    await this.#client.command(this.#request("/api/oauth/revoke", form)).catch(() => undefined);
  }

  async #valid(): Promise<Token> {
    for (;;) {
      this.#token ??= this.#ask();
      const asked = this.#token;
      const token = await asked;
      if (this.#clock.now() < token.renewAt) return token;
      if (this.#token === asked) this.#token = undefined;
    }
  }

  async #ask(): Promise<Token> {
    const askedAt = this.#clock.now();
    try {
      const request = this.#request("/api/oauth/token", { grant_type: "client_credentials" });
      const { access_token: value, expires_in } = await this.#client.fetch(request, TokenAnswer);
      const lifetimeMs = expires_in * 1000;
      const renewAt = askedAt + lifetimeMs - Math.min(RENEWED_BEFORE_MS, lifetimeMs / 6);
      return { value, authorization: `Bearer ${value}`, renewAt };
    } catch (error) {
      this.#token = undefined;
      throw error;
    }
  }

  #request(path: string, form: Record<string, string>) {
    return {
      method: "POST" as const,
      path,
      mediaType: "application/json",
      form,
      subject: "the service account",
      // A token that was made for a lost answer expires by itself.
      beforeRepeat: async () => {},
    };
  }
}

const TokenAnswer = v.object({
  access_token: v.pipe(v.string(), v.nonEmpty()),
  expires_in: v.pipe(v.number(), v.minValue(1)),
});
