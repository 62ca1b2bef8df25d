import { AtlasError } from "../atlas/errors.ts";

/** What becomes of a person who accepted: see `OrgInvitationArgs.onAccepted`. */
export type OnAccepted = "fail" | "retain" | "manage";

/** What became of an invitation, in the output `status`. */
export type Status = "PENDING" | "ACCEPTED" | "EXPIRED" | "REJECTED";

/** From Atlas's own words (`orgMembershipStatus`, 2025-02-19). */
const STATUS = {
  PENDING: "PENDING",
  ACTIVE: "ACCEPTED",
  INVITATION_EXPIRED: "EXPIRED",
  INVITATION_REJECTED: "REJECTED",
} as const satisfies Record<string, Status>;

/**
 * The lifecycle: what Atlas says about a person decides what each operation does.
 *
 * - create and update: `invite` sends an invitation; `grant…` brings an invitation or a member to what is
 *   declared, with no request when it is so already; `keepMember` takes the member as found.
 * - read: `drop` from state; keep `asFound` (inputs too, so that drift shows) or `asDeclared`.
 * - delete: `done` needs nothing more; `forget` leaves the member where they are.
 * - `refuse` is an error that says what to do: see {@link refusal}.
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

/** Whether this version knows what Atlas calls a person. */
export function isKnownStatus(orgMembershipStatus: string): orgMembershipStatus is keyof typeof STATUS {
  return Object.hasOwn(STATUS, orgMembershipStatus);
}

function parseStatus(orgMembershipStatus: string): keyof typeof STATUS {
  if (isKnownStatus(orgMembershipStatus)) return orgMembershipStatus;
  throw new AtlasError(
    `Atlas calls somebody "${orgMembershipStatus}", which this version does not know. Update pulumi-atlas-invitations.`,
  );
}

/** Whom a text is about. */
export interface Subject {
  username: string;
  orgId: string;
  expiresAt?: string | undefined;
  inviterUsername?: string | undefined;
}

/** What is said when a resource takes over a person who was invited, or a member, before the resource was created. */
export function adoption(
  row: LifecycleRow,
  { username, orgId, expiresAt, inviterUsername }: Subject,
): string {
  const by = inviterUsername ? `, by ${inviterUsername}` : "";
  switch (row) {
    case "PENDING": {
      const until = expiresAt ? `, which expires on ${expiresAt}` : "";
      const whose = inviterUsername ? `the invitation that ${inviterUsername} sent` : "that invitation";
      return `${username} was already invited to ${orgId}${by}: adopted the invitation${until}; no other e-mail is sent. Destroying this resource cancels ${whose}.`;
    }
    case "ACTIVE, manage":
      return `${username} is already a member of ${orgId}: adopted the member; no invitation is sent. Destroying this resource removes a member who was there before; set onAccepted to "retain" to keep them.`;
    default:
      return `${username} is already a member of ${orgId}: adopted the member; no invitation is sent. Destroying this resource keeps them.`;
  }
}

/** Why the lifecycle refuses: the person, the organization, the reason and the next step. */
export function refusal(
  operation: Operation,
  row: LifecycleRow,
  { username, orgId, expiresAt }: Subject,
  status?: Status,
): string {
  const theInvitation = `The invitation of ${username} to ${orgId}`;
  const accepted = `${username} has accepted the invitation to ${orgId}, so it can no longer be`;
  switch (row) {
    case "nothing":
      return status === "ACCEPTED"
        ? `${username} is no longer a member of ${orgId}: they left, or were removed outside Pulumi. Run pulumi refresh, then pulumi up to invite them again.`
        : `${theInvitation} was cancelled outside Pulumi. Run pulumi refresh, then pulumi up to invite them again.`;
    case "INVITATION_EXPIRED":
      return `${theInvitation} expired${expiresAt ? ` on ${expiresAt}` : ""}, so it can no longer be changed. Run pulumi refresh; then set reinviteExpired to true to invite them again, or remove the resource.`;
    case "INVITATION_REJECTED":
      return `${theInvitation} was rejected, so it can no longer be changed. Remove the resource, or invite them again with pulumi up --target-replace and its URN.`;
  }
  switch (operation) {
    case "create":
      return `${username} is already a member of ${orgId}, so no invitation was sent. If this resource was renamed or moved, give it aliases, and it keeps its state. Otherwise set onAccepted to "retain" (keep the member as they are) or "manage" (bring the member to what is declared; destroying the resource then removes them), or remove the resource.`;
    case "delete":
      return `${accepted} deleted. Set onAccepted to "retain" (keep the member, forget the invitation) or "manage" (remove the member), run pulumi up, then destroy again. If the program no longer declares them, pulumi state delete and the URN forgets the resource and keeps the member.`;
    default:
      return `${accepted} changed. Set onAccepted to "manage" (change the member, and remove them on destroy), or take the change back and set it to "retain" (keep the member as they are).`;
  }
}
