import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type Answer, answerOf } from "./answer.ts";
import { Api, type ApiKey, type RetirableRequest } from "./api.ts";
import { Authentication, type ReceivedRequest } from "./authentication.ts";
import { type Fault, type FaultMatch, Faults, type OrderedFault } from "./faults.ts";
import { OAuthEndpoints } from "./oauth-endpoints.ts";
import { type Mail, Organization, type World } from "./organization.ts";
import { type LoggedRequest, logLine, outcomeOf } from "./request-log.ts";
import { send } from "./send.ts";
import {
  type AccessToken,
  type ServiceAccount,
  type ServiceAccountOptions,
  ServiceAccounts,
} from "./service-accounts.ts";
import { defaultSettings, type Settings } from "./settings.ts";
import { type RequestListener, Stages } from "./stages.ts";
import { createTlsIdentity, type TlsIdentity } from "./tls-identity.ts";

/** How a simulated Atlas starts: its clock, whether by TLS, and any setting that differs from its default. */
export interface SimulatedAtlasOptions extends Partial<Settings> {
  /**
   * The clock of everything that runs out, in ms.
   * @default Date.now
   */
  now?: () => number;
  /**
   * Serve https, with a certificate of its own. Needs openssl.
   * @default false
   */
  tls?: boolean;
}

/** A stateful HTTP server on a free loopback port that speaks the parts of the Atlas API around invitations. */
export class SimulatedAtlas implements AsyncDisposable {
  /** Every request since the start or since forget(), in the order of arrival. */
  readonly requests: LoggedRequest[] = [];
  /** Every invitation e-mail that was sent. */
  readonly mails: Mail[] = [];
  /** May be changed at any time; the next request sees it. */
  readonly settings: Settings;
  readonly #world: World;
  readonly #organizations = new Map<string, Organization>();
  readonly #keys: ApiKey[] = [];
  readonly #accounts: ServiceAccounts;
  readonly #api: Api;
  readonly #oauth: OAuthEndpoints;
  readonly #authentication: Authentication;
  readonly #faults = new Faults();
  readonly #stages = new Stages();
  readonly #identity: TlsIdentity | undefined;
  readonly #server: Server;

  private constructor(now: () => number, settings: Partial<Settings>, identity: TlsIdentity | undefined) {
    this.settings = { ...defaultSettings, ...settings };
    this.#world = { now, newId: idSource(now), settings: this.settings, mails: this.mails };
    this.#accounts = new ServiceAccounts(this.settings, now);
    this.#api = new Api(this.#organizations, this.settings, now);
    this.#oauth = new OAuthEndpoints(this.#accounts, this.settings, now);
    this.#authentication = new Authentication(this.#keys, this.#accounts, this.settings, now);
    const serve = (request: IncomingMessage, response: ServerResponse) => this.#serve(request, response);
    this.#identity = identity;
    this.#server = identity ? createTlsServer(identity, serve) : createServer(serve);
    // A kept connection never closes under a client that is about to use it again.
    this.#server.keepAliveTimeout = 0;
  }

  /** Starts a server with nothing in it. */
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

  /** With TLS: the PEM file of what its clients have to trust. */
  get caPath(): string {
    if (!this.#identity) throw new Error("started without TLS");
    return this.#identity.caPath;
  }

  /** Adds an organization without members. */
  addOrganization({ id = this.#world.newId(), name = "Example" } = {}): Organization {
    const organization = new Organization(this.#world, id, name);
    this.#organizations.set(id, organization);
    return organization;
  }

  /** Adds an API key to an organization, an owner's unless told otherwise. */
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

  /** Adds a service account to an organization, an owner's unless told otherwise. */
  addServiceAccount(options: ServiceAccountOptions): ServiceAccount {
    return this.#accounts.add(options);
  }

  /** Hands out an access token that nobody asked for, of a service account of its own. */
  addAccessToken(options: Pick<ServiceAccountOptions, "organization" | "roles">): string {
    return this.#accounts.issue(this.#accounts.add(options)).token;
  }

  /** Every access token that was handed out, oldest first, with what became of it. */
  get tokens(): readonly AccessToken[] {
    return this.#accounts.tokens;
  }

  /** Makes every access token invalid at once. */
  expireTokens(): void {
    this.#accounts.expireTokens();
  }

  /** Retires the invitations APIs from now on: both versions answer 410, to those requests or to all. */
  sunset(isRetired: (request: RetirableRequest) => boolean = () => true): void {
    this.#api.isRetired = isRetired;
  }

  /** Orders a fault for requests to come. Of several that match, the oldest strikes. */
  fail(fault: FaultMatch & Fault): OrderedFault {
    return this.#faults.order(fault);
  }

  /** Watches every request at each of its stages until the function that is returned is called. */
  onRequest(listener: RequestListener): () => void {
    return this.#stages.listen(listener);
  }

  /** The requests as one line each, for comparison as a whole. */
  log(): string[] {
    return this.requests.map(logLine);
  }

  /** Clears the log of requests. */
  forget(): void {
    this.requests.length = 0;
  }

  /** Stops the server, closes every connection and drops the work that a fault has put off. */
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

    const { caller, handle } = this.#receive({ method, target, headers, text });
    if (caller !== undefined) {
      logged.authenticated = true;
      logged.username = caller;
    }
    const cut = () => {
      logged.fault = "cut";
      response.destroy();
    };
    if (await this.#stages.reach(logged, "arrived")) return cut();
    const delivery = await this.#faults.deliver(logged, handle);
    Object.assign(logged, outcomeOf(delivery));
    if (await this.#stages.reach(logged, "handled")) return cut();
    if (await send(response, delivery)) await this.#stages.reach(logged, "answered");
  }

  /** Verifies the credentials of a request when it arrives: whose they are, and how to answer it later. */
  #receive(request: ReceivedRequest): { caller?: string; handle: () => Answer } {
    const { method, target, headers, text } = request;
    if (target.startsWith("/api/oauth/")) {
      const account = this.#oauth.verify(headers);
      const handle = () => answerOf(() => this.#oauth.answer(request));
      return { ...(account && { caller: account.clientId }), handle };
    }
    const principal = this.#authentication.verify(request);
    if ("refused" in principal) return { handle: () => principal.refused };
    const handle = () =>
      this.#api.answer({ method, url: new URL(target, this.url), headers, text, principal });
    return { caller: principal.name, handle };
  }
}

/** Ids of 24 hexadecimal digits, each greater than the one before as long as the clock does not run back. */
function idSource(now: () => number): () => string {
  const machine = randomBytes(5).toString("hex");
  let count = randomInt(0xf00000);
  const hex = (number: number, digits: number) => number.toString(16).padStart(digits, "0");
  return () => hex(Math.floor(now() / 1000), 8) + machine + hex(count++, 6);
}

const randomLetters = (length: number) =>
  Array.from({ length }, () => String.fromCharCode(randomInt(97, 123))).join("");

/** The whole body, or undefined if the client went away while sending it. */
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
