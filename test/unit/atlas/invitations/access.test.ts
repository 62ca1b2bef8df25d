import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ACCESS_FIELDS,
  type Access,
  combined,
  type DeclaredAccess,
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

/** What one field grants, computed without the code under test. */
function itemsOf(field: keyof Access, access: PartialAccess): string[] {
  const items =
    field === "groupRoleAssignments"
      ? (access[field] ?? []).flatMap(({ groupId, roles }) => roles.map((role) => `${role} in ${groupId}`))
      : (access[field] ?? []);
  return [...new Set(items)].sort();
}

const allItemsOf = (access: Access) => ACCESS_FIELDS.map((field) => itemsOf(field, access));

const found: Access = {
  roles: ["B", "A"],
  teamIds: ["1"],
  groupRoleAssignments: [{ groupId: "2", roles: ["D", "C"] }],
};

test("sortedSet returns a sorted list without duplicates, and leaves the given one unchanged", () => {
  expect(sortedSet(Object.freeze(["B", "A", "B", "C", "A"]) as string[])).toEqual(["A", "B", "C"]);
});

test("mergedAssignments returns one entry per project, with projects and roles sorted", () => {
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

test("normalizeAccess grants the same, without duplicates and without other properties", () => {
  fc.assert(
    fc.property(accesses, (access) => {
      const normalized = normalizeAccess({ ...access, status: "PENDING" } as Access);
      const { roles, teamIds, groupRoleAssignments } = normalized;

      expect(Object.keys(normalized)).toEqual(ACCESS_FIELDS);
      expect(allItemsOf(normalized)).toEqual(allItemsOf(access));
      for (const list of [roles, teamIds, groupRoleAssignments.map(({ groupId }) => groupId)]) {
        expect(list).toHaveLength(new Set(list).size);
      }
      expect(normalizeAccess(normalized)).toEqual(normalized);
    }),
  );
});

test("sameField is true exactly when both grant the same", () => {
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

test.each(ACCESS_FIELDS)("%s that are left out are the same only as those that are left out", (field) => {
  const none: Access = { roles: [], teamIds: [], groupRoleAssignments: [] };

  expect(sameField(field, {}, { [field]: undefined })).toBe(true);
  expect(sameField(field, {}, none)).toBe(false);
  expect(sameField(field, none, {})).toBe(false);
});

test("grants is true exactly when each declared field is the same", () => {
  const declarations = fc.record(
    { roles: roleNames, teamIds: roleNames, groupRoleAssignments: assignments },
    { requiredKeys: ["roles"] },
  );
  fc.assert(
    fc.property(accesses, declarations, (found, declared) => {
      const declaredFields = ACCESS_FIELDS.filter((field) => declared[field] !== undefined);
      const isSame = (field: keyof Access) =>
        itemsOf(field, found).join() === itemsOf(field, declared).join();

      expect(grants(found, declared)).toBe(declaredFields.every(isSame));
      expect(grants(found, found)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test.each<[declared: DeclaredAccess, expected: boolean]>([
  [{ roles: ["A", "B"] }, true],
  [{ roles: ["A", "B"], teamIds: undefined }, true],
  [{ roles: ["A", "B"], teamIds: [] }, false],
  [{ roles: ["A", "B"], groupRoleAssignments: [] }, false],
  [{ roles: [] }, false],
])("an access with everything grants %j: %s", (declared, expected) => {
  expect(grants(found, declared)).toBe(expected);
});

test("missing returns the items of the wanted access that the found one lacks", () => {
  fc.assert(
    fc.property(fields, accesses, accesses, (field, found, wanted) => {
      const lacking = itemsOf(field, wanted).filter((item) => !itemsOf(field, found).includes(item));

      expect(missing(found, wanted, field).sort()).toEqual(lacking);
    }),
  );
  for (const field of ACCESS_FIELDS) expect(missing(found, {}, field)).toEqual([]);
  expect(ACCESS_FIELDS.map((field) => missing({}, found, field))).toEqual([
    ["A", "B"],
    ["1"],
    ["C in 2", "D in 2"],
  ]);
});

test("combined returns one field of the found access, without the removed items and with the added ones", () => {
  fc.assert(
    fc.property(fields, accesses, accesses, accesses, (field, found, removed, added) => {
      const result = combined(field, found, { removed, added });
      const kept = itemsOf(field, found).filter((item) => !itemsOf(field, removed).includes(item));

      expect(Object.keys(result)).toEqual([field]);
      expect(itemsOf(field, result)).toEqual(sortedSet([...kept, ...itemsOf(field, added)]));
      // One entry per project, and none for a project without roles.
      const projects = (result.groupRoleAssignments ?? []).map(({ groupId }) => groupId);
      expect(projects).toEqual(sortedSet(projects));
      expect(result.groupRoleAssignments?.every(({ roles }) => roles.length > 0) ?? true).toBe(true);
    }),
  );
  expect(combined("roles", found, {})).toEqual({ roles: ["A", "B"] });
  expect(combined("teamIds", {}, {})).toEqual({ teamIds: [] });
});
