import { argsOf, type FailedOperation, InvariantViolation, type Operation } from "./engine-model.ts";

/*
 * Every text of the provider on which the simulation depends.
 */

const OWN_ERROR = /^AtlasOperationError: /;
const PROGRAMMING_ERROR = /Cannot read|is not (a function|iterable|defined)/;

export const MESSAGES = {
  alreadyMember: / is already a member /,
  cannotDelete: / has accepted .*be deleted\. Set/,
  cannotChange: / has accepted .*be changed\. Set/,
  expired: / expired/,
  rejected: / was rejected/,
  cancelled: / no longer exists: /,
  left: / is no longer a member /,
  /** An error of a delete: the resource that declares the person now could not be created. */
  declarerNotCreated: / could not be created/,
  /** Atlas ignored a field. */
  notTaken: / did not grant /,
  /** Atlas knows the person by another spelling, and does not show which. */
  conflict: / is already in the organization\.| already exists\.| was not invited\./,
};

// An operation makes two look-ups: two lost responses to different requests use up both.
const STALE_TWICE = /, or became a member, while this operation was running/;

/** Whether the lifecycle refuses the operation; other errors mean that a request failed. */
export function isLifecycleError({ operation, error: { message } }: FailedOperation): boolean {
  if (Object.values(MESSAGES).some((pattern) => pattern.test(message))) return true;
  return operation.kind === "delete" && STALE_TWICE.test(message);
}

/** @throws InvariantViolation unless the provider raised the error on purpose, and the message names the person. */
export function checkError(operation: Operation, error: unknown): void {
  const { username } = argsOf(operation);
  const text = error instanceof Error ? `${error.name}: ${error.message}` : `not an Error: ${String(error)}`;
  const isOwn = OWN_ERROR.test(text) && !PROGRAMMING_ERROR.test(text);
  if (!isOwn || !text.includes(username.toLowerCase())) {
    throw new InvariantViolation(`${operation.kind} of ${username} fails with ${text}`);
  }
}
