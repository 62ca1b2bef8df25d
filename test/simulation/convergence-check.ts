import type { Person } from "../support/simulated-atlas/organization.ts";
import type { Settings } from "../support/simulated-atlas/settings.ts";
import { isSameAccess } from "./access.ts";
import type { EngineModel, Failure, Operation, Program, Properties, Resource } from "./engine-model.ts";
import { Violation } from "./invariant-violation.ts";
import { type Declared, declaredIn, isOtherSpelling, unlikeDeclared, unlikeState } from "./invariants.ts";
import type { Atlas } from "./simulated-endpoints.ts";

/** Somebody declared or stored, and what Atlas says about them. */
interface Subject {
  properties: Declared;
  person: Person | undefined;
}

interface Stored extends Subject {
  inputs: Declared;
}

/**
 * Checks, once an `up` and a refresh find nothing to do any more, that all is as declared, or that the lifecycle has
 * an error for it; and that the state is true.
 *
 * @param errors - What the last `up` could not do.
 * @param isExcused - Of whom nothing is certain.
 */
export function checkEnding(
  atlas: Atlas,
  program: Program,
  { stack, condemned }: Pick<EngineModel, "stack" | "condemned">,
  errors: readonly Failure[],
  isExcused: (properties: Declared) => boolean,
): void {
  const subject = (found: Properties | undefined, ids: Properties = {}): Subject | undefined => {
    const properties = found && declaredIn(found);
    return properties && { properties, person: atlas.find(properties.orgId, { ...ids, ...properties }) };
  };
  const stored = (resource: Resource | undefined): Stored | undefined => {
    const found = subject(resource?.pendingReplacement ? undefined : resource?.outputs);
    return found && { ...found, inputs: declaredIn(resource?.inputs) };
  };
  for (const name of new Set([...program.keys(), ...stack.keys()])) {
    const resource = stack.get(name);
    const held = stored(resource);
    if (held && atlas.isAmbiguous(held.properties.orgId, { ...held.properties })) continue;
    const args = program.get(name)?.args;
    if ([args, held?.properties].some((properties) => properties && isExcused(declaredIn({ ...properties }))))
      continue;
    const isHeld = held?.properties.username === String(args?.username).toLowerCase();
    const declared = subject(args, isHeld ? resource?.outputs : undefined);
    const failure = errors.find(({ operation }) => operation.resource === name && !isOfReplaced(operation));
    const wrong =
      (held && unlikeState(resource?.outputs, held.person)) ??
      (failure ? unjustified(atlas, failure) : unfulfilled(declared, held, atlas.settings));
    if (wrong) throw new Violation(`${name}, in the end: ${wrong}`);
  }
  for (const { name, old } of condemned) {
    if (isExcused(declaredIn(old.outputs))) continue;
    const failure = errors.find(({ operation }) => operation.stored === old.outputs);
    const wrong = failure ? unjustified(atlas, failure) : "it is still there";
    if (wrong) throw new Violation(`what was replaced of ${name}, in the end: ${wrong}`);
  }
}

/** Whether it deletes what another one of the same name has replaced. */
function isOfReplaced({ reason }: Operation): boolean {
  return reason === "replaced" || reason === "replaced by force";
}

/** What is wrong when nothing failed. */
function unfulfilled(
  declared: Subject | undefined,
  stored: Stored | undefined,
  settings: Settings,
): string | undefined {
  if (!declared) return `${stored?.properties.username} is not declared, and still in the state`;
  const { username, onAccepted, reinviteExpired } = declared.properties;
  if (stored?.properties.username !== username.toLowerCase()) return `${username} is not in the state`;
  const isKept = isSameAccess(stored.inputs, declared.properties);
  switch (declared.person?.status) {
    case "INVITATION_EXPIRED":
      if (reinviteExpired) return `${username} was not invited again`;
      return isKept ? undefined : `a change of ${username} was swallowed`;
    case "INVITATION_REJECTED":
      return isKept ? undefined : `a change of ${username} was swallowed`;
    case "ACTIVE":
      if (onAccepted !== "manage") return isKept ? undefined : `a change of ${username} was swallowed`;
  }
  return unlikeDeclared(declared.properties, declared.person, "create", settings);
}

/** What is wrong about an error that does not go away: it is not the one that the lifecycle has for this. */
function unjustified(atlas: Atlas, { operation, error }: Failure): string | undefined {
  const { kind, inputs, stored } = operation;
  const { orgId, username, onAccepted, reinviteExpired } = declaredIn(inputs ?? stored);
  const person = atlas.find(orgId, { ...stored, username });
  const status = person?.status;
  if (kind === "create" && person && isOtherSpelling(person, operation) && isConflict(error))
    return undefined;
  const due: string | false | undefined = {
    create: status === "ACTIVE" && onAccepted === "fail" && "is already a member",
    delete: status === "ACTIVE" && onAccepted === "fail" && "be deleted. Set",
    update:
      status === "ACTIVE"
        ? onAccepted !== "manage" && "be changed. Set"
        : status === "INVITATION_EXPIRED"
          ? !reinviteExpired && "expired"
          : status === "INVITATION_REJECTED" && "was rejected",
    read: undefined,
  }[kind];
  // The other resource has an error of its own.
  if (kind === "delete" && error.message.includes("could not be created")) return undefined;
  if (atlas.settings.ignoresOnUpdate.length > 0 && error.message.includes("did not take")) return undefined;
  return due && error.message.includes(due) ? undefined : `it fails for good: ${error.message}`;
}

/** Atlas knows the person by another spelling, which it does not tell. */
export function isConflict({ message }: Error): boolean {
  return / is already in the organization\.| already exists\.| was not invited\./.test(message);
}
