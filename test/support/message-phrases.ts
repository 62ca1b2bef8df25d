/** A phrase of each message that the host and engine tiers expect: the unit tier tests whole messages. */
export const PHRASES = {
  acceptedDelete: "can no longer be deleted",
  acceptedChange: "can no longer be changed",
  retained: "stays a member",
  alreadyMember: "already a member",
  adoptedInvitation: "already invited",
  declaredElsewhere: "Another resource declares",
  declaredTwice: "declared twice",
  expired: "expired on",
  incomplete: "pulumi up again to complete",
  interrupted: "The run was cancelled",
  needsOwner: "Organization Owner",
  noCredentials: "no credentials",
  rejected: "--target-replace",
  sameMember: "same person",
  unknownMembership: "unknown whether",
  unknownRole: "unknown to this version",
} as const;

/** Matches a text that has a line with all the parts, in any order. */
export function lineWith(...parts: string[]): RegExp {
  const escaped = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${escaped.map((part) => `(?=.*${part})`).join("")}`, "m");
}
