import type { Settings } from "./settings.ts";

const thirtyDaysMs = 30 * 24 * 60 * 60 * 1000;

/** The roles on one project. */
export interface GroupRoleAssignment {
  groupId: string;
  roles: string[];
}

/** What a person may do in the organization. */
export interface Access {
  roles: string[];
  teamIds: string[];
  groupRoleAssignments: GroupRoleAssignment[];
}

/** Atlas's words for what became of a person. */
export type MembershipStatus = "PENDING" | "ACTIVE" | "INVITATION_EXPIRED" | "INVITATION_REJECTED";

/** One person as stored: both API families show the same person, each under its own id. */
export interface Person extends Access {
  username: string;
  status: MembershipStatus;
  /** The id in the users API. */
  userId: string;
  /** The id in the invitations APIs; only while they list the person. */
  invitationId?: string;
  /** When the invitation was sent or, for a member, when the person joined. */
  createdAt: string;
  /** Absent for members and after a rejection. */
  expiresAt?: string;
  inviterUsername?: string;
  /** Only of an invitation to a project. */
  project?: { id: string; name: string };
}

/** An invitation to a project. */
export interface ProjectInvitation {
  groupId: string;
  roles: string[];
  /** @default "Example project" */
  groupName?: string;
  /** @default "owner@example.com" */
  inviterUsername?: string;
}

/** The order in which the entries of one address are looked at. */
const precedence: Record<MembershipStatus, number> = {
  ACTIVE: 0,
  PENDING: 1,
  INVITATION_EXPIRED: 2,
  INVITATION_REJECTED: 2,
};

/** Changes how an answer shows somebody: the object in the answer, or another value in place of it. */
export type Rewrite = (view: Record<string, unknown>) => unknown;

/** An invitation e-mail that was sent. */
export interface Mail {
  organization: string;
  username: string;
  at: string;
}

/** What an organization shares with the rest of its Atlas. */
export interface World {
  now: () => number;
  newId: () => string;
  settings: Settings;
  mails: Mail[];
}

/** Atlas writes times in whole seconds. */
const timestamp = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

/** One organization: who is in it, who is invited, and the acts of its people in the Atlas UI. */
export class Organization {
  readonly id: string;
  readonly name: string;
  /** The addresses that API keys may call from: absent for any; empty when the list is required but has no entry. */
  accessList?: string[];
  /** Refuse ids of teams and projects that were not added here. @default false */
  strictReferences = false;
  readonly teams: string[] = [];
  readonly projects: string[] = [];
  readonly #world: World;
  readonly #rewrites: { username: string; rewrite: Rewrite }[] = [];
  #people: Person[] = [];

  constructor(world: World, id: string, name: string) {
    this.#world = world;
    this.id = id;
    this.name = name;
  }

  /** Copies of the invitations that are pending now. */
  get invitations(): Person[] {
    return this.users.filter((person) => person.status === "PENDING");
  }

  /** Copies of everybody Atlas remembers, in any status. */
  get users(): Person[] {
    return structuredClone([...this.stored()]);
  }

  /** A copy of one person, if Atlas remembers them. Of several entries, an active one, then a pending one. */
  find(username: string): Person | undefined {
    return structuredClone(this.storedPerson(username));
  }

  /** Adds a team and returns its id. */
  addTeam(): string {
    const id = this.#world.newId();
    this.teams.push(id);
    return id;
  }

  /** Adds a project and returns its id. */
  addProject(): string {
    const id = this.#world.newId();
    this.projects.push(id);
    return id;
  }

  /** An owner invites somebody in the UI; replaces whatever Atlas remembered of them, and sends a mail. */
  invite(
    username: string,
    { inviterUsername = "owner@example.com", ...access }: Partial<Access> & { inviterUsername?: string } = {},
  ): Person {
    return structuredClone(this.storeInvitation(username, access, inviterUsername));
  }

  /** Somebody is invited by the deprecated endpoint of a project, beside any other entry, and gets a mail. */
  inviteToProject(
    username: string,
    {
      groupId,
      groupName = "Example project",
      roles,
      inviterUsername = "owner@example.com",
    }: ProjectInvitation,
  ): Person {
    const groupRoleAssignments = [{ groupId, roles }];
    const person = {
      ...this.#newInvitation(username, { roles: [], groupRoleAssignments }, inviterUsername),
      project: { id: groupId, name: groupName },
    };
    this.#people.push(person);
    return structuredClone(person);
  }

  /** The invited person accepts. */
  accept(username: string): void {
    const person = this.#expect(username, ["PENDING"]);
    // Inferred: somebody who is already a member does not become one twice.
    if (this.storedPerson(username)?.status === "ACTIVE") {
      this.remove(person);
      return;
    }
    person.status = "ACTIVE";
    person.createdAt = timestamp(this.#world.now());
    delete person.invitationId;
    delete person.expiresAt;
    delete person.inviterUsername;
    if (person.project) {
      // Inferred: the member of a project is a member of its organization.
      person.roles = ["ORG_MEMBER"];
      delete person.project;
    }
    if (this.#world.settings.newIdOnAcceptance) person.userId = this.#world.newId();
  }

  /** The invited person declines. */
  reject(username: string): void {
    const person = this.#expect(username, ["PENDING"]);
    person.status = "INVITATION_REJECTED";
    delete person.invitationId;
    // Documented: a rejected invitation has no expiry.
    delete person.expiresAt;
  }

  /** Lets the invitation run out now, as if it had been sent 30 days ago. */
  expire(username: string): void {
    const person = this.#expect(username, ["PENDING"]);
    person.createdAt = timestamp(this.#world.now() - thirtyDaysMs);
    person.expiresAt = timestamp(this.#world.now());
  }

  /** An owner withdraws a pending invitation in the UI. */
  cancel(username: string): void {
    this.remove(this.#expect(username, ["PENDING"]));
  }

  /** Makes somebody a member without an invitation; replaces whatever Atlas remembered of them. */
  addMember(username: string, access: Partial<Access> = {}): Person {
    const person = this.#newMember(username, access);
    this.#replace(person);
    return structuredClone(person);
  }

  /**
   * Makes somebody a member by single sign-on, beside an invitation that stays pending. Unknown: whether Atlas
   * keeps it, and whether the member has another user id.
   */
  joinBySingleSignOn(username: string, access: Partial<Access> = {}): Person {
    const person = this.#newMember(username, access);
    this.#people.push(person);
    return structuredClone(person);
  }

  /** Remembers somebody exactly so, without a mail: as if it had been going on for a while. */
  restore(person: Person): void {
    this.#replace(structuredClone(person));
  }

  /** Like `restore`, but keeps the older entries of the address. */
  remember(person: Person): void {
    this.#people.push(structuredClone(person));
  }

  /** An owner removes a member in the UI. */
  removeMember(username: string): void {
    this.remove(this.#expect(username, ["ACTIVE"]));
  }

  /** An owner changes the access of a member or of somebody pending, in the UI. */
  change(username: string, access: Partial<Access>): void {
    Object.assign(this.#expect(username, ["PENDING", "ACTIVE"]), structuredClone(access));
  }

  /** A member, or somebody pending, gets another address and keeps the ids. */
  changeAddress(username: string, newUsername: string): void {
    const person = this.#expect(username, ["PENDING", "ACTIVE"]);
    person.username = this.#world.settings.storesUsername(newUsername);
  }

  /**
   * Changes how every answer of both APIs shows one person from now on, such as without a field. Nothing changes
   * in the store. For a person who is given twice, the last one counts.
   */
  rewrite(username: string, rewrite: Rewrite): void {
    this.#rewrites.push({ username, rewrite });
  }

  /** For the endpoints: what an answer shows of somebody, after a rewrite. */
  shown(person: Person, view: Record<string, unknown>): unknown {
    const found = this.#rewrites.findLast(({ username }) => this.sameUsername(username, person.username));
    return found ? found.rewrite(structuredClone(view)) : view;
  }

  /** For the endpoints: the store itself, after every invitation that ran out was marked so. */
  stored(): readonly Person[] {
    for (const person of this.#people) {
      if (person.status === "PENDING" && Date.parse(person.expiresAt ?? "") <= this.#world.now()) {
        person.status = "INVITATION_EXPIRED";
      }
      if (person.status === "INVITATION_EXPIRED" && !this.#world.settings.listsExpired) {
        delete person.invitationId;
      }
    }
    return this.#people;
  }

  /** For the endpoints: one person in the store itself. */
  storedPerson(username: string): Person | undefined {
    return this.entries(username)[0];
  }

  /** For the endpoints: every entry of one person, an active one first, then a pending one. */
  entries(username: string): Person[] {
    return this.stored()
      .filter((person) => this.sameUsername(person.username, username))
      .sort((a, b) => precedence[a.status] - precedence[b.status]);
  }

  /** Whether Atlas takes two usernames for one person. */
  sameUsername(a: string, b: string): boolean {
    return this.usernameKey(a) === this.usernameKey(b);
  }

  /** What all spellings of one person's username have in common. */
  usernameKey(username: string): string {
    const { storesUsername, usernameCase } = this.#world.settings;
    const spelling = storesUsername(username);
    return usernameCase === "ignored" ? spelling.toLowerCase() : spelling;
  }

  /** For the endpoints: stores a new invitation and sends its mail. */
  storeInvitation(username: string, access: Partial<Access>, inviterUsername: string): Person {
    const person = this.#newInvitation(username, access, inviterUsername);
    this.#replace(person);
    return person;
  }

  /** For the endpoints: forgets somebody. */
  remove(person: Person): void {
    this.#people = this.#people.filter((other) => other !== person);
  }

  #newInvitation(username: string, access: Partial<Access>, inviterUsername: string): Person {
    const now = this.#world.now();
    const person: Person = {
      ...this.#newPerson(username, access),
      status: "PENDING",
      // Recorded: two ids for one pending person, the user's usually one above the invitation's.
      invitationId: this.#world.newId(),
      userId: this.#world.newId(),
      // Recorded: exactly 2,592,000 s.
      expiresAt: timestamp(now + thirtyDaysMs),
      inviterUsername,
    };
    this.#world.mails.push({ organization: this.id, username: person.username, at: timestamp(now) });
    return person;
  }

  #newPerson(username: string, access: Partial<Access>) {
    const { roles = ["ORG_MEMBER"], teamIds = [], groupRoleAssignments = [] } = structuredClone(access);
    return {
      username: this.#world.settings.storesUsername(username),
      roles,
      teamIds,
      groupRoleAssignments,
      createdAt: timestamp(this.#world.now()),
    };
  }

  #newMember(username: string, access: Partial<Access>): Person {
    return { ...this.#newPerson(username, access), status: "ACTIVE", userId: this.#world.newId() };
  }

  #replace(person: Person): void {
    this.#people = this.#people.filter((other) => !this.sameUsername(other.username, person.username));
    this.#people.push(person);
  }

  #expect(username: string, statuses: MembershipStatus[]): Person {
    const entries = this.entries(username);
    const person = entries.find(({ status }) => statuses.includes(status));
    if (!person) {
      throw new Error(`${username} is ${entries[0]?.status ?? "unknown"}, not ${statuses.join(" or ")}`);
    }
    return person;
  }
}
