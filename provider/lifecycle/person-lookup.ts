import type { Bounds } from "../atlas/bounds.ts";
import type { Person } from "../atlas/invitations/invitations-api.ts";
import type { FindOptions, MemberDirectory } from "../atlas/invitations/member-directory.ts";
import type { Notify } from "../atlas/notice.ts";
import { LifecycleError } from "./lifecycle-error.ts";
import type { OrgInvitationInputs, OrgInvitationState } from "./org-invitation-state.ts";

/** Acts on what Atlas says about a person. */
export class PersonLookup {
  readonly #directory: MemberDirectory;
  readonly #notify: Notify;

  constructor(directory: MemberDirectory, notify: Notify) {
    this.#directory = directory;
    this.#notify = notify;
  }

  /**
   * What Atlas says about the person; `undefined` where it does not know them.
   *
   * @throws AtlasError "unknownPerson" where the look-up fails.
   */
  async find(
    sought: OrgInvitationInputs | OrgInvitationState,
    bounds: Bounds,
    options: FindOptions = {},
  ): Promise<Person | undefined> {
    const { orgId, username } = sought;
    const thorough = isThorough(sought);
    const person = await this.#directory.find(sought, bounds, { ...options, thorough });
    const knownAs = "knownAs" in sought ? sought.knownAs : undefined;
    if (person && person.username !== username && person.username !== knownAs) {
      this.#notify({
        severity: "info",
        text: `Atlas has the address ${person.username} for ${username} in ${orgId}. The id shows that it is the same person.`,
        subject: { orgId, username },
      });
    }
    return person;
  }

  /** Acts on the look-up. An act that returns `undefined` found it outdated, and is repeated once on a new look-up. */
  async findAndAct<Result>(
    sought: OrgInvitationInputs | OrgInvitationState,
    bounds: Bounds,
    act: (person: Person | undefined, isLastLookup: boolean) => Promise<Result | undefined>,
    options: FindOptions = {},
  ): Promise<Result> {
    for (const isLastLookup of [false, true]) {
      const person = await this.find(sought, bounds, isLastLookup ? {} : options);
      try {
        const result = await act(person, isLastLookup);
        if (result !== undefined) return result;
      } finally {
        this.#directory.invalidate(sought);
      }
    }
    const { username, orgId } = sought;
    throw new LifecycleError(
      "listsDisagree",
      `Atlas lists ${username} in ${orgId}, but does not find the invitation or the member when it is asked to change it. It may be an invitation to a project, which can only be cancelled in Atlas.`,
    );
  }

  /** Sends a request about a pending person without a look-up. `undefined` where Atlas finds no such invitation. */
  async tryWithoutLookup<Result>(
    state: OrgInvitationState,
    request: () => Promise<Result | undefined>,
  ): Promise<Result | undefined> {
    if (state.status !== "PENDING") return undefined;
    try {
      return await request();
    } finally {
      this.#directory.invalidate(state);
    }
  }
}

/** A managed member may have joined by single sign-on, and still have an open invitation. */
export function isThorough({ onAccepted }: Pick<OrgInvitationInputs, "onAccepted">): boolean {
  return onAccepted === "manage";
}
