import { randomBytes } from "node:crypto";
import { DigestClient } from "digest-fetch";
import type { Auth, RequestLine, ResponseHead, SendOnce } from "../client/auth.ts";

/** A programmatic API key of Atlas. */
export interface ApiKey {
  publicKey: string;
  privateKey: string;
}

// Where the server cannot be reached, each first request takes as long as a timeout.
const MAX_AWAITED_FIRST_REQUESTS = 3;

/**
 * HTTP digest authentication (RFC 7616).
 *
 * Reuses an accepted nonce with an incremented nc, which saves one 401 round trip per request. If the server rejects the
 * nonce, its answer is the challenge that a fresh nonce would have cost anyway. Requests that start before any nonce
 * was accepted wait for the first of them, so that together they need one challenge; if it fails, the next request is
 * the first one.
 */
export class DigestAuth implements Auth {
  readonly #key: ApiKey;
  #accepted: Challenge | undefined;
  #firstRequest: Promise<unknown> | undefined;

  constructor(key: ApiKey) {
    this.#key = key;
  }

  async send<Response extends ResponseHead>(
    request: RequestLine,
    sendOnce: SendOnce<Response>,
  ): Promise<Response> {
    // The first request may itself wait for a recheck.
    const mayWait = () => this.#firstRequest && !this.#accepted && !request.bounds.isRecheck;
    for (let waits = 0; mayWait() && waits < MAX_AWAITED_FIRST_REQUESTS; waits++) await this.#firstRequest;
    const response = this.#authenticate(request, sendOnce);
    if (!this.#accepted) {
      this.#firstRequest ??= response
        .catch(() => undefined)
        .finally(() => {
          this.#firstRequest = undefined;
        });
    }
    return response;
  }

  async #authenticate<Response extends ResponseHead>(
    request: RequestLine,
    sendOnce: SendOnce<Response>,
  ): Promise<Response> {
    let challenge = this.#accepted;
    let response = await sendOnce(challenge?.authorization(request));
    for (let attempts = 0; ; attempts++) {
      const header = digestChallenge(response);
      if (!header) {
        this.#accepted = challenge;
        return response;
      }
      // The server rejects a fresh nonce because of the key, unless it calls the nonce stale (RFC 7616, 3.3).
      if (attempts > 1 || (attempts === 1 && !isStale(header))) return response;
      challenge = new Challenge(this.#key, header);
      response = await sendOnce(challenge.authorization(request));
    }
  }
}

// The scheme with its parameters, up to where the next challenge begins. Quoted text before it is skipped.
const DIGEST =
  /^(?:[^"]|"(?:[^"\\]|\\.)*")*?(?<=^|,)\s*(Digest\s+(?:[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s",]*)[\s,]*)+)/i;

/** The first Digest challenge of a 401. No other scheme is answered. */
function digestChallenge({ status, headers }: ResponseHead): string | undefined {
  if (status !== 401) return undefined;
  const offered = [headers["www-authenticate"] ?? []].flat().join(", ");
  return DIGEST.exec(offered)?.[1];
}

function isStale(challenge: string): boolean {
  return /\bstale\s*=\s*"?true/i.test(challenge);
}

/**
 * One nonce and its count. `digest-fetch` computes the response. This class replaces its cnonce, which is not from a
 * secure source, and its nc, which is decimal and shared by concurrent requests.
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
    // Atlas rejects nc=00000000: counting starts at 1 (net-http-digest_auth pull request 17).
    this.#count += 1;
    const nc = this.#count.toString(16);
    Object.assign(this.digest, { nc, cnonce: this.makeNonce() });
    return this.addAuth(target, { method }).headers.Authorization;
  }
}
