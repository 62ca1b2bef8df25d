import type { Bounds } from "../atlas/atlas-client.ts";
import type { Clock } from "../atlas/clock.ts";
import { AtlasError, asSentence } from "../atlas/errors.ts";
import {
  ACCESS_FIELDS,
  type AccessField,
  grants,
  type PartialAccess,
  sameField,
} from "../atlas/invitations/access.ts";
import {
  type InvitationsApi,
  isConflict,
  isUnreadableSuccess,
  type Person,
  StaleObservationError,
} from "../atlas/invitations/invitations-api.ts";
import type { FindOptions, MemberDirectory } from "../atlas/invitations/member-directory.ts";
import { accessChange, describeMissing, lostAccess, needsRequest, personToStore } from "./access-change.ts";
import { addressKey, type Declarations, type PersonIdentity } from "./declarations.ts";
import { adoption, LIFECYCLE, type LifecycleRow, lifecycleRow, refusal } from "./membership.ts";
import {
  declaredIn,
  isSameInvitation,
  type OrgInvitationInputs,
  type OrgInvitationState,
  refreshed,
  stateOf,
} from "./org-invitation-state.ts";

/** The invitation was sent, but does not grant all that is declared; `state` says what it grants. */
export class IncompleteCreateError extends AtlasError {
  override readonly name = "IncompleteCreateError";
  readonly state: OrgInvitationState;

  constructor(state: OrgInvitationState, reason: Error) {
    super(
      `${state.username} was invited to ${state.orgId}, but without all that is declared: ${asSentence(reason)} Run pulumi up again to complete it.`,
      { cause: reason },
    );
    this.state = state;
  }
}

export interface LifecycleOptions {
  api: InvitationsApi;
  people: MemberDirectory;
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
  readonly #operations = new Map<string, Promise<unknown>>();

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  /** Invites the person, or adopts them where they are invited or a member already. */
  create(inputs: OrgInvitationInputs, declaredBy?: string): Promise<OrgInvitationState> {
    const { declarations } = this.#options;
    return this.#runExclusively(inputs, async (bounds) => {
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
    return this.#runExclusively(state, async (bounds) => {
      const person = await this.#find(state, bounds);
      const row = lifecycleRow(person?.orgMembershipStatus, state.onAccepted);
      if (!person || LIFECYCLE[row].read === "drop") return undefined;
      return refreshed(state, person, row);
    });
  }

  /** Grants what is declared. A change of `onAccepted` or `reinviteExpired` alone is stored without a request. */
  update(state: OrgInvitationState, inputs: OrgInvitationInputs): Promise<OrgInvitationState> {
    return this.#runExclusively(inputs, async (bounds) => {
      if (needsRequest(state, inputs)) return this.#applyInputs(state, inputs, bounds);
      const lacking = state.status === "ACCEPTED" && describeMissing(state, inputs);
      if (lacking) {
        const { username, orgId, onAccepted } = inputs;
        this.#options.notify(
          `${username} is a member of ${orgId} without ${lacking}, which is declared: under onAccepted "${onAccepted}" a member stays as they are.`,
        );
      }
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
    return this.#runExclusively(state, async (bounds) => {
      if (await this.#handOver(state, state, bounds)) return;
      const isWanted = (person: PersonIdentity) => declarations.find(person)?.isFailed === true;
      if (!isWanted(state)) declarations.release(state);
      // What this resource owned is over: whoever is invited, or a member, by now is so by somebody else's doing.
      if (state.status === "EXPIRED" || state.status === "REJECTED") return;
      if (!isWanted(state) && (await this.#cancelDirectly(state, bounds))) return;
      await this.#observeThenAct(state, bounds, { trust: isNotPending }, async (person) => {
        const found = { ...state, ...person };
        if (await this.#handOver(state, found, bounds)) return true;
        return this.#endMembership(state, person, isWanted(state) || isWanted(found), bounds);
      });
    });
  }

  /** Without a look-up, unless Atlas knows no such pending invitation, or a member has to be removed as well. */
  async #cancelDirectly(state: OrgInvitationState, bounds: Bounds): Promise<true | undefined> {
    const { api, people } = this.#options;
    const cancelled = await this.#tryDirectRequest(state, () =>
      api.deleteOrgInvite(state.orgId, state, bounds),
    );
    if (!cancelled || state.onAccepted !== "manage") return cancelled;
    // Who joined by single sign-on is a member beside the invitation.
    const user = await this.#findOrFail(state, people.findUser(state, bounds));
    return user?.orgMembershipStatus === "ACTIVE" ? undefined : true;
  }

  /**
   * Ends what the resource stands for, as the row of the lifecycle says.
   *
   * @param isWanted - Whether another resource of the run declares the person, but could not be created.
   */
  async #endMembership(
    state: OrgInvitationState,
    person: Person | undefined,
    isWanted: boolean,
    bounds: Bounds,
  ): Promise<true | undefined> {
    const { api, notify } = this.#options;
    const { orgId, onAccepted, username } = state;
    const row = lifecycleRow(person?.orgMembershipStatus, onAccepted);
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
    await this.#observeThenAct(state, bounds, {}, async (person, isLastLook) => {
      if (person?.orgMembershipStatus === "PENDING" && isSameInvitation(person, state)) {
        if (!(await api.deleteOrgInvite(orgId, person, bounds))) return undefined;
      } else if (person) {
        return true;
      }
      try {
        if (!(await this.#invite(inputs, isLastLook, bounds)).person) return undefined;
      } catch (error) {
        // Otherwise each later run would send it anew. What it lacks shows in the next refresh.
        if (!(error instanceof IncompleteCreateError)) throw error;
        notify(error.message);
      }
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
    const person = await this.#observeThenAct(sought, bounds, {}, async (person, isLastLook) => {
      const row = lifecycleRow(person?.orgMembershipStatus, inputs.onAccepted);
      const step = LIFECYCLE[row][operation];
      if (step === "refuse") {
        throw new AtlasError(refusal(operation, row, { ...person, ...subjectOf(inputs) }, state?.status));
      }
      if (step === "invite" || !person) {
        const invitation = await this.#invite(inputs, isLastLook, bounds);
        isSent = invitation.isSent;
        return invitation.person;
      }
      if (operation === "create") this.#reportAdoption(row, person, inputs, isSent);
      if (step === "keepMember") return person;
      return this.#changeAccess(person, inputs, state, step === "grantMember", bounds);
    });
    return { person, isSent };
  }

  #reportAdoption(row: LifecycleRow, person: Person, inputs: OrgInvitationInputs, isSent: boolean): void {
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
      const isUnclear =
        isConflict(error) || isUnreadableSuccess(error) || error instanceof StaleObservationError;
      if (isLastLook || !isUnclear) throw error;
      return { isSent: !isConflict(error) };
    }
    if (grants(invited, inputs)) return { person: invited, isSent: true };
    // Whether every generation takes teams and project roles in this request is unknown.
    const state = stateOf(inputs, invited);
    try {
      const changed = await this.#tryDirectRequest(state, () =>
        this.#changeAccess(invited, inputs, undefined, false, bounds),
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
  async #applyInputs(
    state: OrgInvitationState,
    inputs: OrgInvitationInputs,
    bounds: Bounds,
  ): Promise<OrgInvitationState> {
    // What a change takes back, or has to leave as it is, is taken from what Atlas has now.
    const isDirect = ACCESS_FIELDS.every((field) => {
      return state[field].length === 0 || (inputs[field] && !sameField(field, state.declared, inputs));
    });
    const changed = isDirect
      ? await this.#tryDirectRequest(state, () =>
          this.#changeAccess({ ...state, orgMembershipStatus: "PENDING" }, inputs, state, false, bounds),
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
  async #changeAccess(
    person: Person,
    inputs: OrgInvitationInputs,
    state: OrgInvitationState | undefined,
    isMember: boolean,
    bounds: Bounds,
  ): Promise<Person | undefined> {
    const { api, notify } = this.#options;
    const { orgId, username } = inputs;
    const isAsPlanned = isMember && state?.onAccepted === "manage";
    const change = accessChange(person, inputs, state, isAsPlanned);
    const changed = Object.keys(change) as AccessField[];
    const stored = (answer: Person, sent: PartialAccess) =>
      personToStore(answer, sent, { found: person, inputs, state, isAsPlanned });
    if (changed.length === 0) return stored(person, change);
    const send = (person: Person, change: PartialAccess) =>
      isMember
        ? api.updateMember(orgId, person, change, bounds)
        : api.updateOrgInvite(orgId, person, change, bounds);
    let answer = await send(person, change);
    const reset = answer && lostAccess(person, answer, change);
    if (answer && reset) answer = await send(answer, { ...change, ...reset });
    if (!answer) return undefined;

    const sent: PartialAccess = { ...change, ...reset };
    const refused = describeMissing(answer, sent);
    if (refused) throw new AtlasError(`${username} in ${orgId}: Atlas did not take ${refused}. ${NOT_TAKEN}`);
    const added = describeMissing(change, answer, changed);
    if (added)
      notify(
        `${username} in ${orgId}: Atlas gives ${added} besides what is declared, and it is left so. Where an identity provider gives it, change it there.`,
      );
    return stored(answer, sent);
  }

  /** The direct request: it needs no look-up unless Atlas says that it knows no such pending invitation. */
  async #tryDirectRequest<Result>(
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
  async #observeThenAct<Result>(
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
    const row = lifecycleRow(person?.orgMembershipStatus, onAccepted);
    if (LIFECYCLE[row].create === "invite") return;
    throw new StaleObservationError(`${username} became known to ${orgId} meanwhile. Run pulumi up again.`);
  }

  async #find(
    sought: OrgInvitationInputs | OrgInvitationState,
    bounds: Bounds,
    options: FindOptions = {},
  ): Promise<Person | undefined> {
    const { people, notify } = this.#options;
    const { orgId, username, onAccepted } = sought;
    const thorough = onAccepted === "manage";
    const person = await this.#findOrFail(sought, people.find(sought, bounds, { ...options, thorough }));
    const known = "knownAs" in sought ? sought.knownAs : undefined;
    if (person && person.username !== username && person.username !== known) {
      notify(`${username} is ${person.username} in ${orgId}, by the id: it is the same person.`);
    }
    return person;
  }

  /** A look-up that fails is an error, never "gone". */
  async #findOrFail<Result>(
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
  async #runExclusively<Result>(
    person: PersonIdentity,
    run: (bounds: Bounds) => Promise<Result>,
  ): Promise<Result> {
    const { clock, maxWaitMs, signal } = this.#options;
    const key = addressKey(person);
    const previous = this.#operations.get(key);
    const result = (async () => {
      await previous?.catch(() => undefined);
      return run({ deadline: clock.monotonic() + maxWaitMs, signal });
    })();
    this.#operations.set(key, result);
    try {
      return await result;
    } finally {
      if (this.#operations.get(key) === result) this.#operations.delete(key);
    }
  }
}

const NOT_TAKEN =
  'Where an identity provider manages the roles of the organization, change them there, declare what Atlas has, or set onAccepted to "retain". Where it is about teams or project roles of an invitation, set the invitations API to v2.';

function isNotPending({ orgMembershipStatus }: Person): boolean {
  return orgMembershipStatus !== "PENDING";
}

function subjectOf({ username, orgId }: OrgInvitationInputs) {
  return { username, orgId };
}
