import type { Clock } from "../../provider/atlas/clock.ts";
import { bodyText } from "../support/simulated-atlas/answer.ts";
import { Api, type ReceivedRequest } from "../support/simulated-atlas/api.ts";
import { Organization, type Person } from "../support/simulated-atlas/organization.ts";
import { defaultSettings, type Settings } from "../support/simulated-atlas/settings.ts";
import type { HttpResponse } from "./process-stubs.ts";

/** The username is in lower case. */
export type PersonReference = { organization: Organization; username: string };

/** An address, and the other stored properties of the person, if any. */
type Identity = { username: string } & Record<string, unknown>;

/** The endpoints of the simulated Atlas without its server. */
export class SimulatedEndpoints {
  readonly organizations: readonly Organization[];
  readonly settings: Settings;
  /** Whether the invitations API is retired, for all requests or for some. */
  isRetired = false;
  readonly #random: () => number;
  readonly #api: Api;

  constructor(settings: Partial<Settings>, organizations: number, { now, random }: Clock) {
    this.#random = random;
    this.settings = { ...defaultSettings, ...settings };
    let ids = 0;
    const newId = () => (++ids).toString(16).padStart(24, "0");
    const shared = { now, newId, settings: this.settings, mails: [] };
    this.organizations = Array.from({ length: organizations }, (_, index) => {
      return new Organization(shared, newId(), `Organization ${index}`);
    });
    this.#api = new Api(shared);
    for (const [index, organization] of this.organizations.entries()) {
      this.#api.organizations.set(organization.id, organization);
      this.#api.keys.push({ organization, roles: ["ORG_OWNER"], ...credentialsOf(index) });
      this.#api.accounts.add({ organization, ...credentialsOf(index) });
    }
  }

  /** The configuration of the provider with an owner's credentials; an access token is issued for each call. */
  configuration(organization: number, kind: "apiKey" | "serviceAccount" | "accessToken") {
    const { publicKey, privateKey, clientId, clientSecret } = credentialsOf(organization);
    if (kind === "accessToken")
      return { "mongodbatlas:accessToken": this.#api.accounts.issue({ clientId }).token };
    return kind === "apiKey"
      ? { "mongodbatlas:publicKey": publicKey, "mongodbatlas:privateKey": privateKey }
      : { "mongodbatlas:clientId": clientId, "mongodbatlas:clientSecret": clientSecret };
  }

  /** Carries out a request, if its credentials are valid. */
  answer(request: ReceivedRequest): HttpResponse {
    const { status, headers = {}, body } = this.#api.receive(request).handle();
    return { status, headers, text: bodyText(body) };
  }

  /** Finds a person by address, or else by the stored ids. */
  find(orgId: string, stored: Identity): Person | undefined {
    return this.#candidates(orgId, stored)[0];
  }

  /** Whether another person has the address of a person who has changed theirs, so that either can be meant. */
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

  /** The person whom a request is about; undefined for a list. */
  subjectOf({ target, text }: Pick<ReceivedRequest, "target" | "text">): PersonReference | undefined {
    const [, orgId, id] = /\/orgs\/(\w+)\/(?:users|invites)\/?(\w+)?/.exec(target) ?? [];
    const organization = this.organizations.find((organization) => organization.id === orgId);
    const username = id
      ? organization?.users.find(({ userId, invitationId }) => id === userId || id === invitationId)?.username
      : usernameIn(text);
    return organization && username ? { organization, username: username.toLowerCase() } : undefined;
  }

  /** Retires the invitations API for all requests, or for two in three, at random. */
  retire(requests: "all" | "some"): void {
    if (requests === "all") this.#api.isRetired = () => true;
    else if (!this.isRetired) this.#api.isRetired = () => this.#random() < 2 / 3;
    this.isRetired = true;
  }

  expireTokens(): void {
    this.#api.accounts.expireTokens();
  }
}

/** The username in the body of a request. */
export function usernameIn(text: string): string | undefined {
  return /"username":"([^"]+)"/.exec(text)?.[1];
}

/** Constant, so that a run can be repeated exactly. */
function credentialsOf(index: number) {
  const key = { publicKey: `key${index}`, privateKey: `secret${index}` };
  return { ...key, clientId: `mdb_sa_id_${index}`, clientSecret: `mdb_sa_sk_${index}` };
}
