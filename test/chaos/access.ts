import { isDeepStrictEqual } from "node:util";

interface Access {
  roles: string[];
  teamIds: string[];
  groupRoleAssignments: { groupId: string; roles: string[] }[];
}

/** Whether two spellings grant the same, found in another way than the package finds it. */
export function grantsTheSame(one: Access, other: Access): boolean {
  return isDeepStrictEqual(grants(one), grants(other));
}

function grants({ roles, teamIds, groupRoleAssignments }: Access): Set<string> {
  return new Set([
    ...roles,
    ...teamIds.map((id) => `team ${id}`),
    ...groupRoleAssignments.flatMap(({ groupId, roles }) => roles.map((role) => `${role} of ${groupId}`)),
  ]);
}
