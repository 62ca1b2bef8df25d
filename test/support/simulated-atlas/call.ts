import type { ErrorParameter } from "./answer.ts";
import { refusal } from "./answer.ts";
import type { Access, GroupRoleAssignment, Organization } from "./organization.ts";
import type { Settings } from "./settings.ts";

/** A request that is authenticated and allowed, on its way to an endpoint. */
export interface Call {
  method: string;
  organization: Organization;
  /** What follows the endpoint's collection in the path: the id, if any. */
  id: string | undefined;
  /** The whole URL. */
  url: URL;
  /** The parsed body, undefined if there was none. */
  body: unknown;
  /** Who calls, as Atlas names them to others. */
  caller: string;
  settings: Settings;
}

/** The fields of a JSON object, refused if it has a field that the endpoint does not know or lacks a required one. */
export function parseFields(
  value: unknown,
  known: readonly string[],
  required: readonly string[] = [],
): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refusal(400, "INVALID_JSON", "A JSON object was expected.");
  }
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) throw invalid("INVALID_ATTRIBUTE", name);
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

/** At least one role of the kind; names are open, because Atlas adds roles. */
export function parseRoles(value: unknown, field: string, kind: "ORG" | "GROUP"): string[] {
  const roles = parseStrings(value, field);
  if (roles.length === 0) throw invalid("MISSING_ATTRIBUTE", field);
  for (const role of roles) {
    // Unknown: which of several documented codes this is.
    if (!new RegExp(`^${kind}_[A-Z_]+$`).test(role)) throw invalid("INVALID_ENUM_VALUE", field, role);
  }
  return roles;
}

export function parseTeamIds(value: unknown, organization: Organization): string[] {
  return parseStrings(value, "teamIds").map((id) => {
    if (organization.strictReferences && !organization.teams.includes(id)) {
      throw refusal(404, "TEAM_NOT_FOUND", `No team with ID ${id} exists.`, [id]);
    }
    return id;
  });
}

/** Project roles, whose list of names is called differently in each API family. */
export function parseAssignments(
  value: unknown,
  rolesField: "roles" | "groupRoles",
  organization: Organization,
): GroupRoleAssignment[] {
  if (!Array.isArray(value)) throw invalid("INVALID_ATTRIBUTE", "groupRoleAssignments");
  return value.map((item) => {
    const fields = parseFields(item, ["groupId", rolesField], ["groupId", rolesField]);
    const groupId = String(fields.groupId);
    if (organization.strictReferences && !organization.projects.includes(groupId)) {
      throw refusal(404, "GROUP_NOT_FOUND", `No group with ID ${groupId} exists.`, [groupId]);
    }
    return { groupId, roles: parseRoles(fields[rolesField], rolesField, "GROUP") };
  });
}

/** Access whose absent fields are left out. */
export function presentAccess(
  fields: {
    [Field in keyof Access]: Access[Field] | undefined;
  },
): Partial<Access> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function parseStrings(value: unknown, field: string): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw invalid("INVALID_ATTRIBUTE", field);
}

const invalid = (code: string, ...parameters: ErrorParameter[]) =>
  refusal(400, code, `The request is not valid: ${parameters.join(", ")}.`, parameters);
