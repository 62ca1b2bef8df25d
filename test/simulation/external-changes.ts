import type { Access, Organization } from "../support/simulated-atlas/organization.ts";
import type { Watch } from "./invariants.ts";
import type { KnownEdges } from "./known-edges.ts";
import { bystanders, everybody, movedAddress } from "./people.ts";
import type { Act, PersonalDeed } from "./scenario.ts";
import type { Atlas, Subject } from "./simulated-endpoints.ts";

/** To whom something can be done: by what Atlas says of them, "nothing" for those whom it does not know. */
const POSSIBLE: Record<PersonalDeed, string[]> = {
  accept: ["PENDING"],
  reject: ["PENDING"],
  expire: ["PENDING"],
  cancel: ["PENDING"],
  invite: ["nothing", "INVITATION_EXPIRED", "INVITATION_REJECTED"],
  addMember: ["nothing", "PENDING", "INVITATION_EXPIRED", "INVITATION_REJECTED"],
  removeMember: ["ACTIVE"],
  changeAddress: ["PENDING", "ACTIVE"],
  joinBySingleSignOn: ["PENDING"],
  change: ["PENDING", "ACTIVE"],
};

/** What people do in Atlas meanwhile, in the user interface or by e-mail. */
export class Deeds {
  readonly #atlas: Atlas;
  readonly #watch: Watch;
  readonly #edges: KnownEdges;
  readonly #tell: (line: string) => void;
  #isKnownOtherwise = false;

  constructor(atlas: Atlas, watch: Watch, edges: KnownEdges, tell: (line: string) => void) {
    this.#atlas = atlas;
    this.#watch = watch;
    this.#edges = edges;
    this.#tell = tell;
  }

  /** The bystanders of each organization: a member, somebody pending and somebody who rejected. */
  introduceBystanders(): void {
    const [member = "", pending = "", rejecting = ""] = bystanders;
    for (const organization of this.#atlas.organizations) {
      organization.addMember(member);
      organization.invite(pending);
      organization.invite(rejecting);
      organization.reject(rejecting);
    }
  }

  /**
   * Does it, unless there is nobody to whom it can be done just now; every second time to whom a request is
   * about, if there is one. Waiting is not for here.
   */
  perform(act: Act, subject?: Subject): void {
    // Who is known by the id of an invitation, and by another address, is not to be found in the users API; and whether
    // a member is still invited is what the two APIs say differently.
    const isLate = /^(changeAddress|join)/.test(act.deed) && this.#atlas.isSunset;
    const isEarly = act.deed.startsWith("retire") && this.#isKnownOtherwise;
    if (isLate || isEarly) return;
    switch (act.deed) {
      case "wait":
        return;
      case "retire the invitations API":
        this.#tell(`** Atlas retires the invitations API`);
        this.#atlas.sunset();
        return;
      case "retire some of the invitations API":
        this.#tell("** Atlas retires the invitations API for some requests");
        this.#atlas.sunsetForSome();
        return;
      case "expire the tokens":
        this.#tell(`** every access token expires`);
        this.#atlas.expireTokens();
        return;
    }
    const { deed, whom, access } = act;
    const candidates = this.#atlas.organizations.flatMap((organization) =>
      [...everybody, ...everybody.map(movedAddress)]
        .filter((username) => isPossible(deed, organization, username))
        // Nobody changes to an address under which the package knows somebody else.
        .filter((username) => {
          const isTaken = this.#watch.wasInvited(organization, movedAddress(username));
          return deed !== "changeAddress" || !isTaken;
        })
        .map((username) => ({ organization, username })),
    );
    const concerned = candidates.find(
      ({ organization, username }) => organization === subject?.organization && username === subject.username,
    );
    const found = (whom % 2 === 0 && concerned) || candidates[whom % candidates.length];
    if (!found) return;
    const how = /invite|add|change|join/.test(deed) ? ` ${JSON.stringify(access)}` : "";
    this.#tell(`** ${deed} ${found.username} in ${found.organization.id}${how}`);
    this.#watch.acts(found.organization, found.username, deed);
    this.#edges.acts(deed, found.organization.id, found.username);
    this.#do(deed, found.organization, found.username, access);
  }

  #do(deed: PersonalDeed, organization: Organization, username: string, access: Partial<Access>): void {
    switch (deed) {
      case "invite":
        organization.invite(username.toUpperCase(), access);
        return;
      case "addMember":
        organization.addMember(username, access);
        return;
      case "change":
        organization.change(username, access);
        return;
      case "joinBySingleSignOn":
        this.#isKnownOtherwise = true;
        organization.joinBySingleSignOn(username, access);
        return;
      case "changeAddress":
        this.#isKnownOtherwise = true;
        organization.changeAddress(username, movedAddress(username));
        return;
      default:
        organization[deed](username);
    }
  }
}

function isPossible(deed: PersonalDeed, organization: Organization, username: string): boolean {
  const status = organization.find(username)?.status ?? "nothing";
  if (!POSSIBLE[deed].includes(status)) return false;
  const hasMoved = username === movedAddress(username.replace(/^new\./, ""));
  if (deed === "changeAddress") {
    // Under another spelling nobody is known by address, so that two entries of one person could not be told apart.
    const isSpelledSo = organization.find(username)?.username.toLowerCase() === username;
    return !hasMoved && isSpelledSo && !organization.find(movedAddress(username));
  }
  // Nobody has the other address before they have changed to it, and nobody else gets the one that they had.
  return status !== "nothing" || (!hasMoved && !organization.find(movedAddress(username)));
}
