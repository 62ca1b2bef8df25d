import { randomBytes } from "node:crypto";
import type { Organization } from "./organization.ts";
import type { Principal } from "./principal.ts";
import type { Settings } from "./settings.ts";

/** A service account: its credentials, whose it is, and its roles there. */
export interface ServiceAccount {
  organization: Organization;
  roles: string[];
  clientId: string;
  clientSecret: string;
}

/** An access token that was handed out. Times are in ms. */
export interface AccessToken {
  token: string;
  clientId: string;
  issuedAt: number;
  expiresAt: number;
  revoked: boolean;
}

/** What a test may say of a service account. */
export interface ServiceAccountOptions {
  organization: Organization;
  /** @default ["ORG_OWNER"] */
  roles?: string[];
  /** The client id; by default a new one that looks like Atlas's. */
  id?: string;
  /** The client secret; by default a new one that looks like Atlas's. */
  secret?: string;
}

/** The service accounts of all organizations, and the tokens that they hold. */
export class ServiceAccounts {
  /** Every token that was ever handed out, oldest first. */
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

  /** Hands out a token. */
  issue({ clientId }: ServiceAccount): AccessToken {
    const issuedAt = this.#now();
    const issued: AccessToken = {
      // Inferred: a token looks like a JWT; clients have no business in it.
      token: `eyJ${randomBytes(90).toString("base64url")}`,
      clientId,
      issuedAt,
      expiresAt: issuedAt + this.#settings.tokenLifetimeS * 1000,
      revoked: false,
    };
    this.tokens.push(issued);
    return issued;
  }

  /** Who uses a token, if it is valid. */
  verify(token: string): Principal | undefined {
    const clientId = this.tokens.find((issued) => issued.token === token && this.isActive(issued))?.clientId;
    const account = this.#accounts.find((one) => one.clientId === clientId);
    return account && { organization: account.organization, roles: account.roles, name: account.clientId };
  }

  /** Whether a token can be used. */
  isActive({ revoked, expiresAt }: AccessToken): boolean {
    return !revoked && this.#now() < expiresAt;
  }

  /** Lets every token run out now. */
  expireTokens(): void {
    for (const token of this.tokens) token.expiresAt = this.#now();
  }
}
