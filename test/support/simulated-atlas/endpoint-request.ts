import { type Answer, type ErrorParameter, refusal } from "./answer.ts";
import type { Access, GroupRoleAssignment, Organization } from "./organization.ts";
import type { Settings } from "./settings.ts";

/** An authorized request to an endpoint. */
export interface EndpointRequest {
  method: string;
  organization: Organization;
  /** The id that follows the collection in the path, if there is one. */
  id: string | undefined;
  url: URL;
  /** The parsed body, undefined if there was none. */
  body: unknown;
  /** The name of the API key or service account: Atlas shows it as the inviter. */
  principal: string;
  settings: Settings;
}

/** Serves a request by its method, with " id" for a request for one entry. Recorded: a 405 has no body. */
export const serveBy =
  (endpoints: Record<string, (request: EndpointRequest) => Answer>) =>
  (request: EndpointRequest): Answer => {
    const endpoint = endpoints[request.method + (request.id === undefined ? "" : " id")];
    return endpoint ? endpoint(request) : { status: 405 };
  };

/** The fields of a JSON object. Refuses unknown fields, and the lack of a required one. */
export function parseFields(
  value: unknown,
  allowed: readonly string[],
  required: readonly string[] = [],
): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refusal(400, "INVALID_JSON", "A JSON object was expected.");
  }
  for (const name of Object.keys(value)) {
    if (!allowed.includes(name)) throw invalid("INVALID_ATTRIBUTE", name);
  }
  const fields = value as Record<string, unknown>;
  for (const name of required) {
    if (fields[name] === undefined) throw invalid("MISSING_ATTRIBUTE", name);
  }
  return fields;
}

export function parseUsername(value: unknown): string {
  if (typeof value === "string" && /^[^\s@]+@[^\s@]+$/.test(value)) return value;
  throw refusal(400, "INVALID_EMAIL_ADDRESS", "The username is not an e-mail address.", [String(value)]);
}

/** The access in a request, without the fields that are absent. The APIs name the lists of roles differently. */
export function parseAccess(
  { roles, teamIds, groupRoleAssignments }: Record<string, unknown>,
  names: { roles: "roles" | "orgRoles"; groupRoles: "roles" | "groupRoles" },
): Partial<Access> {
  return {
    ...(roles !== undefined && { roles: parseRoles(roles, names.roles, "ORG") }),
    ...(teamIds !== undefined && { teamIds: parseStrings(teamIds, "teamIds") }),
    ...(groupRoleAssignments !== undefined && {
      groupRoleAssignments: parseAssignments(groupRoleAssignments, names.groupRoles),
    }),
  };
}

/** At least one role of the kind. Atlas adds roles, so that no list of names is complete. */
function parseRoles(value: unknown, field: string, kind: "ORG" | "GROUP"): string[] {
  const roles = parseStrings(value, field);
  if (roles.length === 0) throw invalid("MISSING_ATTRIBUTE", field);
  for (const role of roles) {
    // Unknown: which of several documented codes this is.
    if (!new RegExp(`^${kind}_[A-Z_]+$`).test(role)) throw invalid("INVALID_ENUM_VALUE", field, role);
  }
  return roles;
}

function parseAssignments(value: unknown, rolesField: string): GroupRoleAssignment[] {
  if (!Array.isArray(value)) throw invalid("INVALID_ATTRIBUTE", "groupRoleAssignments");
  return value.map((item) => {
    const fields = parseFields(item, ["groupId", rolesField], ["groupId", rolesField]);
    return { groupId: String(fields.groupId), roles: parseRoles(fields[rolesField], rolesField, "GROUP") };
  });
}

function parseStrings(value: unknown, field: string): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw invalid("INVALID_ATTRIBUTE", field);
}

const invalid = (code: string, ...parameters: ErrorParameter[]) =>
  refusal(400, code, `The request is not valid: ${parameters.join(", ")}.`, parameters);

/** The access that Atlas stores for a POST that requests this access. */
export function accessOnCreate(requested: Partial<Access>, { addsRoles }: Settings): Partial<Access> {
  const { roles } = requested;
  if (!roles) return requested;
  return { ...requested, roles: [...roles, ...addsRoles.filter((role) => !roles.includes(role))] };
}

/** The changes that Atlas stores for a PATCH that requests this access. */
export function accessOnUpdate(requested: Partial<Access>, settings: Settings): Partial<Access> {
  // Documented: a user always has a role, so that Atlas never resets the organization roles.
  const omitted = settings.omittedOnUpdate === "reset" ? { teamIds: [], groupRoleAssignments: [] } : {};
  const access: Partial<Access> = { ...omitted, ...accessOnCreate(requested, settings) };
  for (const field of settings.ignoresOnUpdate) delete access[field];
  return access;
}
