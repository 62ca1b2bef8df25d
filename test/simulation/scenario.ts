import * as fc from "fast-check";
import type { Settings } from "../support/simulated-atlas/settings.ts";
import {
  type ExternalChange,
  externalChangeOf,
  MEMBERSHIP_CHANGE_KINDS,
  type MembershipChange,
} from "./external-changes.ts";
import { FAULT_KINDS, type Fault, type FaultKind, faultOf, type When } from "./faults.ts";
import { DECLARABLE_PEOPLE, withoutTag } from "./people.ts";

const SLOTS = 5;
const TEAMS = ["7ea000000000000000000001", "7ea000000000000000000002"];
const PROJECTS = ["9c0000000000000000000001", "9c0000000000000000000002"];

/** What a program declares of a person. */
export interface Declaration {
  /** Index of the person. */
  person: number;
  /** Whether the address is written in capitals. */
  upperCase: boolean;
  /** Whether it is the address to which the person may change in Atlas. */
  isChanged: boolean;
  roles: string[];
  /** An omitted list is not managed. */
  teamIds: string[] | undefined;
  groupRoleAssignments: { groupId: string; roles: string[] }[] | undefined;
  onAccepted: "fail" | "retain" | "manage";
  reinviteExpired: boolean;
  /** The resource option. */
  deleteBeforeReplace: boolean | undefined;
}

/** A change of the program. `slot` is the number of a resource; "shift" renumbers all resources, as in a list. */
export type Edit =
  | { edit: "declare"; slot: number; declaration: Declaration }
  | { edit: "change"; slot: number; changes: Partial<Declaration> }
  | { edit: "remove"; slot: number }
  | { edit: "rename"; slot: number; to: number }
  | { edit: "shift"; by: 1 | -1 };

/** A Pulumi command, and what happens while it runs. */
export interface Command {
  command: "up" | "up --refresh" | "refresh" | "destroy" | "destroy --refresh";
  parallel: number;
  continueOnError: boolean;
  /** See `UpOptions`; resources by number. */
  plansFirst: boolean;
  replaced: number[];
  targets: number[] | undefined;
  /** Each affects the first request, from number `at` on, to which it applies and whose method it does not spare. */
  faults: { at: number; spares: "nothing" | "GET"; fault: Fault }[];
  /** Each is applied at the request of this number, or after a pause in the requests. */
  externalChanges: { at: number | "a wait"; external: ExternalChange }[];
  /** The process is killed before the request is carried out, or before its response is read. */
  killed: { at: number; when: When } | undefined;
}

/** Edits of the program and external changes, followed by a command. */
export interface Step {
  /** Stack 1 has another program, which may declare the same people. */
  stack: 0 | 1;
  edits: Edit[];
  externalChanges: ExternalChange[];
  command: Command;
}

/** Determines a run completely. */
export interface Scenario {
  invitationsApi: "v1.0" | "v2" | "users";
  credentials: "apiKey" | "serviceAccount" | "accessToken";
  organizations: number;
  settings: Partial<Settings>;
  /** For the latencies, and for the jitter of waits. */
  seed: number;
  /** The first program, by slot. */
  program: Declaration[];
  /** Whether an `up` of the first program precedes the steps. */
  isUp: boolean;
  steps: Step[];
}

const roles = fc.array(fc.constantFrom("ORG_MEMBER", "ORG_OWNER", "ORG_READ_ONLY"), {
  minLength: 1,
  maxLength: 3,
});

const teamIds = fc.subarray(TEAMS);
const groupRoleAssignments = fc.array(
  fc.record({
    groupId: fc.constantFrom(...PROJECTS),
    roles: fc.subarray(["GROUP_OWNER", "GROUP_READ_ONLY"], { minLength: 1 }),
  }),
  { maxLength: 2 },
);

const access = fc.record({ roles, teamIds, groupRoleAssignments }, { requiredKeys: [] });

const declarationModel: { [Name in keyof Declaration]: fc.Arbitrary<Declaration[Name]> } = {
  person: fc.nat(DECLARABLE_PEOPLE - 1),
  upperCase: fc.boolean(),
  isChanged: fc.constantFrom(false, false, false, false, false, true),
  roles,
  teamIds: fc.option(teamIds, { nil: undefined }),
  groupRoleAssignments: fc.option(groupRoleAssignments, { nil: undefined }),
  onAccepted: fc.constantFrom("fail", "retain", "manage"),
  reinviteExpired: fc.boolean(),
  deleteBeforeReplace: fc.constantFrom(...Array<undefined>(8).fill(undefined), true, false),
};

const slot = fc.nat(SLOTS - 1);
const declaration = fc.record(declarationModel);
const changes = fc.record(declarationModel, { requiredKeys: [] });
const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ edit: fc.constant("declare" as const), slot, declaration }) },
  { weight: 4, arbitrary: fc.record({ edit: fc.constant("change" as const), slot, changes }) },
  { weight: 1, arbitrary: fc.record({ edit: fc.constant("remove" as const), slot }) },
  { weight: 1, arbitrary: fc.record({ edit: fc.constant("rename" as const), slot, to: slot }) },
  {
    weight: 1,
    arbitrary: fc.record({ edit: fc.constant("shift" as const), by: fc.constantFrom<(1 | -1)[]>(1, -1) }),
  },
);

const at = fc.nat(15);

function commandOf(external: fc.Arbitrary<ExternalChange>, fault: fc.Arbitrary<Fault>) {
  const spares = fc.constantFrom("nothing", "GET");
  const atOrWait = fc.oneof(at, fc.constant("a wait" as const));
  return fc.record<Command>({
    command: fc.constantFrom(
      ...Array<"up">(6).fill("up"),
      "up --refresh",
      "up --refresh",
      "refresh",
      "refresh",
      "destroy",
      "destroy",
      "destroy --refresh",
    ),
    parallel: fc.constantFrom(1, 8, 3),
    continueOnError: fc.boolean(),
    plansFirst: fc.boolean(),
    replaced: fc.oneof(fc.constant<number[]>([]), fc.constant<number[]>([]), fc.uniqueArray(slot)),
    targets: fc.option(fc.uniqueArray(slot, { minLength: 1 }), { nil: undefined, freq: 8 }),
    faults: fc.array(fc.record({ at, spares, fault }), { maxLength: 6 }),
    externalChanges: fc.oneof(
      fc.constant<Command["externalChanges"]>([]),
      fc.array(fc.record({ at: atOrWait, external }), { maxLength: 8 }),
    ),
    killed: fc.option(fc.record({ at, when: fc.constantFrom("before", "after") }), {
      nil: undefined,
      freq: 3,
    }),
  });
}

const settings: fc.Arbitrary<Partial<Settings>> = fc.record(
  {
    nonces: fc.constantFrom("reusable", "once"),
    goneAnswer: fc.constantFrom<Settings["goneAnswer"][]>("documented", 400, 404, "bare"),
    newIdOnAcceptance: fc.boolean(),
    secondInvite: fc.constantFrom("replace", "keep", "refuse"),
    storesUsername: fc.constant(withoutTag),
    usersConflict: fc.constantFrom(409, 400),
    listsExpired: fc.boolean(),
    showsPendingBesideActive: fc.boolean(),
    ignoresOnCreate: fc.subarray<Settings["ignoresOnCreate"][number]>(["teamIds", "groupRoleAssignments"]),
    ignoresOnUpdate: fc.subarray<Settings["ignoresOnUpdate"][number]>([
      "teamIds",
      "groupRoleAssignments",
      "roles",
    ]),
    omittedOnUpdate: fc.constantFrom("kept", "reset"),
    addsRoles: fc.constantFrom(["ORG_READ_ONLY"], ["ORG_MEMBER"]),
    invitationThrottle: fc.record({ limit: fc.constantFrom(3, 2), refusedCount: fc.boolean() }),
    rateLimit: fc.constant({ capacity: 8, refill: 4, perSeconds: 60 }),
    retryAfter: fc.constantFrom("seconds", "date", "absent"),
    tokenLifetimeS: fc.constantFrom(3600, 90),
  },
  { requiredKeys: [] },
);

/** A scenario with these kinds of changes and faults only: with all kinds at once, each one occurs too rarely. */
function scenarioOf(changeKinds: MembershipChange[], faultKinds: FaultKind[]) {
  const external = externalChangeOf(changeKinds, access);
  const step = fc.record<Step>({
    stack: fc.constantFrom(0, 0, 0, 0, 1),
    edits: fc.array(edit, { maxLength: 4 }),
    externalChanges: fc.array(external, { maxLength: 4 }),
    command: commandOf(external, faultOf(faultKinds)),
  });
  return fc.record<Scenario>({
    // Twice as often the users API, whose requests can remove members.
    invitationsApi: fc.constantFrom("v2", "users", "v1.0", "users"),
    credentials: fc.constantFrom("apiKey", "serviceAccount", "accessToken"),
    organizations: fc.constantFrom(1, 2),
    settings,
    seed: fc.noShrink(fc.integer()),
    program: fc.array(declaration, { minLength: 1, maxLength: SLOTS }),
    isUp: fc.boolean(),
    steps: fc.array(step, { minLength: 1, maxLength: 6 }),
  });
}

// Without the bias towards extreme values, which would generate similar scenarios again and again.
export const scenario: fc.Arbitrary<Scenario> = fc.noBias(
  fc
    .tuple(
      fc.subarray(MEMBERSHIP_CHANGE_KINDS.filter((kind) => kind !== "accept")),
      fc.subarray(FAULT_KINDS, { minLength: 1 }),
    )
    .chain(([changeKinds, faultKinds]) => scenarioOf(["accept", ...changeKinds], faultKinds))
    .map(withUsableCredentials),
);

/** v1.0 accepts API keys only. Only the user can renew an access token, so it must not expire. */
function withUsableCredentials(scenario: Scenario): Scenario {
  if (scenario.invitationsApi === "v1.0") return { ...scenario, credentials: "apiKey" };
  if (scenario.credentials !== "accessToken") return scenario;
  return { ...scenario, settings: { ...scenario.settings, tokenLifetimeS: 1_000_000 } };
}
