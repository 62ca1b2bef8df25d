import { randomBytes } from "node:crypto";
import { DigestClient } from "digest-fetch";
import type { Bounds } from "./atlas-client.ts";

/** What credentials need to see of an answer. */
export interface ResponseHead {
  status: number;
  headers: Record<string, string | string[] | undefined>;
}

/** One HTTP request: `target` is the path with its query. */
export interface RequestLine {
  method: string;
  target: string;
  /** What bounds the operation that it belongs to. */
  bounds: Bounds;
}

/** Sends the request once, with this `Authorization` header or without one. */
export type SendOnce<Answer> = (authorization?: string) => Promise<Answer>;

/** Credentials, and how they are presented. */
export interface Auth {
  /** Sends one request, more than once where the server asks for other credentials; returns the last answer. */
  send<Answer extends ResponseHead>(request: RequestLine, dispatch: SendOnce<Answer>): Promise<Answer>;
}

/** Credentials that are the same for every request, such as an access token. */
export class StaticAuth implements Auth {
  readonly #authorization: string;

  constructor(authorization: string) {
    this.#authorization = authorization;
  }

  send<Answer extends ResponseHead>(_request: RequestLine, dispatch: SendOnce<Answer>): Promise<Answer> {
    return dispatch(this.#authorization);
  }
}

/** A programmatic API key of Atlas. */
export interface ApiKey {
  publicKey: string;
  privateKey: string;
}

// Where the server cannot be reached, each first request takes as long as a timeout.
const AWAITED_OPENINGS = 3;

/**
 * HTTP digest. An accepted nonce serves again with the next nc, which saves the round trip of a challenge; a
 * refused one costs only the challenge that would have been needed anyway. Requests that start before any
 * nonce is accepted wait for the first of them, so that together they need one challenge. Where it fails, the next
 * one takes its place.
 */
export class DigestAuth implements Auth {
  readonly #key: ApiKey;
  #accepted: Challenge | undefined;
  #opening: Promise<unknown> | undefined;

  constructor(key: ApiKey) {
    this.#key = key;
  }

  async send<Answer extends ResponseHead>(request: RequestLine, dispatch: SendOnce<Answer>): Promise<Answer> {
    // The first request may itself wait for a recheck.
    const mayWait = () => this.#opening && !this.#accepted && !request.bounds.isRecheck;
    for (let awaited = 0; mayWait() && awaited < AWAITED_OPENINGS; awaited++) await this.#opening;
    const answer = this.#authenticate(request, dispatch);
    if (!this.#accepted) {
      this.#opening ??= answer
        .catch(() => undefined)
        .finally(() => {
          this.#opening = undefined;
        });
    }
    return answer;
  }

  async #authenticate<Answer extends ResponseHead>(
    request: RequestLine,
    dispatch: SendOnce<Answer>,
  ): Promise<Answer> {
    let challenge = this.#accepted;
    let answer = await dispatch(challenge?.authorization(request));
    for (let tries = 0; ; tries++) {
      const header = digestChallenge(answer);
      if (!header) {
        this.#accepted = challenge;
        return answer;
      }
      // A refused fresh nonce is about the key, unless the server calls it stale (RFC 7616, 3.3).
      if (tries > 1 || (tries === 1 && !isStale(header))) return answer;
      challenge = new Challenge(this.#key, header);
      answer = await dispatch(challenge.authorization(request));
    }
  }
}

// The scheme with its parameters, up to where the next challenge begins; what is quoted before it is skipped.
const DIGEST =
  /^(?:[^"]|"(?:[^"\\]|\\.)*")*?(?<=^|,)\s*(Digest\s+(?:[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s",]*)[\s,]*)+)/i;

/** The first Digest challenge of a 401; no other scheme is ever answered. */
function digestChallenge({ status, headers }: ResponseHead): string | undefined {
  if (status !== 401) return undefined;
  const offered = [headers["www-authenticate"] ?? []].flat().join(", ");
  return DIGEST.exec(offered)?.[1];
}

function isStale(challenge: string): boolean {
  return /\bstale\s*=\s*"?true/i.test(challenge);
}

/**
 * One nonce and its count. `digest-fetch` computes the response; its own cnonce is not from a secure source,
 * its nc is decimal and shared by requests under way.
 */
class Challenge extends DigestClient {
  #count = 0;

  constructor({ publicKey, privateKey }: ApiKey, header: string) {
    super(publicKey, privateKey, { algorithm: DigestClient.parse(header, "algorithm") });
    this.parseAuth(header);
  }

  override makeNonce(): string {
    return randomBytes(16).toString("hex");
  }

  authorization({ method, target }: Omit<RequestLine, "bounds">): string {
    // Atlas refuses nc=00000000: counting starts at 1 (net-http-digest_auth pull request 17).
    this.#count += 1;
    const nc = this.#count.toString(16);
    Object.assign(this.digest, { nc, cnonce: this.makeNonce() });
    return this.addAuth(target, { method }).headers.Authorization;
  }
}
