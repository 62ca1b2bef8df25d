import type { IncomingHttpHeaders } from "node:http";
import { type Answer, answerOf, refusal } from "./answer.ts";
import type { Principal } from "./authentication.ts";
import type { KeyPair } from "./digest.ts";
import type { EndpointRequest } from "./endpoint-request.ts";
import { ThrottledInvitations } from "./invitation-throttle.ts";
import { serveInvites } from "./invites-endpoints.ts";
import type { Organization } from "./organization.ts";
import { bodyText } from "./send.ts";
import type { Settings } from "./settings.ts";
import { TokenBuckets } from "./token-buckets.ts";
import { serveUsers } from "./users-endpoints.ts";
import { negotiateJson, negotiateVersion } from "./version.ts";

const ownerRole = "ORG_OWNER";
const clientAddress = "127.0.0.1";

/** An API key, with its organization and its roles there. */
export interface ApiKey extends KeyPair {
  organization: Organization;
  roles: string[];
}

/** A request with valid credentials. */
export interface VerifiedRequest {
  method: string;
  url: URL;
  headers: IncomingHttpHeaders;
  text: string;
  principal: Principal;
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
  /** Checks the Accept header and returns the content type of the answer. */
  negotiate: (accept: string | undefined) => string;
  serve: (request: EndpointRequest) => Answer;
  /** Whether it belongs to the invitations API, which Atlas will retire. */
  invites: boolean;
  needsOwner: (method: string) => boolean;
  headers?: Record<string, string>;
}

const resources: readonly Resource[] = [
  {
    path: /^\/api\/atlas\/v1\.0\/orgs\/([^/]+)\/invites(?:\/([^/]+))?$/,
    negotiate: negotiateJson,
    serve: serveInvites,
    invites: true,
    // Documented: reading invitations needs the role of an owner, too.
    needsOwner: () => true,
  },
  {
    path: /^\/api\/atlas\/v2\/orgs\/([^/]+)\/invites(?:\/([^/]+))?$/,
    negotiate: (accept) => negotiateVersion(accept, "2023-01-01"),
    serve: serveInvites,
    invites: true,
    needsOwner: () => true,
    // Recorded.
    headers: { Deprecation: "Wed, 19 Feb 2025 00:00:00 GMT", Sunset: "Thu, 1 Jul 2027 00:00:00 GMT" },
  },
  {
    path: /^\/api\/atlas\/v2\/orgs\/([^/]+)\/users(?:\/([^/]+))?$/,
    negotiate: (accept) => negotiateVersion(accept, "2025-02-19"),
    serve: serveUsers,
    invites: false,
    // Documented: members may read.
    needsOwner: (method) => method !== "GET",
  },
];

/** Routes verified requests to the endpoints: version negotiation, authorization, rate limits, presentation. */
export class Api {
  /** Whether the invitations API is retired for a request. */
  isRetired: (request: RetirableRequest) => boolean = () => false;
  readonly #organizations: ReadonlyMap<string, Organization>;
  readonly #settings: Settings;
  readonly #now: () => number;
  readonly #buckets: TokenBuckets;
  readonly #invitations = new ThrottledInvitations();

  constructor(organizations: ReadonlyMap<string, Organization>, settings: Settings, now: () => number) {
    this.#organizations = organizations;
    this.#settings = settings;
    this.#now = now;
    this.#buckets = new TokenBuckets(settings, now);
  }

  answer(request: VerifiedRequest): Answer {
    return present(
      answerOf(() => this.#answer(request)),
      request.url.searchParams,
    );
  }

  #answer({ method, url, headers, text, principal }: VerifiedRequest): Answer {
    for (const resource of resources) {
      const match = resource.path.exec(url.pathname);
      if (!match) continue;
      const [, organizationId = "", id] = match;
      const contentType = resource.negotiate(headers.accept);
      if (resource.invites && this.isRetired({ method, path: url.pathname + url.search })) {
        throw refusal(410, "VERSION_GONE", "This version of the API is gone.");
      }
      const organization = this.#authorize(principal, organizationId, resource.needsOwner(method));
      const serve = (): Answer => {
        const body = parseBody(text, headers["content-type"]);
        const settings = this.#settings;
        const request = { method, organization, id, url, body, principal: principal.name, settings };
        const answer = this.#throttled(request, resource.serve);
        // Recorded: a 204 has a content type, too.
        const own = { "Content-Type": contentType, ...resource.headers, ...answer.headers };
        return { ...answer, headers: own };
      };
      // Documented: each organization has a bucket for invitations and one for users. Inferred: a request that
      // is not authorized spends nothing. Unknown: which path a refusal names.
      const bucket = `${organization.id} ${resource.invites ? "invites" : "users"}`;
      return this.#buckets.spend(bucket, url.pathname.slice(1), () => answerOf(serve));
    }
    throw refusal(404, "RESOURCE_NOT_FOUND", `Nothing is at ${url.pathname}.`, [url.pathname]);
  }

  #throttled(request: EndpointRequest, serve: Resource["serve"]): Answer {
    const { invitationThrottle } = this.#settings;
    const isInvitation = request.method === "POST" && request.id === undefined;
    if (!invitationThrottle || !isInvitation) return serve(request);
    return this.#invitations.send(invitationThrottle, this.#now(), () => serve(request));
  }

  #authorize(principal: Principal, organizationId: string, needsOwner: boolean): Organization {
    const organization = this.#organizations.get(organizationId);
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
      const { notOwnerAnswer, notOwnerCode } = this.#settings;
      throw refusal(notOwnerAnswer, notOwnerCode, "The key does not have the role of an owner.");
    }
    return organization;
  }
}

function parseBody(text: string, contentType: string | undefined): unknown {
  if (text === "") return undefined;
  // Inferred: Atlas does not read a body that is not declared as JSON.
  if (!/^application\/(vnd\.atlas\.[\d-]+\+)?json\b/.test(contentType ?? "")) {
    throw refusal(415, null, "The body is not declared as JSON.");
  }
  try {
    return JSON.parse(text);
  } catch {
    throw refusal(400, "MALFORMED_JSON", "The body is not JSON.");
  }
}

/** Applies the query parameters that every endpoint has: `envelope` and `pretty`. */
function present(answer: Answer, query: URLSearchParams): Answer {
  if (answer.body === undefined) return answer;
  const enveloped = query.get("envelope") === "true" ? envelope(answer) : answer.body;
  return { ...answer, body: bodyText(enveloped, query.get("pretty") === "true") };
}

/** Documented: a list object is its own envelope and only gains the status. */
function envelope({ status, body }: Answer): object {
  const isListObject = typeof body === "object" && body !== null && "results" in body;
  return isListObject ? { ...body, status } : { status, content: body };
}
