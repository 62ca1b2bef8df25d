import type { IncomingHttpHeaders } from "node:http";
import { type Answer, Refusal, refusal } from "./answer.ts";
import type { Call } from "./call.ts";
import type { KeyPair } from "./digest.ts";
import { serveInvites } from "./invites-endpoints.ts";
import type { Organization } from "./organization.ts";
import { bodyText } from "./send.ts";
import type { Settings } from "./settings.ts";
import { serveUsers } from "./users-endpoints.ts";
import { negotiateJson, negotiateVersion } from "./version.ts";

const ownerRole = "ORG_OWNER";
const callerAddress = "127.0.0.1";
const rateLimit = 500;

/** An API key: whose it is, and its roles there. */
export interface ApiKey extends KeyPair {
  organization: Organization;
  roles: string[];
}

/** A request whose key was verified. */
export interface VerifiedRequest {
  method: string;
  url: URL;
  headers: IncomingHttpHeaders;
  text: string;
  key: ApiKey;
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
  invitesAreGone = false;
  readonly #organizations: ReadonlyMap<string, Organization>;
  readonly #settings: Settings;
  readonly #rateLimitUse = new Map<string, number>();

  constructor(organizations: ReadonlyMap<string, Organization>, settings: Settings) {
    this.#organizations = organizations;
    this.#settings = settings;
  }

  answer(request: VerifiedRequest): Answer {
    return present(this.#answer(request), request.url.searchParams);
  }

  #answer({ method, url, headers, text, key }: VerifiedRequest): Answer {
    try {
      for (const family of families) {
        const match = family.path.exec(url.pathname);
        if (!match) continue;
        const [, organizationId = "", id] = match;
        const contentType = family.negotiate(headers.accept);
        if (family.invites && this.invitesAreGone) {
          throw refusal(410, "VERSION_GONE", "This version of the API is gone.");
        }
        const organization = this.#authorize(key, organizationId, family.needsOwner(method));
        const body = parseBody(text, headers["content-type"]);
        const caller = key.publicKey;
        const answer = family.serve({
          method,
          organization,
          id,
          url,
          body,
          caller,
          settings: this.#settings,
        });
        // A 204 has a content type, too (recorded).
        const common = {
          "Content-Type": contentType,
          ...family.headers,
          ...this.#rateLimitHeaders(family, organization),
        };
        return { ...answer, headers: { ...common, ...answer.headers } };
      }
      throw refusal(404, "RESOURCE_NOT_FOUND", `Nothing is at ${url.pathname}.`, [url.pathname]);
    } catch (error) {
      if (error instanceof Refusal) return error.answer;
      throw error;
    }
  }

  #authorize(key: ApiKey, organizationId: string, needsOwner: boolean): Organization {
    const organization = this.#organizations.get(organizationId);
    if (!organization) {
      throw refusal(404, "ORG_NOT_FOUND", `No organization with ID ${organizationId} exists.`, [
        organizationId,
      ]);
    }
    if (key.organization !== organization) {
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
    if (needsOwner && !key.roles.includes(ownerRole)) {
      throw refusal(this.#settings.notOwnerAnswer, "NOT_ORG_OWNER", "The key is not an owner's.");
    }
    return organization;
  }

  /** Recorded: they count down across methods. Nothing is refused yet at 0. */
  #rateLimitHeaders({ invites }: Family, { id }: Organization): Record<string, string> {
    // Documented: invitations and users have a bucket each in every organization.
    const bucket = `${id} ${invites ? "invites" : "users"}`;
    const used = (this.#rateLimitUse.get(bucket) ?? 0) + 1;
    this.#rateLimitUse.set(bucket, used);
    return {
      "RateLimit-Limit": String(rateLimit),
      "RateLimit-Remaining": String(Math.max(0, rateLimit - used)),
    };
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
