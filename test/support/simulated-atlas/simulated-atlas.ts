import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { text as readText } from "node:stream/consumers";
import { Api, type ApiKey, type RetirableRequest } from "./api.ts";
import { type Fault, type FaultMatch, Faults, type OrderedFault } from "./faults.ts";
import { type Mail, Organization, type OrganizationContext } from "./organization.ts";
import type { RequestListener, Stage } from "./request-listeners.ts";
import { type LoggedRequest, logLine, outcomeOf } from "./request-log.ts";
import { send } from "./send.ts";
import type { AccessToken, ServiceAccount, ServiceAccounts } from "./service-accounts.ts";
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
  readonly #api: Api;
  readonly #faults = new Faults();
  readonly #listeners = new Set<RequestListener>();
  readonly #identity: TlsIdentity | undefined;
  readonly #server: Server;

  private constructor(now: () => number, settings: Partial<Settings>, identity: TlsIdentity | undefined) {
    this.settings = { ...defaultSettings, ...settings };
    this.#context = { now, newId: idSource(now), settings: this.settings, mails: this.mails };
    this.#api = new Api(this.#context);
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
    this.#api.organizations.set(id, organization);
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
    this.#api.keys.push(key);
    return key;
  }

  /** Adds a service account to an organization, by default one of an owner. */
  addServiceAccount(account: Parameters<ServiceAccounts["add"]>[0]): ServiceAccount {
    return this.#api.accounts.add(account);
  }

  /** Issues an access token of a new service account, without a request. */
  addAccessToken(account: Parameters<ServiceAccounts["add"]>[0]): string {
    return this.#api.accounts.issue(this.addServiceAccount(account)).token;
  }

  /** All access tokens, oldest first, with their expiry and revocation. */
  get tokens(): readonly AccessToken[] {
    return this.#api.accounts.tokens;
  }

  /** Makes every access token expire now. */
  expireTokens(): void {
    this.#api.accounts.expireTokens();
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
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The requests as one line each. */
  log(): string[] {
    return this.requests.map(logLine);
  }

  /** Clears the log of requests. */
  forget(): void {
    this.requests.length = 0;
  }

  /** Stops the server and closes every connection. */
  async stop(): Promise<void> {
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
    const text = await readText(request).catch(() => undefined);
    // The client has disconnected before the end of the body.
    if (text === undefined) return;
    if (text !== "") logged.body = parsedOrText(text);

    const { username, handle } = this.#api.receive({ method, target, headers, text });
    if (username !== undefined) Object.assign(logged, { authenticated: true, username });
    const cut = () => {
      logged.fault = "cut";
      response.destroy();
    };
    if (await this.#notify(logged, "arrived")) return cut();
    const delivery = await this.#faults.deliver(logged, handle);
    Object.assign(logged, outcomeOf(delivery));
    if (await this.#notify(logged, "handled")) return cut();
    if (await send(response, delivery)) await this.#notify(logged, "answered");
  }

  /** Calls the listeners one after the other, and returns whether one of them cuts the connection. */
  async #notify(request: LoggedRequest, stage: Stage): Promise<boolean> {
    let isCut = false;
    for (const listener of this.#listeners) {
      if ((await listener(request, stage)) === "cut") isCut = true;
    }
    return isCut;
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

function parsedOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
