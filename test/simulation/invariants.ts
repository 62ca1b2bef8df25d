import type { ReceivedRequest } from "../support/simulated-atlas/api.ts";
import type { Organization, Person } from "../support/simulated-atlas/organization.ts";
import {
  argsOf,
  currentOperation,
  InvariantViolation,
  type Operation,
  type OperationResult,
  type Program,
  type Properties,
  type Result,
} from "./engine-model.ts";
import {
  mismatchWithChange,
  mismatchWithDeclaration,
  mismatchWithState,
  requestedChanges,
} from "./expectations.ts";
import { KnownEdges, LIST_MAX_AGE_MS } from "./known-edges.ts";
import { checkError } from "./lifecycle-errors.ts";
import { personKey } from "./people.ts";
import type { HttpResponse } from "./process-stubs.ts";
import type { SimulatedEndpoints } from "./simulated-endpoints.ts";

/** `isInvited`: whether the provider received the response to an invitation that it sent. */
type RunningOperation = { startedAt: number; isAmbiguous: boolean; isInvited?: boolean };

/**
 * Checks that each request changes only what its operation may change, and that each operation that succeeds has the
 * result that it reports.
 */
export class InvariantChecker {
  readonly knownEdges: KnownEdges;
  readonly #atlas: SimulatedEndpoints;
  readonly #now: () => number;
  readonly #running = new Map<Operation, RunningOperation>();
  readonly #lastExternalChanges = new Map<string, number>();
  /** The e-mails that the provider caused in this command, by person. */
  readonly #emails = new Map<string, number>();
  readonly #everInvited = new Set<string>();
  readonly #joinedBySingleSignOn = new Set<string>();
  /** People whose invitation or membership the provider ended in this command, and did not renew. */
  readonly #ended = new Set<string>();
  /** Resources that are not created because the resource that they replace could not be deleted first. */
  readonly #notCreated = new Set<string>();
  #program: Program = new Map();
  #commandStartedAt = 0;
  #violation: InvariantViolation | undefined;

  constructor(atlas: SimulatedEndpoints, now: () => number) {
    this.knownEdges = new KnownEdges(now);
    this.#atlas = atlas;
    this.#now = now;
  }

  /** @param program - What the command declares: nothing for a refresh or a destroy. */
  onCommand(program: Program): void {
    this.#program = program;
    this.#commandStartedAt = this.#now();
    this.#emails.clear();
    this.#notCreated.clear();
    this.#ended.clear();
  }

  onExternalChange({ id }: Organization, username: string, change: string): void {
    this.#lastExternalChanges.set(personKey(id, username), this.#now());
    if (change === "joinBySingleSignOn") this.#joinedBySingleSignOn.add(personKey(id, username));
    this.knownEdges.onExternalChange(change, id, username);
  }

  /** Whether the person may be a member and invited at once: then only the effects of requests are checked. */
  mayBeMemberAndInvited({ orgId, username }: Properties): boolean {
    return this.#joinedBySingleSignOn.has(personKey(orgId, username));
  }

  /** Whether the provider has invited the address before, so that a state may contain it. */
  wasInvited({ id }: Organization, username: string): boolean {
    return this.#everInvited.has(personKey(id, username));
  }

  /** The provider receives a response of Atlas. */
  onResponse({ method, target }: ReceivedRequest, { status }: HttpResponse): void {
    const operation = currentOperation();
    const running = operation && this.#running.get(operation);
    const isInvitation = method === "POST" && target.includes("/orgs/") && status < 300;
    if (running && operation.kind === "create" && isInvitation) running.isInvited = true;
  }

  onBegin(operation: Operation): void {
    this.#running.set(operation, { startedAt: this.#now(), isAmbiguous: this.#isAmbiguous(operation) });
  }

  onEnd(operation: Operation, result: OperationResult): void {
    const person = subjectOf(operation);
    const { startedAt, isInvited, isAmbiguous } = this.#running.get(operation) as RunningOperation;
    this.#running.delete(operation);
    if ("error" in result) {
      checkError(operation, result.error);
      if (operation.reason === "before its replacement") this.#notCreated.add(operation.resource);
      const isStored = "id" in (result.error as object);
      if (isInvited && !isStored)
        throw new InvariantViolation(`${person} was invited, and is not in the state`);
      return;
    }
    if (this.mayBeMemberAndInvited(argsOf(operation))) return;
    if (isAmbiguous || this.#isAmbiguous(operation)) return;
    if (this.#lastExternalChange(person) >= startedAt - LIST_MAX_AGE_MS) return;
    const mismatch = this.#mismatchOf(operation, result.result);
    if (mismatch) throw new InvariantViolation(`${operation.kind} of ${person} succeeded, but ${mismatch}`);
  }

  /** The processes were killed or have ended. */
  onProcessEnd(): void {
    this.#running.clear();
  }

  /** Lets Atlas carry out a request, and checks its effects. */
  checkEffects<Result>(sentAt: number, carryOut: () => Result): Result {
    const before = this.#atlas.organizations.map(({ users }) => users);
    const result = carryOut();
    for (const [index, organization] of this.#atlas.organizations.entries()) {
      this.#compare(organization, before[index] ?? [], organization.users, sentAt);
    }
    return result;
  }

  /** Throws the violation of a request: thrown earlier, the provider would handle it as a connection error. */
  throwViolation(): void {
    if (this.#violation) throw this.#violation;
  }

  #compare(organization: Organization, before: Person[], after: Person[], sentAt: number): void {
    const added = after.filter(({ userId }) => !before.some((person) => person.userId === userId));
    for (const was of before) {
      const is =
        after.find(({ userId }) => userId === was.userId) ??
        added.find(({ username }) => organization.sameUsername(username, was.username));
      const isUnchanged = JSON.stringify(is) === JSON.stringify(was);
      if (isUnchanged || this.knownEdges.exclude(organization.id, was, sentAt)) continue;
      this.#report(was, (operation) => {
        if (subjectOf(operation) !== personKey(organization.id, was.username))
          return "is not the person of the operation";
        if (!is) return this.#wrongRemoval(organization, was, operation);
        if (is.userId !== was.userId)
          return isOtherSpelling(was, operation) ? undefined : wrongInvitation(was);
        if (this.#wasJustChanged(operation, was)) return undefined;
        const applied = this.#appliedBy(organization, is, operation);
        return mismatchWithChange(was, is, applied, this.#atlas.settings);
      });
    }
    for (const is of added) {
      this.#report(is, (operation) => this.#wrongEmail(organization, is, operation));
    }
  }

  /** Whether others changed the member after the operation may have looked them up. */
  #wasJustChanged(operation: Operation, { status }: Person): boolean {
    const startedAt = this.#running.get(operation)?.startedAt ?? Number.NEGATIVE_INFINITY;
    const isChanged = this.#lastExternalChange(subjectOf(operation)) >= startedAt - LIST_MAX_AGE_MS;
    return isChanged && status === "ACTIVE" && operation.inputs?.onAccepted === "manage";
  }

  #report({ username }: Person, wrongIn: (operation: Operation) => string | undefined): void {
    const operation = currentOperation();
    const wrong = operation ? wrongIn(operation) : "was changed by no operation";
    if (!wrong) return;
    const message = `${operation?.kind} of ${operation?.resource}: ${username} ${wrong}`;
    this.#violation ??= new InvariantViolation(message);
  }

  #wrongRemoval(organization: Organization, was: Person, operation: Operation): string | undefined {
    const { kind, reason, resource, stored } = operation;
    if (kind !== "delete") return `was removed, and was ${was.status}`;
    // If Atlas stores another spelling, it may have kept the invitation that the new resource requested.
    const isKept = this.#atlas.settings.secondInvite === "keep" && stored?.__knownAs;
    if (!isKept) this.#ended.add(personKey(organization.id, was.username));
    if (was.status === "ACTIVE" && stored?.onAccepted !== "manage")
      return `is a member, and was removed under "${stored?.onAccepted}"`;
    const declarer = this.#declarerOf(organization, was);
    if (declarer === undefined || reason === "before its replacement") return undefined;
    if (declarer !== resource) return `was removed, and is declared by ${declarer}`;
    if (!this.#isRenewal(operation)) return "was removed, and is still declared";
    return was.status === "ACTIVE" ? "is a member, and was removed as the resource was replaced" : undefined;
  }

  #wrongEmail(organization: Organization, is: Person, operation: Operation): string | undefined {
    if (this.#appliedBy(organization, is, operation).kind !== "create") return "was invited";
    const person = personKey(organization.id, is.username);
    this.#ended.delete(person);
    const count = (this.#emails.get(person) ?? 0) + 1;
    this.#emails.set(person, count);
    this.#everInvited.add(person);
    const isChanged = this.#lastExternalChange(person) >= this.#commandStartedAt;
    const maySendTwo = isChanged || isOtherSpelling(is, operation);
    return count > 1 && !maySendTwo ? "was sent a second e-mail" : undefined;
  }

  /** The operation itself; or, for the delete that completes a forced replacement, the creation of the new resource. */
  #appliedBy(organization: Organization, person: Person, operation: Operation): Operation {
    const { resource } = operation;
    if (!this.#isRenewal(operation) || this.#declarerOf(organization, person) !== resource) return operation;
    return { kind: "create", resource, inputs: this.#program.get(resource)?.args };
  }

  /**
   * Whether the resource declares the same address as the one that it replaces: it is replaced by force, or declares
   * again a person whose deletion failed. The provider cannot distinguish the two.
   */
  #isRenewal({ resource, reason, stored }: Operation): boolean {
    const username = String(this.#program.get(resource)?.args.username).toLowerCase();
    return reason === "replaced by force" || (reason === "replaced" && stored?.username === username);
  }

  /** The resource that declares the person in this command. */
  #declarerOf(
    organization: Organization | undefined,
    { username }: { username: string },
  ): string | undefined {
    return [...this.#program].find(([name, { args }]) => {
      const isSame = organization?.sameUsername(String(args.username), username);
      return args.orgId === organization?.id && isSame && !this.#notCreated.has(name);
    })?.[0];
  }

  #lastExternalChange(person: string): number {
    return this.#lastExternalChanges.get(person) ?? Number.NEGATIVE_INFINITY;
  }

  #isAmbiguous(operation: Operation): boolean {
    const { orgId, username } = argsOf(operation);
    return this.#atlas.isAmbiguous(orgId, { ...operation.stored, username });
  }

  /** Compares the result of an operation with what Atlas has. */
  #mismatchOf(operation: Operation, { id, outs, props }: Result): string | undefined {
    const { kind, inputs, stored, storedInputs } = operation;
    const { settings } = this.#atlas;
    const { orgId, username } = argsOf(operation);
    const person = this.#atlas.find(orgId, { ...stored, username });
    switch (kind) {
      case "create":
      case "update": {
        const expected =
          stored && storedInputs ? requestedChanges(stored, storedInputs, argsOf(operation)) : inputs;
        if (!expected) return undefined;
        const isAsPlanned = person?.status === "ACTIVE" && stored?.onAccepted === "manage";
        const planned = isAsPlanned ? stored : undefined;
        // The delete after a forced replacement renews the invitation: the state of the new resource is outdated from
        // then until the next refresh. Roles that Atlas adds show in a refresh, too.
        const isExact = kind === "create" && settings.addsRoles.length === 0;
        const outdated = isExact ? mismatchWithState(outs, person) : undefined;
        return mismatchWithDeclaration(expected, person, kind, settings, planned) ?? outdated;
      }
      case "read":
        return mismatchWithState(id ? props : undefined, person);
      case "delete":
        return this.#mismatchOfDelete(operation, person);
    }
  }

  #mismatchOfDelete(operation: Operation, person: Person | undefined): string | undefined {
    const { reason } = operation;
    const { orgId, onAccepted, username, status } = argsOf(operation);
    const organization = this.#atlas.organizations.find(({ id }) => id === orgId);
    const isDeclared = [{ username }, ...(person ? [person] : [])].some((one) =>
      this.#declarerOf(organization, one),
    );
    if (isDeclared && reason !== "before its replacement") {
      const isEnded = this.#ended.has(personKey(orgId, username));
      return isEnded ? "the person is declared, and no longer in Atlas" : undefined;
    }
    // The invitation of the resource had ended before.
    if (status === "EXPIRED" || status === "REJECTED" || isDeclared) return undefined;
    if (person?.status === "PENDING") return "the person is still invited";
    const isLeft = person?.status === "ACTIVE" && onAccepted !== "retain";
    return isLeft ? "the person is still a member" : undefined;
  }
}

/** Whether Atlas stores another address than is declared: without an id, the provider cannot find the person. */
export function isOtherSpelling({ username }: Person, { inputs }: Operation): boolean {
  return inputs !== undefined && inputs.username.toLowerCase() !== username.toLowerCase();
}

function subjectOf(operation: Operation): string {
  const { orgId, username } = argsOf(operation);
  return personKey(orgId, username);
}

/** What is wrong with an invitation that replaces what there was. */
function wrongInvitation(was: Person): string | undefined {
  if (was.status === "PENDING") return "was sent a second e-mail";
  return was.status === "ACTIVE" ? "is a member, and was sent an e-mail" : undefined;
}
