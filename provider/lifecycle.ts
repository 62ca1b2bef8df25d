import { type Access, type DeclaredAccess, sameAccess } from "./access.ts";
import { AtlasError, sentence } from "./errors.ts";
import { type InvitationsApi, isConflict, OutdatedError, type Person } from "./invitations-api.ts";
import {
  adoption,
  LIFECYCLE,
  type OnAccepted,
  refusal,
  type Status,
  standing,
  statusOf,
} from "./membership.ts";
import type { People } from "./people.ts";

/** What a program declares about a person, checked and in its one spelling. */
export interface OrgInvitationInputs extends DeclaredAccess {
  orgId: string;
  username: string;
  onAccepted: OnAccepted;
  reinviteExpired: boolean;
}

/** What is kept about a person: the inputs, and what Atlas said last. */
export interface OrgInvitationState extends OrgInvitationInputs {
  status: Status;
  invitationId?: string | undefined;
  userId?: string | undefined;
  createdAt?: string | undefined;
  expiresAt?: string | undefined;
  inviterUsername?: string | undefined;
  orgName?: string | undefined;
}

/** The invitation was sent, but does not grant all that is declared; `state` says what it grants. */
export class IncompleteCreateError extends AtlasError {
  override readonly name = "IncompleteCreateError";
  readonly state: OrgInvitationState;

  constructor(state: OrgInvitationState, reason: Error) {
    super(
      `${state.username} was invited to ${state.orgId}, but without all that is declared: ${sentence(reason)} Run pulumi up again to complete it.`,
    );
    this.state = state;
  }
}

/** What each operation does, by the table in `membership.ts`. */
export class Lifecycle {
  readonly #api: InvitationsApi;
  readonly #people: People;
  readonly #notify: (line: string) => void;

  /** @param notify - Takes the one line that tells the user of something unusual. */
  constructor(api: InvitationsApi, people: People, notify: (line: string) => void) {
    this.#api = api;
    this.#people = people;
    this.#notify = notify;
  }

  /** Invites the person, or adopts them where they are invited or a member already. */
  async create(inputs: OrgInvitationInputs): Promise<OrgInvitationState> {
    return stateOf(inputs, await this.#settle("create", inputs));
  }

  /** What became of the person; `undefined` where Atlas knows nothing of them any more. */
  async read(state: OrgInvitationState): Promise<OrgInvitationState | undefined> {
    const person = await this.#find(state);
    const row = standing(person?.orgMembershipStatus, state.onAccepted);
    return person && LIFECYCLE[row].read !== "drop" ? stateOf(state, person, state) : undefined;
  }

  /** Grants what is declared. Only the access is Atlas's business: a change of the rest sends nothing. */
  async update(state: OrgInvitationState, inputs: OrgInvitationInputs): Promise<OrgInvitationState> {
    if (sameAccess(accessOf(state), accessOf(inputs))) return { ...state, ...inputs };
    return stateOf(inputs, await this.#grant(state, inputs), state);
  }

  /** Cancels the invitation; what happens to a person who accepted is for the stored `onAccepted` to say. */
  async delete(state: OrgInvitationState): Promise<void> {
    const { orgId, onAccepted } = state;
    if (await this.#whilePending(state, () => this.#api.deleteOrgInvite(orgId, state))) return;
    await this.#look(state, async (person) => {
      const row = standing(person?.orgMembershipStatus, onAccepted);
      switch (LIFECYCLE[row].delete) {
        case "cancel":
          return this.#api.deleteOrgInvite(orgId, person as Person);
        case "removeMember":
          return this.#api.removeMember(orgId, person as Person);
        case "refuse":
          throw new AtlasError(refusal("delete", row, state));
        default:
          return true;
      }
    });
  }

  /** Brings the person to what is declared. */
  #settle(operation: "create" | "update", inputs: OrgInvitationInputs): Promise<Person> {
    return this.#look(inputs, async (person, isLastLook) => {
      const row = standing(person?.orgMembershipStatus, inputs.onAccepted);
      const step = LIFECYCLE[row][operation];
      if (step === "refuse") throw new AtlasError(refusal(operation, row, { ...person, ...inputs }));
      if (step === "invite" || !person) return this.#invite(inputs, isLastLook);
      if (operation === "create") this.#notify(adoption(row, { ...person, ...inputs }));
      if (step === "keepMember" || sameAccess(person.access, accessOf(inputs))) return person;
      return step === "grantInvited"
        ? this.#api.updateOrgInvite(inputs.orgId, person, accessOf(inputs))
        : this.#api.updateMember(inputs.orgId, person, accessOf(inputs));
    });
  }

  /** `undefined` where somebody else may have been faster, which another look will tell. */
  async #invite(inputs: OrgInvitationInputs, isLastLook: boolean): Promise<Person | undefined> {
    const { orgId, username } = inputs;
    let invited: Person;
    try {
      invited = await this.#api.createOrgInvite(orgId, username, accessOf(inputs), () =>
        this.#expectUnknown(inputs),
      );
    } catch (error) {
      if (isLastLook || !(isConflict(error) || error instanceof OutdatedError)) throw error;
      return undefined;
    }
    if (sameAccess(invited.access, accessOf(inputs))) return invited;
    // Whether every generation heeds teams and project roles in this request is unknown.
    const state = stateOf(inputs, invited);
    try {
      return await this.#grant(state, inputs);
    } catch (error) {
      throw new IncompleteCreateError(state, error as Error);
    }
  }

  /** Brings somebody known to what is declared; to look them up is needed only where they are not pending. */
  async #grant(state: OrgInvitationState, inputs: OrgInvitationInputs): Promise<Person> {
    const updated = await this.#whilePending(state, () =>
      this.#api.updateOrgInvite(state.orgId, state, accessOf(inputs)),
    );
    return updated ?? (await this.#settle("update", inputs));
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
      this.#people.doubt(state.orgId, state.username);
    }
  }

  /** Acts on what Atlas says about the person, and once more where that turns out to be outdated. */
  async #look<Result>(
    who: OrgInvitationInputs,
    act: (person: Person | undefined, isLastLook: boolean) => Promise<Result | undefined>,
  ): Promise<Result> {
    const { orgId, username } = who;
    for (const isLastLook of [false, true]) {
      const person = await this.#find(who);
      try {
        const result = await act(person, isLastLook);
        if (result !== undefined) return result;
      } finally {
        this.#people.doubt(orgId, username);
      }
    }
    throw new AtlasError(
      `Atlas contradicts itself about ${username} in ${orgId}: what it lists of them, and what it answers when asked to change that, do not agree. Run the command again; if it stays so, settle it in Atlas. An invitation to a project, for one, can only be cancelled there.`,
    );
  }

  /** @throws OutdatedError where Atlas has the invitation after all. */
  async #expectUnknown(inputs: OrgInvitationInputs): Promise<void> {
    const { orgId, username, onAccepted } = inputs;
    this.#people.doubt(orgId, username);
    const person = await this.#find(inputs);
    const row = standing(person?.orgMembershipStatus, onAccepted);
    if (LIFECYCLE[row].create === "invite") return;
    throw new OutdatedError(`${username} became known to ${orgId} meanwhile. Run pulumi up again.`);
  }

  /** A look-up that fails is an error, never "gone". */
  async #find({ orgId, username }: OrgInvitationInputs): Promise<Person | undefined> {
    try {
      return await this.#people.find(orgId, username);
    } catch (error) {
      if (!(error instanceof AtlasError)) throw error;
      throw new AtlasError(
        `It is unknown whether ${username} is invited to ${orgId}, has accepted, or neither: ${error.message}`,
        { cause: error },
      );
    }
  }
}

function accessOf({ roles, teamIds = [], groupRoleAssignments = [] }: DeclaredAccess): Access {
  return { roles, teamIds, groupRoleAssignments };
}

/** The state after Atlas spoke. What it no longer tells of the same invitation, such as its id, stays known. */
function stateOf(
  inputs: OrgInvitationInputs,
  person: Person,
  previous?: OrgInvitationState,
): OrgInvitationState {
  const { orgId, username, onAccepted, reinviteExpired } = inputs;
  const row = standing(person.orgMembershipStatus, onAccepted);
  const access = LIFECYCLE[row].read === "asFound" ? person.access : inputs;
  const known = person.createdAt && person.createdAt !== previous?.createdAt ? undefined : previous;
  return {
    orgId,
    username,
    roles: access.roles,
    teamIds: access.teamIds,
    groupRoleAssignments: access.groupRoleAssignments,
    onAccepted,
    reinviteExpired,
    status: statusOf(person.orgMembershipStatus),
    invitationId: person.invitationId ?? known?.invitationId,
    userId: person.userId ?? known?.userId,
    createdAt: person.createdAt ?? known?.createdAt,
    expiresAt: person.expiresAt ?? known?.expiresAt,
    inviterUsername: person.inviterUsername ?? known?.inviterUsername,
    orgName: person.orgName ?? previous?.orgName,
  };
}
