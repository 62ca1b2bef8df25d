import {
  ACCESS_FIELDS,
  type Access,
  type AccessField,
  combined,
  missing,
  type PartialAccess,
  sameField,
} from "../atlas/invitations/access.ts";
import type { Person } from "../atlas/invitations/invitations-api.ts";
import type { OrgInvitationInputs, OrgInvitationState } from "./org-invitation-state.ts";

/*
 * What a declaration changes in Atlas: only the declared fields, and for a managed member only what the plan named.
 */

/** Whether a field with items is no longer declared, so that these items are removed. */
function isNoLongerDeclared(
  field: AccessField,
  { declared }: OrgInvitationState,
  inputs: OrgInvitationInputs,
): boolean {
  return inputs[field] === undefined && (declared[field]?.length ?? 0) > 0;
}

/**
 * Whether a change of the inputs needs a request. For a person whom the table of the lifecycle does not allow to change,
 * only a changed declaration does, and is refused.
 */
export function needsRequest(state: OrgInvitationState, inputs: OrgInvitationInputs): boolean {
  const isMember = state.status === "ACCEPTED";
  const isManaged = isMember ? inputs.onAccepted === "manage" : state.status === "PENDING";
  const isNewlyManaged = isMember && state.onAccepted !== "manage";
  return ACCESS_FIELDS.some((field) => {
    if (inputs[field] === undefined) return isNoLongerDeclared(field, state, inputs);
    const isChanged = !sameField(field, state.declared, inputs);
    if (!isManaged) return isChanged;
    if (isChanged || isNewlyManaged) return !sameField(field, state, inputs);
    return missing(state, inputs, field).length > 0;
  });
}

/**
 * The change to request: what differs from the declaration, and what is no longer declared.
 *
 * @param isAsPlanned - Whether a member loses only what the plan named, which is the difference from the stored inputs.
 *   What others have granted since is left to the next read.
 */
export function accessChange(
  found: Access,
  inputs: OrgInvitationInputs,
  state: OrgInvitationState | undefined,
  isAsPlanned: boolean,
): PartialAccess {
  const changes = ACCESS_FIELDS.map((field): PartialAccess => {
    const stored: PartialAccess = { [field]: state?.declared[field] };
    const declared: PartialAccess = { [field]: inputs[field] };
    if (!inputs[field]) return combined(field, found, { removed: stored });
    if (isLeftToRead(field, inputs, state)) return { [field]: found[field] };
    if (!isAsPlanned) return declared;
    // A field that is declared for the first time replaces everything that Atlas has, as stored in the outputs.
    const known: PartialAccess = { [field]: state?.declared[field] ?? state?.[field] };
    const removed = combined(field, known, { removed: declared });
    return combined(field, found, { removed, added: declared });
  });
  const target: PartialAccess = Object.assign({}, ...changes);
  return Object.fromEntries(
    ACCESS_FIELDS.filter((field) => !sameField(field, found, target)).map((field) => [field, target[field]]),
  );
}

/** Whether the program did not change the field, and the invitation has all of it: changes by others are left to a read. */
function isLeftToRead(
  field: AccessField,
  inputs: OrgInvitationInputs,
  state: OrgInvitationState | undefined,
): boolean {
  if (state?.status !== "PENDING" || !sameField(field, state.declared, inputs)) return false;
  return missing(state, inputs, field).length === 0;
}

/** The fields that Atlas reset although the change left them out. It is unknown whether Atlas does so. */
export function lostAccess(before: Access, after: Access, change: PartialAccess): PartialAccess | undefined {
  const lost = ACCESS_FIELDS.filter((field) => !change[field] && missing(after, before, field).length > 0);
  return lost.length > 0 ? Object.fromEntries(lost.map((field) => [field, before[field]])) : undefined;
}

/**
 * The person to store: without what others changed since the last read, where nothing was sent or the plan could not
 * name it. So the next read shows it as drift, and the plan after it names what will be removed.
 */
export function personToStore(
  answer: Person,
  sent: PartialAccess,
  {
    found,
    inputs,
    state,
    isAsPlanned,
  }: {
    found: Person;
    inputs: OrgInvitationInputs;
    state: OrgInvitationState | undefined;
    isAsPlanned: boolean;
  },
): Person {
  const fields = ACCESS_FIELDS.filter((field) => inputs[field] !== undefined);
  const stored = fields.map((field): PartialAccess => {
    // Sent only where Atlas had reset it, with what others have added: it stays left to a read.
    if (isLeftToRead(field, inputs, state)) return { [field]: state?.[field] };
    const now: PartialAccess = sent[field] ? answer : found;
    if (!isAsPlanned || !state) return { [field]: now[field] };
    const unplanned = combined(field, found, { removed: combined(field, state, { added: inputs }) });
    return combined(field, now, { removed: unplanned });
  });
  return Object.assign({}, answer, ...stored);
}

/** Describes what `found` lacks of `wanted`; `undefined` where nothing is missing. */
export function describeMissing(
  found: PartialAccess,
  wanted: PartialAccess,
  fields: readonly AccessField[] = ACCESS_FIELDS,
): string | undefined {
  const missingItems = fields
    .map((field) => ({ field, items: missing(found, wanted, field) }))
    .filter(({ items }) => items.length > 0)
    .map(({ field, items }) => `${field} ${items.join(", ")}`);
  return missingItems.length > 0 ? missingItems.join(" and ") : undefined;
}
