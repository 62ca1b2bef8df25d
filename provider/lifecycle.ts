import {
  ACCESS_FIELDS,
  type Access,
  type AccessField,
  combined,
  type DeclaredAccess,
  grants,
  missing,
  type PartialAccess,
  sameField,
} from "./access.ts";
import type { Bounds } from "./atlas-client.ts";
import type { Clock } from "./clock.ts";
import type { Declarations, PersonIdentity } from "./declarations.ts";
import { AtlasError, sentence } from "./errors.ts";
import {
  type InvitationsApi,
  isConflict,
  isUnreadableSuccess,
  OutdatedError,
  type Person,
} from "./invitations-api.ts";
import {
  adoption,
  LIFECYCLE,
  type OnAccepted,
  refusal,
  type Standing,
  type Status,
  standing,
  statusOf,
} from "./membership.ts";
import type { FindOptions, People } from "./people.ts";

/** What a program declares about a person, checked and normalized. */
export interface OrgInvitationInputs extends DeclaredAccess {
  orgId: string;
  username: string;
  onAccepted: OnAccepted;
  reinviteExpired: boolean;
}

/** What is stored about a person: what is declared, and what Atlas said last. */
export interface OrgInvitationState extends Access {
  orgId: string;
  username: string;
  onAccepted: OnAccepted;
  reinviteExpired: boolean;
  /** What the stored inputs declare; the fields beside it are what Atlas has. */
  declared: DeclaredAccess;
  status: Status;
  invitationId?: string | undefined;
  userId?: string | undefined;
  createdAt?: string | undefined;
  expiresAt?: string | undefined;
  inviterUsername?: string | undefined;
  orgName?: string | undefined;
  /** The address that Atlas has, where it is not the declared one. */
  knownAs?: string | undefined;
  /** Which resource was created with it. */
  declaredBy?: string | undefined;
}

/** The invitation was sent, but does not grant all that is declared; `state` says what it grants. */
export class IncompleteCreateError extends AtlasError {
  override readonly name = "IncompleteCreateError";
  readonly state: OrgInvitationState;

  constructor(state: OrgInvitationState, reason: Error) {
    super(
      `${state.username} was invited to ${state.orgId}, but without all that is declared: ${sentence(reason)} Run pulumi up again to complete it.`,
      { cause: reason },
    );
    this.state = state;
  }
}

export interface LifecycleOptions {
  api: InvitationsApi;
  people: People;
  /** Whom the resources of this run declare. */
  declarations: Declarations;
  clock: Clock;
  /** How long one operation may wait in all. */
  maxWaitMs: number;
  /** Takes the one line that tells the user of something unusual. */
  notify: (line: string) => void;
  /** Aborted when the run is cancelled. */
  signal?: AbortSignal | undefined;
}

/** What each operation does, by the table in `membership.ts`. */
export class Lifecycle {
  readonly #options: LifecycleOptions;
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  /** Invites the person, or adopts them where they are invited or a member already. */
  create(inputs: OrgInvitationInputs, declaredBy?: string): Promise<OrgInvitationState> {
    const { declarations } = this.#options;
    return this.#alone(inputs, async (bounds) => {
      try {
        const { person, isSent } = await this.#reconcile("create", inputs, undefined, bounds);
        const state = stateOf(inputs, person, { declaredBy });
        declarations.hold(state, { inputs, declaredBy, sent: isSent ? person : undefined });
        return state;
      } catch (error) {
        if (error instanceof IncompleteCreateError) {
          const { state } = error;
          Object.assign(state, declaredBy && { declaredBy });
          declarations.hold(state, { inputs, declaredBy, sent: state });
        } else {
          declarations.hold(inputs, { inputs, declaredBy, isFailed: true });
        }
        throw error;
      }
    });
  }

  /** What became of the person; `undefined` where Atlas knows nothing of them any more. */
  read(state: OrgInvitationState): Promise<OrgInvitationState | undefined> {
    return this.#alone(state, async (bounds) => {
      const person = await this.#find(state, bounds);
      const row = standing(person?.orgMembershipStatus, state.onAccepted);
      if (!person || LIFECYCLE[row].read === "drop") return undefined;
      return refreshed(state, person, row);
    });
  }

  /** Grants what is declared. A change of `onAccepted` or `reinviteExpired` alone is stored without a request. */
  update(state: OrgInvitationState, inputs: OrgInvitationInputs): Promise<OrgInvitationState> {
    return this.#alone(inputs, async (bounds) => {
      if (hasToBeGranted(state, inputs)) return this.#grant(state, inputs, bounds);
      const knownAs = inputs.username === state.knownAs ? undefined : state.knownAs;
      return { ...state, ...declaredIn(inputs), knownAs };
    });
  }

  /**
   * Cancels the invitation; what happens to a person who accepted is for the stored `onAccepted` to say. Sends
   * nothing where another resource of this run declares the person.
   */
  delete(state: OrgInvitationState): Promise<void> {
    const { declarations } = this.#options;
    return this.#alone(state, async (bounds) => {
      if (await this.#handOver(state, state, bounds)) return;
      const isWanted = (person: PersonIdentity) => declarations.find(person)?.isFailed === true;
      if (!isWanted(state)) declarations.release(state);
      // What this resource owned is over: whoever is invited, or a member, by now is so by somebody else's doing.
      if (state.status === "EXPIRED" || state.status === "REJECTED") return;
      if (!isWanted(state) && (await this.#cancelDirectly(state, bounds))) return;
      await this.#look(state, bounds, { trust: isNotPending }, async (person) => {
        const found = { ...state, ...person };
        if (await this.#handOver(state, found, bounds)) return true;
        return this.#end(state, person, isWanted(state) || isWanted(found), bounds);
      });
    });
  }

  /** Without a look-up, unless Atlas knows no such pending invitation, or a member has to be removed as well. */
  async #cancelDirectly(state: OrgInvitationState, bounds: Bounds): Promise<true | undefined> {
    const { api, people } = this.#options;
    const cancelled = await this.#whilePending(state, () => api.deleteOrgInvite(state.orgId, state, bounds));
    if (!cancelled || state.onAccepted !== "manage") return cancelled;
    // Who joined by single sign-on is a member beside the invitation.
    const user = await this.#certain(state, people.findUser(state, bounds));
    return user?.orgMembershipStatus === "ACTIVE" ? undefined : true;
  }

  /**
   * Ends what the resource stands for, as the row of the lifecycle says.
   *
   * @param isWanted - Whether another resource of the run declares the person, but could not be created.
   */
  async #end(
    state: OrgInvitationState,
    person: Person | undefined,
    isWanted: boolean,
    bounds: Bounds,
  ): Promise<true | undefined> {
    const { api, notify } = this.#options;
    const { orgId, onAccepted, username } = state;
    const row = standing(person?.orgMembershipStatus, onAccepted);
    const step = LIFECYCLE[row].delete;
    if (isWanted && (step === "cancel" || step === "removeMember")) {
      throw new AtlasError(
        `${username} in ${orgId} is declared by another resource of this program, which could not be created, so nothing was sent for this one. Run pulumi up again.`,
      );
    }
    switch (step) {
      case "cancel":
        return api.deleteOrgInvite(orgId, person as Person, bounds);
      case "removeMember": {
        const { openInvitation } = person as Person;
        if (openInvitation) await api.deleteOrgInvite(orgId, openInvitation, bounds);
        return api.removeMember(orgId, person as Person, bounds);
      }
      case "refuse":
        throw new AtlasError(refusal("delete", row, state));
      case "forget":
        notify(`${username} stays a member of ${orgId}; the resource is forgotten.`);
    }
    return true;
  }

  /**
   * Whether another resource of this run declares the person, who then keeps what they have. Where it is the same
   * resource, which was replaced, the invitation is sent anew, unless that was done when it was created.
   */
  async #handOver(state: OrgInvitationState, person: PersonIdentity, bounds: Bounds): Promise<boolean> {
    const { declarations, notify } = this.#options;
    const { username, orgId, declaredBy } = state;
    const declaration = declarations.find(person);
    // What its deletion would do is for the table to say.
    if (declaration?.isFailed) return false;
    // No other resource has known an invitation before it was sent; but where Atlas stores another spelling of the
    // address, it may have kept and answered that of another resource.
    const isItself =
      declaration?.sent && declaration.declaredBy === declaredBy && isSameInvitation(declaration.sent, state);
    if (isItself || (!declaration && !declarations.isDeclaredElsewhere(person))) return false;
    const isReplaced =
      declaredBy !== undefined &&
      declaration?.declaredBy === declaredBy &&
      declaration.inputs.username === username;
    if (!isReplaced) {
      notify(
        `${username} in ${orgId} is declared by another resource now: nothing was sent for the one that is deleted.`,
      );
    } else if (!declaration.sent) {
      await this.#renew(state, declaration.inputs, bounds);
    }
    return true;
  }

  /** Sends the invitation of a replaced resource anew, unless that was done, or the person is no longer pending. */
  async #renew(state: OrgInvitationState, inputs: OrgInvitationInputs, bounds: Bounds): Promise<void> {
    const { api, notify } = this.#options;
    const { orgId, username } = inputs;
    await this.#look(state, bounds, {}, async (person, isLastLook) => {
      if (person?.orgMembershipStatus === "PENDING" && isSameInvitation(person, state)) {
        if (!(await api.deleteOrgInvite(orgId, person, bounds))) return undefined;
      } else if (person) {
        return true;
      }
      if (!(await this.#invite(inputs, isLastLook, bounds)).person) return undefined;
      notify(
        `${username} was invited to ${orgId} again, as the resource was replaced. Its outputs show the new invitation after the next refresh.`,
      );
      return true;
    });
  }

  /** Brings the person to what is declared; `isSent` where that took an invitation. */
  async #reconcile(
    operation: "create" | "update",
    inputs: OrgInvitationInputs,
    state: OrgInvitationState | undefined,
    bounds: Bounds,
  ): Promise<{ person: Person; isSent: boolean }> {
    let isSent = false;
    const sought = { ...state, ...inputs };
    const person = await this.#look(sought, bounds, {}, async (person, isLastLook) => {
      const row = standing(person?.orgMembershipStatus, inputs.onAccepted);
      const step = LIFECYCLE[row][operation];
      if (step === "refuse") {
        throw new AtlasError(refusal(operation, row, { ...person, ...subjectOf(inputs) }, state?.status));
      }
      if (step === "invite" || !person) {
        const invitation = await this.#invite(inputs, isLastLook, bounds);
        isSent = invitation.isSent;
        return invitation.person;
      }
      if (operation === "create") this.#report(row, person, inputs, isSent);
      if (step === "keepMember") return person;
      return this.#change(person, inputs, state, step === "grantMember", bounds);
    });
    return { person, isSent };
  }

  #report(row: Standing, person: Person, inputs: OrgInvitationInputs, isSent: boolean): void {
    const { notify } = this.#options;
    const { username, orgId } = inputs;
    // Credentials of the API have names that are no addresses (recorded): who waited may find a colleague's invitation.
    if (isSent && row === "PENDING" && !person.inviterUsername?.includes("@")) {
      notify(`The invitation of ${username} to ${orgId} was sent; the answer to it was lost.`);
    } else {
      notify(adoption(row, { ...person, ...subjectOf(inputs) }));
    }
  }

  /** Without a person where another look-up is due: somebody else was faster, or Atlas's answer was lost. */
  async #invite(
    inputs: OrgInvitationInputs,
    isLastLook: boolean,
    bounds: Bounds,
  ): Promise<{ person?: Person; isSent: boolean }> {
    const { api } = this.#options;
    const { orgId, username } = inputs;
    let invited: Person;
    try {
      const recheck = (bounds: Bounds) => this.#expectUnknown(inputs, bounds);
      invited = await api.createOrgInvite(orgId, username, inputs, recheck, bounds);
    } catch (error) {
      const isUnclear = isConflict(error) || isUnreadableSuccess(error) || error instanceof OutdatedError;
      if (isLastLook || !isUnclear) throw error;
      return { isSent: !isConflict(error) };
    }
    if (grants(invited, inputs)) return { person: invited, isSent: true };
    // Whether every generation takes teams and project roles in this request is unknown.
    const state = stateOf(inputs, invited);
    try {
      const changed = await this.#whilePending(state, () =>
        this.#change(invited, inputs, undefined, false, bounds),
      );
      // Whatever the list lacks then was lost by this very change.
      const asked = { ...state, roles: [], teamIds: [], groupRoleAssignments: [] };
      const person = changed ?? (await this.#reconcile("update", inputs, asked, bounds)).person;
      return { person, isSent: true };
    } catch (error) {
      throw new IncompleteCreateError(state, error as Error);
    }
  }

  /** Brings somebody known to what is declared; a look-up is needed only where they are not pending. */
  async #grant(
    state: OrgInvitationState,
    inputs: OrgInvitationInputs,
    bounds: Bounds,
  ): Promise<OrgInvitationState> {
    // What a change takes back, or has to leave as it is, is taken from what Atlas has now.
    const isDirect = ACCESS_FIELDS.every((field) => {
      return state[field].length === 0 || (inputs[field] && !sameField(field, state.declared, inputs));
    });
    const changed = isDirect
      ? await this.#whilePending(state, () =>
          this.#change({ ...state, orgMembershipStatus: "PENDING" }, inputs, state, false, bounds),
        )
      : undefined;
    const person = changed ?? (await this.#reconcile("update", inputs, state, bounds)).person;
    return stateOf(inputs, person, state);
  }

  /**
   * Changes what differs in one request, and compares the answer with what was asked for.
   *
   * @throws AtlasError where Atlas did not take all of it.
   */
  async #change(
    person: Person,
    inputs: OrgInvitationInputs,
    state: OrgInvitationState | undefined,
    isMember: boolean,
    bounds: Bounds,
  ): Promise<Person | undefined> {
    const { api, notify } = this.#options;
    const { orgId, username } = inputs;
    const isAsPlanned = isMember && state?.onAccepted === "manage";
    const change = changeOf(person, inputs, state, isAsPlanned);
    const changed = Object.keys(change) as AccessField[];
    // What others changed where nothing was sent shows in the next refresh, and the plan after it takes it.
    const stored = (found: Person, sent: PartialAccess) => {
      const unsent = ACCESS_FIELDS.filter((field) => inputs[field] && !sent[field]);
      const before = (field: AccessField) => (isLeftToRefresh(field, inputs, state) ? state : person);
      const kept = {
        ...found,
        ...Object.fromEntries(unsent.map((field) => [field, before(field)?.[field]])),
      };
      return isAsPlanned ? withoutUnplanned(kept, person, inputs, state) : kept;
    };
    if (changed.length === 0) return stored(person, change);
    const send = (change: PartialAccess) =>
      isMember
        ? api.updateMember(orgId, person, change, bounds)
        : api.updateOrgInvite(orgId, person, change, bounds);
    let answer = await send(change);
    const reset = answer && lostOf(person, answer, change);
    if (reset) answer = await send({ ...change, ...reset });
    if (!answer) return undefined;

    const sent: PartialAccess = { ...change, ...reset };
    const refused = difference(answer, sent);
    if (refused) throw new AtlasError(`${username} in ${orgId}: Atlas did not take ${refused}. ${NOT_TAKEN}`);
    const added = difference(change, answer, changed);
    if (added)
      notify(`${username} in ${orgId}: Atlas gives ${added} besides what is declared. It is left so.`);
    return stored(answer, sent);
  }

  /** The direct request: it needs no look-up unless Atlas says that it knows no such pending invitation. */
  async #whilePending<Result>(
    state: OrgInvitationState,
    request: () => Promise<Result | undefined>,
  ): Promise<Result | undefined> {
    if (state.status !== "PENDING") return undefined;
    try {
      return await request();
    } finally {
      this.#options.people.invalidate(state);
    }
  }

  /** Acts on what Atlas says about the person, and once more where that turns out to be outdated. */
  async #look<Result>(
    sought: OrgInvitationInputs | OrgInvitationState,
    bounds: Bounds,
    options: FindOptions,
    act: (person: Person | undefined, isLastLook: boolean) => Promise<Result | undefined>,
  ): Promise<Result> {
    for (const isLastLook of [false, true]) {
      const person = await this.#find(sought, bounds, isLastLook ? {} : options);
      try {
        const result = await act(person, isLastLook);
        if (result !== undefined) return result;
      } finally {
        this.#options.people.invalidate(sought);
      }
    }
    const { username, orgId } = sought;
    throw new AtlasError(
      `Atlas's list and its answers disagree about ${username} in ${orgId}: a change of what the list shows was answered as if it were not there. Run the command again. If it stays so, change or cancel it in Atlas; an invitation to a project can only be cancelled there.`,
    );
  }

  /** @throws OutdatedError where Atlas has the invitation after all. */
  async #expectUnknown(inputs: OrgInvitationInputs, bounds: Bounds): Promise<void> {
    const { orgId, username, onAccepted } = inputs;
    this.#options.people.invalidate(inputs);
    const person = await this.#find(inputs, bounds);
    const row = standing(person?.orgMembershipStatus, onAccepted);
    if (LIFECYCLE[row].create === "invite") return;
    throw new OutdatedError(`${username} became known to ${orgId} meanwhile. Run pulumi up again.`);
  }

  async #find(
    sought: OrgInvitationInputs | OrgInvitationState,
    bounds: Bounds,
    options: FindOptions = {},
  ): Promise<Person | undefined> {
    const { people, notify } = this.#options;
    const { orgId, username, onAccepted } = sought;
    const thorough = onAccepted === "manage";
    const person = await this.#certain(sought, people.find(sought, bounds, { ...options, thorough }));
    const known = "knownAs" in sought ? sought.knownAs : undefined;
    if (person && person.username !== username && person.username !== known) {
      notify(`${username} is ${person.username} in ${orgId}, by the id: it is the same person.`);
    }
    return person;
  }

  /** A look-up that fails is an error, never "gone". */
  async #certain<Result>(
    { orgId, username }: { orgId: string; username: string },
    lookUp: Promise<Result>,
  ): Promise<Result> {
    try {
      return await lookUp;
    } catch (error) {
      if (!(error instanceof AtlasError)) throw error;
      throw new AtlasError(
        `It is unknown whether ${username} is invited to ${orgId}, has accepted, or neither: ${error.message}`,
        { cause: error },
      );
    }
  }

  /** One operation a person at a time, each with one budget for all its waits. */
  async #alone<Result>(
    { orgId, username }: { orgId: string; username: string },
    run: (bounds: Bounds) => Promise<Result>,
  ): Promise<Result> {
    const { clock, maxWaitMs, signal } = this.#options;
    const key = `${orgId} ${username}`;
    const previous = this.#underWay.get(key);
    const result = (async () => {
      await previous?.catch(() => undefined);
      return run({ until: clock.monotonic() + maxWaitMs, signal });
    })();
    this.#underWay.set(key, result);
    try {
      return await result;
    } finally {
      if (this.#underWay.get(key) === result) this.#underWay.delete(key);
    }
  }
}

const NOT_TAKEN =
  'Where an identity provider manages the roles of the organization, change them there, declare what Atlas has, or set onAccepted to "retain". Where it is about teams or project roles of an invitation, set the invitations API to v2.';

function isNotPending({ orgMembershipStatus }: Person): boolean {
  return orgMembershipStatus !== "PENDING";
}

/** Whether it is the invitation of the stored state, and not one that was sent since. */
function isSameInvitation(
  person: Pick<Person, "invitationId" | "userId" | "createdAt">,
  state: OrgInvitationState,
): boolean {
  for (const id of ["invitationId", "userId"] as const) {
    if (person[id] && state[id]) return person[id] === state[id];
  }
  return person.createdAt === state.createdAt;
}

function subjectOf({ username, orgId }: OrgInvitationInputs) {
  return { username, orgId };
}

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
function hasToBeGranted(state: OrgInvitationState, inputs: OrgInvitationInputs): boolean {
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
function changeOf(
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
    const removed = combined(field, stored, { removed: declared });
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
function lostOf(before: Access, after: Access, change: PartialAccess): PartialAccess | undefined {
  const lost = ACCESS_FIELDS.filter((field) => !change[field] && missing(after, before, field).length > 0);
  return lost.length > 0 ? Object.fromEntries(lost.map((field) => [field, before[field]])) : undefined;
}

/**
 * The member as the state is to hold them: without what others gave since the last refresh, which the plan could not
 * name. So the next refresh shows it as a difference, and the plan after it names what will be taken.
 */
function withoutUnplanned(
  answer: Person,
  found: Access,
  inputs: OrgInvitationInputs,
  state: OrgInvitationState,
): Person {
  const fields = ACCESS_FIELDS.filter((field) => inputs[field] !== undefined);
  const planned = fields.map((field) => {
    const unplanned = combined(field, found, { removed: combined(field, state, { added: inputs }) });
    return combined(field, answer, { removed: unplanned });
  });
  return Object.assign({}, answer, ...planned);
}

/** What `found` lacks of `wanted`, in words. */
function difference(
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

function declaredIn({ orgId, username, onAccepted, reinviteExpired, ...inputs }: OrgInvitationInputs) {
  const { roles, teamIds, groupRoleAssignments } = inputs;
  return {
    orgId,
    username,
    onAccepted,
    reinviteExpired,
    declared: { roles, ...(teamIds && { teamIds }), ...(groupRoleAssignments && { groupRoleAssignments }) },
  };
}

/** Builds the state after Atlas answered. What it no longer returns for the same invitation, such as its id, is kept. */
function stateOf(
  inputs: OrgInvitationInputs,
  person: Person,
  previous: Partial<OrgInvitationState> = {},
): OrgInvitationState {
  const isOther = person.createdAt && person.createdAt !== previous.createdAt;
  const known = isOther ? {} : previous;
  const isRenamed = person.username !== inputs.username;
  return {
    ...declaredIn(inputs),
    roles: person.roles,
    teamIds: person.teamIds,
    groupRoleAssignments: person.groupRoleAssignments,
    status: statusOf(person.orgMembershipStatus),
    invitationId: person.invitationId ?? known.invitationId,
    userId: person.userId ?? known.userId,
    createdAt: person.createdAt ?? known.createdAt,
    expiresAt: person.expiresAt ?? known.expiresAt,
    inviterUsername: person.inviterUsername ?? known.inviterUsername,
    orgName: person.orgName ?? previous.orgName,
    ...(isRenamed && { knownAs: person.username }),
    ...(previous.declaredBy && { declaredBy: previous.declaredBy }),
  };
}

/**
 * The state after a refresh. Where the person is as declared to be managed, what changed in Atlas since the last
 * operation becomes part of the inputs, so that the next plan shows it as a difference from the program.
 */
function refreshed(state: OrgInvitationState, person: Person, row: Standing): OrgInvitationState {
  const { orgId, username, onAccepted, reinviteExpired } = state;
  const now = stateOf({ orgId, username, onAccepted, reinviteExpired, ...state.declared }, person, state);
  const { declared } = state;
  if (LIFECYCLE[row].read !== "asFound") {
    // Nothing is granted to whom an invitation has run out: what it granted stays known.
    return row.startsWith("ACTIVE") ? now : { ...now, ...accessOf(state) };
  }
  const drift = ACCESS_FIELDS.filter((field) => {
    // What an incomplete creation left to do is a difference, too.
    return declared[field] && (!sameField(field, state, now) || missing(now, declared, field).length > 0);
  }).map((field) => [field, now[field]]);
  return { ...now, declared: { ...declared, ...Object.fromEntries(drift) } };
}

function accessOf({ roles, teamIds, groupRoleAssignments }: Access): Access {
  return { roles, teamIds, groupRoleAssignments };
}
