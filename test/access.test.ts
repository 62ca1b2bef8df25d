import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Access,
  canonicalAccess,
  mergedAssignments,
  sameAccess,
  sortedSet,
} from "../provider/access.ts";

const roleNames = fc.array(fc.constantFrom("A", "B", "C", "constructor", "__proto__"), { maxLength: 6 });
const accesses = fc.record({
  roles: roleNames,
  teamIds: roleNames,
  groupRoleAssignments: fc.array(
    fc.record({ groupId: fc.constantFrom("1", "2", "__proto__"), roles: roleNames }),
    { maxLength: 4 },
  ),
});

/** What an access grants, said without the code under test. */
function grants({ roles, teamIds, groupRoleAssignments }: Access): string[] {
  const all = [
    ...roles.map((role) => `role ${role}`),
    ...teamIds.map((team) => `team ${team}`),
    ...groupRoleAssignments.flatMap(({ groupId, roles }) => [
      `project ${groupId}`,
      ...roles.map((role) => `role ${role} in project ${groupId}`),
    ]),
  ];
  return [...new Set(all)].sort();
}

test("a set is sorted and holds nothing twice", () => {
  expect(sortedSet(["B", "A", "B", "C", "A"])).toEqual(["A", "B", "C"]);
  expect(sortedSet([])).toEqual([]);
});

test("a set is sorted without changing the list that was given", () => {
  const given = Object.freeze(["B", "A"]);

  expect(sortedSet(given)).toEqual(["A", "B"]);
});

test("several entries for one project become one, and projects and roles are sorted", () => {
  expect(
    mergedAssignments([
      { groupId: "2", roles: ["C"] },
      { groupId: "1", roles: ["B", "A"] },
      { groupId: "2", roles: ["A", "C"] },
    ]),
  ).toEqual([
    { groupId: "1", roles: ["A", "B"] },
    { groupId: "2", roles: ["A", "C"] },
  ]);
});

test("the one spelling grants what was given, each thing once", () => {
  fc.assert(
    fc.property(accesses, (access) => {
      const canonical = canonicalAccess(access);
      const { roles, teamIds, groupRoleAssignments } = canonical;

      expect(grants(canonical)).toEqual(grants(access));
      expect(roles).toHaveLength(new Set(roles).size);
      expect(teamIds).toHaveLength(new Set(teamIds).size);
      expect(groupRoleAssignments).toHaveLength(
        new Set(groupRoleAssignments.map(({ groupId }) => groupId)).size,
      );
      expect(canonicalAccess(canonical)).toEqual(canonical);
    }),
  );
});

test("the one spelling leaves out whatever else an object holds", () => {
  const state = { roles: ["A"], teamIds: [], groupRoleAssignments: [], status: "PENDING" };

  expect(canonicalAccess(state)).toEqual({ roles: ["A"], teamIds: [], groupRoleAssignments: [] });
});

test("two accesses are the same exactly when they grant the same", () => {
  fc.assert(
    fc.property(accesses, accesses, (one, other) => {
      const equal = grants(one).join() === grants(other).join();

      expect(sameAccess(one, other)).toBe(equal);
      expect(sameAccess(other, one)).toBe(equal);
      expect(sameAccess(one, canonicalAccess(one))).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test.each<[string, Partial<Access>]>([
  ["a role", { roles: ["B"] }],
  ["a team", { teamIds: ["1"] }],
  ["a project", { groupRoleAssignments: [{ groupId: "1", roles: ["A"] }] }],
])("accesses that differ in %s are not the same", (_, difference) => {
  const access: Access = { roles: ["A"], teamIds: [], groupRoleAssignments: [] };

  expect(sameAccess(access, { ...access, ...difference })).toBe(false);
});

test("accesses that differ in a role of a project are not the same", () => {
  const inProject = (...roles: string[]): Access => ({
    roles: ["A"],
    teamIds: [],
    groupRoleAssignments: [{ groupId: "1", roles }],
  });

  expect(sameAccess(inProject("A"), inProject("A", "B"))).toBe(false);
  expect(sameAccess(inProject("B", "A"), inProject("A", "B"))).toBe(true);
});
