import type { IncomingHttpHeaders } from "node:http";
import { type Answer, answerOf, refusal } from "./answer.ts";
import type { Call } from "./call.ts";
import type { KeyPair } from "./digest.ts";
import { ThrottledInvitations } from "./invitation-throttle.ts";
import { serveInvites } from "./invites-endpoints.ts";
import type { Organization } from "./organization.ts";
import type { Principal } from "./principal.ts";
import { bodyText } from "./send.ts";
import type { Settings } from "./settings.ts";
import { TokenBuckets } from "./token-buckets.ts";
import { serveUsers } from "./users-endpoints.ts";
import { negotiateJson, negotiateVersion } from "./version.ts";

const ownerRole = "ORG_OWNER";
const callerAddress = "127.0.0.1";

/** An API key: whose it is, and its roles there. */
export interface ApiKey extends KeyPair {
  organization: Organization;
  roles: string[];
}

/** A request whose credentials were verified. */
export interface VerifiedRequest {
  method: string;
  url: URL;
  headers: IncomingHttpHeaders;
  text: string;
  principal: Principal;
}

/** A request as a test tells those apart that find an API retired. */
export interface RetirableRequest {
  method: string;
  /** The request target, with its query. */
  path: string;
}

/** One endpoint family of one API generation. */
interface Family {
  path: RegExp;
  /** Checks the Accept header and returns the content type of the answer. */
  negotiate: (accept: string | undefined) => string;
  serve: (call: Call) => Answer;
  /** Whether it belongs to the invitations API, which Atlas is going to retire. */
  invites: boolean;
  needsOwner: (method: string) => boolean;
  headers?: Record<string, string>;
}

const families: readonly Family[] = [
  {
    path: /^\/api\/atlas\/v1\.0\/orgs\/([^/]+)\/invites(?:\/([^/]+))?$/,
    negotiate: negotiateJson,
    serve: serveInvites,
    invites: true,
    // Documented: reading invitations needs the owner's role as well.
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

/** What happens to a request between its authentication and its endpoint: routing, version, authorization. */
export class Api {
  /** Which requests to the invitations APIs find them retired. */
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
    for (const family of families) {
      const match = family.path.exec(url.pathname);
      if (!match) continue;
      const [, organizationId = "", id] = match;
      const contentType = family.negotiate(headers.accept);
      if (family.invites && this.isRetired({ method, path: url.pathname + url.search })) {
        throw refusal(410, "VERSION_GONE", "This version of the API is gone.");
      }
      const organization = this.#authorize(principal, organizationId, family.needsOwner(method));
      const serve = (): Answer => {
        const body = parseBody(text, headers["content-type"]);
        const caller = principal.name;
        const call = { method, organization, id, url, body, caller, settings: this.#settings };
        const answer = this.#throttled(call, family.serve);
        // A 204 has a content type, too (recorded).
        return { ...answer, headers: { "Content-Type": contentType, ...family.headers, ...answer.headers } };
      };
      // Documented: invitations and users have a bucket each in every organization. Inferred: who is not let
      // in costs nothing. Unknown: which path a refusal names.
      const bucket = `${organization.id} ${family.invites ? "invites" : "users"}`;
      return this.#buckets.spend(bucket, url.pathname.slice(1), () => answerOf(serve));
    }
    throw refusal(404, "RESOURCE_NOT_FOUND", `Nothing is at ${url.pathname}.`, [url.pathname]);
  }

  #throttled(call: Call, serve: (call: Call) => Answer): Answer {
    const { invitationThrottle } = this.#settings;
    const isInvitation = call.method === "POST" && call.id === undefined;
    if (!invitationThrottle || !isInvitation) return serve(call);
    return this.#invitations.send(invitationThrottle, this.#now(), () => serve(call));
  }

  #authorize(principal: Principal, organizationId: string, needsOwner: boolean): Organization {
    const organization = this.#organizations.get(organizationId);
    if (!organization) {
      throw refusal(404, "ORG_NOT_FOUND", `No organization with ID ${organizationId} exists.`, [
        organizationId,
      ]);
    }
    if (principal.organization !== organization) {
      throw refusal(401, "USER_CANNOT_ACCESS_ORG", "The key is not of this organization.", [organizationId]);
    }
    const { accessList } = organization;
    if (accessList?.length === 0) {
      const detail = "This organization requires access through an access list of ip ranges.";
      throw refusal(403, "ORG_REQUIRES_ACCESS_LIST", detail, [callerAddress]);
    }
    if (accessList && !accessList.includes(callerAddress)) {
      const detail = `IP address ${callerAddress} is not allowed to access this resource.`;
      throw refusal(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", detail, [callerAddress]);
    }
    if (needsOwner && !principal.roles.includes(ownerRole)) {
      const { notOwnerAnswer, notOwnerCode } = this.#settings;
      throw refusal(notOwnerAnswer, notOwnerCode, "The key is not an owner's.");
    }
    return organization;
  }
}

function parseBody(text: string, contentType: string | undefined): unknown {
  if (text === "") return undefined;
  // Inferred: a body that is not declared as JSON is not read.
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
