import type { Organization, Person } from "../support/simulated-atlas/organization.ts";
import type { Settings } from "../support/simulated-atlas/settings.ts";
import {
  type DeclaredAccess,
  FIELDS,
  type Field,
  grantsDeclared,
  grantsIn,
  isSameAccess,
  without,
} from "./access.ts";
import { currentOperation, type Operation, type Program, type Properties } from "./engine-model.ts";
import type { WireAnswer, WireRequest } from "./fake-undici.ts";
import { Violation } from "./invariant-violation.ts";
import { type KnownEdges, LISTS_ARE_SHARED_FOR_MS } from "./known-edges.ts";
import { whoIs } from "./people.ts";
import type { Atlas } from "./simulated-endpoints.ts";

/** What is declared, or stored, about a person: what the checks need of it. */
export type Declared = DeclaredAccess & {
  orgId: string;
  username: string;
  onAccepted: "fail" | "retain" | "manage";
  reinviteExpired: boolean;
};

interface UnderWay {
  since: number;
  /** Whether somebody else had the address of the person by then. */
  isAmbiguous: boolean;
  /** The package was told that the invitation was sent. */
  isInvited?: boolean;
}

/**
 * Watches what each request does in Atlas, whether it was for its operation to do it, and whether the operations
 * that succeed have done what they say.
 */
export class Watch {
  readonly #atlas: Atlas;
  readonly #edges: KnownEdges;
  readonly #now: () => number;
  readonly #underWay = new Map<Operation, UnderWay>();
  readonly #lastActs = new Map<string, number>();
  /** The e-mails that the package has caused in this command, by person. */
  readonly #mails = new Map<string, number>();
  readonly #everMailed = new Set<string>();
  readonly #joined = new Set<string>();
  /** Whom the package has uninvited in this command, and not invited again. */
  readonly #uninvited = new Set<string>();
  /** Resources that are not created, as the one that they replace could not be deleted first. */
  readonly #givenUp = new Set<string>();
  #program: Program = new Map();
  #startedAt = 0;
  #violation: Violation | undefined;

  constructor(atlas: Atlas, edges: KnownEdges, now: () => number) {
    this.#atlas = atlas;
    this.#edges = edges;
    this.#now = now;
  }

  /** A command begins, which declares this: nothing where it only refreshes or destroys. */
  begins(program: Program): void {
    this.#program = program;
    this.#startedAt = this.#now();
    this.#mails.clear();
    this.#givenUp.clear();
    this.#uninvited.clear();
  }

  /** Somebody in Atlas does something to a person. */
  acts({ id }: Organization, username: string, deed: string): void {
    this.#lastActs.set(whoIs(id, username), this.#now());
    if (deed === "joinBySingleSignOn") this.#joined.add(whoIs(id, username));
  }

  /**
   * Whether somebody has become a member beside an invitation, which a list may hide: then both answers are true, and
   * only what each request does is checked.
   */
  isBoth({ orgId, username }: Declared): boolean {
    return this.#joined.has(whoIs(orgId, username));
  }

  /** Whether the package has invited the address before, so that a state may hold it. */
  wasInvited({ id }: Organization, username: string): boolean {
    return this.#everMailed.has(whoIs(id, username));
  }

  /** An answer of Atlas has come to the package as it is. */
  answered({ method, target }: WireRequest, { status }: WireAnswer): void {
    const operation = currentOperation();
    const underWay = operation && this.#underWay.get(operation);
    const isInvitation = method === "POST" && target.includes("/orgs/") && status < 300;
    if (underWay && operation.kind === "create" && isInvitation) underWay.isInvited = true;
  }

  begin(operation: Operation): void {
    this.#underWay.set(operation, { since: this.#now(), isAmbiguous: this.#isAmbiguous(operation) });
  }

  end(operation: Operation, outcome: { error: unknown } | { result: unknown }): void {
    const who = subject(operation);
    const { since, isInvited, isAmbiguous } = this.#underWay.get(operation) as UnderWay;
    this.#underWay.delete(operation);
    if ("error" in outcome) {
      checkError(operation, outcome.error);
      if (operation.reason === "replaced first") this.#givenUp.add(operation.resource);
      const isKept = "id" in (outcome.error as object);
      if (isInvited && !isKept) throw new Violation(`${who} was invited, and is not in the state`);
      return;
    }
    if (this.isBoth(declaredIn(operation.inputs ?? operation.stored))) return;
    if (isAmbiguous || this.#isAmbiguous(operation)) return;
    if (this.#lastAct(who) >= since - LISTS_ARE_SHARED_FOR_MS) return;
    const wrong = this.#unlike(operation, outcome.result as Properties);
    if (wrong) throw new Violation(`${operation.kind} of ${who} succeeded, but ${wrong}`);
  }

  /** The process died: nothing of it is under way any more. */
  endAll(): void {
    this.#underWay.clear();
  }

  /** Does the work of one request, and checks what it changes. */
  during<Result>(sentAt: number, work: () => Result): Result {
    const before = this.#atlas.organizations.map(({ users }) => users);
    const result = work();
    for (const [index, organization] of this.#atlas.organizations.entries()) {
      this.#compare(organization, before[index] ?? [], organization.users, sentAt);
    }
    return result;
  }

  /** Throws what a request has violated: the package would have taken it for a failure of the connection. */
  throwViolation(): void {
    if (this.#violation) throw this.#violation;
  }

  #compare(organization: Organization, before: Person[], after: Person[], sentAt: number): void {
    const added = after.filter(({ userId }) => !before.some((person) => person.userId === userId));
    for (const was of before) {
      const is =
        after.find(({ userId }) => userId === was.userId) ??
        added.find(({ username }) => organization.sameUsername(username, was.username));
      if (JSON.stringify(is) === JSON.stringify(was) || this.#isKnownEdge(organization, was, sentAt))
        continue;
      this.#judge(was, (operation) => {
        if (!isSubject(organization, was, operation)) return "is somebody else";
        if (!is) return this.#removal(organization, was, operation);
        if (is.userId !== was.userId) return isOtherSpelling(was, operation) ? undefined : invitation(was);
        if (this.#hasJustChanged(operation, was)) return undefined;
        return change(was, is, this.#granting(organization, is, operation), this.#atlas.settings);
      });
    }
    for (const is of added) {
      this.#judge(is, (operation) => this.#mail(organization, is, operation));
    }
  }

  /** Whether others have changed what a person has since the operation may have looked. */
  #hasJustChanged(operation: Operation, { status }: Person): boolean {
    const since = this.#underWay.get(operation)?.since ?? Number.NEGATIVE_INFINITY;
    const isChanged = this.#lastAct(subject(operation)) >= since - LISTS_ARE_SHARED_FOR_MS;
    return isChanged && status === "ACTIVE" && declaredIn(operation.inputs)?.onAccepted === "manage";
  }

  #isKnownEdge({ id }: Organization, was: Person, sentAt: number): boolean {
    if (was.status === "ACTIVE") return this.#edges.hasJustAccepted(id, was, sentAt);
    return was.status === "PENDING" && this.#edges.wasJustInvited(id, was.username, sentAt);
  }

  #judge({ username }: Person, wrongIn: (operation: Operation) => string | undefined): void {
    const operation = currentOperation();
    const wrong = operation ? wrongIn(operation) : "was changed by no operation";
    if (wrong)
      this.#violation ??= new Violation(`${operation?.kind} of ${operation?.resource}: ${username} ${wrong}`);
  }

  /** What is wrong with an end of an invitation or of a membership. */
  #removal(organization: Organization, was: Person, operation: Operation): string | undefined {
    if (operation.kind !== "delete") return `was removed, who was ${was.status}`;
    // Where Atlas stores another spelling, it may have kept the invitation that the new resource asked for.
    const isKept = this.#atlas.settings.secondInvite === "keep" && operation.stored?.__knownAs;
    if (!isKept) this.#uninvited.add(whoIs(organization.id, was.username));
    const { onAccepted } = declaredIn(operation.stored);
    if (was.status === "ACTIVE" && onAccepted !== "manage")
      return `is a member, and was removed under "${onAccepted}"`;
    const declarer = this.#declarer(organization, was);
    if (declarer === undefined || operation.reason === "replaced first") return undefined;
    if (declarer !== operation.resource) return `was removed, whom ${declarer} declares`;
    if (!this.#isRenewal(operation)) return "was removed, who is still declared";
    return was.status === "ACTIVE" ? "is a member, and was removed as the resource was replaced" : undefined;
  }

  #mail(organization: Organization, is: Person, operation: Operation): string | undefined {
    if (this.#granting(organization, is, operation).kind !== "create") return "was invited";
    const who = whoIs(organization.id, is.username);
    this.#uninvited.delete(who);
    const count = (this.#mails.get(who) ?? 0) + 1;
    this.#mails.set(who, count);
    this.#everMailed.add(who);
    const mayBeTwo = this.#lastAct(who) >= this.#startedAt || isOtherSpelling(is, operation);
    return count > 1 && !mayBeTwo ? "was sent a second e-mail" : undefined;
  }

  /** The operation, or the creation that a delete finishes, where the same resource was replaced by force. */
  #granting(organization: Organization, person: Person, operation: Operation): Operation {
    const { resource } = operation;
    if (!this.#isRenewal(operation) || this.#declarer(organization, person) !== resource) return operation;
    return { kind: "create", resource, inputs: this.#program.get(resource)?.args ?? {} };
  }

  /**
   * Whether the same resource declares the same address as what it has replaced: by force, or because it goes back to a
   * person whose deletion failed, which the package cannot tell apart.
   */
  #isRenewal({ resource, reason, stored }: Operation): boolean {
    const username = String(this.#program.get(resource)?.args.username).toLowerCase();
    return reason === "replaced by force" || (reason === "replaced" && stored?.username === username);
  }

  /** The resource that declares the person in this command. */
  #declarer(organization: Organization | undefined, { username }: { username: string }): string | undefined {
    return [...this.#program].find(([name, { args }]) => {
      const isSame = organization?.sameUsername(String(args.username), username);
      return args.orgId === organization?.id && isSame && !this.#givenUp.has(name);
    })?.[0];
  }

  #lastAct(who: string): number {
    return this.#lastActs.get(who) ?? Number.NEGATIVE_INFINITY;
  }

  #isAmbiguous({ inputs, stored }: Operation): boolean {
    const { orgId, username } = declaredIn(inputs ?? stored);
    return this.#atlas.isAmbiguous(orgId, { ...stored, username });
  }

  /** What is wrong with an operation that succeeded, given what Atlas knows of the person. */
  #unlike(operation: Operation, result: Properties): string | undefined {
    const { kind, inputs, stored, storedInputs } = operation;
    const { settings } = this.#atlas;
    const { orgId, username } = declaredIn(inputs ?? stored);
    const person = this.#atlas.find(orgId, { ...stored, username });
    switch (kind) {
      case "create":
      case "update": {
        const declared = declaredIn(inputs);
        const due = storedInputs ? asked(declaredIn(stored), declaredIn(storedInputs), declared) : declared;
        if (!due) return undefined;
        const isAsPlanned = person?.status === "ACTIVE" && declaredIn(stored)?.onAccepted === "manage";
        const found = isAsPlanned ? withoutUnplanned(person, declaredIn(stored), declared) : person;
        // A forced replacement of somebody pending is renewed by the delete that follows: its state is true until then,
        // and again from the next refresh on. What Atlas adds to a request that does not ask for roles shows then, too.
        const isExact = kind === "create" && settings.addsRoles.length === 0;
        const stale = isExact ? unlikeState(result.outs as Properties, person) : undefined;
        return unlikeDeclared(due, found, kind, settings) ?? stale;
      }
      case "read":
        return unlikeState(result.id ? (result.props as Properties) : undefined, person);
      case "delete":
        return this.#unlikeDeleted(operation, person);
    }
  }

  #unlikeDeleted({ stored, reason }: Operation, person: Person | undefined): string | undefined {
    const { orgId, onAccepted, username } = declaredIn(stored);
    const organization = this.#atlas.organizations.find(({ id }) => id === orgId);
    const isDeclared = [{ username }, ...(person ? [person] : [])].some((one) =>
      this.#declarer(organization, one),
    );
    if (isDeclared && reason !== "replaced first") {
      return this.#uninvited.has(whoIs(orgId, username)) ? "they are declared, and gone" : undefined;
    }
    // What the resource owned was over.
    if (stored?.status === "EXPIRED" || stored?.status === "REJECTED" || isDeclared) return undefined;
    if (person?.status === "PENDING") return "they are still invited";
    return person?.status === "ACTIVE" && onAccepted !== "retain" ? "they are still a member" : undefined;
  }
}

/** The inputs among properties, which the checks take as they are. */
export function declaredIn(properties: Properties | undefined): Declared {
  return properties as unknown as Declared;
}

/** Whether it is the person of the operation, by whichever of their addresses. */
function isSubject({ id }: Organization, { username }: Person, operation: Operation): boolean {
  return subject(operation) === whoIs(id, username);
}

/** Whether Atlas stores another address than is declared, so that nobody without an id can find the person. */
export function isOtherSpelling({ username }: Person, { inputs }: Operation): boolean {
  return inputs !== undefined && declaredIn(inputs).username.toLowerCase() !== username.toLowerCase();
}

function subject({ inputs, stored }: Operation): string {
  const { orgId, username } = declaredIn(inputs ?? stored);
  return whoIs(orgId, username);
}

/** What is wrong with an invitation in place of what there was. */
function invitation(was: Person): string | undefined {
  if (was.status === "PENDING") return "was sent a second e-mail";
  return was.status === "ACTIVE" ? "is a member, and was sent an e-mail" : undefined;
}

/** What is wrong with a change. */
function change(
  was: Person,
  is: Person,
  { kind, inputs, stored, storedInputs }: Operation,
  { addsRoles, omittedOnUpdate }: Settings,
): string | undefined {
  if (kind !== "create" && kind !== "update") return "was changed";
  if (is.status !== was.status) return `became ${is.status}`;
  const declared = declaredIn(inputs);
  if (is.status === "ACTIVE" && declared.onAccepted !== "manage") {
    return `is a member, and was changed under "${declared.onAccepted}"`;
  }
  const isAsPlanned = is.status === "ACTIVE" && declaredIn(stored)?.onAccepted === "manage";
  for (const field of FIELDS) {
    const [before, after] = [grantsIn(field, was), grantsIn(field, is)];
    const wanted = grantsIn(field, declared);
    // What is declared for the first time names what the outputs showed.
    const isNew = storedInputs && declaredIn(storedInputs)[field] === undefined;
    const named = grantsIn(field, declaredIn(isNew && declared[field] ? stored : storedInputs));
    const isManaged = declared[field] !== undefined;
    for (const grant of without(after, before)) {
      const isRestored = omittedOnUpdate === "reset" && field !== "roles";
      if (!wanted.includes(grant) && !isRestored && !addsRoles.includes(grant))
        return `was given ${grant}, which nobody declared`;
    }
    // What Atlas resets is given back by the next request: the end of the operation is what counts.
    if (omittedOnUpdate === "reset" && field !== "roles") continue;
    for (const grant of without(before, after)) {
      if (wanted.includes(grant)) return `lost ${grant}, which is declared`;
      if (!named.includes(grant) && !(isManaged && !isAsPlanned))
        return `lost ${grant}, which no plan has named`;
    }
  }
  return undefined;
}

/**
 * What an update has to ask of Atlas: what differs from what was declared before, or from what Atlas had. What others
 * have changed since is for a refresh to show.
 */
function asked(stored: Declared, storedInputs: Declared, declared: Declared): Declared | undefined {
  const isDifferent = (field: Field, one: DeclaredAccess, other: DeclaredAccess) => {
    const [some, others] = [grantsIn(field, one), grantsIn(field, other)];
    const isManaged = (one[field] === undefined) === (other[field] === undefined);
    return !isManaged || without(some, others).length + without(others, some).length > 0;
  };
  const isMember = (stored as unknown as Properties).status === "ACCEPTED";
  const isNewlyManaged = isMember && declared.onAccepted === "manage" && stored.onAccepted !== "manage";
  if (isNewlyManaged && FIELDS.some((field) => declared[field] && isDifferent(field, stored, declared))) {
    return declared;
  }
  const rest = FIELDS.filter((field) => {
    if (declared[field] === undefined) return true;
    // A member who is not managed stays as they are, for as long as the declaration does.
    if (isMember && declared.onAccepted !== "manage") return !isDifferent(field, storedInputs, declared);
    if (without(grantsIn(field, declared), grantsIn(field, stored)).length > 0) return false;
    return !isDifferent(field, storedInputs, declared) || !isDifferent(field, stored, declared);
  });
  if (rest.length === FIELDS.length) return undefined;
  return { ...declared, ...Object.fromEntries(rest.map((field) => [field, undefined])) };
}

/** A member without what others gave them since the last refresh, which no plan can have named. */
function withoutUnplanned(person: Person, stored: DeclaredAccess, declared: DeclaredAccess): Person {
  const isPlanned = (field: Field) => {
    const known = [...grantsIn(field, stored), ...grantsIn(field, declared)];
    return (grant: string) => known.includes(grant);
  };
  return {
    ...person,
    roles: person.roles.filter(isPlanned("roles")),
    teamIds: person.teamIds.filter(isPlanned("teamIds")),
    groupRoleAssignments: person.groupRoleAssignments.map(({ groupId, roles }) => {
      const isKnown = isPlanned("groupRoleAssignments");
      return { groupId, roles: roles.filter((role) => isKnown(`${role} of ${groupId}`)) };
    }),
  };
}

/** What is wrong with a person of whom this is declared. */
export function unlikeDeclared(
  declared: Declared,
  person: Person | undefined,
  kind: "create" | "update",
  settings: Settings,
): string | undefined {
  const isAsDeclared = person && grantsDeclared(person, declared, settings);
  switch (person?.status) {
    case "PENDING":
      return isAsDeclared ? undefined : "their invitation grants something else";
    case "ACTIVE":
      if (declared.onAccepted === "manage")
        return isAsDeclared ? undefined : "the member may do other things";
      return declared.onAccepted === "retain" && kind === "create" ? undefined : "they are a member";
    default:
      return `they are ${person?.status ?? "unknown to Atlas"}`;
  }
}

const STATUS = {
  PENDING: "PENDING",
  ACTIVE: "ACCEPTED",
  INVITATION_EXPIRED: "EXPIRED",
  INVITATION_REJECTED: "REJECTED",
};

/** What is wrong with what is stored about a person, as of now. */
export function unlikeState(stored: Properties | undefined, person: Person | undefined): string | undefined {
  if (!stored || !person)
    return stored ? "Atlas does not know them" : person && "the state does not know them";
  if (stored.status !== STATUS[person.status]) return `they are ${person.status}, not ${stored.status}`;
  for (const name of ["userId", "invitationId"] as const) {
    if (stored[name] && person[name] && stored[name] !== person[name]) return `the ${name} is another one`;
  }
  if (!stored.userId && !stored.invitationId) return "no id is known";
  const isSameInvitation = person.status === "ACTIVE" || stored.createdAt === person.createdAt;
  if (!isSameInvitation) return "they were invited at another time";
  if (person.expiresAt && stored.expiresAt !== person.expiresAt) return "it expires at another time";
  const isShown = person.status === "PENDING" || person.status === "ACTIVE";
  if (isShown && !isSameAccess(declaredIn(stored), person)) return "the access is another one";
  return undefined;
}

/** Every error is one of the package's own, and says whom it is about. */
function checkError(operation: Operation, error: unknown): void {
  const { username } = declaredIn(operation.inputs ?? operation.stored);
  const text = error instanceof Error ? `${error.name}: ${error.message}` : `no error: ${String(error)}`;
  const isBug = /Cannot read|is not (a function|iterable|defined)/.test(text);
  if (
    isBug ||
    !/^(Atlas\w*|Outdated|IncompleteCreate)Error: /.test(text) ||
    !text.includes(username.toLowerCase())
  ) {
    throw new Violation(`${operation.kind} of ${username} fails with ${text}`);
  }
}
