import type { Declaration, Declarations, PersonIdentity } from "./declarations.ts";
import {
  isSameInvitation,
  type OrgInvitationInputs,
  type OrgInvitationState,
} from "./org-invitation-state.ts";

/** Which resource keeps the person of a resource that is deleted. */
export type Handover =
  /** No other resource declares the person: the table of the lifecycle says what the deletion does. */
  | { to: "none" }
  /** Another resource declares the person, but its creation failed. */
  | { to: "failedResource" }
  /** Another resource declares the person, who keeps the invitation or membership. */
  | { to: "otherResource" }
  /** The same resource was replaced. Its new copy adopted the invitation, which is sent again. */
  | { to: "newCopy"; inputs: OrgInvitationInputs }
  /** The same resource was replaced, and its new copy has sent the invitation. */
  | { to: "invitedNewCopy" };

/** @param person - The person of the resource that is deleted, as the state or Atlas identifies them. */
export function handoverOf(
  declarations: Declarations,
  state: OrgInvitationState,
  person: PersonIdentity,
): Handover {
  const declaration = declarations.find(person);
  if (declaration?.isFailed) return { to: "failedResource" };
  if (!declaration) return { to: declarations.isDeclaredElsewhere(person) ? "otherResource" : "none" };
  if (isItself(declaration, state)) return { to: "none" };
  const isNewCopy =
    state.declaredBy !== undefined &&
    declaration.declaredBy === state.declaredBy &&
    declaration.inputs.username === state.username;
  if (!isNewCopy) return { to: "otherResource" };
  return declaration.sent ? { to: "invitedNewCopy" } : { to: "newCopy", inputs: declaration.inputs };
}

/**
 * Whether the declaration is that of the resource which is deleted. If Atlas stores another form of the address, it
 * may have kept, and answered with, the invitation of another resource: the key of the resource tells.
 */
function isItself({ sent, declaredBy }: Declaration, state: OrgInvitationState): boolean {
  return sent !== undefined && declaredBy === state.declaredBy && isSameInvitation(sent, state);
}
