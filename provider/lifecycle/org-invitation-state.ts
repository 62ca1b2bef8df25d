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

/** What is stored about a person: the declaration, and what Atlas answered last. */
export interface OrgInvitationState extends Access {
  orgId: string;
  username: string;
  onAccepted: OnAccepted;
  reinviteExpired: boolean;
  /** The access in the stored inputs. The fields beside it are what Atlas has. */
  declared: DeclaredAccess;
  status: Status;
  invitationId?: string | undefined;
  userId?: string | undefined;
  createdAt?: string | undefined;
  expiresAt?: string | undefined;
  inviterUsername?: string | undefined;
  orgName?: string | undefined;
  /** The address that Atlas has, if it is not the declared one. */
  knownAs?: string | undefined;
  /** A key of the resource that created the state. */
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
 * The state after a read. Where the row says `asFound`, the fields that changed in Atlas since the last operation replace
 * the declared ones, so that the next plan shows them as a difference from the program.
 */
export function refreshed(state: OrgInvitationState, person: Person, row: LifecycleRow): OrgInvitationState {
  const { orgId, username, onAccepted, reinviteExpired } = state;
  const now = stateOf({ orgId, username, onAccepted, reinviteExpired, ...state.declared }, person, state);
  const { declared } = state;
  if (LIFECYCLE[row].read !== "asFound") {
    // An expired or rejected invitation grants nothing: the state keeps what it granted.
    return row.startsWith("ACTIVE") ? now : { ...now, ...accessOf(state) };
  }
  const drift = ACCESS_FIELDS.filter((field) => {
    // What an incomplete creation did not grant is a difference, too.
    return declared[field] && (!sameField(field, state, now) || missing(now, declared, field).length > 0);
  }).map((field) => [field, now[field]]);
  return { ...now, declared: { ...declared, ...Object.fromEntries(drift) } };
}

function accessOf({ roles, teamIds, groupRoleAssignments }: Access): Access {
  return { roles, teamIds, groupRoleAssignments };
}

/** Whether it is the invitation of the stored state, and not one that was sent later. */
export function isSameInvitation(
  person: Pick<Person, "invitationId" | "userId" | "createdAt">,
  state: OrgInvitationState,
): boolean {
  for (const id of ["invitationId", "userId"] as const) {
    if (person[id] && state[id]) return person[id] === state[id];
  }
  return person.createdAt === state.createdAt;
}
