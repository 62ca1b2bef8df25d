import * as pulumi from "@pulumi/pulumi";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CheckFailure, checkInputs, UNKNOWN } from "../../../provider/lifecycle/check-inputs.ts";

const orgId = "32b6e34b3d91647abb20e7b8";
const project = "5f0000000000000000000002";
const other = "5f0000000000000000000003";
const team = "5f0000000000000000000001";
const least = { orgId, username: "ada@example.com", roles: ["ORG_MEMBER"] };
const defaults = { onAccepted: "fail", reinviteExpired: false };

/** What is wrong with arguments, by property; each is to be wrong once. */
function wrong(changes: Record<string, unknown>): Record<string, string> {
  const { failures, warnings } = checkInputs({ ...least, ...changes });
  expect(warnings).toEqual([]);
  expect(new Set(failures.map(({ property }) => property)).size).toBe(failures.length);
  return Object.fromEntries(failures.map(({ property, reason }) => [property, reason]));
}

const properties = (failures: CheckFailure[]) => failures.map(({ property }) => property).sort();

test("the least that a program can declare gets its defaults", () => {
  expect(checkInputs(least)).toEqual({ inputs: { ...least, ...defaults }, failures: [], warnings: [] });
});

test("everything that a program can declare is kept", () => {
  const everything = {
    orgId,
    username: "ada@example.com",
    roles: ["ORG_MEMBER", "ORG_READ_ONLY"],
    teamIds: [team],
    groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER"] }],
    onAccepted: "manage",
    reinviteExpired: true,
  };

  expect(checkInputs(everything)).toEqual({ inputs: everything, failures: [], warnings: [] });
});

test("null counts as absent where an argument is optional", () => {
  const nulls = { teamIds: null, groupRoleAssignments: null, onAccepted: null, reinviteExpired: null };

  expect(checkInputs({ ...least, ...nulls })).toEqual(checkInputs(least));
});

test.each(["teamIds", "groupRoleAssignments"])(
  "%s stays absent when it is left out, and [] stays []",
  (name) => {
    expect(checkInputs(least).inputs).not.toHaveProperty(name);
    // A property that is undefined counts as present: the plugin host cannot answer with it.
    expect(checkInputs({ ...least, [name]: null }).inputs).not.toHaveProperty(name);
    expect(checkInputs({ ...least, [name]: undefined }).inputs).not.toHaveProperty(name);
    expect(checkInputs({ ...least, [name]: [] }).inputs).toHaveProperty(name, []);
  },
);

test("inputs are brought to one spelling", () => {
  const { inputs } = checkInputs({
    orgId: orgId.toUpperCase(),
    username: "Ada@Example.COM",
    roles: ["ORG_READ_ONLY", "ORG_MEMBER", "ORG_READ_ONLY"],
    teamIds: [other.toUpperCase(), team, team.toUpperCase()],
    groupRoleAssignments: [
      { groupId: other, roles: ["GROUP_OWNER"] },
      { groupId: project.toUpperCase(), roles: ["GROUP_READ_ONLY"] },
      { groupId: project, roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] },
    ],
  });

  expect(inputs).toEqual({
    ...defaults,
    orgId,
    username: "ada@example.com",
    roles: ["ORG_MEMBER", "ORG_READ_ONLY"],
    teamIds: [team, other],
    groupRoleAssignments: [
      { groupId: project, roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] },
      { groupId: other, roles: ["GROUP_OWNER"] },
    ],
  });
});

const hexId = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 24, maxLength: 24 });
const orgRoles = fc.uniqueArray(fc.constantFrom("ORG_OWNER", "ORG_MEMBER", "ORG_READ_ONLY"), {
  minLength: 1,
});
const groupRoles = fc.uniqueArray(fc.constantFrom("GROUP_OWNER", "GROUP_READ_ONLY", "GROUP_MODEL_OWNER"), {
  minLength: 1,
});
const declared = fc.record({
  orgId: hexId,
  username: fc.emailAddress(),
  roles: orgRoles,
  teamIds: fc.uniqueArray(hexId, { maxLength: 3 }),
  groupRoleAssignments: fc.uniqueArray(fc.record({ groupId: hexId, roles: groupRoles }), {
    maxLength: 3,
    selector: ({ groupId }) => groupId,
  }),
  onAccepted: fc.constantFrom("fail", "retain", "manage"),
  reinviteExpired: fc.boolean(),
});

/** The list in another order, with some of its items twice. */
const shuffled = <Item>(items: readonly Item[]): fc.Arbitrary<Item[]> =>
  fc.subarray([...items]).chain((again) => {
    const all = [...items, ...again];
    return fc.shuffledSubarray(all, { minLength: all.length });
  });

/** The same letters, each in either case. */
const recased = (text: string): fc.Arbitrary<string> => fc.mixedCase(fc.constant(text.toLowerCase()));

/** The same declaration, said otherwise. */
const respelt = (args: typeof declared extends fc.Arbitrary<infer Args> ? Args : never) =>
  fc.record({
    orgId: recased(args.orgId),
    username: recased(args.username),
    roles: shuffled(args.roles),
    teamIds: fc.tuple(...args.teamIds.map(recased)).chain(shuffled),
    groupRoleAssignments: fc
      .tuple(
        ...args.groupRoleAssignments.flatMap(({ groupId, roles }) =>
          // One entry a role: a project may be named more than once.
          roles.map((role) => fc.record({ groupId: recased(groupId), roles: fc.constant([role]) })),
        ),
      )
      .chain(shuffled),
    onAccepted: fc.constant(args.onAccepted),
    reinviteExpired: fc.constant(args.reinviteExpired),
  });

test("letter case, order and duplicates mean nothing, and the one spelling stays as it is", () => {
  fc.assert(
    fc.property(
      declared.chain((args) => fc.tuple(fc.constant(args), respelt(args))),
      ([args, said]) => {
        const { inputs, failures, warnings } = checkInputs(args);

        expect({ failures, warnings }).toEqual({ failures: [], warnings: [] });
        expect(checkInputs(said).inputs).toEqual(inputs);
        expect(checkInputs({ ...inputs })).toEqual({ inputs, failures: [], warnings: [] });
      },
    ),
  );
});

test("declarations that differ in one thing keep differing in their one spelling", () => {
  const fields = fc.constantFrom(...(Object.keys(least) as "orgId"[]), "teamIds", "groupRoleAssignments");
  const lowerCase = (value: unknown) => JSON.stringify(value).toLowerCase();
  const items = (value: unknown) => lowerCase(Array.isArray(value) ? value.map(lowerCase).sort() : value);

  fc.assert(
    fc.property(declared, declared, fields, (one, another, field) => {
      const { inputs } = checkInputs(one);
      const changed = checkInputs({ ...one, [field]: another[field] }).inputs;

      fc.pre(items(one[field]) !== items(another[field]));
      expect(changed[field]).not.toEqual(inputs[field]);
      expect({ ...changed, [field]: inputs[field] }).toEqual(inputs);
    }),
  );
});

test("every wrong argument is named at once, each at its path", () => {
  const { inputs, failures } = checkInputs({
    orgId: "myorg",
    username: "ada",
    roles: ["GROUP_OWNER", 5, ""],
    teamIds: ["team", team, null],
    groupRoleAssignments: [
      { groupId: project, roles: [] },
      { groupId: "project", roles: ["ORG_OWNER", "GROUP_OWNER"], role: "GROUP_OWNER" },
      {},
      "GROUP_OWNER",
    ],
    onAccepted: "keep",
    reinviteExpired: "true",
    teamsIds: [],
    "mongodbatlas:orgId": orgId,
  });

  expect(properties(failures)).toEqual([
    "groupRoleAssignments[0].roles",
    "groupRoleAssignments[1].groupId",
    "groupRoleAssignments[1].role",
    "groupRoleAssignments[1].roles[0]",
    "groupRoleAssignments[2].groupId",
    "groupRoleAssignments[2].roles",
    "groupRoleAssignments[3]",
    "mongodbatlas:orgId",
    "onAccepted",
    "orgId",
    "reinviteExpired",
    "roles[0]",
    "roles[1]",
    "roles[2]",
    "teamIds[0]",
    "teamIds[2]",
    "teamsIds",
    "username",
  ]);
  // As given, so that the engine shows what the program says.
  expect(inputs).toMatchObject({ orgId: "myorg", onAccepted: "keep" });
});

test("no argument at all is three that are missing", () => {
  expect(checkInputs({}).failures).toEqual([
    { property: "orgId", reason: "it is missing: give it" },
    { property: "username", reason: "it is missing: give it" },
    { property: "roles", reason: "it is missing: give it" },
  ]);
});

test.each([
  ["an organization", "orgId", "Atlas shows in the organization's settings"],
  ["a team", "teamIds", "Atlas shows in the address of the team's page"],
  ["a project", "groupId", "Atlas shows in the project's settings"],
])("the id of %s is 24 hexadecimal digits", (what, name, where) => {
  const at = (id: unknown) => {
    if (name === "orgId") return wrong({ orgId: id }).orgId;
    if (name === "teamIds") return wrong({ teamIds: [id] })["teamIds[0]"];
    const groupRoleAssignments = [{ groupId: id, roles: ["GROUP_OWNER"] }];
    return wrong({ groupRoleAssignments })["groupRoleAssignments[0].groupId"];
  };

  for (const id of ["", "abc", `${orgId}0`, ` ${orgId}`, `${orgId}\n`, "zzzzzzzzzzzzzzzzzzzzzzzz"]) {
    expect(at(id)).toBe(
      `${JSON.stringify(id)} is not the id of ${what}: give the 24 hexadecimal digits that ${where}`,
    );
  }
  for (const id of [true, {}, [orgId]]) {
    expect(at(id)).toBe(`${JSON.stringify(id)} is not the id of ${what}: give a string`);
  }
  expect(at(orgId)).toBeUndefined();
});

test.each([
  "",
  "ada",
  "ada@",
  "@example.com",
  "example.com",
  "ada@example",
  "a da@example.com",
  "ada@exa mple.com",
  "ada@example.com.",
  "ada@example..com",
  "ada@-example.com",
  "a@b@c.de",
  "ada@example.com;",
  "ada@example.com,bob@example.com",
  "<ada@example.com>",
  "Ada <ada@example.com>",
  "'ada@example.com'",
  '"ada"@example.com',
  "mailto:ada@example.com",
  " ada@example.com",
  "ada@example.com ",
  "ada@example.com\n",
  // An address is compared as it is written, so that two spellings of one domain would be two people.
  "ada@bu\u0308cher.example",
  "ada@ｅｘａｍｐｌｅ.com",
  "ａｄａ@example.com",
  "ada@example。com",
  "ada@\u212Aelvin.example",
  // What the conversion of a Unicode domain to ASCII decodes, or cuts off.
  "ada@b%C3%BCcher.example",
  "ada@bücher.example/shop",
  "ada@bücher.example:25",
  "jörg@example.com",
])("%j is refused as an e-mail address", (username) => {
  expect(wrong({ username })).toEqual({
    username: `${JSON.stringify(username)} is not an e-mail address: give the plain address, such as ada@example.com`,
  });
});

test.each([
  ["a zero-width space", "\u200B", "200b"],
  ["a zero-width joiner", "\u200D", "200d"],
  ["a byte order mark", "\uFEFF", "feff"],
  ["a soft hyphen", "\u00AD", "ad"],
  ["a variation selector", "\uFE0F", "fe0f"],
  ["a mark of direction", "\u202E", "202e"],
  ["a blank that does not break", "\u00A0", "a0"],
  ["an invisible tag", "\u{E0061}", "e0061"],
])("an address with %s is refused, and the message shows the character", (_, character, digits) => {
  const shown = (username: string) => wrong({ username }).username;

  for (const [before, after] of [
    ["", "ada@example.com"],
    ["ada", "@example.com"],
    ["ada@exam", "ple.com"],
    ["ada@büch", "er.example"],
    ["ada@example.com", ""],
  ]) {
    expect(shown(`${before}${character}${after}`)).toBe(
      `"${before}\\u{${digits}}${after}" is not an e-mail address: give the plain address, such as ada@example.com`,
    );
  }
});

test.each([
  "ada+atlas@example.com",
  "a.d_a-1@mail.example.co.uk",
  "o'brien+x@example.com",
  "jorg@bücher.example",
  "jorg@xn--bcher-kva.example",
  "JORG@BÜCHER.example",
  "ada@例え.テスト",
])("%j is an e-mail address", (username) => {
  expect(wrong({ username })).toEqual({});
  expect(checkInputs({ ...least, username }).inputs.username).toBe(username.toLowerCase());
});

// YAML reads digits without quotes as a number, also 5e1234…, which is infinite.
test.each([
  [Number("612345678901234567890123"), "6.123456789012346e+23"],
  [Number.POSITIVE_INFINITY, "Infinity"],
  [5, "5"],
])("the number %d in place of a string is refused, with the advice to put it in quotes", (number, shown) => {
  const groupRoleAssignments = [{ groupId: number, roles: [number] }];

  expect(
    wrong({
      orgId: number,
      username: number,
      roles: ["ORG_MEMBER", number],
      teamIds: [number],
      groupRoleAssignments,
    }),
  ).toEqual({
    orgId: `${shown} is a number, not the id of an organization: put it in quotes`,
    username: `${shown} is a number, not an e-mail address: put it in quotes`,
    "roles[1]": `${shown} is a number, not a role: put it in quotes`,
    "teamIds[0]": `${shown} is a number, not the id of a team: put it in quotes`,
    "groupRoleAssignments[0].groupId": `${shown} is a number, not the id of a project: put it in quotes`,
    "groupRoleAssignments[0].roles[0]": `${shown} is a number, not a role: put it in quotes`,
  });
});

test("a number in place of a list, an entry or a choice is shown as JavaScript prints it", () => {
  const reasons = wrong({
    roles: Number.POSITIVE_INFINITY,
    teamIds: Number.POSITIVE_INFINITY,
    groupRoleAssignments: [Number.POSITIVE_INFINITY],
    onAccepted: Number.POSITIVE_INFINITY,
    reinviteExpired: Number.POSITIVE_INFINITY,
  });

  expect(Object.keys(reasons)).toHaveLength(5);
  for (const reason of Object.values(reasons)) expect(reason).toMatch(/^Infinity is not /);
});

test("there is at least one role", () => {
  expect(wrong({ roles: [] })).toEqual({
    roles: 'there is no role: give at least one organization role, such as ["ORG_MEMBER"]',
  });
  expect(wrong({ groupRoleAssignments: [{ groupId: project, roles: [] }] })).toEqual({
    "groupRoleAssignments[0].roles":
      'there is no role: give at least one project role, such as ["GROUP_READ_ONLY"]',
  });
});

test("a role of the wrong kind is told where it belongs", () => {
  const groupRoleAssignments = [
    { groupId: project, roles: ["GROUP_OWNER"] },
    { groupId: other, roles: ["ORG_OWNER"] },
  ];

  expect(wrong({ roles: ["ORG_MEMBER", "GROUP_OWNER"], groupRoleAssignments })).toEqual({
    "roles[1]":
      '"GROUP_OWNER" is a role in a project: give it in groupRoleAssignments, with the id of the project',
    "groupRoleAssignments[1].roles[0]": '"ORG_OWNER" is a role in the organization: give it in roles',
  });
});

test("what is not a list is told which list to give", () => {
  expect(wrong({ roles: "ORG_MEMBER", teamIds: team, groupRoleAssignments: { groupId: project } })).toEqual({
    roles: '"ORG_MEMBER" is not a list of roles: give at least one organization role, such as ["ORG_MEMBER"]',
    teamIds: `"${team}" is not a list: give the ids of teams, or []`,
    groupRoleAssignments: `{"groupId":"${project}"} is not a list: give entries of groupId and roles, or []`,
  });
});

test("what is no role is told what one looks like", () => {
  expect(wrong({ roles: ["", 5, null] })).toEqual({
    "roles[0]": '"" is not a role: name one, such as ORG_MEMBER',
    "roles[1]": "5 is a number, not a role: put it in quotes",
    "roles[2]": "null is not a role: give a string",
  });
});

test("a project's entry has two properties and no others", () => {
  const groupRoleAssignments = ["GROUP_OWNER", null, { groupId: project, groupRole: "GROUP_OWNER" }];

  expect(wrong({ groupRoleAssignments })).toEqual({
    "groupRoleAssignments[0]": '"GROUP_OWNER" is not an entry: give groupId, roles',
    "groupRoleAssignments[1]": "null is not an entry: give groupId, roles",
    "groupRoleAssignments[2].roles": "it is missing: give it",
    "groupRoleAssignments[2].groupRole": "there is no such argument: the arguments are groupId, roles",
  });
});

test("an argument that there is not is told which there are", () => {
  const reason =
    "there is no such argument: the arguments are orgId, username, roles, teamIds, groupRoleAssignments, onAccepted, reinviteExpired";

  expect(wrong({ teamsIds: [team], email: "ada@example.com", invitationId: null })).toEqual({
    teamsIds: reason,
    email: reason,
    invitationId: reason,
  });
});

test("the choices are told", () => {
  expect(wrong({ onAccepted: "keep", reinviteExpired: "yes" })).toEqual({
    onAccepted:
      '"keep" is not a choice: give "fail" (a member stops the destroy), "retain" (a member stays) or "manage" (a member is changed and removed)',
    reinviteExpired: '"yes" is not true or false: give one of them',
  });
});

test("null is not enough where an argument is required", () => {
  expect(wrong({ orgId: null, username: null, roles: null })).toEqual({
    orgId: "null is not the id of an organization: give a string",
    username: "null is not an e-mail address: give a string",
    roles: 'null is not a list of roles: give at least one organization role, such as ["ORG_MEMBER"]',
  });
});

test.each([
  ["the provider text", { __provider: "exports.handler=…" }],
  ["the name of the resource", { __resource: "urn:pulumi:dev::teams::example:Team::ada" }],
  ["the name of the resource, not known yet", { __resource: UNKNOWN }],
  ["what an earlier refresh found", { status: "EXPIRED", expiresAt: "2026-09-09T03:03:37Z" }],
])("%s is no argument, and is dropped", (_, sentAlong) => {
  expect(checkInputs({ ...least, ...sentAlong })).toEqual(checkInputs(least));
  expect(checkInputs({ ...sentAlong }).inputs).toEqual({});
});

test("a role that this version does not know is a warning, once", () => {
  const { inputs, failures, warnings } = checkInputs({
    ...least,
    roles: ["ORG_WIZARD", "ORG_MEMBER", "ORG_WIZARD", "wizard"],
    groupRoleAssignments: [
      { groupId: project, roles: ["GROUP_WIZARD", "GROUP_OWNER"] },
      { groupId: other, roles: ["GROUP_WIZARD", "constructor"] },
    ],
  });

  expect(failures).toEqual([]);
  expect(inputs.roles).toEqual(["ORG_MEMBER", "ORG_WIZARD", "wizard"]);
  expect(warnings).toEqual(
    ["GROUP_WIZARD", "ORG_WIZARD", "constructor", "wizard"].map(
      (role) => `ada@example.com: this version does not know the role ${role}. It is sent to Atlas as it is.`,
    ),
  );
});

test("a warning about somebody who is not known yet says so", () => {
  const { warnings } = checkInputs({ ...least, username: UNKNOWN, roles: ["ORG_WIZARD"] });

  expect(warnings).toEqual([
    "somebody not known yet: this version does not know the role ORG_WIZARD. It is sent to Atlas as it is.",
  ]);
});

// As documented, so that a misspelt one here shows as a warning.
test.each([
  ["ORG_OWNER", "ORG_MEMBER", "ORG_GROUP_CREATOR", "ORG_BILLING_ADMIN"],
  ["ORG_BILLING_READ_ONLY", "ORG_STREAM_PROCESSING_ADMIN", "ORG_READ_ONLY"],
])("the organization roles %s, … are known", (...roles) => {
  expect(checkInputs({ ...least, roles })).toMatchObject({ failures: [], warnings: [] });
});

test.each([
  ["GROUP_OWNER", "GROUP_READ_ONLY", "GROUP_DATA_ACCESS_ADMIN", "GROUP_DATA_ACCESS_READ_ONLY"],
  ["GROUP_DATA_ACCESS_READ_WRITE", "GROUP_DATABASE_ACCESS_ADMIN", "GROUP_OBSERVABILITY_VIEWER"],
  ["GROUP_BACKUP_MANAGER", "GROUP_CLUSTER_MANAGER", "GROUP_SEARCH_INDEX_EDITOR"],
  ["GROUP_STREAM_PROCESSING_OWNER"],
])("the project roles %s, … are known", (...roles) => {
  const groupRoleAssignments = [{ groupId: project, roles }];

  expect(checkInputs({ ...least, groupRoleAssignments })).toMatchObject({ failures: [], warnings: [] });
});

test("the value that stands for an unknown one is Pulumi's", () => {
  expect(UNKNOWN).toBe(pulumi.runtime.unknownValue);
});

type Path = (string | number)[];

/** The path of everything inside a value, at any depth. */
function pathsIn(value: unknown, path: Path = []): Path[] {
  const inside = typeof value === "object" && value !== null ? Object.entries(value) : [];
  const isList = Array.isArray(value);
  return inside.flatMap(([key, item]) => {
    const at = [...path, isList ? Number(key) : key];
    return [at, ...pathsIn(item, at)];
  });
}

function at(value: unknown, path: Path): unknown {
  return path.reduce((inside, key) => (inside as Record<string | number, unknown>)?.[key], value);
}

/** A copy with an unknown value at the path. */
function withUnknown<Value>(value: Value, path: Path): Value {
  const copy = structuredClone(value);
  const inside = at(copy, path.slice(0, -1));
  if (typeof inside === "object") (inside as Record<string | number, unknown>)[path.at(-1) ?? ""] = UNKNOWN;
  return copy;
}

test("an unknown value is accepted and kept wherever it is", () => {
  fc.assert(
    fc.property(
      declared.chain((args) => fc.tuple(fc.constant(args), fc.subarray(pathsIn(args), { minLength: 1 }))),
      ([args, paths]) => {
        const unknown = paths.reduce(withUnknown, args);
        const { inputs, failures, warnings } = checkInputs(unknown);

        expect({ failures, warnings }).toEqual({ failures: [], warnings: [] });
        for (const path of paths) {
          if (at(unknown, path) === UNKNOWN) expect(at(inputs, path)).toBe(UNKNOWN);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("what is known next to an unknown value is checked all the same", () => {
  const groupRoleAssignments = [UNKNOWN, { groupId: UNKNOWN, roles: ["ORG_OWNER", UNKNOWN] }];

  expect(
    Object.keys(
      wrong({ orgId: UNKNOWN, username: "ada", roles: [UNKNOWN, "GROUP_OWNER"], groupRoleAssignments }),
    ),
  ).toEqual(["username", "roles[1]", "groupRoleAssignments[1].roles[0]"]);
});

test("what is known next to an unknown value is brought to its spelling as far as it can be", () => {
  const { inputs } = checkInputs({
    ...least,
    orgId: orgId.toUpperCase(),
    username: UNKNOWN,
    roles: ["ORG_READ_ONLY", UNKNOWN, "ORG_MEMBER"],
    teamIds: [team.toUpperCase(), UNKNOWN],
    groupRoleAssignments: UNKNOWN,
  });

  expect(inputs).toEqual({
    ...defaults,
    orgId,
    username: UNKNOWN,
    roles: ["ORG_READ_ONLY", UNKNOWN, "ORG_MEMBER"],
    teamIds: [team, UNKNOWN],
    groupRoleAssignments: UNKNOWN,
  });
});

test("whatever a program gives, the answer is inputs or reasons", () => {
  const names = fc.oneof(
    fc.constantFrom("orgId", "username", "roles", "teamIds", "groupRoleAssignments", "groupId"),
    fc.constantFrom("onAccepted", "reinviteExpired", "__proto__", "constructor", "prototype", "toString"),
    fc.string(),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom(null, true, 0, -1.5, "", UNKNOWN, orgId, "ORG_OWNER", "__proto__", "constructor"),
      fc.string(),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.array(fc.tuple(names, tie("value")), { maxLength: 4 }).map(fromJson),
    ),
  }));
  const programs = fc
    .array(fc.tuple(names, value), { maxLength: 10 })
    .map((entries) => fromJson([...Object.entries(least), ...entries]));

  fc.assert(
    fc.property(programs, (news) => {
      const { inputs, failures, warnings } = checkInputs(news);

      if (failures.length === 0) expect(checkInputs({ ...inputs }).inputs).toEqual(inputs);
      for (const { property, reason } of failures) {
        expect(property).toBeTypeOf("string");
        expect(reason).not.toBe("");
      }
      for (const warning of warnings) expect(warning).toContain("does not know the role");
    }),
    { numRuns: 1000 },
  );
});

/** An object as it comes from the wire, where any name is an own property. */
function fromJson(entries: [string, unknown][]): Record<string, unknown> {
  const members = entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  return JSON.parse(`{${members.join(",")}}`);
}

test("names of the prototype are no arguments, and do no harm", () => {
  const news = fromJson([
    ...Object.entries(least),
    ["__proto__", { onAccepted: "manage" }],
    ["toString", "x"],
  ]);

  expect(properties(checkInputs(news).failures)).toEqual(["toString"]);
  expect(checkInputs(fromJson([...Object.entries(least), ["__proto__", { reinviteExpired: true }]]))).toEqual(
    checkInputs(least),
  );
});

test("a very long value is quoted no longer than a person reads", () => {
  const long = "x".repeat(1_000_000);
  const reasons = Object.values(wrong({ orgId: long, username: long, roles: { long }, onAccepted: [long] }));

  expect(reasons).toHaveLength(4);
  for (const reason of reasons) {
    expect(reason).toContain("xxx…");
    expect(reason.length).toBeLessThan(400);
  }
});

test("a value without JSON is named all the same", () => {
  expect(wrong({ orgId: undefined })).toEqual({
    orgId: "undefined is not the id of an organization: give a string",
  });
});

describe("a stored value that no program may declare", () => {
  // With ignoreChanges, the engine puts what is stored in place of what the program declares.
  const stored = {
    username: "ada@localhost",
    roles: ["GROUP_OWNER", ""],
    teamIds: ["team"],
    groupRoleAssignments: [{ groupId: project, roles: [] }],
  };

  test.each(Object.entries(stored))("passes as it is where it is the %s", (name, value) => {
    const olds = { ...least, ...defaults, [name]: value };
    const given = { ...least, orgId: orgId.toUpperCase(), [name]: value };
    expect(checkInputs(given, olds)).toEqual({ inputs: olds, failures: [], warnings: [] });
  });

  test("passes with others of its kind", () => {
    const olds = { ...least, ...defaults, ...stored };
    expect(checkInputs({ ...least, ...stored }, olds)).toEqual({ inputs: olds, failures: [], warnings: [] });
  });

  test.each([
    ["it is not the stored one", { ...least, roles: ["GROUP_READ_ONLY"] }],
    ["nothing is stored", {}],
    ["nothing is stored of it", { ...least, roles: undefined }],
  ])("is refused where %s", (_, olds) => {
    const { failures } = checkInputs({ ...least, roles: ["GROUP_OWNER"] }, olds);
    expect(properties(failures)).toEqual(["roles[0]"]);
  });

  test("makes no other mistake pass, and is not told among them", () => {
    const stored = { ...least, ...defaults, roles: ["GROUP_OWNER"] };
    const mistakes = (given: object) => properties(checkInputs({ ...given }, stored).failures);
    const others = { teamIds: ["team"], "-": true, "roles-": [], "mongodbatlas:orgId": orgId };
    expect(mistakes({ ...stored, ...others })).toEqual(["-", "mongodbatlas:orgId", "roles-", "teamIds[0]"]);
    expect(mistakes({ roles: stored.roles })).toEqual(["orgId", "username"]);
  });
});
