import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ACCESS_FIELDS,
  type Access,
  combined,
  grants,
  mergedAssignments,
  missing,
  normalizeAccess,
  type PartialAccess,
  sameField,
  sortedSet,
} from "../../../../provider/atlas/invitations/access.ts";

const roleNames = fc.array(fc.constantFrom("A", "B", "C", "constructor", "__proto__"), { maxLength: 6 });
const assignments = fc.array(
  fc.record({ groupId: fc.constantFrom("1", "2", "__proto__"), roles: roleNames }),
  { maxLength: 4 },
);
const accesses = fc.record({ roles: roleNames, teamIds: roleNames, groupRoleAssignments: assignments });
const fields = fc.constantFrom(...ACCESS_FIELDS);

/** What one field grants, said without the code under test. */
function itemsOf(field: keyof Access, access: PartialAccess): string[] {
  const items =
    field === "groupRoleAssignments"
      ? (access[field] ?? []).flatMap(({ groupId, roles }) => roles.map((role) => `${role} in ${groupId}`))
      : (access[field] ?? []);
  return [...new Set(items)].sort();
}

/** What an access grants in all. */
const said = (access: Access) => ACCESS_FIELDS.map((field) => itemsOf(field, access));

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
      const canonical = normalizeAccess(access);
      const { roles, teamIds, groupRoleAssignments } = canonical;

      expect(said(canonical)).toEqual(said(access));
      expect(roles).toHaveLength(new Set(roles).size);
      expect(teamIds).toHaveLength(new Set(teamIds).size);
      expect(groupRoleAssignments).toHaveLength(
        new Set(groupRoleAssignments.map(({ groupId }) => groupId)).size,
      );
      expect(normalizeAccess(canonical)).toEqual(canonical);
    }),
  );
});

test("the one spelling leaves out whatever else an object holds", () => {
  const state = { roles: ["A"], teamIds: [], groupRoleAssignments: [], status: "PENDING" };

  expect(normalizeAccess(state)).toEqual({ roles: ["A"], teamIds: [], groupRoleAssignments: [] });
});

test("a field is the same in two accesses exactly when it grants the same", () => {
  fc.assert(
    fc.property(fields, accesses, accesses, (field, one, other) => {
      const isSame = itemsOf(field, one).join() === itemsOf(field, other).join();

      expect(sameField(field, one, other)).toBe(isSame);
      expect(sameField(field, other, one)).toBe(isSame);
      expect(sameField(field, one, normalizeAccess(one))).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test.each(ACCESS_FIELDS)("%s that are left out are the same as those left out, and no others", (field) => {
  const none: Access = { roles: [], teamIds: [], groupRoleAssignments: [] };

  expect(sameField(field, {}, { [field]: undefined })).toBe(true);
  expect(sameField(field, {}, none)).toBe(false);
  expect(sameField(field, none, {})).toBe(false);
});

test("an access grants a declaration exactly when each declared field is the same", () => {
  const declarations = fc.record(
    { roles: roleNames, teamIds: roleNames, groupRoleAssignments: assignments },
    { requiredKeys: ["roles"] },
  );
  fc.assert(
    fc.property(accesses, declarations, (found, declared) => {
      const declaredFields = ACCESS_FIELDS.filter((field) => declared[field] !== undefined);
      const isGranted = declaredFields.every(
        (field) => itemsOf(field, found).join() === itemsOf(field, declared).join(),
      );

      expect(grants(found, declared)).toBe(isGranted);
      expect(grants(found, found)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("what is left out of a declaration is granted by whatever there is", () => {
  const found: Access = {
    roles: ["A"],
    teamIds: ["1"],
    groupRoleAssignments: [{ groupId: "2", roles: ["B"] }],
  };

  expect(grants(found, { roles: ["A"] })).toBe(true);
  expect(grants(found, { roles: ["A"], teamIds: undefined })).toBe(true);
  expect(grants(found, { roles: ["A"], teamIds: [] })).toBe(false);
  expect(grants(found, { roles: ["A"], groupRoleAssignments: [] })).toBe(false);
  expect(grants(found, { roles: [] })).toBe(false);
});

test("what an access lacks is what the other names and it does not", () => {
  fc.assert(
    fc.property(fields, accesses, accesses, (field, found, wanted) => {
      const lacking = itemsOf(field, wanted).filter((item) => !itemsOf(field, found).includes(item));

      expect(missing(found, wanted, field).sort()).toEqual(lacking);
    }),
  );
});

test("nothing is missing of a field that is left out, and all of it where nothing was found", () => {
  const wanted: Access = {
    roles: ["B", "A"],
    teamIds: ["1"],
    groupRoleAssignments: [{ groupId: "2", roles: ["D", "C"] }],
  };

  for (const field of ACCESS_FIELDS) expect(missing(wanted, {}, field)).toEqual([]);
  expect(missing({}, wanted, "roles")).toEqual(["A", "B"]);
  expect(missing({}, wanted, "teamIds")).toEqual(["1"]);
  expect(missing({}, wanted, "groupRoleAssignments")).toEqual(["C in 2", "D in 2"]);
});

test("a field is combined of what was found, without what is removed, and with what is added", () => {
  fc.assert(
    fc.property(fields, accesses, accesses, accesses, (field, found, removed, added) => {
      const result = combined(field, found, { removed, added });
      const kept = itemsOf(field, found).filter((item) => !itemsOf(field, removed).includes(item));

      expect(Object.keys(result)).toEqual([field]);
      expect(itemsOf(field, result)).toEqual(sortedSet([...kept, ...itemsOf(field, added)]));
      // One entry a project, and none for a project without roles.
      const projects = (result.groupRoleAssignments ?? []).map(({ groupId }) => groupId);
      expect(projects).toEqual(sortedSet(projects));
      expect(result.groupRoleAssignments?.every(({ roles }) => roles.length > 0) ?? true).toBe(true);
    }),
  );
});

test("a field with nothing removed and nothing added is what was found", () => {
  const found: Access = {
    roles: ["B", "A"],
    teamIds: ["1"],
    groupRoleAssignments: [{ groupId: "2", roles: ["C"] }],
  };

  expect(combined("roles", found, {})).toEqual({ roles: ["A", "B"] });
  expect(combined("groupRoleAssignments", found, {})).toEqual({
    groupRoleAssignments: found.groupRoleAssignments,
  });
  expect(combined("teamIds", {}, {})).toEqual({ teamIds: [] });
});
