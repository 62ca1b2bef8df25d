import { BYSTANDERS, PEOPLE } from "./story.ts";

const NAMES = ["ada", "grace", "joan", "mary", "hedy", "edith", "bob", "carol", "dave"];

/** The address of a person, by number. */
export function address(person: number, shouted = false): string {
  const given = `${NAMES[person]}@example.com`;
  return shouted ? given.toUpperCase() : given;
}

/** Everybody whom nobody ever declares. */
export const bystanders = Array.from({ length: BYSTANDERS }, (_, index) => address(PEOPLE + index));

/** Everybody there is. */
export const everybody = NAMES.map((_, person) => address(person));

/** One person in one organization, by whichever of their addresses. */
export function whoIs(orgId: unknown, username: unknown): string {
  return `${String(username).toLowerCase()} in ${orgId}`;
}
