import type { Organization } from "./organization.ts";

/** Whoever was verified, by whatever kind of credentials. */
export interface Principal {
  organization: Organization;
  roles: string[];
  /** As Atlas names it to others: a public key or a client id. */
  name: string;
}
