import * as v from "valibot";
import { ACCESS_FIELDS, type Access, type DeclaredAccess, sameField } from "../atlas/invitations/access.ts";
import { LifecycleError } from "./lifecycle-error.ts";
import type { OrgInvitationInputs, OrgInvitationState } from "./org-invitation-state.ts";

/*
 * Converts between stored properties and the types of the lifecycle. Stored properties may contain what Atlas answered, so
 * the rules for arguments do not apply to them, except that a malformed id must never become part of a path.
 */

export type Properties = Record<string, unknown>;

const id = v.pipe(v.string(), v.regex(/^[0-9a-f]{24}$/i, "must be 24 hexadecimal digits"));
const optionalText = v.nullish(v.string());
const roles = v.array(v.string());
const assignments = v.array(v.object({ groupId: v.string(), roles: v.nullish(roles, []) }));

const Inputs = v.object({
  orgId: v.pipe(id, v.toLowerCase()),
  username: v.pipe(v.string(), v.nonEmpty("must not be empty"), v.toLowerCase()),
  roles,
  teamIds: v.nullish(v.array(v.string())),
  groupRoleAssignments: v.nullish(assignments),
  onAccepted: v.nullish(v.picklist(["fail", "retain", "manage"]), "fail"),
  reinviteExpired: v.nullish(v.boolean(), false),
});

const State = v.object({
  ...Inputs.entries,
  status: v.nullish(v.picklist(["PENDING", "ACCEPTED", "EXPIRED", "REJECTED"])),
  invitationId: v.nullish(id),
  userId: v.nullish(id),
  createdAt: optionalText,
  expiresAt: optionalText,
  inviterUsername: optionalText,
  orgName: optionalText,
  // The engine does not display names that begin with two underscores (IsInternalPropertyKey).
  __declared: v.optional(
    v.object({
      roles: v.optional(roles),
      teamIds: v.optional(v.nullable(v.array(v.string()))),
      groupRoleAssignments: v.optional(v.nullable(assignments)),
    }),
  ),
  __knownAs: optionalText,
  __declaredBy: optionalText,
});

/**
 * The inputs that `checkInputs` has passed.
 *
 * @throws LifecycleError "invalidState" for what it never passes.
 */
export function parseInputs(properties: Properties): OrgInvitationInputs {
  const { teamIds, groupRoleAssignments, ...inputs } = parse(Inputs, properties);
  return {
    ...inputs,
    ...(teamIds && { teamIds }),
    ...(groupRoleAssignments && { groupRoleAssignments }),
  };
}

/** @throws LifecycleError "invalidState" for a state that this package did not write. */
export function parseState(properties: Properties): OrgInvitationState {
  const { __declared, __knownAs, __declaredBy, teamIds, groupRoleAssignments, ...stored } = parse(
    State,
    properties,
  );
  const access = {
    roles: stored.roles,
    teamIds: teamIds ?? [],
    groupRoleAssignments: groupRoleAssignments ?? [],
  };
  const known = Object.fromEntries(Object.entries(stored).filter(([, value]) => value !== null));
  return {
    ...(known as Omit<OrgInvitationState, "declared" | "teamIds" | "groupRoleAssignments">),
    ...access,
    declared: { ...impliedBy(access), ...withoutNull(__declared ?? {}) },
    ...(__knownAs && { knownAs: __knownAs }),
    ...(__declaredBy && { declaredBy: __declaredBy }),
  };
}

/** The properties to store. Without `undefined`, on which the plugin host fails after Atlas has carried the request out. */
export function propertiesOf({ declared, knownAs, declaredBy, ...state }: OrgInvitationState): Properties {
  const implied = impliedBy(state);
  const different = ACCESS_FIELDS.filter((field) => !sameField(field, declared, implied));
  return JSON.parse(
    JSON.stringify({
      ...state,
      ...(different.length > 0 && {
        __declared: Object.fromEntries(different.map((field) => [field, declared[field] ?? null])),
      }),
      ...(knownAs && { __knownAs: knownAs }),
      ...(declaredBy && { __declaredBy: declaredBy }),
    }),
  );
}

/** The inputs that belong to a state, as a program would declare them. */
export function inputsOf(state: OrgInvitationState): OrgInvitationInputs {
  const { orgId, username, onAccepted, reinviteExpired, declared } = state;
  return JSON.parse(JSON.stringify({ orgId, username, ...declared, onAccepted, reinviteExpired }));
}

/** Whether the stored inputs may hold `[]` for what is not declared, as 0.1.0 stored it. */
export function mayBeFrom010({ __declared, teamIds, groupRoleAssignments }: Properties): boolean {
  return __declared === undefined && [teamIds, groupRoleAssignments].some((list) => isEmpty(list));
}

/** What is declared if `__declared` is absent: what Atlas has, except empty lists (as 0.1.0 meant it). */
function impliedBy({ roles, teamIds, groupRoleAssignments }: Access): DeclaredAccess {
  return {
    roles,
    ...(teamIds.length > 0 && { teamIds }),
    ...(groupRoleAssignments.length > 0 && { groupRoleAssignments }),
  };
}

function isEmpty(list: unknown): boolean {
  return Array.isArray(list) && list.length === 0;
}

function withoutNull(declared: Properties): DeclaredAccess {
  return Object.fromEntries(
    Object.entries(declared).map(([field, value]) => [field, value ?? undefined]),
  ) as never;
}

function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  properties: Properties,
): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, properties);
  if (parsed.success) return parsed.output;
  const issues = parsed.issues.map((issue) => `${v.getDotPath(issue)}: ${issue.message}`).join("; ");
  throw new LifecycleError(
    "invalidState",
    `The state of this resource cannot be used, so nothing was sent. ${issues}.`,
  );
}

/**
 * What is stored about an invitation that is no longer pending as *inputs*, because plans and reads display only changes of
 * inputs (engine, RefreshStep.ResultOp). `read` adds it and `check` keeps it. `expiresAt` lets a plan display why it
 * replaces an expired invitation.
 */
export function terminalStatus({ status, expiresAt }: Properties): Properties {
  if (status === undefined || status === "PENDING") return {};
  return status === "EXPIRED" && expiresAt !== undefined ? { status, expiresAt } : { status };
}
