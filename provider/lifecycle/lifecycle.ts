import type { Bounds } from "../atlas/bounds.ts";
import type { Clock } from "../atlas/clock.ts";
import { ACCESS_FIELDS, grants, sameField } from "../atlas/invitations/access.ts";
import {
  isConflict,
  isUnreadableSuccess,
  StaleObservationError,
} from "../atlas/invitations/error-meaning.ts";
import type { InvitationsApi, MembersApi, Person } from "../atlas/invitations/invitations-api.ts";
import type { MemberDirectory } from "../atlas/invitations/member-directory.ts";
import type { Notify } from "../atlas/notice.ts";
import { addressKey } from "../atlas/subject.ts";
import { describeMissing, needsRequest } from "./access-change.ts";
import { AccessWriter } from "./access-writer.ts";
import type { Declarations, PersonIdentity } from "./declarations.ts";
import { handoverOf } from "./handover.ts";
import { IncompleteCreateError, LifecycleError, RefusedError } from "./lifecycle-error.ts";
import { adoption, LIFECYCLE, type LifecycleRow, lifecycleRow, refusal } from "./membership.ts";
import {
  declaredIn,
  isSameInvitation,
  type OrgInvitationInputs,
  type OrgInvitationState,
  refreshed,
  stateOf,
} from "./org-invitation-state.ts";
import { isThorough, PersonLookup } from "./person-lookup.ts";

export interface LifecycleOptions {
  invitations: InvitationsApi;
  members: MembersApi;
  directory: MemberDirectory;
  /** The people whom the resources of this run declare. */
  declarations: Declarations;
  clock: Clock;
  /** How long one operation may wait in all. */
  maxWaitMs: number;
  notify: Notify;
  /** Aborted when the run is cancelled. */
  signal?: AbortSignal | undefined;
}

/** The operations on one person, by the table in `membership.ts`. */
export class Lifecycle {
  readonly #options: LifecycleOptions;
  readonly #lookup: PersonLookup;
  readonly #access: AccessWriter;
  readonly #operations = new Map<string, Promise<unknown>>();

  constructor(options: LifecycleOptions) {
    this.#options = options;
    this.#lookup = new PersonLookup(options.directory, options.notify);
    this.#access = new AccessWriter(options);
  }

  /**
   * Invites the person, or adopts a pending invitation or a member.
   *
   * @param declaredBy - A key of the resource.
   * @throws IncompleteCreateError where the invitation was sent, but does not grant everything that is declared.
   */
  create(inputs: OrgInvitationInputs, declaredBy?: string): Promise<OrgInvitationState> {
    const { declarations } = this.#options;
    return this.#runExclusively(inputs, async (bounds) => {
      try {
        const { person, isSent } = await this.#reconcile("create", inputs, undefined, bounds);
        const state = stateOf(inputs, person, { declaredBy });
        declarations.add(state, { inputs, declaredBy, sent: isSent ? person : undefined });
        return state;
      } catch (error) {
        if (error instanceof IncompleteCreateError) {
          const { state } = error;
          Object.assign(state, declaredBy && { declaredBy });
          declarations.add(state, { inputs, declaredBy, sent: state });
        } else {
          declarations.add(inputs, { inputs, declaredBy, isFailed: true });
        }
        throw error;
      }
    });
  }

  /** The state by what Atlas says now; `undefined` where Atlas no longer knows the person. */
  read(state: OrgInvitationState): Promise<OrgInvitationState | undefined> {
    return this.#runExclusively(state, async (bounds) => {
      const person = await this.#lookup.find(state, bounds);
      const row = lifecycleRow(person?.orgMembershipStatus, state.onAccepted);
      if (!person || LIFECYCLE[row].read === "drop") return undefined;
      return refreshed(state, person, row);
    });
  }

  /** Grants what is declared. A change of `onAccepted` or `reinviteExpired` alone is stored without a request. */
  update(state: OrgInvitationState, inputs: OrgInvitationInputs): Promise<OrgInvitationState> {
    return this.#runExclusively(inputs, async (bounds) => {
      if (needsRequest(state, inputs)) return this.#applyInputs(state, inputs, bounds);
      const missing = state.status === "ACCEPTED" && describeMissing(state, inputs);
      if (missing) {
        const { username, orgId, onAccepted } = inputs;
        this.#notify(
          inputs,
          `${username} is a member of ${orgId} without ${missing}, which is declared. onAccepted "${onAccepted}" does not change a member, "manage" does.`,
        );
      }
      const knownAs = inputs.username === state.knownAs ? undefined : state.knownAs;
      return { ...state, ...declaredIn(inputs), knownAs };
    });
  }

  /**
   * Cancels the invitation. The stored `onAccepted` decides about a person who has accepted. Sends nothing where another
   * resource of this run declares the person.
   */
  delete(state: OrgInvitationState): Promise<void> {
    const { declarations } = this.#options;
    return this.#runExclusively(state, async (bounds) => {
      if (await this.#handOver(state, state, bounds)) return;
      const hasFailedSuccessor = (person: PersonIdentity) => declarations.find(person)?.isFailed === true;
      if (!hasFailedSuccessor(state)) declarations.remove(state);
      // The invitation of this resource has ended: a newer invitation, or a membership, is not its own.
      if (state.status === "EXPIRED" || state.status === "REJECTED") return;
      if (!hasFailedSuccessor(state) && (await this.#cancelWithoutLookup(state, bounds))) return;
      await this.#lookup.findAndAct(
        state,
        bounds,
        async (person) => {
          const found = { ...state, ...person };
          if (await this.#handOver(state, found, bounds)) return true;
          return this.#endMembership(
            state,
            person,
            hasFailedSuccessor(state) || hasFailedSuccessor(found),
            bounds,
          );
        },
        { trust: isNotPending },
      );
    });
  }

  /** Cancels without a look-up, unless Atlas finds no such invitation, or a member has to be removed as well. */
  async #cancelWithoutLookup(state: OrgInvitationState, bounds: Bounds): Promise<true | undefined> {
    const { invitations, directory } = this.#options;
    const cancelled = await this.#lookup.tryWithoutLookup(state, () =>
      invitations.deleteOrgInvite(state.orgId, state, bounds),
    );
    if (!cancelled || state.onAccepted !== "manage") return cancelled;
    // A person who joined by single sign-on is a member although the invitation was pending.
    const user = await directory.findUser(state, bounds);
    return user?.orgMembershipStatus === "ACTIVE" ? undefined : true;
  }

  /**
   * Ends the invitation or the membership, as the row of the lifecycle says.
   *
   * @param hasFailedSuccessor - Whether another resource of the run declares the person, but its creation failed.
   */
  async #endMembership(
    state: OrgInvitationState,
    person: Person | undefined,
    hasFailedSuccessor: boolean,
    bounds: Bounds,
  ): Promise<true | undefined> {
    const { invitations, members } = this.#options;
    const { orgId, onAccepted, username } = state;
    const row = lifecycleRow(person?.orgMembershipStatus, onAccepted);
    const step = LIFECYCLE[row].delete;
    if (hasFailedSuccessor && (step === "cancel" || step === "removeMember")) {
      throw new LifecycleError(
        "successorFailed",
        `Nothing was sent for ${username} in ${orgId}: another resource of this program declares the same person, and could not be created.`,
      );
    }
    switch (step) {
      case "cancel":
        return invitations.deleteOrgInvite(orgId, person as Person, bounds);
      case "removeMember": {
        const { openInvitation } = person as Person;
        if (openInvitation) await invitations.deleteOrgInvite(orgId, openInvitation, bounds);
        return members.removeMember(orgId, person as Person, bounds);
      }
      case "refuse":
        throw new RefusedError(refusal("delete", row, state), "delete", row);
      case "forget":
        this.#notify(state, `${username} stays a member of ${orgId}. Only the resource is deleted.`);
    }
    return true;
  }

  /** Whether another resource keeps the person, so that the deletion is done. */
  async #handOver(state: OrgInvitationState, person: PersonIdentity, bounds: Bounds): Promise<boolean> {
    const { username, orgId } = state;
    const handover = handoverOf(this.#options.declarations, state, person);
    switch (handover.to) {
      case "none":
      case "failedResource":
        return false;
      case "otherResource":
        this.#notify(
          state,
          `Another resource declares ${username} in ${orgId} now. Nothing was sent for the resource that is deleted.`,
        );
        return true;
      case "newCopy":
        await this.#renew(state, handover.inputs, bounds);
        return true;
      case "invitedNewCopy":
        return true;
    }
  }

  /** Cancels the invitation of a replaced resource, if it is still pending, and sends it again. */
  async #renew(state: OrgInvitationState, inputs: OrgInvitationInputs, bounds: Bounds): Promise<void> {
    const { orgId, username } = inputs;
    await this.#lookup.findAndAct(state, bounds, async (person, isLastLookup) => {
      if (person?.orgMembershipStatus === "PENDING" && isSameInvitation(person, state)) {
        if (!(await this.#options.invitations.deleteOrgInvite(orgId, person, bounds))) return undefined;
      } else if (person) {
        return true;
      }
      try {
        if (!(await this.#invite(inputs, isLastLookup, bounds)).person) return undefined;
      } catch (error) {
        // As an error it would make each later run send another invitation. The next read shows what is missing.
        if (!(error instanceof IncompleteCreateError)) throw error;
        this.#notify(inputs, error.message, "warning");
      }
      this.#notify(
        inputs,
        `${username} was invited to ${orgId} again, because the resource was replaced. Its outputs show the new invitation after the next read.`,
      );
      return true;
    });
  }

  /** Brings the person to the inputs. `isSent`: an invitation was sent. */
  async #reconcile(
    operation: "create" | "update",
    inputs: OrgInvitationInputs,
    state: OrgInvitationState | undefined,
    bounds: Bounds,
  ): Promise<{ person: Person; isSent: boolean }> {
    let isSent = false;
    const sought = { ...state, ...inputs };
    const person = await this.#lookup.findAndAct(sought, bounds, async (person, isLastLookup) => {
      const row = lifecycleRow(person?.orgMembershipStatus, inputs.onAccepted);
      const step = LIFECYCLE[row][operation];
      if (step === "refuse") {
        const text = refusal(operation, row, { ...person, ...subjectOf(inputs) }, state?.status);
        throw new RefusedError(text, operation, row);
      }
      if (step === "invite" || !person) {
        const invitation = await this.#invite(inputs, isLastLookup, bounds);
        isSent = invitation.isSent;
        return invitation.person;
      }
      if (operation === "create") this.#reportAdoption(row, person, inputs, isSent);
      if (step === "keepMember") return person;
      return this.#access.change(person, inputs, state, step === "grantMember", bounds);
    });
    return { person, isSent };
  }

  #reportAdoption(row: LifecycleRow, person: Person, inputs: OrgInvitationInputs, isSent: boolean): void {
    const { username, orgId } = inputs;
    // An API key has no address (recorded): an address is that of a colleague who invited the person in the meantime.
    const isOwn = isSent && row === "PENDING" && !person.inviterUsername?.includes("@");
    this.#notify(
      inputs,
      isOwn
        ? `The invitation of ${username} to ${orgId} was sent, although its answer was lost.`
        : adoption(row, { ...person, ...subjectOf(inputs) }),
    );
  }

  /** Without a person if the person has to be looked up again: on a conflict, or when Atlas's answer was lost. */
  async #invite(
    inputs: OrgInvitationInputs,
    isLastLookup: boolean,
    bounds: Bounds,
  ): Promise<{ person?: Person; isSent: boolean }> {
    const { invitations, directory } = this.#options;
    const { orgId, username } = inputs;
    let invited: Person;
    try {
      const recheck = directory.expectUninvited(inputs, { thorough: isThorough(inputs) });
      invited = await invitations.createOrgInvite(orgId, username, inputs, recheck, bounds);
    } catch (error) {
      const isUnclear =
        isConflict(error) || isUnreadableSuccess(error) || error instanceof StaleObservationError;
      if (isLastLookup || !isUnclear) throw error;
      return { isSent: !isConflict(error) };
    }
    if (grants(invited, inputs)) return { person: invited, isSent: true };
    // It is unknown whether each API version accepts teams and project roles in this request.
    const state = stateOf(inputs, invited);
    try {
      const changed = await this.#lookup.tryWithoutLookup(state, () =>
        this.#access.change(invited, inputs, undefined, false, bounds),
      );
      // Without stored access, everything that the list lacks counts as lost by this change.
      const requested = { ...state, roles: [], teamIds: [], groupRoleAssignments: [] };
      const person = changed ?? (await this.#reconcile("update", inputs, requested, bounds)).person;
      return { person, isSent: true };
    } catch (error) {
      throw new IncompleteCreateError(state, error as Error);
    }
  }

  /** Brings a known person to the inputs. Needs a look-up only where the person is not pending. */
  async #applyInputs(
    state: OrgInvitationState,
    inputs: OrgInvitationInputs,
    bounds: Bounds,
  ): Promise<OrgInvitationState> {
    // A field from which the change removes something, or which it leaves unchanged, starts from what Atlas has now.
    const isDirect = ACCESS_FIELDS.every((field) => {
      return state[field].length === 0 || (inputs[field] && !sameField(field, state.declared, inputs));
    });
    const pending: Person = { ...state, orgMembershipStatus: "PENDING" };
    const changed = isDirect
      ? await this.#lookup.tryWithoutLookup(state, () =>
          this.#access.change(pending, inputs, state, false, bounds),
        )
      : undefined;
    const person = changed ?? (await this.#reconcile("update", inputs, state, bounds)).person;
    return stateOf(inputs, person, state);
  }

  #notify({ orgId, username }: PersonIdentity, text: string, severity: "info" | "warning" = "info"): void {
    this.#options.notify({ severity, text, subject: { orgId, username } });
  }

  /** Runs one operation at a time for each person, each with one deadline for all its waits. */
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

function isNotPending({ orgMembershipStatus }: Person): boolean {
  return orgMembershipStatus !== "PENDING";
}

function subjectOf({ username, orgId }: OrgInvitationInputs) {
  return { username, orgId };
}
