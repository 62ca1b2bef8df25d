import type { Context } from "./settings.ts";

const thirtyDaysMs = 30 * 24 * 60 * 60 * 1000;
const defaultInviter = "owner@example.com";

/** The roles on one project. */
export interface GroupRoleAssignment {
  groupId: string;
  roles: string[];
}

/** The access of a user to the organization. */
export interface Access {
  roles: string[];
  teamIds: string[];
  groupRoleAssignments: GroupRoleAssignment[];
}

export type MembershipStatus = "PENDING" | "ACTIVE" | "INVITATION_EXPIRED" | "INVITATION_REJECTED";

/** A user or an invitation, as stored: both APIs show the same entry, each under an id of its own. */
export interface Person extends Access {
  username: string;
  status: MembershipStatus;
  /** The id in the users API. */
  userId: string;
  /** The id in the invitations API, while it lists the entry. */
  invitationId?: string;
  /** When the invitation was sent or, for a member, when the member joined. */
  createdAt: string;
  /** Absent for members and after a rejection. */
  expiresAt?: string;
  inviterUsername?: string;
  /** The project that the invitation is for, if it is not for the organization. */
  project?: { id: string; name: string };
}

/** The order of the entries of one username. */
const precedence = (status: MembershipStatus) => (status === "ACTIVE" ? 0 : status === "PENDING" ? 1 : 2);

/** Returns what a response shows in place of the given object. */
export type Rewrite = (view: Record<string, unknown>) => unknown;

/** An invitation e-mail that was sent. */
export interface Mail {
  organization: string;
  username: string;
  at: string;
}

/** What all organizations of one simulator share. */
export interface OrganizationContext extends Context {
  newId: () => string;
  mails: Mail[];
}

/** Atlas writes times in whole seconds. */
const timestamp = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

/** One organization: its members and invitations, and what owners and users do in the Atlas UI. */
export class Organization {
  readonly id: string;
  readonly name: string;
  /** The addresses that API keys may call from. Absent: any. Empty: a list is required but has no entry. */
  accessList?: string[];
  readonly #context: OrganizationContext;
  readonly #rewrites: { username: string; rewrite: Rewrite }[] = [];
  #people: Person[] = [];

  constructor(context: OrganizationContext, id: string, name: string) {
    this.#context = context;
    this.id = id;
    this.name = name;
  }

  /** Copies of the pending invitations. */
  get invitations(): Person[] {
    return this.users.filter((person) => person.status === "PENDING");
  }

  /** Copies of all entries, in any status. */
  get users(): Person[] {
    return structuredClone([...this.stored()]);
  }

  /** A copy of one entry. Of several entries of the username, an active one or else a pending one. */
  find(username: string): Person | undefined {
    return structuredClone(this.storedPerson(username));
  }

  // Requests may name any team and any project, whether it was added or not.
  addTeam(): string {
    return this.#context.newId();
  }

  addProject(): string {
    return this.#context.newId();
  }

  /** An owner invites a user in the UI. The invitation replaces all entries of the username. */
  invite(username: string, invitation: Partial<Access> & { inviterUsername?: string } = {}): Person {
    const { inviterUsername = defaultInviter, ...access } = invitation;
    return structuredClone(this.storeInvitation(username, access, inviterUsername));
  }

  /** Invites a user by the deprecated endpoint of a project. Other entries of the username stay. */
  inviteToProject(username: string, { groupId, roles }: GroupRoleAssignment): Person {
    const access = { roles: [], groupRoleAssignments: [{ groupId, roles }] };
    const person = this.#newInvitation(username, access, defaultInviter);
    return this.remember({ ...person, project: { id: groupId, name: "Example project" } });
  }

  accept(username: string): void {
    const person = this.#expect(username, ["PENDING"]);
    // Inferred: a member does not become a member twice.
    if (this.storedPerson(username)?.status === "ACTIVE") {
      this.remove(person);
      return;
    }
    person.status = "ACTIVE";
    person.createdAt = timestamp(this.#context.now());
    delete person.invitationId;
    delete person.expiresAt;
    delete person.inviterUsername;
    if (person.project) {
      // Inferred: the member of a project is a member of its organization.
      person.roles = ["ORG_MEMBER"];
      delete person.project;
    }
    if (this.#context.settings.newIdOnAcceptance) person.userId = this.#context.newId();
  }

  reject(username: string): void {
    const person = this.#expect(username, ["PENDING"]);
    person.status = "INVITATION_REJECTED";
    delete person.invitationId;
    // Documented: a rejected invitation has no expiry.
    delete person.expiresAt;
  }

  /** Makes the invitation expire now, as if it had been sent 30 days ago. */
  expire(username: string): void {
    const person = this.#expect(username, ["PENDING"]);
    person.createdAt = timestamp(this.#context.now() - thirtyDaysMs);
    person.expiresAt = timestamp(this.#context.now());
  }

  /** An owner cancels a pending invitation in the UI. */
  cancel(username: string): void {
    this.remove(this.#expect(username, ["PENDING"]));
  }

  /** Adds a member without an invitation. The member replaces all entries of the username. */
  addMember(username: string, access: Partial<Access> = {}): Person {
    return this.restore(this.#newMember(username, access));
  }

  /** Adds a member beside a pending invitation. Unknown: whether Atlas keeps it, and gives another user id. */
  joinBySingleSignOn(username: string, access: Partial<Access> = {}): Person {
    return this.remember(this.#newMember(username, access));
  }

  /** Stores this entry as it is, in place of all entries of the username, without a mail. */
  restore(person: Person): Person {
    return structuredClone(this.#replace(structuredClone(person)));
  }

  /** Stores this entry as it is, beside the other entries of the username. */
  remember(person: Person): Person {
    this.#people.push(structuredClone(person));
    return person;
  }

  /** An owner removes a member in the UI. */
  removeMember(username: string): void {
    this.remove(this.#expect(username, ["ACTIVE"]));
  }

  /** An owner changes the access of a member or of a pending user in the UI. */
  change(username: string, access: Partial<Access>): void {
    Object.assign(this.#expect(username, ["PENDING", "ACTIVE"]), structuredClone(access));
  }

  /** A member or a pending user changes the username, and keeps the ids. */
  changeAddress(username: string, newUsername: string): void {
    const person = this.#expect(username, ["PENDING", "ACTIVE"]);
    person.username = this.#context.settings.storesUsername(newUsername);
  }

  /** Rewrites how all responses show a user, such as without a field. A later call replaces an earlier one. */
  rewrite(username: string, rewrite: Rewrite): void {
    this.#rewrites.push({ username, rewrite });
  }

  /** For the endpoints: the object for a response, after the rewrite that a test has set. */
  rewritten(person: Person, view: Record<string, unknown>): unknown {
    const found = this.#rewrites.findLast(({ username }) => this.sameUsername(username, person.username));
    return found ? found.rewrite(structuredClone(view)) : view;
  }

  /** For the endpoints: the entries themselves. Marks the expired ones first. */
  stored(): readonly Person[] {
    for (const person of this.#people) {
      if (person.status === "PENDING" && Date.parse(person.expiresAt ?? "") <= this.#context.now()) {
        person.status = "INVITATION_EXPIRED";
      }
      if (person.status === "INVITATION_EXPIRED" && !this.#context.settings.listsExpired) {
        delete person.invitationId;
      }
    }
    return this.#people;
  }

  /** For the endpoints: the entry itself that `find` copies. */
  storedPerson(username: string): Person | undefined {
    return this.entries(username)[0];
  }

  /** For the endpoints: the entries of a username, an active one first, then a pending one. */
  entries(username: string): Person[] {
    return this.stored()
      .filter((person) => this.sameUsername(person.username, username))
      .sort((a, b) => precedence(a.status) - precedence(b.status));
  }

  /** Whether two usernames mean the same user. */
  sameUsername(a: string, b: string): boolean {
    return this.usernameKey(a) === this.usernameKey(b);
  }

  /** The normalized username: usernames that differ in letter case are one user, and echoed as given. */
  usernameKey(username: string): string {
    return this.#context.settings.storesUsername(username).toLowerCase();
  }

  /** For the endpoints: stores a new invitation and sends its mail. */
  storeInvitation(username: string, access: Partial<Access>, inviterUsername: string): Person {
    return this.#replace(this.#newInvitation(username, access, inviterUsername));
  }

  /** For the endpoints: removes an entry. */
  remove(person: Person): void {
    this.#people = this.#people.filter((other) => other !== person);
  }

  #newInvitation(username: string, access: Partial<Access>, inviterUsername: string): Person {
    const now = this.#context.now();
    const person: Person = {
      ...this.#newPerson(username, access),
      status: "PENDING",
      // Recorded: two ids, that of the user usually one above that of the invitation.
      invitationId: this.#context.newId(),
      userId: this.#context.newId(),
      // Recorded: exactly 2,592,000 s.
      expiresAt: timestamp(now + thirtyDaysMs),
      inviterUsername,
    };
    this.#context.mails.push({ organization: this.id, username: person.username, at: timestamp(now) });
    return person;
  }

  #newPerson(username: string, access: Partial<Access>) {
    const { roles = ["ORG_MEMBER"], teamIds = [], groupRoleAssignments = [] } = structuredClone(access);
    return {
      username: this.#context.settings.storesUsername(username),
      roles,
      teamIds,
      groupRoleAssignments,
      createdAt: timestamp(this.#context.now()),
    };
  }

  #newMember(username: string, access: Partial<Access>): Person {
    return { ...this.#newPerson(username, access), status: "ACTIVE", userId: this.#context.newId() };
  }

  #replace(person: Person): Person {
    this.#people = this.#people.filter((other) => !this.sameUsername(other.username, person.username));
    this.#people.push(person);
    return person;
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
