import { expect, onTestFinished } from "vitest";
import { type Clock, systemClock } from "../../../provider/atlas/clock.ts";
import type { Notice } from "../../../provider/atlas/notice.ts";
import { type ConnectOptions, connect } from "../../../provider/lifecycle/connect.ts";
import type { LifecycleRow, OnAccepted, Operation } from "../../../provider/lifecycle/membership.ts";
import type {
  OrgInvitationInputs,
  OrgInvitationState,
} from "../../../provider/lifecycle/org-invitation-state.ts";
import type { InvitationsApiVersion, Settings } from "../../../provider/settings/settings.ts";
import { deferred } from "../../support/deferred.ts";
import type { FaultMatch } from "../../support/simulated-atlas/faults.ts";
import { SimulatedAtlas, type SimulatedAtlasOptions } from "../../support/simulated-atlas/simulated-atlas.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

export const API_VERSIONS: InvitationsApiVersion[] = ["v1.0", "v2", "users"];
export const ada = "ada@example.com";
export const newAddress = "ada.lovelace@example.com";
export const team = "5f0000000000000000000001";
export const otherTeam = "5f0000000000000000000003";
export const project = "5f0000000000000000000002";
export const otherProject = "5f0000000000000000000004";

/** Whose access a resource changes, by the same rules: that of an invitation, and that of a managed member. */
export const PEOPLE = [
  { whose: "an invitation", onAccepted: "fail" },
  { whose: "a managed member", onAccepted: "manage" },
] as const;

/** What a resource may declare of a person who has accepted, so that members are not changed. */
export const UNMANAGED = ["fail", "retain"] as const;

/** An address as Atlas stores it where it drops what follows a plus sign. */
export const withoutTag = (username: string) => username.replace(/\+[^@]*@/, "@");

/** The answer to credentials that may not write. */
export const notOwner = { status: 403, body: { errorCode: "NOT_ORG_OWNER" } };

// Waits end at once.
const withoutWaits: Clock = { ...systemClock, sleep: () => Promise.resolve() };

/** What the error contains with which the table of the lifecycle refuses an operation. */
export const refusal = (operation: Operation, row: LifecycleRow) => ({ kind: "refused", operation, row });

export interface FixtureOptions extends SimulatedAtlasOptions {
  /** @default one whose waits end at once */
  clock?: Clock;
  /** What the resources declare. @default "fail" */
  onAccepted?: OnAccepted;
}

/** For suites that run on each API version: its fixture, and its requests in the form of `requests()` below. */
export const APIS = API_VERSIONS.map((apiVersion) => {
  const isUsers = apiVersion === "users";
  const resource = isUsers ? "users" : "invites";
  return {
    apiVersion,
    isUsers,
    setup: (options?: FixtureOptions) => lifecycleFixture(apiVersion, options),
    lists: isUsers ? ["GET users"] : ["GET invites", "GET users"],
    invite: `POST ${resource}`,
    cancel: isUsers ? ["GET users/id", "DELETE users/id"] : ["DELETE invites/id"],
    invitesPath: new RegExp(`^/api/atlas/${apiVersion === "v1.0" ? "v1.0" : "v2"}/orgs/\\w+/${resource}$`),
    invitationPath: new RegExp(`${resource}/[^?]+$`),
  };
});
export type Api = (typeof APIS)[number];

/** The API versions with an endpoint for invitations, which Atlas will retire. */
export const DEPRECATED_APIS = APIS.filter(({ isUsers }) => !isUsers);

/** A simulated Atlas with one organization, and the lifecycle connected to it. */
export async function lifecycleFixture(
  invitationsApi: InvitationsApiVersion,
  { clock = withoutWaits, onAccepted = "fail", ...options }: FixtureOptions = {},
) {
  const atlas = await SimulatedAtlas.start({ now: clock.now, ...options });
  onTestFinished(() => atlas.stop());
  const organization = atlas.addOrganization();
  const apiKey = atlas.addApiKey({ organization });
  const source = "the test";
  const kind = "serviceAccount" as const;
  const settings: Settings = {
    baseUrl: atlas.url,
    invitationsApi,
    credentials: { kind: "apiKey", ...apiKey, source },
    maxWaitMs: 3_600_000,
    debug: false,
  };
  const notices: string[] = [];
  const notify = ({ severity, text }: Notice) =>
    void notices.push(severity === "info" ? text : `${severity}: ${text}`);

  /** A connection of another run: no person is declared in it yet, and no list is cached. */
  const connection = (changes: Partial<Settings & ConnectOptions> = {}) =>
    connect({ ...settings, ...changes }, { notify, clock, ...changes });
  const connected = (changes?: Partial<Settings & ConnectOptions>) => connection(changes).lifecycle;

  const inputs = (changes: Partial<OrgInvitationInputs> = {}): OrgInvitationInputs => ({
    orgId: organization.id,
    username: ada,
    roles: ["ORG_MEMBER"],
    teamIds: [],
    groupRoleAssignments: [],
    onAccepted,
    reinviteExpired: false,
    ...changes,
  });

  /** The state after a read in another run. */
  const refresh = async (state: OrgInvitationState): Promise<OrgInvitationState> => {
    const read = await connected().read(state);
    if (!read) throw new Error("The read dropped the resource.");
    return read;
  };
  /** The state of another run, which invited Ada. */
  const invited = (changes?: Partial<OrgInvitationInputs>, declaredBy?: string) =>
    connected().create(inputs(changes), declaredBy);
  /** The state of another run, which has read that Ada accepted its invitation. */
  const accepted = async (changes?: Partial<OrgInvitationInputs>, declaredBy?: string) => {
    const state = await invited(changes, declaredBy);
    organization.accept(ada);
    return refresh(state);
  };

  return {
    atlas,
    organization,
    apiKey,
    serviceAccount: () => ({ kind, ...atlas.addServiceAccount({ organization }), source }),
    inputs,
    notices,
    connection,
    connected,
    lifecycle: connected(),
    refresh,
    invited,
    accepted,
    /** The state after a read in another run: of an invitation, or of a member whom the resource manages. */
    stored: async (changes?: Partial<OrgInvitationInputs>) =>
      onAccepted === "manage" ? accepted(changes) : refresh(await invited(changes)),
    /** Updates the resource in another run. */
    update: (state: OrgInvitationState, changes?: Partial<OrgInvitationInputs>) =>
      connected().update(state, inputs(changes)),
    /** The requests since the last call, without the challenges. */
    requests: () => {
      const requests = atlas.requests.filter(({ challenge }) => !challenge).map(nameOf);
      atlas.forget();
      return requests;
    },
    /** The requests since the last call that change something: the method and the body. */
    changes: () => {
      const changes = atlas.requests.filter(({ challenge, method }) => !challenge && method !== "GET");
      atlas.forget();
      return changes.map(({ method, body }) => (body ? { method, body } : { method }));
    },
    /** Runs operations, and asserts that they change nothing in Atlas, send no e-mail and request nothing of it. */
    expectNoChange: async <Result>(run: () => Promise<Result>): Promise<Result> => {
      const before = { users: organization.users, mails: atlas.mails.length };
      atlas.forget();
      const result = await run();
      expect({ users: organization.users, mails: atlas.mails.length }).toEqual(before);
      expect(atlas.requests.filter(({ method }) => method !== "GET")).toEqual([]);
      return result;
    },
    /** Runs an operation, and makes a change in Atlas while the first request that matches waits for its answer. */
    during: async <Result>(match: FaultMatch, run: () => Promise<Result>, change: () => unknown) => {
      const { promise, resolve } = deferred();
      const { struck } = atlas.fail({ ...match, until: promise });
      const running = run();
      await Promise.race([struck, running]);
      await change();
      resolve();
      return running;
    },
    /** Lets the next request that matches fail, and makes a change in Atlas before its answer. */
    failAfter: (
      change: () => unknown,
      fault: FaultMatch & { status: number; headers?: Record<string, string> },
    ) => {
      void atlas.fail({ body: "", ...fault }).struck.then(change);
    },
  };
}

/** The fixture with a clock that a test controls: `run` lets time pass until an operation is done. */
export async function timedFixture(api: Api, options?: FixtureOptions) {
  const clock = new SimulatedClock();
  const run = <Result>(operation: Promise<Result>) => clock.run(operation);
  return { ...(await api.setup({ clock, ...options })), clock, run };
}

/** The method, and the name of the resource instead of its path. */
function nameOf({ method, path }: { method: string; path: string }): string {
  const [, resource, id] = /\/(invites|users)(\/[0-9a-f]{24})?(?:\?|$)/.exec(path) ?? [];
  return `${method} ${resource}${id ? "/id" : ""}`;
}
