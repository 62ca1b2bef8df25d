import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AtlasError } from "../../../provider/atlas/errors.ts";
import type { DeclaredAccess } from "../../../provider/atlas/invitations/access.ts";
import type { OrgInvitationState } from "../../../provider/lifecycle/org-invitation-state.ts";
import {
  inputsOf,
  mayBeFrom010,
  type Properties,
  parseInputs,
  parseState,
  propertiesOf,
} from "../../../provider/lifecycle/stored-properties.ts";

const orgId = "32b6e34b3d91647abb20e7b8";
const project = "5f0000000000000000000002";
const team = "5f0000000000000000000001";
const otherTeam = "5f0000000000000000000003";
const invitationId = "5f00000000000000000000a2";
const least = { orgId, username: "ada@example.com", roles: ["ORG_MEMBER"] };
const defaults = { onAccepted: "fail", reinviteExpired: false };

/** A state of Ada, who is invited: what Atlas has, and what is declared of it. */
function stateOf(
  found: Partial<OrgInvitationState> = {},
  declared: Partial<DeclaredAccess> = {},
): OrgInvitationState {
  return {
    ...least,
    onAccepted: "fail",
    reinviteExpired: false,
    teamIds: [],
    groupRoleAssignments: [],
    status: "PENDING",
    invitationId,
    ...found,
    declared: { roles: ["ORG_MEMBER"], ...declared },
  };
}

describe("the properties that are stored", () => {
  test("tell what is declared only where it is not what Atlas has", () => {
    const access = { teamIds: [team], groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER"] }] };
    expect(propertiesOf(stateOf(access, access))).not.toHaveProperty("__declared");
    expect(propertiesOf(stateOf())).not.toHaveProperty("__declared");
    expect(propertiesOf(stateOf({}, { teamIds: [], groupRoleAssignments: [] }))).toHaveProperty(
      "__declared",
      { teamIds: [], groupRoleAssignments: [] },
    );
    expect(propertiesOf(stateOf(access))).toHaveProperty("__declared", {
      teamIds: null,
      groupRoleAssignments: null,
    });
    const others = { roles: ["ORG_OWNER"], teamIds: [team, otherTeam] };
    expect(propertiesOf(stateOf(others, { teamIds: [team] }))).toHaveProperty("__declared", {
      roles: ["ORG_MEMBER"],
      teamIds: [team],
    });
  });

  test("hold nothing that is undefined, at any depth", () => {
    const state = stateOf({ expiresAt: undefined, knownAs: undefined, declaredBy: undefined });
    const properties = propertiesOf({ ...state, declared: { ...state.declared, teamIds: undefined } });
    expect(properties).toEqual({ ...least, ...defaults, ...pick(state) });
    expect(Object.values(properties)).not.toContain(undefined);
  });

  test("keep what is not for users under names that Pulumi does not display", () => {
    const { declared: _, ...shown } = stateOf();
    const own = { knownAs: "a@example.com", declaredBy: "hash" };
    expect(propertiesOf(stateOf(own))).toEqual({
      ...shown,
      __knownAs: "a@example.com",
      __declaredBy: "hash",
    });
  });

  const lists = fc.option(fc.subarray([team, otherTeam]), { nil: undefined });
  const assignments = fc.option(
    fc.subarray([
      { groupId: project, roles: ["GROUP_OWNER"] },
      { groupId: otherTeam, roles: ["GROUP_READ_ONLY"] },
    ]),
    { nil: undefined },
  );
  const roles = fc.subarray(["ORG_MEMBER", "ORG_OWNER", "GROUP_OWNER"]);

  test("give the same state again, whatever Atlas has and whatever is declared of it", () => {
    const found = fc.record({ roles, teamIds: lists, groupRoleAssignments: assignments });
    const declared = fc.record({
      roles: fc.subarray(["ORG_MEMBER", "ORG_OWNER"], { minLength: 1 }),
      teamIds: lists,
      groupRoleAssignments: assignments,
    });
    const optional = fc.record(
      {
        knownAs: fc.constant("a@example.com"),
        declaredBy: fc.constant("hash"),
        expiresAt: fc.constant("2026-09-09T03:03:37Z"),
        userId: fc.constant(team),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(found, declared, optional, ({ teamIds, groupRoleAssignments, roles }, declared, more) => {
        const access = { roles, teamIds: teamIds ?? [], groupRoleAssignments: groupRoleAssignments ?? [] };
        const state = stateOf({ ...access, ...more }, declared);
        const stored = JSON.parse(JSON.stringify(propertiesOf(state)));
        expect(parseState(stored)).toEqual(state);
        expect(inputsOf(parseState(stored))).toEqual(inputsOf(state));
        expect(propertiesOf(parseState(stored))).toEqual(stored);
      }),
    );
  });
});

/** The outputs of a state that are not the arguments. */
function pick({ teamIds, groupRoleAssignments, status, invitationId }: OrgInvitationState) {
  return { teamIds, groupRoleAssignments, status, invitationId };
}

describe("the inputs of a state", () => {
  test("are what is declared, not what Atlas has", () => {
    const state = stateOf({ roles: ["ORG_OWNER"], teamIds: [team] }, { groupRoleAssignments: [] });
    expect(inputsOf(state)).toEqual({ ...least, ...defaults, groupRoleAssignments: [] });
    expect(Object.keys(inputsOf(state))).not.toContain("teamIds");
  });
});

describe("inputs that a check has passed", () => {
  test("are read with their defaults, and in their one spelling", () => {
    const given = { ...least, orgId: orgId.toUpperCase(), username: "Ada@Example.com" };
    expect(parseInputs({ ...given, __provider: "text", status: "ACCEPTED" })).toEqual({
      ...least,
      ...defaults,
    });
  });

  test.each([undefined, null])("do not declare what is %s", (nothing) => {
    const inputs = parseInputs({ ...least, teamIds: nothing, groupRoleAssignments: nothing });
    expect(Object.keys(inputs).sort()).toEqual(Object.keys({ ...least, ...defaults }).sort());
  });

  test("keep empty lists, and project roles of an entry without any", () => {
    const lists = { teamIds: [], groupRoleAssignments: [{ groupId: project }] };
    expect(parseInputs({ ...least, ...lists })).toMatchObject({
      teamIds: [],
      groupRoleAssignments: [{ groupId: project, roles: [] }],
    });
  });
});

describe("a stored state", () => {
  test("may hold what no program may declare, as Atlas answered it", () => {
    const answered = { roles: ["GROUP_OWNER"], teamIds: ["team"], groupRoleAssignments: [{ groupId: "x" }] };
    expect(parseState({ ...least, ...answered })).toMatchObject({
      roles: ["GROUP_OWNER"],
      teamIds: ["team"],
      groupRoleAssignments: [{ groupId: "x", roles: [] }],
    });
    expect(parseState({ ...least, roles: [] }).roles).toEqual([]);
  });

  test("may be written by hand, with the least", () => {
    const state = parseState({ ...least, expiresAt: null, invitationId: null });
    expect(state).toEqual({
      ...least,
      ...defaults,
      teamIds: [],
      groupRoleAssignments: [],
      declared: { roles: ["ORG_MEMBER"] },
    });
  });

  const NO_IDS = ["..", "", ".", "a/b", `${orgId}/../..`, `${orgId}?`, orgId.slice(1), "zzzz", "%2e%2e"];

  test.each(["orgId", "invitationId", "userId"].flatMap((name) => NO_IDS.map((id) => [name, id] as const)))(
    "is an error where %s is %j",
    (name, id) => {
      expect(() => parseState({ ...least, [name]: id })).toThrow(AtlasError);
      expect(() => parseState({ ...least, [name]: id })).toThrow(
        `The state of this resource cannot be used, so nothing was sent. ${name}: is not one of Atlas's ids, 24 hexadecimal digits. Mend it with pulumi stack export and import, or forget the resource with pulumi state delete.`,
      );
      if (name === "orgId")
        expect(() => parseInputs({ ...least, orgId: id })).toThrow("is not one of Atlas's ids");
    },
  );

  test("is an error that names everything wrong with it", () => {
    expect(() => parseState({ orgId, username: "", roles: "ORG_MEMBER", onAccepted: "keep" })).toThrow(
      /username: is empty; roles: .*; onAccepted: /,
    );
  });
});

describe("a state of 0.1.0", () => {
  const states = join(import.meta.dirname, "../../states/0.1.0");
  const stored = readdirSync(states).flatMap((file) => {
    const { deployment } = JSON.parse(readFileSync(join(states, file), "utf8"));
    return (deployment.resources as { type: string; outputs: Properties }[])
      .filter(({ type }) => type.endsWith(":OrgInvitation"))
      .map(({ outputs: { __provider, ...outputs } }) => [file, String(outputs.username), outputs] as const);
  });

  test.each(stored)("in %s of %s stays as it is, and declares no empty list", (_, __, outputs) => {
    expect(propertiesOf(parseState(outputs))).toEqual(outputs);
    const { teamIds, groupRoleAssignments, ...others } = inputsOf(parseState(outputs));
    expect([teamIds, groupRoleAssignments].filter((list) => list?.length === 0)).toEqual([]);
    expect(outputs).toMatchObject({ ...others });
  });

  test("is told from one that stores what is declared", () => {
    const lists = { teamIds: [team], groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER"] }] };
    expect(mayBeFrom010({ ...least, ...lists })).toBe(false);
    expect(mayBeFrom010({ ...least, ...lists, teamIds: [] })).toBe(true);
    expect(mayBeFrom010(propertiesOf(stateOf({}, { teamIds: [] })))).toBe(false);
    expect(mayBeFrom010(least)).toBe(false);
  });
});
