import { AtlasError } from "../atlas/errors.ts";
import { isKnownStatus, type MembershipStatus } from "../atlas/invitations/invitations-api.ts";

/** What the lifecycle does to a person who has accepted: see `OrgInvitationArgs.onAccepted`. */
export type OnAccepted = "fail" | "retain" | "manage";

/** The status of an invitation, in the output `status`. */
export type Status = "PENDING" | "ACCEPTED" | "EXPIRED" | "REJECTED";

/** By Atlas's `orgMembershipStatus`. */
const STATUS: Record<MembershipStatus, Status> = {
  PENDING: "PENDING",
  ACTIVE: "ACCEPTED",
  INVITATION_EXPIRED: "EXPIRED",
  INVITATION_REJECTED: "REJECTED",
};

/**
 * The lifecycle: what Atlas says about a person decides what each operation does.
 *
 * - create and update: `invite` sends an invitation; `grant…` changes an invitation or a member to what is declared, with
 *   no request when nothing differs; `keepMember` stores the member as found.
 * - read: `drop` removes the resource from the state; `asFound` stores Atlas's access as inputs, so that drift shows;
 *   `asDeclared` leaves the inputs unchanged.
 * - delete: `done` sends nothing; `forget` leaves the member in the organization.
 * - `refuse` is an error: see {@link refusal}.
 */
export const LIFECYCLE = {
  nothing: { create: "invite", read: "drop", update: "refuse", delete: "done" },
  PENDING: { create: "grantInvited", read: "asFound", update: "grantInvited", delete: "cancel" },
  "ACTIVE, fail": { create: "refuse", read: "asDeclared", update: "refuse", delete: "refuse" },
  "ACTIVE, retain": { create: "keepMember", read: "asDeclared", update: "refuse", delete: "forget" },
  "ACTIVE, manage": { create: "grantMember", read: "asFound", update: "grantMember", delete: "removeMember" },
  INVITATION_EXPIRED: { create: "invite", read: "asDeclared", update: "refuse", delete: "done" },
  INVITATION_REJECTED: { create: "invite", read: "asDeclared", update: "refuse", delete: "done" },
} as const;

export type LifecycleRow = keyof typeof LIFECYCLE;
export type Operation = keyof (typeof LIFECYCLE)[LifecycleRow];

/** The row of the lifecycle for what Atlas says about a person. */
export function lifecycleRow(orgMembershipStatus: string | undefined, onAccepted: OnAccepted): LifecycleRow {
  if (orgMembershipStatus === undefined) return "nothing";
  const status = parseStatus(orgMembershipStatus);
  return status === "ACTIVE" ? `ACTIVE, ${onAccepted}` : status;
}

/** The output `status` for what Atlas says about a person. */
export function statusOf(orgMembershipStatus: string): Status {
  return STATUS[parseStatus(orgMembershipStatus)];
}

function parseStatus(orgMembershipStatus: string): MembershipStatus {
  if (isKnownStatus(orgMembershipStatus)) return orgMembershipStatus;
  throw new AtlasError(
    "unknownStatus",
    `Atlas answered with the membership status "${orgMembershipStatus}", which this version does not know. Update pulumi-atlas-invitations.`,
  );
}

/** The person and the invitation that a message names. */
export interface MessageSubject {
  username: string;
  orgId: string;
  expiresAt?: string | undefined;
  inviterUsername?: string | undefined;
}

/** What the creation of a resource reports when it adopts a pending invitation or a member. */
export function adoption(
  row: LifecycleRow,
  { username, orgId, expiresAt, inviterUsername }: MessageSubject,
): string {
  switch (row) {
    case "PENDING": {
      const by = inviterUsername ? `, by ${inviterUsername}` : "";
      const until = expiresAt ? `, which expires on ${expiresAt}` : "";
      const invitation = inviterUsername ? `the invitation that ${inviterUsername} sent` : "that invitation";
      return `${username} was already invited to ${orgId}${by}: the resource adopted the invitation${until}, and no other e-mail is sent. Deleting the resource will cancel ${invitation}.`;
    }
    case "ACTIVE, manage":
      return `${username} is already a member of ${orgId}: the resource adopted the member, and no invitation is sent. Deleting the resource will remove the member from the organization; set onAccepted to "retain" to keep the member.`;
    default:
      return `${username} is already a member of ${orgId}: the resource adopted the member, and no invitation is sent. Deleting the resource will keep the member.`;
  }
}

/** Why the lifecycle refuses an operation. */
export function refusal(
  operation: Operation,
  row: LifecycleRow,
  { username, orgId, expiresAt }: MessageSubject,
  status?: Status,
): string {
  const invitation = `The invitation of ${username} to ${orgId}`;
  switch (row) {
    case "nothing":
      return status === "ACCEPTED"
        ? `${username} is no longer a member of ${orgId}: the member left, or was removed in Atlas.`
        : `${invitation} no longer exists: it was cancelled in Atlas, or by another tool.`;
    case "INVITATION_EXPIRED":
      return `${invitation} expired${expiresAt ? ` on ${expiresAt}` : ""}, so it can no longer be changed.`;
    case "INVITATION_REJECTED":
      return `${invitation} was rejected, so it can no longer be changed.`;
  }
  if (operation === "create")
    return `${username} is already a member of ${orgId}, so no invitation was sent.`;
  const done = operation === "delete" ? "deleted" : "changed";
  return `${username} has accepted the invitation to ${orgId}, so it can no longer be ${done}.`;
}
