import type { Access } from "./organization.ts";
import type { Settings } from "./settings.ts";

/** The access that Atlas stores when a POST asks for this access. */
export function accessOnCreate(asked: Partial<Access>, { addsRoles }: Settings): Partial<Access> {
  const { roles } = asked;
  if (!roles) return asked;
  return { ...asked, roles: [...roles, ...addsRoles.filter((role) => !roles.includes(role))] };
}

/** The changes that Atlas stores when a PATCH asks for this access. */
export function accessOnUpdate(asked: Partial<Access>, settings: Settings): Partial<Access> {
  // Documented: a person always has a role, so organization roles are never reset.
  const omitted = settings.omittedOnUpdate === "reset" ? { teamIds: [], groupRoleAssignments: [] } : {};
  const access = { ...omitted, ...accessOnCreate(asked, settings) };
  for (const field of settings.ignoresOnUpdate) delete access[field];
  return access;
}
