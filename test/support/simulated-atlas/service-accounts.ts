import { randomBytes } from "node:crypto";
import type { Principal } from "./authentication.ts";
import type { Organization } from "./organization.ts";
import type { Settings } from "./settings.ts";

/** A service account, with its organization and its roles there. */
export interface ServiceAccount {
  organization: Organization;
  roles: string[];
  clientId: string;
  clientSecret: string;
}

/** An access token. Times are in ms. */
export interface AccessToken {
  token: string;
  clientId: string;
  issuedAt: number;
  expiresAt: number;
  revoked: boolean;
}

export interface ServiceAccountOptions {
  organization: Organization;
  /** @default ["ORG_OWNER"] */
  roles?: string[];
  /** The client id, by default a new one in the form of Atlas. */
  id?: string;
  /** The client secret, by default a new one in the form of Atlas. */
  secret?: string;
}

/** The service accounts of all organizations, with their access tokens. */
export class ServiceAccounts {
  /** Every token that was issued, oldest first. */
  readonly tokens: AccessToken[] = [];
  readonly #accounts: ServiceAccount[] = [];
  readonly #settings: Settings;
  readonly #now: () => number;

  constructor(settings: Settings, now: () => number) {
    this.#settings = settings;
    this.#now = now;
  }

  add({
    organization,
    roles = ["ORG_OWNER"],
    id = `mdb_sa_id_${randomBytes(12).toString("hex")}`,
    secret = `mdb_sa_sk_${randomBytes(30).toString("base64url")}`,
  }: ServiceAccountOptions): ServiceAccount {
    const account = { organization, roles, clientId: id, clientSecret: secret };
    this.#accounts.push(account);
    return account;
  }

  /** The account with these credentials. */
  find(clientId: string, clientSecret: string): ServiceAccount | undefined {
    return this.#accounts.find(
      (account) => account.clientId === clientId && account.clientSecret === clientSecret,
    );
  }

  issue({ clientId }: ServiceAccount): AccessToken {
    const issuedAt = this.#now();
    const issued: AccessToken = {
      // Inferred: a token has the form of a JWT, which clients do not read.
      token: `eyJ${randomBytes(90).toString("base64url")}`,
      clientId,
      issuedAt,
      expiresAt: issuedAt + this.#settings.tokenLifetimeS * 1000,
      revoked: false,
    };
    this.tokens.push(issued);
    return issued;
  }

  /** The service account of a token, if the token is valid. */
  verify(token: string): Principal | undefined {
    const clientId = this.tokens.find((issued) => issued.token === token && this.isActive(issued))?.clientId;
    const account = this.#accounts.find((one) => one.clientId === clientId);
    return account && { organization: account.organization, roles: account.roles, name: account.clientId };
  }

  /** Whether a token is valid. */
  isActive({ revoked, expiresAt }: AccessToken): boolean {
    return !revoked && this.#now() < expiresAt;
  }

  /** Makes every token expire now. */
  expireTokens(): void {
    for (const token of this.tokens) token.expiresAt = this.#now();
  }
}
