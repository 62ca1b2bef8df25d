import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ACCESS_FIELDS,
  type Access,
  combined,
  grants,
  missing,
  normalizeAccess,
  type PartialAccess,
  sameField,
  sortedSet,
} from "../../../../provider/atlas/invitations/access.ts";

const roles = fc.array(fc.constantFrom("A", "B", "C", "constructor", "__proto__"), { maxLength: 6 });
const groupId = fc.constantFrom("1", "2", "__proto__");
const groupRoleAssignments = fc.array(fc.record({ groupId, roles }), { maxLength: 4 });
const fieldsOfAccess = { roles, teamIds: roles, groupRoleAssignments };
const accesses = fc.record(fieldsOfAccess);
const fields = fc.constantFrom(...ACCESS_FIELDS);

/** What one field grants, computed without the code under test. */
function itemsOf(field: keyof Access, access: PartialAccess): string[] {
  const items =
    field === "groupRoleAssignments"
      ? (access[field] ?? []).flatMap(({ groupId, roles }) => roles.map((role) => `${role} in ${groupId}`))
      : (access[field] ?? []);
  return [...new Set(items)].sort();
}

const isSame = (field: keyof Access, one: PartialAccess, other: PartialAccess) =>
  itemsOf(field, one).join() === itemsOf(field, other).join();

const found: Access = {
  roles: ["B", "A", "B"],
  teamIds: ["1"],
  groupRoleAssignments: [
    { groupId: "2", roles: ["D"] },
    { groupId: "1", roles: ["B", "A"] },
    { groupId: "2", roles: ["C", "D"] },
  ],
};

test("a normalised access is sorted, with one entry per project, and the given one is unchanged", () => {
  const given = { ...found, roles: Object.freeze([...found.roles]) as string[], status: "PENDING" };

  expect(normalizeAccess(given)).toEqual({
    roles: ["A", "B"],
    teamIds: ["1"],
    groupRoleAssignments: [
      { groupId: "1", roles: ["A", "B"] },
      { groupId: "2", roles: ["C", "D"] },
    ],
  });
});

test("a normalised access grants the same as the given one", () => {
  fc.assert(
    fc.property(accesses, (access) => {
      const normalized = normalizeAccess(access);
      for (const field of ACCESS_FIELDS) expect(itemsOf(field, normalized)).toEqual(itemsOf(field, access));
      expect(normalizeAccess(normalized)).toEqual(normalized);
    }),
  );
});

test("sameField is true exactly when both grant the same, or both leave the field out", () => {
  fc.assert(
    fc.property(fields, accesses, accesses, (field, one, other) => {
      expect(sameField(field, one, other)).toBe(isSame(field, one, other));
      expect(sameField(field, one, normalizeAccess(one))).toBe(true);
    }),
    { numRuns: 500 },
  );
  for (const field of ACCESS_FIELDS) {
    expect(sameField(field, {}, { [field]: undefined })).toBe(true);
    expect(sameField(field, {}, { [field]: [] })).toBe(false);
    expect(sameField(field, { [field]: [] }, {})).toBe(false);
  }
});

test("grants is true exactly when each declared field is the same", () => {
  const declarations = fc.record(fieldsOfAccess, { requiredKeys: ["roles"] });
  fc.assert(
    fc.property(accesses, declarations, fc.boolean(), (found, declared, hasSameRoles) => {
      const wanted = hasSameRoles ? { ...declared, roles: [...found.roles, ...found.roles] } : declared;
      const declaredFields = ACCESS_FIELDS.filter((field) => wanted[field] !== undefined);
      expect(grants(found, wanted)).toBe(declaredFields.every((field) => isSame(field, found, wanted)));
      expect(grants(found, found)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("missing returns the items of the wanted access that the found one lacks", () => {
  fc.assert(
    fc.property(fields, accesses, accesses, (field, found, wanted) => {
      const lacking = itemsOf(field, wanted).filter((item) => !itemsOf(field, found).includes(item));
      expect(missing(found, wanted, field).sort()).toEqual(lacking);
    }),
  );
  for (const field of ACCESS_FIELDS) {
    expect(missing(found, {}, field)).toEqual([]);
    expect(missing({}, found, field).sort()).toEqual(itemsOf(field, found));
  }
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
