import { createHash, randomBytes } from "node:crypto";
import type { Context } from "./settings.ts";

const realm = "MMS Public API";
// Inferred: the layout of the recorded challenge is Jetty's, whose nonces live for 60 s.
const maxNonceAgeMs = 60_000;

/** The keys of an API key. */
export interface KeyPair {
  publicKey: string;
  privateKey: string;
}

interface Nonce {
  issuedAt: number;
  /** The counts (nc) that were accepted. */
  seen: Set<number>;
}

/** The server side of HTTP digest (RFC 7616, MD5, qop=auth), in the form of Atlas. */
export class Digest<Key extends KeyPair> {
  readonly #nonces = new Map<string, Nonce>();
  readonly #keys: readonly Key[];
  readonly #context: Context;

  constructor(keys: readonly Key[], context: Context) {
    this.#keys = keys;
    this.#context = context;
  }

  /** The key of a valid Authorization header, or the challenge to answer with. */
  verify(method: string, target: string, authorization = ""): Key | string {
    const given = parseDigest(authorization);
    const key = this.#keys.find(({ publicKey }) => publicKey === given.username);
    const nonce = this.#nonces.get(given.nonce ?? "");
    const isGenuine =
      key && isWellFormed(given, target) && given.response === expectedResponse(given, key, method);
    if (!isGenuine || !nonce) return this.#challenge();
    // Unknown: never recorded. By RFC 7616, and in Jetty, stale=true means that only the nonce is not valid.
    if (this.#context.now() - nonce.issuedAt > maxNonceAgeMs) return this.#challenge(true);
    const count = Number.parseInt(given.nc ?? "", 16);
    const isUsedUp = this.#context.settings.nonces === "once" ? nonce.seen.size > 0 : nonce.seen.has(count);
    if (isUsedUp) return this.#challenge();
    nonce.seen.add(count);
    return key;
  }

  #challenge(stale = false): string {
    // Recorded: 24 bytes, so always 32 characters, "+" and "/" among them.
    const nonce = randomBytes(24).toString("base64");
    this.#nonces.set(nonce, { issuedAt: this.#context.now(), seen: new Set() });
    return `Digest realm="${realm}", domain="", nonce="${nonce}", algorithm=MD5, qop="auth", stale=${stale}`;
  }
}

type Parameters = Record<string, string | undefined>;

/** The parameters of a Digest header; none for any other header. */
function parseDigest(header: string): Parameters {
  const rest = header.match(/^Digest\s+(.*)$/i)?.[1] ?? "";
  const parameters: Parameters = {};
  for (const [, name = "", quoted, token] of rest.matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)) {
    parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, "$1") ?? token;
  }
  return parameters;
}

function isWellFormed(given: Parameters, target: string): boolean {
  return (
    given.uri === target &&
    given.qop === "auth" &&
    (given.algorithm ?? "MD5").toUpperCase() === "MD5" &&
    Boolean(given.cnonce) &&
    // Recorded: a count of 00000000 is refused.
    /^(?!0{8})[0-9a-f]{8}$/i.test(given.nc ?? "")
  );
}

function expectedResponse(given: Parameters, { publicKey, privateKey }: KeyPair, method: string): string {
  const secret = md5(`${publicKey}:${realm}:${privateKey}`);
  const request = md5(`${method}:${given.uri}`);
  return md5([secret, given.nonce, given.nc, given.cnonce, given.qop, request].join(":"));
}

const md5 = (text: string) => createHash("md5").update(text).digest("hex");
