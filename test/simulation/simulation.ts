import {
  appliesToPerson,
  applyToPerson,
  type ExternalChange,
  givesOtherIdentity,
} from "./external-changes.ts";
import { InvariantChecker } from "./invariants.ts";
import { bystanders, changedAddress, everybody } from "./people.ts";
import type { Scenario } from "./scenario.ts";
import { type PersonReference, SimulatedEndpoints } from "./simulated-endpoints.ts";
import { systemClock } from "./virtual-clock.ts";

/** Atlas, its clock, the changes that the provider does not make, and the checks of one run. */
export class Simulation {
  readonly scenario: Scenario;
  readonly clock = systemClock;
  readonly atlas: SimulatedEndpoints;
  readonly invariants: InvariantChecker;
  readonly history: string[] = [];
  #hasOtherIdentity = false;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.clock.reset(scenario.seed);
    this.atlas = new SimulatedEndpoints(scenario.settings, scenario.organizations, this.clock);
    this.invariants = new InvariantChecker(this.atlas, this.clock.now);
    const [member = "", pending = "", rejecting = ""] = bystanders;
    for (const organization of this.atlas.organizations) {
      organization.addMember(member);
      organization.invite(pending);
      organization.invite(rejecting);
      organization.reject(rejecting);
    }
  }

  /** Adds a line to the history. */
  log = (line: string): void => {
    const seconds = (this.clock.monotonic() / 1000).toFixed(1);
    this.history.push(`${seconds.padStart(8)} s  ${line}`);
  };

  /**
   * Makes an external change, unless it applies to nobody at this moment. Half of the changes prefer the person whom a
   * request is about. The caller does the waiting.
   */
  apply(external: ExternalChange, subject?: PersonReference): void {
    switch (external.change) {
      case "wait":
        return;
      case "expire the tokens":
        this.log("** every access token expires");
        this.atlas.expireTokens();
        return;
      case "retire the invitations API":
      case "retire some of the invitations API":
        // The users API does not find a person who is known by the id of an invitation and by another address, and the
        // two APIs disagree about whether a member is still invited.
        if (this.#hasOtherIdentity) return;
        this.log(`** ${external.change}`);
        this.atlas.retire(external.change === "retire the invitations API" ? "all" : "some");
        return;
    }
    const { change, pick, access } = external;
    if (givesOtherIdentity(change) && this.atlas.isRetired) return;
    const candidates = this.atlas.organizations.flatMap((organization) =>
      [...everybody, ...everybody.map(changedAddress)]
        .filter((username) => appliesToPerson(change, organization, username))
        // Nobody changes to an address under which the provider knows another person.
        .filter(
          (username) =>
            change !== "changeAddress" || !this.invariants.wasInvited(organization, changedAddress(username)),
        )
        .map((username) => ({ organization, username })),
    );
    const preferred = candidates.find(
      ({ organization, username }) => organization === subject?.organization && username === subject.username,
    );
    const picked = (pick % 2 === 0 && preferred) || candidates[pick % candidates.length];
    if (!picked) return;
    const { organization, username } = picked;
    this.#hasOtherIdentity ||= givesOtherIdentity(change);
    this.invariants.onExternalChange(organization, username, change);
    this.log(`** ${applyToPerson(change, organization, username, access)}`);
  }
}
