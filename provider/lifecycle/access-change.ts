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
 * What a declaration changes in Atlas: only what is declared, and of a managed member only what the plan named.
 */

/** Whether a field was declared and is no longer, so that what it declared is taken back. */
function isTakenBack(
  field: AccessField,
  { declared }: OrgInvitationState,
  inputs: OrgInvitationInputs,
): boolean {
  return inputs[field] === undefined && (declared[field]?.length ?? 0) > 0;
}

/**
 * Whether a change of the declaration needs a request. Where the person is not to be changed, by the table of the
 * lifecycle, only a changed declaration does, and is refused.
 */
export function needsRequest(state: OrgInvitationState, inputs: OrgInvitationInputs): boolean {
  const isMember = state.status === "ACCEPTED";
  const isManaged = isMember ? inputs.onAccepted === "manage" : state.status === "PENDING";
  const isNewlyManaged = isMember && state.onAccepted !== "manage";
  return ACCESS_FIELDS.some((field) => {
    if (inputs[field] === undefined) return isTakenBack(field, state, inputs);
    const isChanged = !sameField(field, state.declared, inputs);
    if (!isManaged) return isChanged;
    if (isChanged || isNewlyManaged) return !sameField(field, state, inputs);
    return missing(state, inputs, field).length > 0;
  });
}

/**
 * What is to be changed: what differs from the declaration, and what was declared and is no longer.
 *
 * @param isAsPlanned - Whether a member loses only what the plan named, by its difference from the stored inputs; what
 *   others gave since shows in the next refresh.
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
    if (isLeftToRefresh(field, inputs, state)) return { [field]: found[field] };
    if (!isAsPlanned) return declared;
    // What is declared for the first time takes all that Atlas had, which the outputs show.
    const known: PartialAccess = { [field]: state?.declared[field] ?? state?.[field] };
    const removed = combined(field, known, { removed: declared });
    return combined(field, found, { removed, added: declared });
  });
  const target: PartialAccess = Object.assign({}, ...changes);
  return Object.fromEntries(
    ACCESS_FIELDS.filter((field) => !sameField(field, found, target)).map((field) => [field, target[field]]),
  );
}

/** Whether the program changes nothing about a field of an invitation that has all of it: what others changed is for a refresh. */
function isLeftToRefresh(
  field: AccessField,
  inputs: OrgInvitationInputs,
  state: OrgInvitationState | undefined,
): boolean {
  if (state?.status !== "PENDING" || !sameField(field, state.declared, inputs)) return false;
  return missing(state, inputs, field).length === 0;
}

/** What a change that left it out has taken all the same: whether Atlas resets what is left out is unknown. */
export function lostAccess(before: Access, after: Access, change: PartialAccess): PartialAccess | undefined {
  const lost = ACCESS_FIELDS.filter((field) => !change[field] && missing(after, before, field).length > 0);
  return lost.length > 0 ? Object.fromEntries(lost.map((field) => [field, before[field]])) : undefined;
}

/**
 * The person as the state is to hold them: without what others changed since the last refresh, where nothing was sent or
 * the plan could not name it. So the next refresh shows it as a difference, and the plan after it names what will be
 * taken.
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
    const before = isLeftToRefresh(field, inputs, state) ? state : found;
    const now: PartialAccess = sent[field] ? answer : { [field]: before?.[field] };
    if (!isAsPlanned || !state) return { [field]: now[field] };
    const unplanned = combined(field, found, { removed: combined(field, state, { added: inputs }) });
    return combined(field, now, { removed: unplanned });
  });
  return Object.assign({}, answer, ...stored);
}

/** What `found` lacks of `wanted`, in words. */
export function describeMissing(
  found: PartialAccess,
  wanted: PartialAccess,
  fields: readonly AccessField[] = ACCESS_FIELDS,
): string | undefined {
  const lacking = fields
    .map((field) => ({ field, items: missing(found, wanted, field) }))
    .filter(({ items }) => items.length > 0)
    .map(({ field, items }) => `${field} ${items.join(", ")}`);
  return lacking.length > 0 ? lacking.join(" and ") : undefined;
}
