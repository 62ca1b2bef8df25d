import { createHash } from "node:crypto";
import type { KeyPair } from "./digest.ts";
import { SimulatedAtlas, type SimulatedAtlasOptions } from "./simulated-atlas.ts";

/** An HTTP response; the body is parsed if it is JSON. */
export interface TestResponse {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests read bodies of every shape
  body: any;
}

interface TestRequest {
  body?: unknown;
  headers?: Record<string, string>;
}

/** The HTTP client of the simulator's tests. It shares no code with the simulator or the provider. */
export class TestClient {
  readonly #atlas: SimulatedAtlas;
  readonly #key: KeyPair;
  readonly #token: string;

  constructor(atlas: SimulatedAtlas, key: KeyPair, token = "") {
    this.#atlas = atlas;
    this.#key = key;
    this.#token = token;
  }

  /** Sends one request with the given headers. */
  async send(method: string, path: string, { body, headers = {} }: TestRequest = {}): Promise<TestResponse> {
    const sent = typeof body === "string" ? body : JSON.stringify(body);
    const response = await fetch(this.#atlas.url + path, {
      method,
      headers: { ...(sent !== undefined && { "Content-Type": "application/json" }), ...headers },
      ...(sent !== undefined && { body: sent }),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json") && text !== "";
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : undefined,
    };
  }

  /** Sends a request twice: without credentials, and then with the answer to the digest challenge. */
  async sendWithDigest(method: string, path: string, request: TestRequest = {}): Promise<TestResponse> {
    const { headers } = await this.send(method, path, request);
    const Authorization = digestHeader(headers, this.#key, { method, uri: path });
    return this.send(method, path, { ...request, headers: { ...request.headers, Authorization } });
  }

  /** Sends one request to API version 2, with an access token. */
  v2(method: string, path: string, body?: unknown, token = this.#token): Promise<TestResponse> {
    const headers = { Accept: "application/vnd.atlas.2025-03-12+json", Authorization: `Bearer ${token}` };
    return this.send(method, `/api/atlas/v2${path}`, { body, headers });
  }

  /** Invites a user to the organization of a path of API version 2. */
  invite(path: string, username = "ada@example.com", token = this.#token): Promise<TestResponse> {
    const roles = ["ORG_MEMBER"];
    const body = { username, roles: path.endsWith("/users") ? { orgRoles: roles } : roles };
    return this.v2("POST", path, body, token);
  }
}

/** The parameters of a digest response. A test may give wrong ones. */
export interface DigestParameters {
  method: string;
  uri: string;
  nc?: string;
  realm?: string;
  cnonce?: string;
  qop?: string;
  response?: string;
}

/** The Authorization header that answers a digest challenge. */
export function digestHeader(
  challenge: Headers,
  { publicKey, privateKey }: KeyPair,
  given: DigestParameters,
) {
  const { method, uri, nc = "00000001", realm = "MMS Public API", qop = "auth", cnonce = "0a4f113b" } = given;
  const nonce = challenge.get("www-authenticate")?.match(/nonce="([^"]+)"/)?.[1];
  const secret = md5(`${publicKey}:${realm}:${privateKey}`);
  const response =
    given.response ?? md5(`${secret}:${nonce}:${nc}:${cnonce}:${qop}:${md5(`${method}:${uri}`)}`);
  return (
    `Digest username="${publicKey}", realm="${realm}", nonce="${nonce}", uri="${uri}", algorithm=MD5, ` +
    `qop=${qop}, nc=${nc}, cnonce="${cnonce}", response="${response}"`
  );
}

/** Starts a simulator with one organization, the API key of an owner, and an access token. */
export async function startAtlas(options?: SimulatedAtlasOptions) {
  const atlas = await SimulatedAtlas.start(options);
  const organization = atlas.addOrganization({ name: "Example" });
  const key = atlas.addApiKey({ organization });
  const token = atlas.addAccessToken({ organization });
  return {
    atlas,
    organization,
    key,
    client: new TestClient(atlas, key, token),
    token,
    invites: `/orgs/${organization.id}/invites`,
    users: `/orgs/${organization.id}/users`,
    [Symbol.asyncDispose]: () => atlas.stop(),
  };
}

const md5 = (text: string) => createHash("md5").update(text).digest("hex");
