import * as pulumi from "@pulumi/pulumi";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkInputs, UNKNOWN } from "../../../provider/lifecycle/check-inputs.ts";
import { otherProject as other, project, team } from "./lifecycle-fixture.ts";

const orgId = "32b6e34b3d91647abb20e7b8";
const least = { orgId, username: "ada@example.com", roles: ["ORG_MEMBER"] };
const defaults = { onAccepted: "fail", reinviteExpired: false };

/** The reason of each failure by its property. Asserts that no property fails twice. */
function failuresOf(changes: object, olds?: Record<string, unknown>): Record<string, string> {
  const { failures, warnings } = checkInputs({ ...least, ...changes }, olds);
  expect(warnings).toEqual([]);
  expect(new Set(failures.map(({ property }) => property)).size).toBe(failures.length);
  return Object.fromEntries(failures.map(({ property, reason }) => [property, reason]));
}

const invalidProperties = (changes: object, olds?: Record<string, unknown>) =>
  Object.keys(failuresOf(changes, olds)).sort();

/** The arguments as they come from the wire, where any name is an own property. */
function fromJson(entries: [string, unknown][]): Record<string, unknown> {
  const members = [...Object.entries(least), ...entries].map((entry) =>
    entry.map((part) => JSON.stringify(part)),
  );
  return JSON.parse(`{${members.map((member) => member.join(":")).join(",")}}`);
}

test.each([null, undefined])("fills in defaults for %s, and keeps empty lists", (absent) => {
  const lists = { teamIds: absent, groupRoleAssignments: absent };
  const optional = { ...lists, onAccepted: absent, reinviteExpired: absent };
  const result = { inputs: { ...least, ...defaults }, failures: [], warnings: [] };
  expect(checkInputs(least)).toStrictEqual(result);
  // The plugin host cannot answer with a property that is undefined.
  expect(checkInputs({ ...least, ...optional })).toStrictEqual(result);
  const empty = { teamIds: [], groupRoleAssignments: [] };
  expect(checkInputs({ ...least, ...empty }).inputs).toEqual({ ...least, ...defaults, ...empty });
});

const normalized = {
  orgId,
  username: "ada@example.com",
  roles: ["ORG_MEMBER", "ORG_READ_ONLY"],
  teamIds: [team, other],
  groupRoleAssignments: [
    { groupId: project, roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] },
    { groupId: other, roles: ["GROUP_OWNER"] },
  ],
  onAccepted: "manage",
  reinviteExpired: true,
};

test("normalises letter case, order and duplicates", () => {
  const given = {
    ...normalized,
    orgId: orgId.toUpperCase(),
    username: "Ada@Example.COM",
    roles: ["ORG_READ_ONLY", "ORG_MEMBER", "ORG_READ_ONLY"],
    teamIds: [other.toUpperCase(), team, team.toUpperCase()],
    groupRoleAssignments: [
      { groupId: other, roles: ["GROUP_OWNER"] },
      { groupId: project.toUpperCase(), roles: ["GROUP_READ_ONLY"] },
      { groupId: project, roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] },
    ],
  };
  expect(checkInputs(given)).toEqual({ inputs: normalized, failures: [], warnings: [] });
  expect(checkInputs(normalized)).toEqual({ inputs: normalized, failures: [], warnings: [] });
});

test("accepts and keeps an unknown value at any depth", () => {
  const whole = JSON.stringify(normalized);
  let count = 0;
  JSON.parse(whole, () => count++);
  // The last value that the reviver is called with is the whole.
  for (let index = 0; index < count - 1; index++) {
    let at = 0;
    const given = JSON.parse(whole, (_, value) => (at++ === index ? UNKNOWN : value));
    expect(checkInputs(given)).toEqual({ inputs: given, failures: [], warnings: [] });
  }
});

test("returns inputs or failures for anything that a program declares", () => {
  const names = fc.oneof(
    fc.constantFrom(...Object.keys(normalized), "groupId", "__proto__", "constructor", "toString"),
    fc.string(),
  );
  const values = [fc.constantFrom(null, true, 0, "", UNKNOWN, orgId, "ORG_OWNER", "__proto__"), fc.string()];
  const others = fc.object({ key: names, values }).map((object) => Object.entries(object));
  fc.assert(
    fc.property(others, (entries) => {
      const { inputs, failures } = checkInputs(fromJson(entries));
      if (failures.length === 0) expect(checkInputs({ ...inputs }).inputs).toEqual(inputs);
      for (const { property, reason } of failures) expect([typeof property, reason]).not.toContain("");
    }),
    { numRuns: 1000 },
  );
});

const idReason = (what: string, where: string, value: string) =>
  `must be the id of ${what}, 24 hexadecimal digits that Atlas shows in ${where}; got "${value}"`;

test("reports every invalid argument at once, each at its path", () => {
  const given = {
    orgId: "myorg",
    username: "ada",
    roles: ["GROUP_OWNER", 5, ""],
    teamIds: ["team", team, null],
    groupRoleAssignments: [
      { groupId: project, roles: [] },
      { groupId: "project", roles: ["ORG_OWNER", "GROUP_OWNER"], role: "GROUP_OWNER" },
      {},
      null,
    ],
    onAccepted: "keep",
    reinviteExpired: "true",
    "mongodbatlas:orgId": orgId,
  };
  expect(failuresOf(given)).toEqual({
    orgId: idReason("an organization", "the organization's settings", "myorg"),
    username: 'must be a plain e-mail address, such as ada@example.com; got "ada"',
    "roles[0]":
      '"GROUP_OWNER" is a role in a project: declare it in groupRoleAssignments, with the id of the project',
    "roles[1]": "must be a role in quotes; got the number 5",
    "roles[2]": 'must be a role, such as ORG_MEMBER; got ""',
    "teamIds[0]": idReason("a team", "the address of the team's page", "team"),
    "teamIds[2]": "must be the id of a team, a string; got null",
    "groupRoleAssignments[0].roles":
      'must contain at least one project role, such as ["GROUP_READ_ONLY"]; got []',
    "groupRoleAssignments[1].groupId": idReason("a project", "the project's settings", "project"),
    "groupRoleAssignments[1].roles[0]": '"ORG_OWNER" is a role in the organization: declare it in roles',
    "groupRoleAssignments[1].role": "unknown argument; the arguments are groupId, roles",
    "groupRoleAssignments[2].groupId": "required, but missing",
    "groupRoleAssignments[2].roles": "required, but missing",
    "groupRoleAssignments[3]": "must be an entry with groupId, roles; got null",
    onAccepted:
      'must be "fail" (a member is an error), "retain" (a member stays) or "manage" (a member is changed and removed); got "keep"',
    reinviteExpired: 'must be true or false; got "true"',
    "mongodbatlas:orgId": `unknown argument; the arguments are ${Object.keys(normalized).join(", ")}`,
  });
  // Unchanged, so that the engine displays what the program declares.
  expect(checkInputs(given).inputs).toEqual(given);
});

test("reports arguments of another type", () => {
  // YAML reads digits without quotes as a number, and 5e1234… as an infinite one.
  const infinite = Number.POSITIVE_INFINITY;
  const numbers = { orgId: 6.12e23, username: infinite, reinviteExpired: infinite };
  expect(failuresOf({ ...numbers, roles: "ORG_MEMBER", teamIds: {}, groupRoleAssignments: 5 })).toEqual({
    orgId: "must be the id of an organization in quotes; got the number 6.12e+23",
    username: "must be an e-mail address in quotes; got the number Infinity",
    roles: 'must be a list of roles, such as ["ORG_MEMBER"]; got "ORG_MEMBER"',
    teamIds: "must be a list of ids of teams, or []; got {}",
    groupRoleAssignments: "must be a list of entries of groupId and roles, or []; got 5",
    reinviteExpired: "must be true or false; got Infinity",
  });
  const empty = 'must contain at least one organization role, such as ["ORG_MEMBER"]; got []';
  const missing = "must be the id of an organization, a string; got undefined";
  expect(failuresOf({ orgId: undefined, roles: [] })).toEqual({ orgId: missing, roles: empty });
});

const NO_IDS = ["", "abc", `${orgId}0`, ` ${orgId}`, `${orgId}\n`, "z".repeat(24), true, {}, [orgId]];

test.each(NO_IDS)("accepts no id %j", (id) => {
  const groupRoleAssignments = [{ groupId: id, roles: ["GROUP_OWNER"] }];
  const paths = ["groupRoleAssignments[0].groupId", "orgId", "teamIds[0]"];
  expect(invalidProperties({ orgId: id, teamIds: [id], groupRoleAssignments })).toEqual(paths);
});

const list = (text: string) => text.split("|");

test.each([
  ...list("|ada|ada@|@example.com|ada@example|a da@example.com|a@b@c.de|ada@example.com.|ada@example..com"),
  ...list("ada@-example.com|ada@example.com,b@example.com|Ada <ada@example.com>|mailto:ada@example.com"),
  ...list('jörg@example.com|"ada"@example.com| ada@example.com|ada@example.com |ada@example.com\n'),
  // Addresses are compared as text, so two forms of one domain would be two people.
  ...list("ada@bu\u0308cher.example|ada@ｅｘａｍｐｌｅ.com|ａｄａ@a.com|ada@example。com|a@\u212Aelvin.de"),
  // The conversion of a Unicode domain to ASCII decodes or cuts off some characters.
  ...list("ada@b%C3%BCcher.example|ada@bücher.example/shop|ada@bücher.example:25"),
])("accepts no address %j", (username) => {
  expect(failuresOf({ username }).username).toContain(`got ${JSON.stringify(username)}`);
});

const INVISIBLE = ["\u200B", "\u200D", "\uFEFF", "\u00AD", "\uFE0F", "\u202E", "\u00A0", "\u{E0061}"];

test.each(INVISIBLE)("shows the invisible character %j", (character) => {
  const code = `\\u{${character.codePointAt(0)?.toString(16)}}`;
  const places = list("_ada@example.com|ada_@example.com|ada@exam_ple.com|ada@büch_er.example|a@b.com_");
  for (const place of places) {
    const { username } = failuresOf({ username: place.replace("_", character) });
    expect(username).toContain(place.replace("_", code));
  }
});

test.each([
  ...list("ada+atlas@example.com|a.d_a-1@mail.example.co.uk|o'brien+x@example.com|jorg@bücher.example"),
  ...list("jorg@xn--bcher-kva.example|JORG@BÜCHER.example|ada@例え.テスト"),
])("accepts the address %j", (username) => {
  expect(failuresOf({ username })).toEqual({});
  expect(checkInputs({ ...least, username }).inputs.username).toBe(username.toLowerCase());
});

test("quotes only the start of a very long value", () => {
  const long = "x".repeat(1_000_000);
  for (const given of [{ orgId: long }, { username: long }, { roles: { long } }, { onAccepted: [long] }]) {
    expect(Object.values(failuresOf(given))).toEqual([expect.stringMatching(/^.{0,400}xxx…$/)]);
  }
});

test.each([
  { __provider: "exports.handler=…", __resource: "urn:pulumi:dev::teams::example:Team::ada" },
  { __resource: UNKNOWN },
  { status: "EXPIRED", expiresAt: "2026-09-09T03:03:37Z" },
])("drops %j, which is no argument", (added) => {
  expect(checkInputs({ ...least, ...added })).toEqual(checkInputs(least));
  expect(checkInputs({ ...added }).inputs).toEqual({});
});

test("takes names of the prototype for arguments like any other name", () => {
  expect(checkInputs(fromJson([["toString", "x"]])).failures).toMatchObject([{ property: "toString" }]);
  expect(checkInputs(fromJson([["__proto__", { reinviteExpired: true }]]))).toEqual(checkInputs(least));
});

test("warns once of each role that this version does not know, and keeps it", () => {
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
  const warning = (role: string) => expect.stringMatching(`^The role ${role} of ada@example.com is unknown`);
  expect(warnings).toEqual(["GROUP_WIZARD", "ORG_WIZARD", "constructor", "wizard"].map(warning));
  const unknown = checkInputs({ ...least, username: UNKNOWN, roles: ["ORG_WIZARD"] });
  expect(unknown.warnings).toEqual([expect.stringContaining("a person whose address is not known yet")]);
});

test("values next to unknown ones are checked, and normalised as far as possible", () => {
  expect(UNKNOWN).toBe(pulumi.runtime.unknownValue);
  const groupRoleAssignments = [UNKNOWN, { groupId: UNKNOWN, roles: ["ORG_OWNER", UNKNOWN] }];
  const given = { orgId: UNKNOWN, username: "ada", roles: [UNKNOWN, "GROUP_OWNER"], groupRoleAssignments };
  expect(invalidProperties(given)).toEqual(["groupRoleAssignments[1].roles[0]", "roles[1]", "username"]);

  const lists = { roles: ["ORG_READ_ONLY", UNKNOWN, "ORG_MEMBER"], groupRoleAssignments: UNKNOWN };
  const valid = { ...least, orgId: orgId.toUpperCase(), teamIds: [team.toUpperCase(), UNKNOWN], ...lists };
  const inputs = { ...least, ...defaults, teamIds: [team, UNKNOWN], ...lists };
  expect(checkInputs(valid).inputs).toEqual(inputs);
});

// With ignoreChanges, the engine passes the stored value in place of the program's.
describe("a stored value that no program may declare", () => {
  const groupRoleAssignments = [{ groupId: project, roles: [] }];
  const several = { username: "ada@localhost", roles: ["GROUP_OWNER", ""], groupRoleAssignments };

  test.each([{ teamIds: ["team"] }, several])("is accepted unchanged: %j", (values) => {
    const olds = { ...least, ...defaults, ...values };
    const given = { ...least, orgId: orgId.toUpperCase(), ...values };
    expect(checkInputs(given, olds)).toEqual({ inputs: olds, failures: [], warnings: [] });
  });

  test.each([{ roles: ["GROUP_READ_ONLY"] }, {}, { roles: undefined }])("fails beside %j", (olds) => {
    expect(invalidProperties({ roles: ["GROUP_OWNER"] }, olds)).toEqual(["roles[0]"]);
  });

  test("does not hide other failures, and is not reported with them", () => {
    const olds = { ...least, ...defaults, roles: ["GROUP_OWNER"] };
    const others = { teamIds: ["team"], "-": true, "roles-": [], "mongodbatlas:orgId": orgId };
    const invalid = ["-", "mongodbatlas:orgId", "roles-", "teamIds[0]"];
    expect(invalidProperties({ ...olds, ...others }, olds)).toEqual(invalid);
    const missing = [{ property: "orgId" }, { property: "username" }];
    expect(checkInputs({ roles: olds.roles }, olds).failures).toMatchObject(missing);
  });
});
