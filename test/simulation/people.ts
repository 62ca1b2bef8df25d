/** So many people may be declared; those who come after them are bystanders, whom nobody ever declares. */
export const PEOPLE = 6;
const BYSTANDERS = 3;

// Of the first two, Atlas may store another spelling: see `withoutTag`.
const NAMES = ["ada+work", "grace+work", "joan", "mary", "hedy", "edith", "bob", "carol", "dave"];

/** The address of a person, by number; or the one that they may change to in Atlas. */
export function address(person: number, { shouted = false, moved = false } = {}): string {
  const given = `${moved ? "new." : ""}${NAMES[person]}@example.com`;
  return shouted ? given.toUpperCase() : given;
}

/** A spelling that Atlas may store in place of an alias. */
export function withoutTag(username: string): string {
  return username.replace(/\+work/i, "");
}

/** The address to which the person of another one changes. */
export function movedAddress(username: string): string {
  return `new.${username}`;
}

/** Everybody whom nobody ever declares. */
export const bystanders = Array.from({ length: BYSTANDERS }, (_, index) => address(PEOPLE + index));

/** Everybody there is. */
export const everybody = NAMES.map((_, person) => address(person));

/** One person in one organization, by whichever of their addresses. */
export function whoIs(orgId: unknown, username: unknown): string {
  const name = withoutTag(String(username).toLowerCase()).replace(/^new\./, "");
  return `${name} in ${orgId}`;
}
