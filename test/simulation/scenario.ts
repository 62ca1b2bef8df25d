import * as fc from "fast-check";
import type { Settings } from "../support/simulated-atlas/settings.ts";
import { externalChangeOf, MEMBERSHIP_CHANGES, type MembershipChange } from "./external-changes.ts";
import { FAULT_KINDS, type FaultKind, faultOf, type Generated } from "./faults.ts";
import { DECLARABLE_PEOPLE, withoutTag } from "./people.ts";

const SLOTS = 5;
const TEAMS = ["7ea000000000000000000001", "7ea000000000000000000002"];
const PROJECTS = ["9c0000000000000000000001", "9c0000000000000000000002"];

const constant = <const Value>(value: Value) => fc.constant(value);
const orgRole = fc.constantFrom("ORG_MEMBER", "ORG_OWNER", "ORG_READ_ONLY");
const roles = fc.array(orgRole, { minLength: 1, maxLength: 3 });
const teamIds = fc.subarray(TEAMS);
const groupRoles = fc.subarray(["GROUP_OWNER", "GROUP_READ_ONLY"], { minLength: 1 });
const assignment = fc.record({ groupId: fc.constantFrom(...PROJECTS), roles: groupRoles });
const groupRoleAssignments = fc.array(assignment, { maxLength: 2 });
const access = fc.record({ roles, teamIds, groupRoleAssignments }, { requiredKeys: [] });

const declarationModel = {
  /** Index of the person. */
  person: fc.nat(DECLARABLE_PEOPLE - 1),
  /** Whether the address is written in capitals. */
  upperCase: fc.boolean(),
  /** Whether it is the address to which the person may change in Atlas. */
  isChanged: fc.constantFrom(false, false, false, false, false, true),
  roles,
  /** An omitted list is not managed. */
  teamIds: fc.option(teamIds, { nil: undefined }),
  groupRoleAssignments: fc.option(groupRoleAssignments, { nil: undefined }),
  onAccepted: fc.constantFrom("fail", "retain", "manage"),
  reinviteExpired: fc.boolean(),
  /** The resource option. */
  deleteBeforeReplace: fc.constantFrom(...Array<undefined>(8).fill(undefined), true, false),
};

/** What a program declares of a person. */
export type Declaration = Generated<typeof declaration>;
const declaration = fc.record(declarationModel);

/** The arguments that a resource declares or stores about a person. */
export type InvitationArgs = { orgId: string; username: string } & Omit<
  Declaration,
  "person" | "upperCase" | "isChanged" | "deleteBeforeReplace"
>;

/** A change of the program. `slot` is the number of a resource; "shift" renumbers all resources, as in a list. */
export type Edit = Generated<typeof edit>;
const slot = fc.nat(SLOTS - 1);
const changes = fc.record(declarationModel, { requiredKeys: [] });
const edit = fc.oneof(
  { weight: 1, arbitrary: fc.record({ edit: constant("declare"), slot, declaration }) },
  { weight: 4, arbitrary: fc.record({ edit: constant("change"), slot, changes }) },
  { weight: 1, arbitrary: fc.record({ edit: constant("remove"), slot }) },
  { weight: 1, arbitrary: fc.record({ edit: constant("rename"), slot, to: slot }) },
  { weight: 1, arbitrary: fc.record({ edit: constant("shift"), by: fc.constantFrom(1, -1) }) },
);

/** A Pulumi command, and what happens while it runs. */
export type Command = Generated<ReturnType<typeof commandOf>>;

function commandOf(external: ReturnType<typeof externalChangeOf>, fault: ReturnType<typeof faultOf>) {
  const at = fc.nat(15);
  const killedWhen = fc.constantFrom("before", "after");
  const externalAt = fc.record({ at: fc.oneof(at, constant("a wait")), external });
  return fc.record({
    command: fc.constantFrom(
      ...Array<"up">(6).fill("up"),
      ...Array<"up --refresh">(2).fill("up --refresh"),
      ...Array<"refresh">(2).fill("refresh"),
      ...Array<"destroy">(2).fill("destroy"),
      "destroy --refresh",
    ),
    parallel: fc.constantFrom(1, 8, 3),
    continueOnError: fc.boolean(),
    /** Whether all checks and diffs run before the first change, or each immediately before its own change. */
    plansFirst: fc.boolean(),
    /** Resources by slot, as in `targets`. */
    replaced: fc.oneof(fc.constant<number[]>([]), fc.constant<number[]>([]), fc.uniqueArray(slot)),
    targets: fc.option(fc.uniqueArray(slot, { minLength: 1 }), { nil: undefined, freq: 8 }),
    /** Each affects the first request, from number `at` on, to which it applies and whose method it does not spare. */
    faults: fc.array(fc.record({ at, spares: fc.constantFrom("nothing", "GET"), fault }), { maxLength: 6 }),
    /** Each is made at the request of this number, or after a pause in the requests. */
    externalChanges: fc.oneof(
      fc.constant<Generated<typeof externalAt>[]>([]),
      fc.array(externalAt, { maxLength: 8 }),
    ),
    /** The process is killed before the request is carried out, or before its response is read. */
    killed: fc.option(fc.record({ at, when: killedWhen }), { nil: undefined, freq: 3 }),
  });
}

const FIELDS = ["teamIds", "groupRoleAssignments", "roles"] as const;
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
    ignoresOnCreate: fc.subarray([FIELDS[0], FIELDS[1]]),
    ignoresOnUpdate: fc.subarray([...FIELDS]),
    omittedOnUpdate: fc.constantFrom("kept", "reset"),
    addsRoles: fc.constantFrom(["ORG_READ_ONLY"], ["ORG_MEMBER"]),
    invitationThrottle: fc.record({ limit: fc.constantFrom(3, 2), refusedCount: fc.boolean() }),
    rateLimit: fc.constant({ capacity: 8, refill: 4, perSeconds: 60 }),
    retryAfter: fc.constantFrom("seconds", "date", "absent"),
    tokenLifetimeS: fc.constantFrom(3600, 90),
  },
  { requiredKeys: [] },
);

/** A complete description of a run. */
export type Scenario = Generated<ReturnType<typeof scenarioOf>>;

/** A scenario with these changes and faults only: with all of them at once, each one occurs too rarely. */
function scenarioOf(membershipChanges: MembershipChange[], faultKinds: FaultKind[]) {
  const external = externalChangeOf(membershipChanges, access);
  const step = fc.record({
    /** Stack 1 has another program, which may declare the same people. */
    stack: fc.constantFrom(0, 0, 0, 0, 1),
    edits: fc.array(edit, { maxLength: 4 }),
    externalChanges: fc.array(external, { maxLength: 4 }),
    command: commandOf(external, faultOf(faultKinds)),
  });
  return fc.record({
    // Twice as often the users API, whose requests can remove members.
    invitationsApi: fc.constantFrom("v2", "users", "v1.0", "users"),
    credentials: fc.constantFrom("apiKey", "serviceAccount", "accessToken"),
    organizations: fc.constantFrom(1, 2),
    settings,
    /** For the latencies, and for the jitter of waits. */
    seed: fc.noShrink(fc.integer()),
    /** The first program, by slot. */
    program: fc.array(declaration, { minLength: 1, maxLength: SLOTS }),
    /** Whether an `up` of the first program precedes the steps. */
    isUp: fc.boolean(),
    steps: fc.array(step, { minLength: 1, maxLength: 6 }),
  });
}

// Without the bias towards extreme values, which would generate similar scenarios again and again.
export const scenario: fc.Arbitrary<Scenario> = fc.noBias(
  fc
    .tuple(
      fc.subarray(MEMBERSHIP_CHANGES.filter((change) => change !== "accept")),
      fc.subarray(FAULT_KINDS, { minLength: 1 }),
    )
    .chain(([changes, kinds]) => scenarioOf(["accept", ...changes], kinds))
    .map(withUsableCredentials),
);

/** v1.0 accepts API keys only. Only the user can renew an access token, so it must not expire. */
function withUsableCredentials(scenario: Scenario): Scenario {
  if (scenario.invitationsApi === "v1.0") return { ...scenario, credentials: "apiKey" };
  if (scenario.credentials !== "accessToken") return scenario;
  return { ...scenario, settings: { ...scenario.settings, tokenLifetimeS: 1_000_000 } };
}
