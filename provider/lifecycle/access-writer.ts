import type { Bounds } from "../atlas/bounds.ts";
import type { AccessField, PartialAccess } from "../atlas/invitations/access.ts";
import type { InvitationsApi, MembersApi, Person } from "../atlas/invitations/invitations-api.ts";
import type { Notify } from "../atlas/notice.ts";
import { accessChange, describeMissing, lostAccess, personToStore } from "./access-change.ts";
import { LifecycleError } from "./lifecycle-error.ts";
import type { OrgInvitationInputs, OrgInvitationState } from "./org-invitation-state.ts";

export interface AccessWriterOptions {
  invitations: InvitationsApi;
  members: MembersApi;
  notify: Notify;
}

/** Changes what an invitation grants, or what a member has. */
export class AccessWriter {
  readonly #options: AccessWriterOptions;

  constructor(options: AccessWriterOptions) {
    this.#options = options;
  }

  /**
   * Sends what differs in one request, and compares the answer with it. Sends nothing if nothing differs.
   *
   * @param state - The stored state; absent on creation.
   * @returns the person to store; `undefined` where Atlas finds no such invitation or member.
   * @throws LifecycleError "accessNotTaken" where the answer lacks a part of the change.
   */
  async change(
    person: Person,
    inputs: OrgInvitationInputs,
    state: OrgInvitationState | undefined,
    isMember: boolean,
    bounds: Bounds,
  ): Promise<Person | undefined> {
    const { orgId, username } = inputs;
    const isAsPlanned = isMember && state?.onAccepted === "manage";
    const change = accessChange(person, inputs, state, isAsPlanned);
    const context = { found: person, inputs, state, isAsPlanned };
    const changedFields = Object.keys(change) as AccessField[];
    if (changedFields.length === 0) return personToStore(person, change, context);

    let answer = await this.#send(person, change, orgId, isMember, bounds);
    const lost = answer && lostAccess(person, answer, change);
    if (answer && lost) answer = await this.#send(answer, { ...change, ...lost }, orgId, isMember, bounds);
    if (!answer) return undefined;

    const sent: PartialAccess = { ...change, ...lost };
    const notTaken = describeMissing(answer, sent);
    if (notTaken) {
      throw new LifecycleError(
        "accessNotTaken",
        `Atlas answered the change of ${username} in ${orgId} without an error, but did not grant ${notTaken}.`,
      );
    }
    const added = describeMissing(change, answer, changedFields);
    if (added) {
      this.#options.notify({
        severity: "warning",
        text: `${username} in ${orgId}: Atlas grants ${added} in addition to what is declared. This was not changed. If an identity provider grants it, change it there.`,
        subject: { orgId, username },
      });
    }
    return personToStore(answer, sent, context);
  }

  #send(
    person: Person,
    change: PartialAccess,
    orgId: string,
    isMember: boolean,
    bounds: Bounds,
  ): Promise<Person | undefined> {
    const { invitations, members } = this.#options;
    return isMember
      ? members.updateMember(orgId, person, change, bounds)
      : invitations.updateOrgInvite(orgId, person, change, bounds);
  }
}
