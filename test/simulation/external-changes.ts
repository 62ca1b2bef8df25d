import * as fc from "fast-check";
import type { Access, Organization } from "../support/simulated-atlas/organization.ts";
import { changedAddress } from "./people.ts";

const NOT_INVITED = ["nothing", "INVITATION_EXPIRED", "INVITATION_REJECTED"];

/**
 * What people do in the Atlas UI or by e-mail, and the statuses to which it applies; "nothing" for people whom Atlas
 * does not know. The names are those of the methods of `Organization`.
 */
const STATUSES = {
  accept: ["PENDING"],
  reject: ["PENDING"],
  expire: ["PENDING"],
  cancel: ["PENDING"],
  invite: NOT_INVITED,
  addMember: ["PENDING", ...NOT_INVITED],
  removeMember: ["ACTIVE"],
  changeAddress: ["PENDING", "ACTIVE"],
  joinBySingleSignOn: ["PENDING"],
  change: ["PENDING", "ACTIVE"],
};

export type MembershipChange = keyof typeof STATUSES;
export const MEMBERSHIP_CHANGES = Object.keys(STATUSES) as MembershipChange[];

/** A change in Atlas that the provider does not make. `pick` chooses one of the people to whom it applies. */
export type ExternalChange =
  | { change: MembershipChange; pick: number; access: Partial<Access> }
  | { change: "retire the invitations API" | "retire some of the invitations API" | "expire the tokens" }
  | { change: "wait"; minutes: number };

export function externalChangeOf(
  changes: MembershipChange[],
  access: fc.Arbitrary<Partial<Access>>,
): fc.Arbitrary<ExternalChange> {
  const wait = fc.constant("wait" as const);
  return fc.oneof(
    { weight: 30, arbitrary: fc.record({ change: fc.constantFrom(...changes), pick: fc.nat(11), access }) },
    { weight: 1, arbitrary: fc.constant({ change: "retire the invitations API" as const }) },
    { weight: 1, arbitrary: fc.constant({ change: "retire some of the invitations API" as const }) },
    { weight: 2, arbitrary: fc.constant({ change: "expire the tokens" as const }) },
    { weight: 3, arbitrary: fc.record({ change: wait, minutes: fc.constantFrom(2, 61, 31 * 24 * 60) }) },
  );
}

/** Whether the change gives a person an address or an entry beside the one by which they were invited. */
export function givesOtherIdentity(change: MembershipChange): boolean {
  return change === "changeAddress" || change === "joinBySingleSignOn";
}

export function appliesToPerson(
  change: MembershipChange,
  organization: Organization,
  username: string,
): boolean {
  const person = organization.find(username);
  const status = person?.status ?? "nothing";
  if (!STATUSES[change].includes(status)) return false;
  const hasChanged = username === changedAddress(username.replace(/^new\./, ""));
  const isChangedAddressKnown = organization.find(changedAddress(username)) !== undefined;
  if (change === "changeAddress") {
    // If Atlas stores another spelling, the provider could not tell two entries of one person apart.
    const isSpelledSo = person?.username.toLowerCase() === username;
    return !hasChanged && isSpelledSo && !isChangedAddressKnown;
  }
  // A person has the other address only after they have changed to it; no other person gets the address that they had.
  return status !== "nothing" || (!hasChanged && !isChangedAddressKnown);
}

/** @returns What was done, for the history. */
export function applyToPerson(
  change: MembershipChange,
  organization: Organization,
  username: string,
  access: Partial<Access>,
): string {
  const done = `${change} ${username} in ${organization.id}`;
  if (change === "changeAddress") organization.changeAddress(username, changedAddress(username));
  else if (change === "invite") organization.invite(username.toUpperCase(), access);
  else organization[change](username, access);
  const usesAccess = ["invite", "addMember", "joinBySingleSignOn", "change"].includes(change);
  return usesAccess ? `${done} ${JSON.stringify(access)}` : done;
}
