import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type Answer, answerOf } from "./answer.ts";
import { Api, type ApiKey, type RetirableRequest } from "./api.ts";
import { Authentication, type ReceivedRequest } from "./authentication.ts";
import { type Fault, type FaultMatch, Faults, type OrderedFault } from "./faults.ts";
import { OAuthEndpoints } from "./oauth-endpoints.ts";
import { type Mail, Organization, type OrganizationContext } from "./organization.ts";
import { type RequestListener, RequestListeners } from "./request-listeners.ts";
import { type LoggedRequest, logLine, outcomeOf } from "./request-log.ts";
import { send } from "./send.ts";
import {
  type AccessToken,
  type ServiceAccount,
  type ServiceAccountOptions,
  ServiceAccounts,
} from "./service-accounts.ts";
import { defaultSettings, type Settings } from "./settings.ts";
import { createTlsIdentity, type TlsIdentity } from "./tls-identity.ts";

/** The options of a simulated Atlas: its clock, TLS, and the settings that differ from their defaults. */
export interface SimulatedAtlasOptions extends Partial<Settings> {
  /**
   * The clock of everything that expires, in ms.
   * @default Date.now
   */
  now?: () => number;
  /**
   * Whether to serve https, with a certificate of its own. Needs openssl.
   * @default false
   */
  tls?: boolean;
}

/** A stateful HTTP server on a free loopback port for the parts of the Atlas API around invitations. */
export class SimulatedAtlas implements AsyncDisposable {
  /** Every request since the start or since `forget`, in the order of arrival. */
  readonly requests: LoggedRequest[] = [];
  /** Every invitation e-mail that was sent. */
  readonly mails: Mail[] = [];
  /** A test may change the settings at any time; they apply to the next request. */
  readonly settings: Settings;
  readonly #context: OrganizationContext;
  readonly #organizations = new Map<string, Organization>();
  readonly #keys: ApiKey[] = [];
  readonly #accounts: ServiceAccounts;
  readonly #api: Api;
  readonly #oauth: OAuthEndpoints;
  readonly #authentication: Authentication;
  readonly #faults = new Faults();
  readonly #listeners = new RequestListeners();
  readonly #identity: TlsIdentity | undefined;
  readonly #server: Server;

  private constructor(now: () => number, settings: Partial<Settings>, identity: TlsIdentity | undefined) {
    this.settings = { ...defaultSettings, ...settings };
    this.#context = { now, newId: idSource(now), settings: this.settings, mails: this.mails };
    this.#accounts = new ServiceAccounts(this.settings, now);
    this.#api = new Api(this.#organizations, this.settings, now);
    this.#oauth = new OAuthEndpoints(this.#accounts, this.settings, now);
    this.#authentication = new Authentication(this.#keys, this.#accounts, this.settings, now);
    const serve = (request: IncomingMessage, response: ServerResponse) => this.#serve(request, response);
    this.#identity = identity;
    this.#server = identity ? createTlsServer(identity, serve) : createServer(serve);
    // The server never closes a kept connection that a client is about to reuse.
    this.#server.keepAliveTimeout = 0;
  }

  /** Starts a server without organizations. */
  static async start(options: SimulatedAtlasOptions = {}): Promise<SimulatedAtlas> {
    const { now = Date.now, tls = false, ...settings } = options;
    const atlas = new SimulatedAtlas(now, settings, tls ? await createTlsIdentity() : undefined);
    await new Promise<void>((resolve) => atlas.#server.listen(0, "127.0.0.1", resolve));
    return atlas;
  }

  /** The origin, such as "http://127.0.0.1:1234". */
  get url(): string {
    const scheme = this.#identity ? "https" : "http";
    return `${scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** With TLS: the PEM file of the certificate that clients have to trust. */
  get caPath(): string {
    if (!this.#identity) throw new Error("started without TLS");
    return this.#identity.caPath;
  }

  /** Adds an organization without members. */
  addOrganization({ id = this.#context.newId(), name = "Example" } = {}): Organization {
    const organization = new Organization(this.#context, id, name);
    this.#organizations.set(id, organization);
    return organization;
  }

  /** Adds an API key to an organization, by default one of an owner. */
  addApiKey({
    organization,
    roles = ["ORG_OWNER"],
    publicKey = randomLetters(8),
    privateKey = randomUUID(),
  }: Pick<ApiKey, "organization"> & Partial<ApiKey>): ApiKey {
    const key = { organization, roles, publicKey, privateKey };
    this.#keys.push(key);
    return key;
  }

  /** Adds a service account to an organization, by default one of an owner. */
  addServiceAccount(options: ServiceAccountOptions): ServiceAccount {
    return this.#accounts.add(options);
  }

  /** Issues an access token of a new service account, without a request. */
  addAccessToken(options: Pick<ServiceAccountOptions, "organization" | "roles">): string {
    return this.#accounts.issue(this.#accounts.add(options)).token;
  }

  /** All access tokens, oldest first, with their expiry and revocation. */
  get tokens(): readonly AccessToken[] {
    return this.#accounts.tokens;
  }

  /** Makes every access token expire now. */
  expireTokens(): void {
    this.#accounts.expireTokens();
  }

  /** Retires both versions of the invitations API, for all requests or for some: they answer 410. */
  sunset(isRetired: (request: RetirableRequest) => boolean = () => true): void {
    this.#api.isRetired = isRetired;
  }

  /** Sets a fault for future requests. Of several faults that match, the oldest applies. */
  fail(fault: FaultMatch & Fault): OrderedFault {
    return this.#faults.order(fault);
  }

  /** Calls the listener for every request at each stage. Returns the function that removes the listener. */
  onRequest(listener: RequestListener): () => void {
    return this.#listeners.add(listener);
  }

  /** The requests as one line each. */
  log(): string[] {
    return this.requests.map(logLine);
  }

  /** Clears the log of requests. */
  forget(): void {
    this.requests.length = 0;
  }

  /** Stops the server, closes every connection and drops the work that faults have delayed. */
  async stop(): Promise<void> {
    this.#faults.stop();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
    await this.#identity?.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url: target = "", headers } = request;
    const logged: LoggedRequest = {
      method,
      path: target,
      authenticated: false,
      challenge: false,
      ...(headers.accept !== undefined && { accept: headers.accept }),
      ...(headers["content-type"] !== undefined && { contentType: headers["content-type"] }),
    };
    this.requests.push(logged);
    const text = await readText(request);
    if (text === undefined) return;
    if (text !== "") logged.body = parsedOrText(text);

    const { username, handle } = this.#receive({ method, target, headers, text });
    if (username !== undefined) Object.assign(logged, { authenticated: true, username });
    const cut = () => {
      logged.fault = "cut";
      response.destroy();
    };
    if (await this.#listeners.notify(logged, "arrived")) return cut();
    const delivery = await this.#faults.deliver(logged, handle);
    Object.assign(logged, outcomeOf(delivery));
    if (await this.#listeners.notify(logged, "handled")) return cut();
    if (await send(response, delivery)) await this.#listeners.notify(logged, "answered");
  }

  /** Verifies the credentials of a request on arrival. Returns their name, and the function that does the work. */
  #receive(request: ReceivedRequest): { username?: string; handle: () => Answer } {
    const { method, target, headers, text } = request;
    if (target.startsWith("/api/oauth/")) {
      const account = this.#oauth.verify(headers);
      const handle = () => answerOf(() => this.#oauth.answer(request));
      return { ...(account && { username: account.clientId }), handle };
    }
    const principal = this.#authentication.verify(request);
    if ("refused" in principal) return { handle: () => principal.refused };
    const handle = () =>
      this.#api.answer({ method, url: new URL(target, this.url), headers, text, principal });
    return { username: principal.name, handle };
  }
}

/** Returns ids of 24 hexadecimal digits, each greater than the one before unless the clock is set back. */
function idSource(now: () => number): () => string {
  const machine = randomBytes(5).toString("hex");
  let count = randomInt(0xf00000);
  const hex = (number: number, digits: number) => number.toString(16).padStart(digits, "0");
  return () => hex(Math.floor(now() / 1000), 8) + machine + hex(count++, 6);
}

const randomLetters = (length: number) =>
  Array.from({ length }, () => String.fromCharCode(randomInt(97, 123))).join("");

/** The whole body, or undefined if the client disconnects before its end. */
async function readText(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks).toString();
}

function parsedOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
