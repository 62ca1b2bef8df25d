import { AtlasError, asSentence } from "../atlas/errors.ts";
import type { LifecycleRow, Operation } from "./membership.ts";
import type { OrgInvitationState } from "./org-invitation-state.ts";

/** Why an operation of the lifecycle failed. */
export type LifecycleErrorKind =
  /** The table refuses the operation: a {@link RefusedError}. */
  | "refused"
  /** The invitation was sent, but does not grant all that is declared: an {@link IncompleteCreateError}. */
  | "incompleteCreate"
  /** Atlas answered a change with another access than the one it was asked for. */
  | "accessNotTaken"
  /** Atlas's list shows an invitation or member that a change of it does not find. */
  | "listsDisagree"
  /** Another resource declares the person and could not be created. */
  | "successorFailed"
  /** The stored state is not one that this package wrote. */
  | "invalidState";

export class LifecycleError extends AtlasError<LifecycleErrorKind> {
  override readonly name: string = "LifecycleError";
}

/** The table of the lifecycle refuses the operation for what Atlas says about the person. */
export class RefusedError extends LifecycleError {
  override readonly name = "RefusedError";
  readonly operation: Operation;
  readonly row: LifecycleRow;

  constructor(message: string, operation: Operation, row: LifecycleRow) {
    super("refused", message);
    this.operation = operation;
    this.row = row;
  }
}

/** The invitation was sent, but does not grant all that is declared; `state` says what it grants. */
export class IncompleteCreateError extends LifecycleError {
  override readonly name = "IncompleteCreateError";
  readonly state: OrgInvitationState;

  constructor(state: OrgInvitationState, reason: Error) {
    const { username, orgId } = state;
    super(
      "incompleteCreate",
      `${username} was invited to ${orgId}, but without everything that is declared: ${asSentence(reason)}`,
      {
        cause: reason,
      },
    );
    this.state = state;
  }
}
