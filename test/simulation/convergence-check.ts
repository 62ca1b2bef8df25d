import type { Person } from "../support/simulated-atlas/organization.ts";
import type { Settings } from "../support/simulated-atlas/settings.ts";
import {
  argsOf,
  type FailedOperation,
  InvariantViolation,
  type Properties,
  type Resource,
} from "./engine-model.ts";
import { isSameAccess, mismatchWithDeclaration, mismatchWithState } from "./expectations.ts";
import { isOtherSpelling } from "./invariants.ts";
import { MESSAGES } from "./lifecycle-errors.ts";
import type { SimulatedEndpoints } from "./simulated-endpoints.ts";
import type { Simulation } from "./simulation.ts";
import type { Stack } from "./stack.ts";

/** What is declared or stored about a person, and what Atlas has. */
type Subject = { args: Properties; person: Person | undefined };

/**
 * Checks, once an `up` and a refresh find nothing to change, that everything is as declared, or fails with the error
 * that the lifecycle has for it, and that the state agrees with Atlas.
 *
 * @param errors - The errors of the last `up`.
 */
export function checkConverged(
  { atlas, invariants }: Simulation,
  stack: Stack,
  errors: readonly FailedOperation[],
): void {
  const { stack: resources, pendingDeletes } = stack.engine;
  const program = stack.program();
  const isExcluded = (args: Properties) => invariants.mayBeMemberAndInvited(args);
  const find = (args: Properties, ids?: Properties): Subject => {
    return { args, person: atlas.find(args.orgId, { ...ids, ...args }) };
  };
  const mismatchOf = (name: string): string | undefined => {
    const resource = resources.get(name);
    const isStored = resource !== undefined && !resource.pendingReplacement;
    const stored = isStored ? find(resource.outputs) : undefined;
    const args = program.get(name)?.args;
    if (stored && atlas.isAmbiguous(stored.args.orgId, { ...stored.args })) return undefined;
    if ((args && isExcluded(args)) || (stored && isExcluded(stored.args))) return undefined;
    const isSamePerson = stored?.args.username === String(args?.username).toLowerCase();
    const declared = args && find(args, isSamePerson ? resource?.outputs : undefined);
    const failed = errors.find(({ operation: { resource, reason } }) => {
      return resource === name && reason !== "replaced" && reason !== "replaced by force";
    });
    return (
      (stored && mismatchWithState(resource?.outputs, stored.person)) ??
      (failed ? unexpectedError(atlas, failed) : unfulfilled(declared, stored && resource, atlas.settings))
    );
  };
  for (const name of new Set([...program.keys(), ...resources.keys()])) {
    const mismatch = mismatchOf(name);
    if (mismatch) throw new InvariantViolation(`${name} does not converge: ${mismatch}`);
  }
  for (const { name, old } of pendingDeletes) {
    if (isExcluded(old.outputs)) continue;
    const failed = errors.find(({ operation }) => operation.stored === old.outputs);
    const mismatch = failed ? unexpectedError(atlas, failed) : "it is not deleted";
    if (mismatch) throw new InvariantViolation(`the replaced ${name} does not converge: ${mismatch}`);
  }
}

/** What is wrong with a resource for which no operation failed. */
function unfulfilled(
  declared: Subject | undefined,
  stored: Resource | undefined,
  settings: Settings,
): string | undefined {
  if (!declared) return `${stored?.outputs.username} is not declared, and still in the state`;
  const { args, person } = declared;
  if (stored?.outputs.username !== args.username.toLowerCase()) return `${args.username} is not in the state`;
  if (person?.status === "INVITATION_EXPIRED" && args.reinviteExpired) {
    return `${args.username} was not invited again`;
  }
  const isOver = person?.status === "INVITATION_EXPIRED" || person?.status === "INVITATION_REJECTED";
  if (isOver || (person?.status === "ACTIVE" && args.onAccepted !== "manage")) {
    const isStored = isSameAccess(stored.inputs, args);
    return isStored ? undefined : `a change of ${args.username} had neither an effect nor an error`;
  }
  return mismatchWithDeclaration(args, person, "create", settings);
}

/** What is wrong with an error that recurs, unless the lifecycle has this error for the status of the person. */
function unexpectedError(
  atlas: SimulatedEndpoints,
  { operation, error }: FailedOperation,
): string | undefined {
  const { kind, stored } = operation;
  const { orgId, username, onAccepted, reinviteExpired } = argsOf(operation);
  const person = atlas.find(orgId, { ...stored, username });
  const status = person?.status;
  const isExpected = {
    create:
      (status === "ACTIVE" && onAccepted === "fail" && MESSAGES.alreadyMember.test(error.message)) ||
      (person !== undefined && isOtherSpelling(person, operation) && MESSAGES.conflict.test(error.message)),
    delete:
      (status === "ACTIVE" && onAccepted === "fail" && MESSAGES.cannotDelete.test(error.message)) ||
      MESSAGES.declarerNotCreated.test(error.message),
    update:
      (status === "ACTIVE" && onAccepted !== "manage" && MESSAGES.cannotChange.test(error.message)) ||
      (status === "INVITATION_EXPIRED" && !reinviteExpired && MESSAGES.expired.test(error.message)) ||
      (status === "INVITATION_REJECTED" && MESSAGES.rejected.test(error.message)),
    read: false,
  }[kind];
  const isIgnored = atlas.settings.ignoresOnUpdate.length > 0 && MESSAGES.notTaken.test(error.message);
  return isExpected || isIgnored ? undefined : `the error recurs: ${error.message}`;
}
