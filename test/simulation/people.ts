/** How many people a program may declare. The others are bystanders, whom no program declares. */
export const DECLARABLE_PEOPLE = 6;

// Atlas may store the first two without the tag: see `withoutTag`.
const NAMES = ["ada+work", "grace+work", "joan", "mary", "hedy", "edith", "bob", "carol", "dave"];

/** The e-mail address of a person, by index, or the one to which they may change it in Atlas. */
export function emailAddress(person: number, { upperCase = false, isChanged = false } = {}): string {
  const address = `${isChanged ? "new." : ""}${NAMES[person]}@example.com`;
  return upperCase ? address.toUpperCase() : address;
}

/** The spelling that Atlas may store for an address with a tag. */
export function withoutTag(username: string): string {
  return username.replace(/\+work/i, "");
}

/** The address to which a person may change theirs in Atlas. */
export function changedAddress(username: string): string {
  return `new.${username}`;
}

export const everybody = NAMES.map((_, person) => emailAddress(person));
export const bystanders = everybody.slice(DECLARABLE_PEOPLE);

/** Identifies a person in an organization, by any of their addresses. */
export function personKey(orgId: unknown, username: unknown): string {
  const name = withoutTag(String(username).toLowerCase()).replace(/^new\./, "");
  return `${name} in ${orgId}`;
}
