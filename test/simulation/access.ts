import { defaultSettings, type Settings } from "../support/simulated-atlas/settings.ts";

export type Field = "roles" | "teamIds" | "groupRoleAssignments";
export const FIELDS: readonly Field[] = ["roles", "teamIds", "groupRoleAssignments"];

/** What is granted, or declared of it: what is left out is not managed. */
export interface DeclaredAccess {
  roles: string[];
  teamIds?: string[] | undefined;
  groupRoleAssignments?: { groupId: string; roles: string[] }[] | undefined;
}

/** The single grants of one field, found in another way than the package finds them. */
export function grantsIn(field: Field, access: Partial<DeclaredAccess> | undefined): string[] {
  const { roles = [], teamIds = [], groupRoleAssignments = [] } = access ?? {};
  switch (field) {
    case "roles":
      return roles;
    case "teamIds":
      return teamIds;
    case "groupRoleAssignments":
      return groupRoleAssignments.flatMap(({ groupId, roles }) =>
        roles.map((role) => `${role} of ${groupId}`),
      );
  }
}

/** Those of the first that are not among the others. */
export function without(some: readonly string[], others: readonly string[]): string[] {
  return some.filter((one) => !others.includes(one));
}

/** Whether somebody has what is declared, and no more than that and what Atlas adds, or does not take away. */
export function grantsDeclared(
  found: DeclaredAccess,
  declared: DeclaredAccess,
  { addsRoles, ignoresOnUpdate }: Pick<Settings, "addsRoles" | "ignoresOnUpdate"> = defaultSettings,
): boolean {
  return FIELDS.every((field) => {
    if (declared[field] === undefined) return true;
    const [has, wanted] = [grantsIn(field, found), grantsIn(field, declared)];
    const surplus = ignoresOnUpdate.includes(field) ? [] : without(has, [...wanted, ...addsRoles]);
    return without(wanted, has).length + surplus.length === 0;
  });
}

/** Whether both say the same: left out equals left out only. */
export function isSameAccess(one: DeclaredAccess, other: DeclaredAccess): boolean {
  const isManaged = FIELDS.every((field) => (one[field] === undefined) === (other[field] === undefined));
  return isManaged && grantsDeclared(one, other) && grantsDeclared(other, one);
}
