import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DeclaredAccess } from "../../../provider/atlas/invitations/access.ts";
import { LifecycleError } from "../../../provider/lifecycle/lifecycle-error.ts";
import type { OrgInvitationState } from "../../../provider/lifecycle/org-invitation-state.ts";
import {
  inputsOf,
  type Properties,
  parseInputs,
  parseState,
  propertiesOf,
  terminalStatus,
} from "../../../provider/lifecycle/stored-properties.ts";
import { otherTeam, project, team } from "./lifecycle-fixture.ts";

const orgId = "32b6e34b3d91647abb20e7b8";
const least = { orgId, username: "ada@example.com", roles: ["ORG_MEMBER"] };
const defaults = { onAccepted: "fail" as const, reinviteExpired: false };
const none = { teamIds: [], groupRoleAssignments: [] };
const access = { teamIds: [team], groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER"] }] };
const expiresAt = "2026-09-09T03:03:37Z";
const outputs = { status: "PENDING" as const, invitationId: "5f00000000000000000000a2" };

/** A state of Ada, who is invited: what Atlas has, and what is declared of it. */
function stateOf(
  found: Partial<OrgInvitationState> = {},
  declared: Partial<DeclaredAccess> = {},
): OrgInvitationState {
  const base = { ...least, ...defaults, ...none, ...outputs };
  return { ...base, ...found, declared: { roles: ["ORG_MEMBER"], ...declared } };
}

describe("stored properties", () => {
  test.each([
    ["no lists", {}, {}, undefined],
    ["empty lists that are declared", {}, none, none],
    ["lists that are not declared", access, {}, { teamIds: null, groupRoleAssignments: null }],
    ["other roles", { roles: ["ORG_OWNER"] }, {}, { roles: ["ORG_MEMBER"] }],
  ])("contain the declaration only where Atlas has something else: %s", (_, found, declared, stored) => {
    expect(propertiesOf(stateOf(found, declared)).__declared).toEqual(stored);
  });

  test("give the same state again, whatever Atlas has and whatever is declared", () => {
    const teams = fc.option(fc.subarray([team, otherTeam]), { nil: undefined });
    const assignments = [...access.groupRoleAssignments, { groupId: otherTeam, roles: ["GROUP_READ_ONLY"] }];
    const groupRoleAssignments = fc.option(fc.subarray(assignments), { nil: undefined });
    const roles = fc.subarray(["ORG_MEMBER", "ORG_OWNER", "GROUP_OWNER"]);
    const accesses = fc.record({ roles, teamIds: teams, groupRoleAssignments });
    const more = { knownAs: "a@example.com", declaredBy: "hash", expiresAt, userId: team };
    fc.assert(
      fc.property(accesses, accesses, fc.constantFrom({}, more), (found, declared, optional) => {
        const { roles, teamIds = [], groupRoleAssignments = [] } = found;
        const state = stateOf({ roles, teamIds, groupRoleAssignments, ...optional }, declared);
        const stored = JSON.parse(JSON.stringify(propertiesOf(state)));
        expect(parseState(stored)).toEqual(state);
        expect(inputsOf(parseState(stored))).toEqual(inputsOf(state));
        expect(propertiesOf(parseState(stored))).toEqual(stored);
      }),
    );
  });
});

test("the inputs of a state are what is declared, not what Atlas has", () => {
  const state = stateOf({ roles: ["ORG_OWNER"], teamIds: [team] }, { groupRoleAssignments: [] });
  expect(inputsOf(state)).toStrictEqual({ ...least, ...defaults, groupRoleAssignments: [] });
});

describe("checked inputs", () => {
  test.each([undefined, null])("are parsed with defaults, and do not declare a list that is %s", (list) => {
    const given = { ...least, orgId: orgId.toUpperCase(), username: "Ada@Example.com", __provider: "text" };
    const inputs = parseInputs({ ...given, status: "ACCEPTED", teamIds: list, groupRoleAssignments: list });
    expect(inputs).toStrictEqual({ ...least, ...defaults });
    expect(parseInputs({ ...least, ...access })).toMatchObject(access);
  });
});

describe("a stored state", () => {
  test("may contain what no program may declare, as Atlas answered it, and as little as an import needs", () => {
    const short = parseState({ ...least, expiresAt: null, invitationId: null });
    expect(short).toEqual({ ...least, ...defaults, ...none, declared: { roles: ["ORG_MEMBER"] } });
    const answered = { roles: [], teamIds: ["team"], groupRoleAssignments: [{ groupId: "x" }] };
    const groupRoleAssignments = [{ groupId: "x", roles: [] }];
    expect(parseState({ ...least, ...answered })).toMatchObject({ ...answered, groupRoleAssignments });
  });

  test.each(["..", "", "a/b", `${orgId}/..`, orgId.slice(1), "zzzz", "%2e%2e"])("has no id %j", (id) => {
    for (const name of ["orgId", "invitationId", "userId"]) {
      const message = expect.stringContaining(`${name}: must be 24 hexadecimal digits`);
      const error = expect.objectContaining({ kind: "invalidState", message });
      expect(() => parseState({ ...least, [name]: id })).toThrow(error);
    }
    expect(() => parseInputs({ ...least, orgId: id })).toThrow();
  });

  test("is an error that names every invalid property", () => {
    const properties = { orgId, username: "", roles: "ORG_MEMBER", onAccepted: "keep" };
    expect(() => parseState(properties)).toThrow(/username: must not be empty; roles: .*; onAccepted: /);
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
});

test.each([
  ["PENDING", {}],
  ["ACCEPTED", { status: "ACCEPTED" }],
  ["EXPIRED", { status: "EXPIRED", expiresAt }],
])("of %s, plans display %o", (status, displayed) => {
  expect(terminalStatus({ status, expiresAt })).toEqual(displayed);
});

test("a stored state has valid ids, or is rejected with an error of this package", () => {
  const id = fc.oneof(fc.constantFrom(team, "..", "", "a/b"), fc.string(), fc.jsonValue());
  const list = fc.oneof(fc.array(fc.string()), fc.jsonValue());
  const assignment = fc.record({ groupId: fc.string(), roles: list });
  const required = { orgId: id, username: fc.string(), roles: fc.oneof(fc.constant(["ORG_MEMBER"]), list) };
  const optional = {
    teamIds: list,
    groupRoleAssignments: fc.oneof(fc.array(assignment), fc.jsonValue()),
    invitationId: id,
    userId: id,
    __declared: fc.oneof(fc.record({ teamIds: list, roles: list }), fc.jsonValue()),
    __knownAs: fc.jsonValue(),
  };
  const state = fc.record({ ...required, ...optional }, { requiredKeys: ["orgId", "username", "roles"] });
  fc.assert(
    fc.property(state, (properties) => {
      let state: OrgInvitationState;
      try {
        state = parseState(properties);
      } catch (error) {
        expect(error).toBeInstanceOf(LifecycleError);
        return;
      }
      const { orgId, invitationId = orgId, userId = orgId } = state;
      for (const id of [orgId, invitationId, userId]) expect(id).toMatch(/^[0-9a-f]{24}$/i);
      expect(parseState(propertiesOf(state))).toEqual(state);
    }),
    { numRuns: 2_000 },
  );
});
