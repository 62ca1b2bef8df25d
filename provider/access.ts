/** The roles a person has, or is to have, in one project of the organization. */
export interface GroupRoleAssignment {
  groupId: string;
  roles: string[];
}

/** What an invitation grants, or a member has: the part of a person that Atlas lets us change. */
export interface Access {
  roles: string[];
  teamIds: string[];
  groupRoleAssignments: GroupRoleAssignment[];
}

/** What a program declares of an access. What is left out is not managed here; `[]` means none. */
export interface DeclaredAccess {
  roles: string[];
  teamIds?: string[] | undefined;
  groupRoleAssignments?: GroupRoleAssignment[] | undefined;
}

/** The set in its one spelling: sorted, nothing twice. */
export function sortedSet(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}

/** Project roles in their one spelling: one entry a project, projects and roles sorted. */
export function mergedAssignments(assignments: readonly GroupRoleAssignment[]): GroupRoleAssignment[] {
  const byGroup = new Map<string, string[]>();
  for (const { groupId, roles } of assignments) {
    byGroup.set(groupId, [...(byGroup.get(groupId) ?? []), ...roles]);
  }
  return [...byGroup]
    .map(([groupId, roles]) => ({ groupId, roles: sortedSet(roles) }))
    .sort((one, other) => (one.groupId < other.groupId ? -1 : 1));
}

/** The access in its one spelling, so that two that mean the same are equal. */
export function canonicalAccess({ roles, teamIds, groupRoleAssignments }: Access): Access {
  return {
    roles: sortedSet(roles),
    teamIds: sortedSet(teamIds),
    groupRoleAssignments: mergedAssignments(groupRoleAssignments),
  };
}

/** Whether both grant the same; order and duplicates mean nothing. */
export function sameAccess(one: Access, other: Access): boolean {
  return JSON.stringify(canonicalAccess(one)) === JSON.stringify(canonicalAccess(other));
}
