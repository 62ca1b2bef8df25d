import type { Organization, Person } from "../atlas/organization.ts";
import { grantsTheSame } from "./access.ts";
import type { Atlas } from "./atlas.ts";
import type { Operation, Properties } from "./engine-model.ts";
import { everybody, whoIs } from "./people.ts";
import { Violation } from "./violation.ts";
import type { WireAnswer, WireRequest } from "./wire.ts";

// Lists are shared for so long, so that an operation may not know of what people did in that time before it.
export const LISTS_ARE_SHARED_FOR_MS = 30_000;

/** What is declared, or stored, about a person: what the checks need of it. */
export type Declared = Pick<Person, "username" | "roles" | "teamIds" | "groupRoleAssignments"> & {
  orgId: string;
  onAccepted: "fail" | "retain" | "manage";
  reinviteExpired: boolean;
};

interface UnderWay {
  operation: Operation;
  since: number;
  /** The package was told that the invitation was sent. */
  isInvited?: boolean;
}

/**
 * Watches what each request does in Atlas, whether it was for the operation under way to do it, and whether
 * the operations that succeed have done what they say.
 */
export class Watch {
  readonly #atlas: Atlas;
  readonly #now: () => number;
  readonly #underWay = new Map<string, UnderWay>();
  readonly #lastActs = new Map<string, number>();
  readonly #lastTouches = new Map<string, number>();
  #violation: Violation | undefined;

  constructor(atlas: Atlas, now: () => number) {
    this.#atlas = atlas;
    this.#now = now;
  }

  /** Somebody in Atlas does something to a person. */
  acts(organization: Organization, username: string): void {
    this.#lastActs.set(whoIs(organization.id, username), this.#now());
    this.#lastTouches.set(whoIs(organization.id, username), this.#now());
  }

  /** When anybody, or the package, last changed something about a person. */
  lastTouch(organization: Organization, username: string): number {
    return this.#lastTouches.get(whoIs(organization.id, username)) ?? Number.NEGATIVE_INFINITY;
  }

  /** An answer of Atlas has come to the package as it is. */
  answered(request: WireRequest, { status }: WireAnswer): void {
    const subject = request.method === "POST" && status < 300 ? this.#atlas.subject(request) : undefined;
    const underWay = subject && this.#underWay.get(whoIs(subject.organization.id, subject.username));
    if (underWay) underWay.isInvited = true;
  }

  begin(operation: Operation): void {
    const who = subject(operation);
    if (this.#underWay.has(who)) throw new Violation(`the model works on ${who} twice at a time`);
    this.#underWay.set(who, { operation, since: this.#now() });
  }

  end(operation: Operation, outcome: { error: unknown } | { result: unknown }): void {
    const who = subject(operation);
    const { since, isInvited } = this.#underWay.get(who) as UnderWay;
    this.#underWay.delete(who);
    if ("error" in outcome) {
      checkError(operation, outcome.error);
      const isKept = "id" in (outcome.error as object);
      if (isInvited && !isKept) throw new Violation(`${who} was invited, and is not in the state`);
      return;
    }
    const lastAct = this.#lastActs.get(who) ?? Number.NEGATIVE_INFINITY;
    if (lastAct >= since - LISTS_ARE_SHARED_FOR_MS) return;
    const { orgId, username } = declaredIn(operation.inputs ?? operation.stored);
    const wrong = unlike(operation, outcome.result as Properties, this.#atlas.find(orgId, username));
    if (wrong) throw new Violation(`${operation.kind} of ${username} succeeded, but ${wrong}`);
  }

  /** The process died: nothing of it is under way any more. */
  endAll(): void {
    this.#underWay.clear();
  }

  /** Does the work of one request, and checks what it changes. */
  during<Result>(work: () => Result): Result {
    const before = this.#atlas.organizations.map((organization) => organization.users);
    const result = work();
    for (const [index, organization] of this.#atlas.organizations.entries()) {
      for (const username of everybody) {
        const was = before[index]?.find((person) => person.username.toLowerCase() === username);
        const is = organization.find(username);
        if (JSON.stringify(was) === JSON.stringify(is)) continue;
        const who = whoIs(organization.id, username);
        this.#lastTouches.set(who, this.#now());
        this.#violation ??= badEffect(username, was, is, this.#underWay.get(who)?.operation);
      }
    }
    return result;
  }

  /** Throws what a request has violated: the package would have taken it for a failure of the connection. */
  throwViolation(): void {
    if (this.#violation) throw this.#violation;
  }
}

/** The inputs among properties, which the checks take as they are. */
export function declaredIn(properties: Properties | undefined): Declared {
  return properties as unknown as Declared;
}

function subject({ inputs, stored }: Operation): string {
  const { orgId, username } = declaredIn(inputs ?? stored);
  return whoIs(orgId, username);
}

/** What is wrong with a change of a person, unless it was for this operation to make. */
function badEffect(
  username: string,
  was: Person | undefined,
  is: Person | undefined,
  operation: Operation | undefined,
): Violation | undefined {
  const kind = operation?.kind ?? "nothing that is under way";
  const wrong = (what: string) => new Violation(`${kind}: ${username} ${what}`);
  const stored = operation?.stored && declaredIn(operation.stored);
  const inputs = operation?.inputs && declaredIn(operation.inputs);
  if (!is) {
    if (kind !== "delete") return wrong(`was removed, who was ${was?.status}`);
    if (was?.status !== "ACTIVE" || stored?.onAccepted === "manage") return undefined;
    return wrong(`is a member, and was removed under "${stored?.onAccepted}"`);
  }
  if (is.userId !== was?.userId) {
    if (was?.status === "PENDING") return wrong("was sent a second e-mail");
    if (was?.status === "ACTIVE") return wrong("is a member, and was sent an e-mail");
    return kind === "create" ? undefined : wrong("was invited");
  }
  if (kind !== "create" && kind !== "update") return wrong("was changed");
  if (is.status !== was?.status) return wrong(`became ${is.status}`);
  if (is.status === "ACTIVE" && inputs?.onAccepted !== "manage") {
    return wrong(`is a member, and was changed under "${inputs?.onAccepted}"`);
  }
  return inputs && grantsTheSame(is, inputs) ? undefined : wrong("was changed to what nobody declared");
}

/** What is wrong with an operation that succeeded, given what Atlas knows of the person. */
function unlike({ kind, inputs, stored }: Operation, result: Properties, person: Person | undefined) {
  switch (kind) {
    case "create":
    case "update": {
      const declared = declaredIn(inputs);
      // Nothing is asked of Atlas where only the choices for later change.
      if (stored && grantsTheSame(declaredIn(stored), declared)) return undefined;
      return unlikeDeclared(declared, person, kind);
    }
    case "read":
      return unlikeState(result.id ? (result.props as Properties) : undefined, person);
    case "delete":
      if (person?.status === "PENDING") return "they are still invited";
      if (person?.status === "ACTIVE" && declaredIn(stored).onAccepted !== "retain") {
        return "they are still a member";
      }
      return undefined;
  }
}

/** What is wrong with a person of whom this is declared. */
export function unlikeDeclared(
  declared: Declared,
  person: Person | undefined,
  kind: "create" | "update",
): string | undefined {
  const isAsDeclared = person && grantsTheSame(person, declared);
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
  const declared = declaredIn(stored);
  if (stored.status !== STATUS[person.status]) return `they are ${person.status}, not ${stored.status}`;
  for (const name of ["userId", "invitationId"] as const) {
    if (stored[name] && person[name] && stored[name] !== person[name]) return `the ${name} is another one`;
  }
  if (!stored.userId && !stored.invitationId) return "no id is known";
  const isSameInvitation = person.status === "ACTIVE" || stored.createdAt === person.createdAt;
  if (!isSameInvitation) return "they were invited at another time";
  if (person.expiresAt && stored.expiresAt !== person.expiresAt) return "it expires at another time";
  const isManaged =
    person.status === "PENDING" || (person.status === "ACTIVE" && declared.onAccepted === "manage");
  if (isManaged && !grantsTheSame(declared, person)) return "the access is another one";
  return undefined;
}

/** Every error is one of the package's own, and says whom it is about. */
function checkError(operation: Operation, error: unknown): void {
  const { username } = declaredIn(operation.inputs ?? operation.stored);
  const text = error instanceof Error ? `${error.name}: ${error.message}` : `no error: ${String(error)}`;
  const isBug = /Cannot read|is not (a function|iterable|defined)/.test(text);
  if (isBug || !/^(Atlas\w*|Outdated)Error: /.test(text) || !text.includes(username.toLowerCase())) {
    throw new Violation(`${operation.kind} of ${username} fails with ${text}`);
  }
}
