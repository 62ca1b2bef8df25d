import type { IncomingHttpHeaders } from "node:http";
import { type Answer, answerOf, refusal } from "./answer.ts";
import { Digest, type KeyPair } from "./digest.ts";
import type { EndpointRequest } from "./endpoint-request.ts";
import { ThrottledInvitations } from "./invitation-throttle.ts";
import { serveInvites } from "./invites-endpoints.ts";
import type { Organization } from "./organization.ts";
import { ServiceAccounts } from "./service-accounts.ts";
import type { Context } from "./settings.ts";
import { TokenBuckets } from "./token-buckets.ts";
import { serveUsers } from "./users-endpoints.ts";

const ownerRole = "ORG_OWNER";
const clientAddress = "127.0.0.1";

/** An API key, with its organization and its roles there. */
export type ApiKey = KeyPair & Omit<Principal, "name">;

/** A whole request as it arrives. */
export interface ReceivedRequest {
  method: string;
  /** The path with its query. */
  target: string;
  headers: IncomingHttpHeaders;
  text: string;
}

/** The API key or the service account of a request. */
export interface Principal {
  organization: Organization;
  roles: string[];
  /** The public key or the client id: Atlas shows it to others. */
  name: string;
}

/** The part of a request by which a test decides whether the invitations API is retired. */
export interface RetirableRequest {
  method: string;
  /** The request target, with its query. */
  path: string;
}

/** The endpoints of one collection in one API version. */
interface Resource {
  path: RegExp;
  /** The resource version; absent for the unversioned API. */
  version?: string;
  serve: (request: EndpointRequest) => Answer;
  headers?: Record<string, string>;
}

const resources: readonly Resource[] = [
  { path: /^\/api\/atlas\/v1\.0\/orgs\/([^/]+)\/invites(?:\/([^/]+))?$/, serve: serveInvites },
  {
    path: /^\/api\/atlas\/v2\/orgs\/([^/]+)\/invites(?:\/([^/]+))?$/,
    version: "2023-01-01",
    serve: serveInvites,
    // Recorded.
    headers: { Deprecation: "Wed, 19 Feb 2025 00:00:00 GMT", Sunset: "Thu, 1 Jul 2027 00:00:00 GMT" },
  },
  {
    path: /^\/api\/atlas\/v2\/orgs\/([^/]+)\/users(?:\/([^/]+))?$/,
    version: "2025-02-19",
    serve: serveUsers,
  },
];

/** All endpoints, without a server: credentials, version negotiation, authorization and rate limits. */
export class Api {
  /** Whether the invitations API is retired for a request. */
  isRetired: (request: RetirableRequest) => boolean = () => false;
  readonly organizations = new Map<string, Organization>();
  readonly keys: ApiKey[] = [];
  readonly accounts: ServiceAccounts;
  readonly #digest: Digest<ApiKey>;
  readonly #context: Context;
  readonly #buckets: TokenBuckets;
  readonly #invitations = new ThrottledInvitations();

  constructor(context: Context) {
    this.accounts = new ServiceAccounts(context);
    this.#digest = new Digest(this.keys, context);
    this.#context = context;
    this.#buckets = new TokenBuckets(context);
  }

  /** Verifies the credentials of a request on arrival. Returns their name, and the function that does the work. */
  receive(request: ReceivedRequest): { username: string | undefined; handle: () => Answer } {
    if (request.target.startsWith("/api/oauth/")) {
      const username = this.accounts.accountOf(request)?.clientId;
      return { username, handle: () => answerOf(() => this.accounts.answer(request)) };
    }
    const principal = this.#verify(request);
    if ("status" in principal) return { username: undefined, handle: () => principal };
    return { username: principal.name, handle: () => answerOf(() => this.#answer(request, principal)) };
  }

  /** The API key or the service account of a request, or the answer to wrong credentials. */
  #verify({ method, target, headers: { authorization } }: ReceivedRequest): Principal | Answer {
    const token = authorization?.match(/^Bearer +(\S+)$/i)?.[1];
    // Documented: the unversioned API accepts API keys only. Inferred: it treats a token like no credentials.
    if (token !== undefined && !target.startsWith("/api/atlas/v1.0/")) {
      return this.accounts.verify(token) ?? invalidTokenAnswer;
    }
    const verified = this.#digest.verify(method, target, authorization);
    if (typeof verified === "string") return challengeAnswer(verified);
    const { organization, roles, publicKey } = verified;
    return { organization, roles, name: publicKey };
  }

  #answer({ method, target, headers, text }: ReceivedRequest, principal: Principal): Answer {
    const url = new URL(target, "https://cloud.mongodb.com");
    for (const resource of resources) {
      const match = resource.path.exec(url.pathname);
      if (!match) continue;
      const [, organizationId = "", id] = match;
      const contentType = negotiate(headers.accept, resource.version);
      // Whether it belongs to the invitations API, which Atlas will retire.
      const isInvites = resource.serve === serveInvites;
      if (isInvites && this.isRetired({ method, path: target })) {
        throw refusal(410, "VERSION_GONE", "This version of the API is gone.");
      }
      // Documented: members may read the users, but not the invitations.
      const organization = this.#authorize(principal, organizationId, isInvites || method !== "GET");
      const serve = (): Answer => {
        const body = parseBody(text, headers["content-type"]);
        const settings = this.#context.settings;
        const request = { method, organization, id, url, body, principal: principal.name, settings };
        const answer = this.#throttled(request, resource.serve);
        // Recorded: a 204 has a content type, too.
        const own = { "Content-Type": contentType, ...resource.headers, ...answer.headers };
        return { ...answer, headers: own };
      };
      // Documented: each organization has a bucket for invitations and one for users. Inferred: a request that
      // is not authorized spends nothing. Unknown: which path a refusal names.
      const bucket = `${organization.id} ${isInvites ? "invites" : "users"}`;
      return this.#buckets.spend(bucket, url.pathname.slice(1), serve);
    }
    throw refusal(404, "RESOURCE_NOT_FOUND", `Nothing is at ${url.pathname}.`, [url.pathname]);
  }

  #throttled(request: EndpointRequest, serve: Resource["serve"]): Answer {
    const { invitationThrottle } = this.#context.settings;
    const isInvitation = request.method === "POST" && request.id === undefined;
    if (!invitationThrottle || !isInvitation) return serve(request);
    return this.#invitations.send(invitationThrottle, this.#context.now(), () => serve(request));
  }

  #authorize(principal: Principal, organizationId: string, needsOwner: boolean): Organization {
    const organization = this.organizations.get(organizationId);
    if (!organization) {
      const detail = `No organization with ID ${organizationId} exists.`;
      throw refusal(404, "ORG_NOT_FOUND", detail, [organizationId]);
    }
    if (principal.organization !== organization) {
      throw refusal(401, "USER_CANNOT_ACCESS_ORG", "The key is not of this organization.", [organizationId]);
    }
    const { accessList } = organization;
    if (accessList?.length === 0) {
      const detail = "This organization requires access through an access list of ip ranges.";
      throw refusal(403, "ORG_REQUIRES_ACCESS_LIST", detail, [clientAddress]);
    }
    if (accessList && !accessList.includes(clientAddress)) {
      const detail = `IP address ${clientAddress} is not allowed to access this resource.`;
      throw refusal(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", detail, [clientAddress]);
    }
    if (needsOwner && !principal.roles.includes(ownerRole)) {
      const { notOwnerAnswer, notOwnerCode } = this.#context.settings;
      throw refusal(notOwnerAnswer, notOwnerCode, "The key does not have the role of an owner.");
    }
    return organization;
  }
}

/** Recorded: no body. Unknown: whether Atlas sends the header, which RFC 6750 requires. */
const invalidTokenAnswer: Answer = { status: 401, headers: { "WWW-Authenticate": "Bearer" } };

/** Recorded: the same body, without parameters, for a wrong public key, a wrong private key and no key. */
const challengeAnswer = (challenge: string): Answer => ({
  status: 401,
  headers: { "Content-Type": "application/json", "WWW-Authenticate": challenge },
  body: {
    error: 401,
    reason: "Unauthorized",
    detail: "You are not authorized for this resource.",
    errorCode: "UNEXPECTED_ERROR",
  },
});

/** The content type of the answer: of a version that is not newer than the date in the Accept header. */
function negotiate(accept = "*/*", version?: string): string {
  // Documented: 406 for no version and for an unknown one, such as "preview".
  const asked = /application\/vnd\.atlas\.(\d{4}-\d{2}-\d{2})\+json/.exec(accept)?.[1];
  const isAccepted = version ? asked && asked >= version : /application\/(json|\*)|\*\/\*/.test(accept);
  // Unknown: the error code of a 406. Null stands for it, as recorded on other errors.
  if (!isAccepted) throw refusal(406, null, `No version for Accept "${accept}".`);
  return version ? `application/vnd.atlas.${version}+json;charset=utf-8` : "application/json";
}

function parseBody(text: string, contentType = ""): unknown {
  if (text === "") return undefined;
  // Inferred: Atlas does not read a body that is not declared as JSON.
  if (!/^application\/(vnd\.atlas\.[\d-]+\+)?json\b/.test(contentType)) {
    throw refusal(415, null, "The body is not declared as JSON.");
  }
  try {
    return JSON.parse(text);
  } catch {
    throw refusal(400, "MALFORMED_JSON", "The body is not JSON.");
  }
}
