import * as fc from "fast-check";
import type { Access, Organization } from "../support/simulated-atlas/organization.ts";
import type { InvariantChecker } from "./invariants.ts";
import { bystanders, changedAddress, everybody } from "./people.ts";
import type { PersonReference, SimulatedEndpoints } from "./simulated-endpoints.ts";

interface MembershipChangeRule {
  /** The statuses in Atlas to which the change applies; "nothing" for people whom Atlas does not know. */
  appliesTo: string[];
  apply: (organization: Organization, username: string, access: Partial<Access>) => void;
}

const rule = (appliesTo: string[], apply: MembershipChangeRule["apply"]) => ({ appliesTo, apply });
const NOT_INVITED = ["nothing", "INVITATION_EXPIRED", "INVITATION_REJECTED"];

/** What people do in the Atlas UI or by e-mail. */
const MEMBERSHIP_CHANGES = {
  accept: rule(["PENDING"], (organization, username) => organization.accept(username)),
  reject: rule(["PENDING"], (organization, username) => organization.reject(username)),
  expire: rule(["PENDING"], (organization, username) => organization.expire(username)),
  cancel: rule(["PENDING"], (organization, username) => organization.cancel(username)),
  invite: rule(NOT_INVITED, (organization, username, access) => {
    organization.invite(username.toUpperCase(), access);
  }),
  addMember: rule(["PENDING", ...NOT_INVITED], (organization, username, access) => {
    organization.addMember(username, access);
  }),
  removeMember: rule(["ACTIVE"], (organization, username) => organization.removeMember(username)),
  changeAddress: rule(["PENDING", "ACTIVE"], (organization, username) => {
    organization.changeAddress(username, changedAddress(username));
  }),
  joinBySingleSignOn: rule(["PENDING"], (organization, username, access) => {
    organization.joinBySingleSignOn(username, access);
  }),
  change: rule(["PENDING", "ACTIVE"], (organization, username, access) => {
    organization.change(username, access);
  }),
};

export type MembershipChange = keyof typeof MEMBERSHIP_CHANGES;
export const MEMBERSHIP_CHANGE_KINDS = Object.keys(MEMBERSHIP_CHANGES) as MembershipChange[];

/** A change in Atlas that the provider does not make. `pick` chooses one of the people to whom it applies. */
export type ExternalChange =
  | { change: MembershipChange; pick: number; access: Partial<Access> }
  | { change: "retire the invitations API" | "retire some of the invitations API" | "expire the tokens" }
  | { change: "wait"; minutes: number };

export function externalChangeOf(
  kinds: MembershipChange[],
  access: fc.Arbitrary<Partial<Access>>,
): fc.Arbitrary<ExternalChange> {
  return fc.oneof(
    { weight: 30, arbitrary: fc.record({ change: fc.constantFrom(...kinds), pick: fc.nat(11), access }) },
    { weight: 1, arbitrary: fc.constant({ change: "retire the invitations API" as const }) },
    { weight: 1, arbitrary: fc.constant({ change: "retire some of the invitations API" as const }) },
    { weight: 2, arbitrary: fc.constant({ change: "expire the tokens" as const }) },
    {
      weight: 3,
      arbitrary: fc.record({
        change: fc.constant("wait" as const),
        minutes: fc.constantFrom(2, 61, 31 * 24 * 60),
      }),
    },
  );
}

/** Changes in Atlas beside those of the provider. */
export class ExternalChanges {
  readonly #atlas: SimulatedEndpoints;
  readonly #invariants: InvariantChecker;
  readonly #log: (line: string) => void;
  /** Whether somebody has changed their address, or joined by single sign-on. */
  #hasOtherIdentity = false;

  constructor(atlas: SimulatedEndpoints, invariants: InvariantChecker, log: (line: string) => void) {
    this.#atlas = atlas;
    this.#invariants = invariants;
    this.#log = log;
  }

  /** Adds the bystanders to each organization: a member, a pending person and a person who rejected. */
  addBystanders(): void {
    const [member = "", pending = "", rejecting = ""] = bystanders;
    for (const organization of this.#atlas.organizations) {
      organization.addMember(member);
      organization.invite(pending);
      organization.invite(rejecting);
      organization.reject(rejecting);
    }
  }

  /**
   * Applies the change, unless it applies to nobody at this moment. Half of the changes prefer the person whom a
   * request is about. The caller does the waiting.
   */
  apply(external: ExternalChange, subject?: PersonReference): void {
    switch (external.change) {
      case "wait":
        return;
      case "expire the tokens":
        this.#log("** every access token expires");
        this.#atlas.expireTokens();
        return;
      case "retire the invitations API":
      case "retire some of the invitations API":
        // The users API does not find a person who is known by the id of an invitation and by another address, and the
        // two APIs disagree about whether a member is still invited.
        if (this.#hasOtherIdentity) return;
        this.#log(`** ${external.change}`);
        this.#atlas.retire(external.change === "retire the invitations API" ? "all" : "some");
        return;
      default:
        this.#applyToPerson(external, subject);
    }
  }

  #applyToPerson(
    { change, pick, access }: Extract<ExternalChange, { pick: number }>,
    subject?: PersonReference,
  ): void {
    const givesOtherIdentity = change === "changeAddress" || change === "joinBySingleSignOn";
    if (givesOtherIdentity && this.#atlas.isRetired) return;
    const candidates = this.#atlas.organizations.flatMap((organization) =>
      [...everybody, ...everybody.map(changedAddress)]
        .filter((username) => isApplicable(change, organization, username))
        // Nobody changes to an address under which the provider knows another person.
        .filter((username) => {
          const isTaken = this.#invariants.wasInvited(organization, changedAddress(username));
          return change !== "changeAddress" || !isTaken;
        })
        .map((username) => ({ organization, username })),
    );
    const preferred = candidates.find(
      ({ organization, username }) => organization === subject?.organization && username === subject.username,
    );
    const picked = (pick % 2 === 0 && preferred) || candidates[pick % candidates.length];
    if (!picked) return;
    const { organization, username } = picked;
    const { apply } = MEMBERSHIP_CHANGES[change];
    this.#log(
      `** ${change} ${username} in ${organization.id}${apply.length > 2 ? ` ${JSON.stringify(access)}` : ""}`,
    );
    this.#invariants.onExternalChange(organization, username, change);
    this.#hasOtherIdentity ||= givesOtherIdentity;
    apply(organization, username, access);
  }
}

function isApplicable(change: MembershipChange, organization: Organization, username: string): boolean {
  const person = organization.find(username);
  const status = person?.status ?? "nothing";
  if (!MEMBERSHIP_CHANGES[change].appliesTo.includes(status)) return false;
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
