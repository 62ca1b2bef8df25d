import {
  ACCESS_FIELDS,
  type Access,
  type DeclaredAccess,
  missing,
  sameField,
} from "../atlas/invitations/access.ts";
import type { Person } from "../atlas/invitations/invitations-api.ts";
import { LIFECYCLE, type LifecycleRow, type OnAccepted, type Status, statusOf } from "./membership.ts";

/** What a program declares about a person, checked and normalized. */
export interface OrgInvitationInputs extends DeclaredAccess {
  orgId: string;
  username: string;
  onAccepted: OnAccepted;
  reinviteExpired: boolean;
}

/** What is stored about a person: what is declared, and what Atlas said last. */
export interface OrgInvitationState extends Access {
  orgId: string;
  username: string;
  onAccepted: OnAccepted;
  reinviteExpired: boolean;
  /** What the stored inputs declare; the fields beside it are what Atlas has. */
  declared: DeclaredAccess;
  status: Status;
  invitationId?: string | undefined;
  userId?: string | undefined;
  createdAt?: string | undefined;
  expiresAt?: string | undefined;
  inviterUsername?: string | undefined;
  orgName?: string | undefined;
  /** The address that Atlas has, where it is not the declared one. */
  knownAs?: string | undefined;
  /** Which resource was created with it. */
  declaredBy?: string | undefined;
}

export function declaredIn({ orgId, username, onAccepted, reinviteExpired, ...inputs }: OrgInvitationInputs) {
  const { roles, teamIds, groupRoleAssignments } = inputs;
  return {
    orgId,
    username,
    onAccepted,
    reinviteExpired,
    declared: { roles, ...(teamIds && { teamIds }), ...(groupRoleAssignments && { groupRoleAssignments }) },
  };
}

/** Builds the state after Atlas answered. What it no longer returns for the same invitation, such as its id, is kept. */
export function stateOf(
  inputs: OrgInvitationInputs,
  person: Person,
  previous: Partial<OrgInvitationState> = {},
): OrgInvitationState {
  const isOther = person.createdAt && person.createdAt !== previous.createdAt;
  const known = isOther ? {} : previous;
  const isRenamed = person.username !== inputs.username;
  return {
    ...declaredIn(inputs),
    roles: person.roles,
    teamIds: person.teamIds,
    groupRoleAssignments: person.groupRoleAssignments,
    status: statusOf(person.orgMembershipStatus),
    invitationId: person.invitationId ?? known.invitationId,
    userId: person.userId ?? known.userId,
    createdAt: person.createdAt ?? known.createdAt,
    expiresAt: person.expiresAt ?? known.expiresAt,
    inviterUsername: person.inviterUsername ?? known.inviterUsername,
    orgName: person.orgName ?? previous.orgName,
    ...(isRenamed && { knownAs: person.username }),
    ...(previous.declaredBy && { declaredBy: previous.declaredBy }),
  };
}

/**
 * The state after a refresh. Where the person is as declared to be managed, what changed in Atlas since the last
 * operation becomes part of the inputs, so that the next plan shows it as a difference from the program.
 */
export function refreshed(state: OrgInvitationState, person: Person, row: LifecycleRow): OrgInvitationState {
  const { orgId, username, onAccepted, reinviteExpired } = state;
  const now = stateOf({ orgId, username, onAccepted, reinviteExpired, ...state.declared }, person, state);
  const { declared } = state;
  if (LIFECYCLE[row].read !== "asFound") {
    // Nothing is granted to whom an invitation has run out: what it granted stays known.
    return row.startsWith("ACTIVE") ? now : { ...now, ...accessOf(state) };
  }
  const drift = ACCESS_FIELDS.filter((field) => {
    // What an incomplete creation left to do is a difference, too.
    return declared[field] && (!sameField(field, state, now) || missing(now, declared, field).length > 0);
  }).map((field) => [field, now[field]]);
  return { ...now, declared: { ...declared, ...Object.fromEntries(drift) } };
}

function accessOf({ roles, teamIds, groupRoleAssignments }: Access): Access {
  return { roles, teamIds, groupRoleAssignments };
}

/** Whether it is the invitation of the stored state, and not one that was sent since. */
export function isSameInvitation(
  person: Pick<Person, "invitationId" | "userId" | "createdAt">,
  state: OrgInvitationState,
): boolean {
  for (const id of ["invitationId", "userId"] as const) {
    if (person[id] && state[id]) return person[id] === state[id];
  }
  return person.createdAt === state.createdAt;
}
