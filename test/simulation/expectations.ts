import type { Access, Person } from "../support/simulated-atlas/organization.ts";
import type { Settings } from "../support/simulated-atlas/settings.ts";
import type { Operation, Properties } from "./engine-model.ts";
import type { InvitationArgs } from "./scenario.ts";

/*
 * Compares a person in Atlas with a declaration and with a stored state, by other means than those of the provider.
 * A function whose name begins with "mismatch" returns what is wrong, or undefined.
 */

type Field = "roles" | "teamIds" | "groupRoleAssignments";
const FIELDS: readonly Field[] = ["roles", "teamIds", "groupRoleAssignments"];

type DeclaredAccess = { [Name in Field]?: Access[Name] | undefined };

/** The grants of one field, one text for each. */
function grantsIn(field: Field, access: DeclaredAccess | undefined): string[] {
  if (field !== "groupRoleAssignments") return access?.[field] ?? [];
  const assignments = access?.groupRoleAssignments ?? [];
  return assignments.flatMap(({ groupId, roles }) => roles.map((role) => `${role} of ${groupId}`));
}

function without(some: readonly string[], others: readonly string[]): string[] {
  return some.filter((one) => !others.includes(one));
}

/**
 * Whether the person has what is declared, and nothing else but what Atlas adds or does not take away.
 *
 * @param planned - The stored access, if only that may be taken away: no plan can have named the rest.
 */
function grantsDeclared(
  found: DeclaredAccess,
  declared: DeclaredAccess,
  { addsRoles, ignoresOnUpdate }: Settings,
  planned: DeclaredAccess | undefined,
): boolean {
  return FIELDS.every((field) => {
    if (declared[field] === undefined) return true;
    const [has, wanted] = [grantsIn(field, found), grantsIn(field, declared)];
    const surplus = ignoresOnUpdate.includes(field) ? [] : without(has, [...wanted, ...addsRoles]);
    const isTaken = (grant: string) => !planned || grantsIn(field, planned).includes(grant);
    return without(wanted, has).length === 0 && !surplus.some(isTaken);
  });
}

function isSameField(field: Field, one: DeclaredAccess, other: DeclaredAccess): boolean {
  const [some, others] = [grantsIn(field, one), grantsIn(field, other)];
  const isManagedAlike = (one[field] === undefined) === (other[field] === undefined);
  return isManagedAlike && without(some, others).length + without(others, some).length === 0;
}

export function isSameAccess(one: DeclaredAccess, other: DeclaredAccess): boolean {
  return FIELDS.every((field) => isSameField(field, one, other));
}

/** Compares a person with the declaration that an operation has applied. */
export function mismatchWithDeclaration(
  declared: InvitationArgs,
  person: Person | undefined,
  kind: "create" | "update",
  settings: Settings,
  planned?: DeclaredAccess,
): string | undefined {
  const isAsDeclared = person && grantsDeclared(person, declared, settings, planned);
  switch (person?.status) {
    case "PENDING":
      return isAsDeclared ? undefined : "the access of the invitation is not as declared";
    case "ACTIVE":
      if (declared.onAccepted === "manage")
        return isAsDeclared ? undefined : "the access of the member is not as declared";
      return declared.onAccepted === "retain" && kind === "create" ? undefined : "the person is a member";
    default:
      return `the person is ${person?.status ?? "unknown to Atlas"}`;
  }
}

const STATUS = {
  PENDING: "PENDING",
  ACTIVE: "ACCEPTED",
  INVITATION_EXPIRED: "EXPIRED",
  INVITATION_REJECTED: "REJECTED",
};

/** Compares a person with the outputs that are stored about them. */
export function mismatchWithState(
  stored: Properties | undefined,
  person: Person | undefined,
): string | undefined {
  if (!stored) return person && "the person is not in the state";
  if (!person) return "the person is in the state, but unknown to Atlas";
  if (stored.status !== STATUS[person.status]) return `the status is ${person.status}, not ${stored.status}`;
  for (const name of ["userId", "invitationId"] as const) {
    if (stored[name] && person[name] && stored[name] !== person[name]) return `the ${name} is wrong`;
  }
  if (!stored.userId && !stored.invitationId) return "the state contains no id";
  if (person.status !== "ACTIVE" && stored.createdAt !== person.createdAt) return "the createdAt is wrong";
  if (person.expiresAt && stored.expiresAt !== person.expiresAt) return "the expiresAt is wrong";
  const isAccessStored = person.status === "PENDING" || person.status === "ACTIVE";
  return isAccessStored && !isSameAccess(stored, person) ? "the stored access is wrong" : undefined;
}

/**
 * The fields that an update has to send: those that differ from the previous declaration, or from what Atlas had. What
 * others have changed since is left to a refresh. Undefined if there are none.
 */
export function requestedChanges(
  stored: Properties,
  storedInputs: Properties,
  declared: Properties,
): InvitationArgs | undefined {
  const isMember = stored.status === "ACCEPTED";
  const isNewlyManaged = isMember && declared.onAccepted === "manage" && stored.onAccepted !== "manage";
  if (isNewlyManaged && FIELDS.some((field) => declared[field] && !isSameField(field, stored, declared))) {
    return declared;
  }
  const unsent = FIELDS.filter((field) => {
    if (declared[field] === undefined) return true;
    // A member who is not managed keeps their access while the declaration is unchanged.
    if (isMember && declared.onAccepted !== "manage") return isSameField(field, storedInputs, declared);
    if (without(grantsIn(field, declared), grantsIn(field, stored)).length > 0) return false;
    return isSameField(field, storedInputs, declared) || isSameField(field, stored, declared);
  });
  if (unsent.length === FIELDS.length) return undefined;
  return { ...declared, ...Object.fromEntries(unsent.map((field) => [field, undefined])) };
}

/** Checks what one request of an operation changed: only what is declared, or was declared before. */
export function mismatchWithChange(
  before: Person,
  after: Person,
  { inputs: declared, stored, storedInputs }: Operation,
  { addsRoles, omittedOnUpdate }: Settings,
): string | undefined {
  if (!declared) return "was changed";
  if (after.status !== before.status) return `became ${after.status}`;
  if (after.status === "ACTIVE" && declared.onAccepted !== "manage") {
    return `is a member, and was changed under "${declared.onAccepted}"`;
  }
  const isAsPlanned = after.status === "ACTIVE" && stored?.onAccepted === "manage";
  for (const field of FIELDS) {
    const [had, has, wanted] = [grantsIn(field, before), grantsIn(field, after), grantsIn(field, declared)];
    // The plan of a field that is declared for the first time shows the outputs.
    const isNew = storedInputs && storedInputs[field] === undefined;
    const planned = grantsIn(field, isNew && declared[field] ? stored : storedInputs);
    const mayReset = omittedOnUpdate === "reset" && field !== "roles";
    const undeclared = without(has, [...had, ...wanted, ...addsRoles])[0];
    if (undeclared && !mayReset) return `was given ${undeclared}, which is not declared`;
    // The next request restores what Atlas resets: the result of the operation is checked instead.
    if (mayReset) continue;
    for (const grant of without(had, has)) {
      if (wanted.includes(grant)) return `lost ${grant}, which is declared`;
      const isPlanned = planned.includes(grant) || (declared[field] !== undefined && !isAsPlanned);
      if (!isPlanned) return `lost ${grant}, which no plan has named`;
    }
  }
  return undefined;
}
