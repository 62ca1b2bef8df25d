import * as fc from "fast-check";
import type { Access } from "../support/simulated-atlas/organization.ts";
import type { Settings } from "../support/simulated-atlas/settings.ts";
import { TROUBLE_KINDS, type Trouble, type TroubleKind, troubleOf, type When } from "./faults.ts";
import { PEOPLE, withoutTag } from "./people.ts";

const SLOTS = 5;
const TEAMS = ["7ea000000000000000000001", "7ea000000000000000000002"];
const PROJECTS = ["9c0000000000000000000001", "9c0000000000000000000002"];

/** What a program says of a person, as a user may write it. */
export interface Declaration {
  /** Which person, by number. */
  person: number;
  /** Whether the address is written in capitals. */
  shouted: boolean;
  /** Whether it is the address to which they may change in Atlas. */
  moved: boolean;
  roles: string[];
  /** What is left out is not managed. */
  teamIds: string[] | undefined;
  groupRoleAssignments: { groupId: string; roles: string[] }[] | undefined;
  onAccepted: "fail" | "retain" | "manage";
  reinviteExpired: boolean;
  /** The resource option. */
  deleteBeforeReplace: boolean | undefined;
}

/**
 * An edit of the program: a resource, by number, is declared, changed, removed or renamed; or all of them are, as
 * those of a list that is named by position are where somebody is inserted or removed at the front.
 */
export type Edit =
  | { edit: "declare"; slot: number; declaration: Declaration }
  | { edit: "change"; slot: number; changes: Partial<Declaration> }
  | { edit: "remove"; slot: number }
  | { edit: "rename"; slot: number; to: number }
  | { edit: "shift"; by: 1 | -1 };

/** What people do in Atlas; `whom` picks one of those to whom it can be done. */
export type Act =
  | { deed: PersonalDeed; whom: number; access: Partial<Access> }
  | { deed: "retire the invitations API" | "retire some of the invitations API" | "expire the tokens" }
  | { deed: "wait"; minutes: number };

export type PersonalDeed =
  | "accept"
  | "reject"
  | "expire"
  | "cancel"
  | "invite"
  | "addMember"
  | "removeMember"
  | "changeAddress"
  | "joinBySingleSignOn"
  | "change";

/** When something happens in the course of a command: once so many requests were sent, or after a wait. */
export type Moment = number | "a wait";

/** A command of Pulumi, and what happens meanwhile. */
export interface Command {
  command: "up" | "up --refresh" | "refresh" | "destroy" | "destroy --refresh";
  parallel: number;
  continueOnError: boolean;
  /** See `UpOptions`; resources by number. */
  plansFirst: boolean;
  replaced: number[];
  targets: number[] | undefined;
  /** Each strikes the first request from then on that it fits, or the first that is not a GET. */
  troubles: { at: number; spares: "nothing" | "GET"; trouble: Trouble }[];
  acts: { at: Moment; act: Act }[];
  /** The process is killed, before the request is done or before its answer is read. */
  killed: { at: number; when: When } | undefined;
}

/** The program is edited, people act, and then somebody runs a command. */
export interface Round {
  /** The second one is another program, which may declare the same people. */
  stack: 0 | 1;
  edits: Edit[];
  acts: Act[];
  command: Command;
}

/** Everything that makes a run, and makes it the same each time. */
export interface Story {
  generation: "v1.0" | "v2" | "users";
  credentials: "apiKey" | "serviceAccount" | "accessToken";
  organizations: number;
  settings: Partial<Settings>;
  /** For the latencies, and for the jitter in waits. */
  seed: number;
  /** The program at first, by slot. */
  program: Declaration[];
  /** Whether the program is up before the first round. */
  isUp: boolean;
  rounds: Round[];
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

const access: fc.Arbitrary<Partial<Access>> = fc.record(
  { roles, teamIds, groupRoleAssignments },
  { requiredKeys: [] },
);

const declarationModel: { [Name in keyof Declaration]: fc.Arbitrary<Declaration[Name]> } = {
  person: fc.nat(PEOPLE - 1),
  shouted: fc.boolean(),
  moved: fc.constantFrom(false, false, false, false, false, true),
  roles,
  teamIds: fc.option(teamIds, { nil: undefined }),
  groupRoleAssignments: fc.option(groupRoleAssignments, { nil: undefined }),
  onAccepted: fc.constantFrom("fail", "retain", "manage"),
  reinviteExpired: fc.boolean(),
  deleteBeforeReplace: fc.constantFrom(...Array<undefined>(8).fill(undefined), true, false),
};

const slot = fc.nat(SLOTS - 1);
const declaration = fc.record(declarationModel);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({ edit: fc.constant("declare" as const), slot, declaration }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      edit: fc.constant("change" as const),
      slot,
      changes: fc.record(declarationModel, { requiredKeys: [] }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ edit: fc.constant("remove" as const), slot }) },
  { weight: 1, arbitrary: fc.record({ edit: fc.constant("rename" as const), slot, to: slot }) },
  {
    weight: 1,
    arbitrary: fc.record({ edit: fc.constant("shift" as const), by: fc.constantFrom<(1 | -1)[]>(1, -1) }),
  },
);

// Besides accepting, which is what invitations are for.
const OTHER_DEEDS: PersonalDeed[] = [
  "reject",
  "expire",
  "cancel",
  "invite",
  "addMember",
  "removeMember",
  "changeAddress",
  "joinBySingleSignOn",
  "change",
];

function actOf(deeds: PersonalDeed[]): fc.Arbitrary<Act> {
  return fc.oneof(
    { weight: 30, arbitrary: fc.record({ deed: fc.constantFrom(...deeds), whom: fc.nat(11), access }) },
    { weight: 1, arbitrary: fc.constant({ deed: "retire the invitations API" as const }) },
    { weight: 1, arbitrary: fc.constant({ deed: "retire some of the invitations API" as const }) },
    { weight: 2, arbitrary: fc.constant({ deed: "expire the tokens" as const }) },
    {
      weight: 3,
      arbitrary: fc.record({
        deed: fc.constant("wait" as const),
        minutes: fc.constantFrom(2, 61, 31 * 24 * 60),
      }),
    },
  );
}

const at = fc.nat(15);

function commandOf(act: fc.Arbitrary<Act>, trouble: fc.Arbitrary<Trouble>): fc.Arbitrary<Command> {
  const spares = fc.constantFrom<("nothing" | "GET")[]>("nothing", "GET");
  const moment = fc.oneof(at, fc.constant("a wait" as const));
  return fc.record({
    command: fc.constantFrom<Command["command"][]>(
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
    troubles: fc.array(fc.record({ at, spares, trouble }), { maxLength: 6 }),
    acts: fc.oneof(
      fc.constant<Command["acts"]>([]),
      fc.array(fc.record({ at: moment, act }), { maxLength: 8 }),
    ),
    killed: fc.option(fc.record({ at, when: fc.constantFrom<When[]>("before", "after") }), {
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
    usersConflict: fc.constantFrom<Settings["usersConflict"][]>(409, 400),
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

/** A story in which nothing but this happens: where everything may, no one thing goes far. */
function storyOf(deeds: PersonalDeed[], kinds: TroubleKind[]): fc.Arbitrary<Story> {
  const act = actOf(deeds);
  const round = fc.record({
    stack: fc.constantFrom<(0 | 1)[]>(0, 0, 0, 0, 1),
    edits: fc.array(edit, { maxLength: 4 }),
    acts: fc.array(act, { maxLength: 4 }),
    command: commandOf(act, troubleOf(kinds)),
  });
  return fc.record({
    // The users API is the one that can do harm.
    generation: fc.constantFrom("v2", "users", "v1.0", "users"),
    credentials: fc.constantFrom("apiKey", "serviceAccount", "accessToken"),
    organizations: fc.constantFrom(1, 2),
    settings,
    seed: fc.noShrink(fc.integer()),
    program: fc.array(declaration, { minLength: 1, maxLength: SLOTS }),
    isUp: fc.boolean(),
    rounds: fc.array(round, { minLength: 1, maxLength: 6 }),
  });
}

// Without the bias to what is least and greatest, which would tell much the same story again and again.
export const story: fc.Arbitrary<Story> = fc.noBias(
  fc
    .tuple(fc.subarray(OTHER_DEEDS), fc.subarray(TROUBLE_KINDS, { minLength: 1 }))
    .chain(([deeds, kinds]) => storyOf(["accept", ...deeds], kinds))
    .map(withFittingCredentials),
);

/** The oldest API takes API keys only. Nobody but the user can renew an access token: it has to last. */
function withFittingCredentials(story: Story): Story {
  if (story.generation === "v1.0") return { ...story, credentials: "apiKey" };
  if (story.credentials !== "accessToken") return story;
  return { ...story, settings: { ...story.settings, tokenLifetimeS: 1_000_000 } };
}
