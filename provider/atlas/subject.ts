/** A person in an organization, whom a request or a notice is about. */
export interface Subject {
  orgId: string;
  username: string;
}

/** Identifies a person by organization and address, whatever its letter case. */
export function addressKey({ orgId, username }: Subject): string {
  return `${orgId} ${username.toLowerCase()}`;
}
