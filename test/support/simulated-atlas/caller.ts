import { createHash } from "node:crypto";
import type { KeyPair } from "./digest.ts";
import { SimulatedAtlas, type SimulatedAtlasOptions } from "./simulated-atlas.ts";

/** An answer as a client sees it; the body is parsed if it is JSON. */
export interface SeenAnswer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any;
}

export interface CallOptions {
  body?: unknown;
  headers?: Record<string, string>;
}

/** A client for the simulator's own tests, sharing no code with it. It takes a fresh challenge for each request. */
export class Caller {
  readonly #atlas: SimulatedAtlas;
  readonly #key: KeyPair;

  constructor(atlas: SimulatedAtlas, key: KeyPair) {
    this.#atlas = atlas;
    this.#key = key;
  }

  /** Sends one request, without credentials unless a header carries them. */
  async plain(method: string, path: string, { body, headers = {} }: CallOptions = {}): Promise<SeenAnswer> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const response = await fetch(this.#atlas.url + path, {
      method,
      headers: { ...(text !== undefined && { "Content-Type": "application/json" }), ...headers },
      ...(text !== undefined && { body: text }),
    });
    return seen(response);
  }

  /** Sends a request with its key, after the challenge for it. */
  async call(method: string, path: string, options: CallOptions = {}): Promise<SeenAnswer> {
    const { headers } = await this.plain(method, path, options);
    const Authorization = authorization(headers, this.#key, { method, uri: path });
    return this.plain(method, path, { ...options, headers: { ...options.headers, Authorization } });
  }

  /** The invitations API of the seed's page. */
  v1(method: string, path: string, body?: unknown): Promise<SeenAnswer> {
    return this.call(method, `/api/atlas/v1.0${path}`, { body, headers: { Accept: "application/json" } });
  }

  /** The versioned API. */
  v2(method: string, path: string, body?: unknown, date = "2025-03-12"): Promise<SeenAnswer> {
    const Accept = `application/vnd.atlas.${date}+json`;
    return this.call(method, `/api/atlas/v2${path}`, { body, headers: { Accept } });
  }
}

/** The parameters of a digest response; each may be given wrongly on purpose. */
export interface DigestParameters {
  method: string;
  uri: string;
  nc?: string;
  realm?: string;
  cnonce?: string;
  qop?: string;
  response?: string;
}

/** The Authorization header that answers a challenge. */
export function authorization(
  challenged: Headers,
  { publicKey, privateKey }: KeyPair,
  {
    method,
    uri,
    nc = "00000001",
    realm = "MMS Public API",
    qop = "auth",
    cnonce = "0a4f113b",
    ...given
  }: DigestParameters,
): string {
  const nonce = nonceOf(challenged);
  const secret = md5(`${publicKey}:${realm}:${privateKey}`);
  const response =
    given.response ?? md5(`${secret}:${nonce}:${nc}:${cnonce}:${qop}:${md5(`${method}:${uri}`)}`);
  return (
    `Digest username="${publicKey}", realm="${realm}", nonce="${nonce}", uri="${uri}", algorithm=MD5, ` +
    `qop=${qop}, nc=${nc}, cnonce="${cnonce}", response="${response}"`
  );
}

/** The nonce of a challenge. */
export function nonceOf(challenged: Headers): string {
  const nonce = challenged.get("www-authenticate")?.match(/nonce="([^"]+)"/)?.[1];
  if (nonce === undefined) throw new Error("no challenge");
  return nonce;
}

/** A simulator with one organization, an owner's key and a caller that uses it; stops when it goes out of scope. */
export async function startScene(options?: SimulatedAtlasOptions) {
  const atlas = await SimulatedAtlas.start(options);
  const organization = atlas.addOrganization({ name: "Example" });
  const key = atlas.addApiKey({ organization });
  return {
    atlas,
    organization,
    key,
    caller: new Caller(atlas, key),
    invites: `/orgs/${organization.id}/invites`,
    users: `/orgs/${organization.id}/users`,
    [Symbol.asyncDispose]: () => atlas.stop(),
  };
}

async function seen(response: Response): Promise<SeenAnswer> {
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {}
  return { status: response.status, headers: response.headers, text, body };
}

const md5 = (text: string) => createHash("md5").update(text).digest("hex");
