import { type FailedOperation, InvariantViolation, type Operation } from "./engine-model.ts";
import { argsIn } from "./expectations.ts";

/*
 * Every text of the provider on which the simulation depends.
 */

const OWN_ERROR = /^(Atlas\w*|Outdated|IncompleteCreate)Error: /;
const PROGRAMMING_ERROR = /Cannot read|is not (a function|iterable|defined)/;

export const MESSAGES = {
  alreadyMember: / is already a member /,
  cannotDelete: /be deleted\. Set/,
  cannotChange: /be changed\. Set/,
  expired: / expired/,
  rejected: / was rejected/,
  /** An error of a delete: the resource that declares the person now could not be created. */
  declarerNotCreated: / could not be created/,
  /** Atlas ignored a field. */
  notTaken: / did not take /,
};

const LIFECYCLE_ERROR =
  / has accepted | is already a member | expired| was rejected| was cancelled outside | is no longer a member | could not be created| did not take /;

// Atlas knows the person by another spelling, and does not show which.
const CONFLICT = / is already in the organization\.| already exists\.| was not invited\./;

// An operation makes two look-ups: two lost responses to different requests use up both.
const STALE_TWICE = / became known to /;

export function isConflict({ message }: Error): boolean {
  return CONFLICT.test(message);
}

/** Whether the lifecycle refuses the operation; other errors mean that a request failed. */
export function isLifecycleError({ operation, error }: FailedOperation): boolean {
  if (LIFECYCLE_ERROR.test(error.message) || isConflict(error)) return true;
  return operation.kind === "delete" && STALE_TWICE.test(error.message);
}

/** @throws InvariantViolation unless the provider raised the error on purpose, and the message names the person. */
export function checkError(operation: Operation, error: unknown): void {
  const { username } = argsIn(operation.inputs ?? operation.stored);
  const text = error instanceof Error ? `${error.name}: ${error.message}` : `not an Error: ${String(error)}`;
  const isOwn = OWN_ERROR.test(text) && !PROGRAMMING_ERROR.test(text);
  if (!isOwn || !text.includes(username.toLowerCase())) {
    throw new InvariantViolation(`${operation.kind} of ${username} fails with ${text}`);
  }
}
