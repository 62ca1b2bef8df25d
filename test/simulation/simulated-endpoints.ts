import { type Answer, answerOf } from "../support/simulated-atlas/answer.ts";
import { Api, type ApiKey } from "../support/simulated-atlas/api.ts";
import { Authentication, type ReceivedRequest } from "../support/simulated-atlas/authentication.ts";
import { OAuthEndpoints } from "../support/simulated-atlas/oauth-endpoints.ts";
import { Organization, type Person } from "../support/simulated-atlas/organization.ts";
import { type ServiceAccount, ServiceAccounts } from "../support/simulated-atlas/service-accounts.ts";
import { defaultSettings, type Settings } from "../support/simulated-atlas/settings.ts";

/** One person in one organization. */
export interface Subject {
  organization: Organization;
  /** In lower case. */
  username: string;
}

/** An address, and the properties that are stored, if any are. */
export type Identity = { username: string } & Record<string, unknown>;

/** The simulated Atlas without its server: the same endpoints, at the pace of a virtual clock. */
export class Atlas {
  readonly organizations: readonly Organization[];
  readonly settings: Settings;
  isSunset = false;
  readonly #random: () => number;
  readonly #keys: ApiKey[];
  readonly #serviceAccounts: ServiceAccount[];
  readonly #accounts: ServiceAccounts;
  readonly #api: Api;
  readonly #oauth: OAuthEndpoints;
  readonly #authentication: Authentication;

  constructor(settings: Partial<Settings>, organizations: number, now: () => number, random: () => number) {
    this.#random = random;
    this.settings = { ...defaultSettings, ...settings };
    let ids = 0;
    const newId = () => (++ids).toString(16).padStart(24, "0");
    const world = { now, newId, settings: this.settings, mails: [] };
    this.organizations = Array.from({ length: organizations }, (_, index) => {
      return new Organization(world, newId(), `Organization ${index}`);
    });
    this.#accounts = new ServiceAccounts(this.settings, now);
    const roles = ["ORG_OWNER"];
    this.#keys = this.organizations.map((organization, index) => {
      return { organization, roles, publicKey: `key${index}`, privateKey: `secret${index}` };
    });
    this.#serviceAccounts = this.organizations.map((organization, index) => {
      // Not of chance, as a run has to be the same each time.
      return this.#accounts.add({ organization, id: `mdb_sa_id_${index}`, secret: `mdb_sa_sk_${index}` });
    });
    const byId = new Map(this.organizations.map((organization) => [organization.id, organization]));
    this.#api = new Api(byId, this.settings, now);
    this.#oauth = new OAuthEndpoints(this.#accounts, this.settings, now);
    this.#authentication = new Authentication(this.#keys, this.#accounts, this.settings, now);
  }

  /** The settings of the package that hold an owner's credentials of this kind; an access token is a new one. */
  credentials(organization: number, kind: "apiKey" | "serviceAccount" | "accessToken") {
    const key = this.#keys[organization] as ApiKey;
    const account = this.#serviceAccounts[organization] as ServiceAccount;
    switch (kind) {
      case "apiKey":
        return { "mongodbatlas:publicKey": key.publicKey, "mongodbatlas:privateKey": key.privateKey };
      case "serviceAccount":
        return {
          "mongodbatlas:clientId": account.clientId,
          "mongodbatlas:clientSecret": account.clientSecret,
        };
      case "accessToken":
        return { "mongodbatlas:accessToken": this.#accounts.issue(account).token };
    }
  }

  /** Does what is asked for, if the credentials allow it. */
  answer(request: ReceivedRequest): Answer {
    if (request.target.startsWith("/api/oauth/")) return answerOf(() => this.#oauth.answer(request));
    const principal = this.#authentication.verify(request);
    if ("refused" in principal) return principal.refused;
    return this.#api.answer({ ...request, url: new URL(request.target, "http://atlas"), principal });
  }

  /** What is known of a person: by address, or else by what is stored of them. */
  find(orgId: string, stored: Identity): Person | undefined {
    return this.#candidates(orgId, stored)[0];
  }

  /** Whether somebody else has the address of a person who has changed theirs: then nobody can say who is meant. */
  isAmbiguous(orgId: string, stored: Identity): boolean {
    return new Set(this.#candidates(orgId, stored).map(({ userId }) => userId)).size > 1;
  }

  #candidates(orgId: string, { username, __knownAs, userId, invitationId }: Identity): Person[] {
    const organization = this.organizations.find(({ id }) => id === orgId);
    const isKnown = (id: unknown) => id !== undefined && [userId, invitationId].includes(id);
    return [
      organization?.find(username),
      organization?.find(String(__knownAs)),
      organization?.users.find((person) => isKnown(person.userId) || isKnown(person.invitationId)),
    ].filter((person) => person !== undefined);
  }

  /** Whom a request is about, if it is about one person. */
  subject({ target, text }: Pick<ReceivedRequest, "target" | "text">): Subject | undefined {
    const [, orgId, id] = /\/orgs\/(\w+)\/(?:users|invites)\/?(\w+)?/.exec(target) ?? [];
    const organization = this.organizations.find((organization) => organization.id === orgId);
    const username = id
      ? organization?.users.find(({ userId, invitationId }) => id === userId || id === invitationId)?.username
      : /"username":"([^"]+)"/.exec(text)?.[1];
    return organization && username ? { organization, username: username.toLowerCase() } : undefined;
  }

  /** Retires the invitations APIs. */
  sunset(): void {
    this.isSunset = true;
    this.#api.isRetired = () => true;
  }

  /** Retires the invitations APIs request by request: every third one, by chance, still finds them. */
  sunsetForSome(): void {
    if (this.isSunset) return;
    this.isSunset = true;
    this.#api.isRetired = () => this.#random() < 2 / 3;
  }

  /** Makes every access token invalid at once. */
  expireTokens(): void {
    this.#accounts.expireTokens();
  }
}
