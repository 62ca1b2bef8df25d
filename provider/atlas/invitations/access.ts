/** The roles a person has, or is to have, in one project of the organization. */
export interface GroupRoleAssignment {
  groupId: string;
  roles: string[];
}

/** What an invitation grants, or a member has: what can be changed about a person. */
export interface Access {
  roles: string[];
  teamIds: string[];
  groupRoleAssignments: GroupRoleAssignment[];
}

/** The access that a program declares. A field that is left out is not managed: not sent, compared or removed. */
export interface DeclaredAccess {
  roles: string[];
  teamIds?: string[] | undefined;
  groupRoleAssignments?: GroupRoleAssignment[] | undefined;
}

/** Some fields of the access, such as those that one request changes. */
export type PartialAccess = { [Field in keyof Access]?: Access[Field] | undefined };

export const ACCESS_FIELDS = ["roles", "teamIds", "groupRoleAssignments"] as const;
export type AccessField = (typeof ACCESS_FIELDS)[number];

/** The set, sorted and without duplicates. */
export function sortedSet(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}

/** Project roles, normalised: one entry per project, projects and roles sorted. */
export function mergedAssignments(assignments: readonly GroupRoleAssignment[]): GroupRoleAssignment[] {
  const byGroup = new Map<string, string[]>();
  for (const { groupId, roles } of assignments) {
    byGroup.set(groupId, [...(byGroup.get(groupId) ?? []), ...roles]);
  }
  return [...byGroup]
    .map(([groupId, roles]) => ({ groupId, roles: sortedSet(roles) }))
    .sort((one, other) => (one.groupId < other.groupId ? -1 : 1));
}

/** The access, normalised, so that two that mean the same are equal. */
export function normalizeAccess({ roles, teamIds, groupRoleAssignments }: Access): Access {
  return {
    roles: sortedSet(roles),
    teamIds: sortedSet(teamIds),
    groupRoleAssignments: mergedAssignments(groupRoleAssignments),
  };
}

/** Whether the declared fields grant the same in both; order and duplicates mean nothing. */
export function grants(found: Access, declared: DeclaredAccess): boolean {
  return ACCESS_FIELDS.every((field) => declared[field] === undefined || sameField(field, found, declared));
}

/** Whether both say the same of one field; left out equals left out only. */
export function sameField(field: AccessField, one: PartialAccess, other: PartialAccess): boolean {
  if (one[field] === undefined || other[field] === undefined) return one[field] === other[field];
  return missing(one, other, field).length + missing(other, one, field).length === 0;
}

/** The items of `wanted` that `found` lacks: roles, ids of teams, and project roles as `ROLE in PROJECT`. */
export function missing(found: PartialAccess, wanted: PartialAccess, field: AccessField): string[] {
  const has = itemsOf(found, field);
  return itemsOf(wanted, field).filter((item) => !has.includes(item));
}

/** One field of `found` with the items of `added`, and without those of `removed`. */
export function combined(
  field: AccessField,
  found: PartialAccess,
  { added = {}, removed = {} }: { added?: PartialAccess; removed?: PartialAccess },
): PartialAccess {
  const gone = itemsOf(removed, field);
  const items = [...itemsOf(found, field).filter((item) => !gone.includes(item)), ...itemsOf(added, field)];
  return fieldOf(field, sortedSet(items));
}

function itemsOf(access: PartialAccess, field: AccessField): string[] {
  if (field !== "groupRoleAssignments") return sortedSet(access[field] ?? []);
  return mergedAssignments(access.groupRoleAssignments ?? []).flatMap(({ groupId, roles }) =>
    roles.map((role) => `${role} in ${groupId}`),
  );
}

function fieldOf(field: AccessField, items: string[]): PartialAccess {
  if (field !== "groupRoleAssignments") return { [field]: items };
  const assignments = items.map((item) => {
    const [role = "", groupId = ""] = item.split(" in ");
    return { groupId, roles: [role] };
  });
  return { groupRoleAssignments: mergedAssignments(assignments) };
}
