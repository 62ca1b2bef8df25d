import { domainToASCII, domainToUnicode } from "node:url";
import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { mergedAssignments, sortedSet } from "../atlas/invitations/access.ts";
import type { OrgInvitationInputs } from "./org-invitation-state.ts";

/** Stands for every value that is not known yet, in a preview: Pulumi's constant, fixed by its wire format. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** One wrong argument: the path of its property, and what is wrong with it. */
export interface CheckFailure {
  property: string;
  reason: string;
}

export interface CheckedInputs {
  /** In their one spelling, with defaults; as given where something is wrong. */
  inputs: OrgInvitationInputs;
  failures: CheckFailure[];
  /** What may be wrong: roles that this version does not know, as Atlas adds roles. */
  warnings: string[];
}

// Atlas adds roles from time to time, so that another name is only a warning.
const ORG_ROLES = [
  "ORG_OWNER",
  "ORG_MEMBER",
  "ORG_GROUP_CREATOR",
  "ORG_BILLING_ADMIN",
  "ORG_BILLING_READ_ONLY",
  "ORG_STREAM_PROCESSING_ADMIN",
  "ORG_READ_ONLY",
];

const GROUP_ROLES = [
  "GROUP_ACCESS_MANAGER",
  "GROUP_ALERTS_MANAGER",
  "GROUP_BACKUP_CREATOR",
  "GROUP_BACKUP_EXPORT_OPERATOR",
  "GROUP_BACKUP_MANAGER",
  "GROUP_BACKUP_RECOVERY_OPERATOR",
  "GROUP_CLUSTER_CREATOR",
  "GROUP_CLUSTER_LOG_VIEWER",
  "GROUP_CLUSTER_MANAGER",
  "GROUP_CLUSTER_RESILIENCE_TESTER",
  "GROUP_DATABASE_ACCESS_ADMIN",
  "GROUP_DATA_ACCESS_ADMIN",
  "GROUP_DATA_ACCESS_READ_ONLY",
  "GROUP_DATA_ACCESS_READ_WRITE",
  "GROUP_INDEX_MANAGER",
  "GROUP_MODEL_OWNER",
  "GROUP_NETWORK_ACCESS_MANAGER",
  "GROUP_OBSERVABILITY_VIEWER",
  "GROUP_OWNER",
  "GROUP_READ_ONLY",
  "GROUP_REAL_TIME_PERFORMANCE_OPERATOR",
  "GROUP_REPLICA_SET_MANAGER",
  "GROUP_SEARCH_INDEX_EDITOR",
  "GROUP_STREAM_PROCESSING_OWNER",
  "GROUP_SUPPORT_ACCESS_MANAGER",
  "GROUP_TRIGGER_MANAGER",
];

// Enough to find it in a program; somebody may have given the content of a file.
const MOST_QUOTED = 200;

// A reader of the message cannot see these, or takes them for a plain blank.
const INVISIBLE = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/gu;

/** A value that may still be unknown: then nothing is asked of it. */
function orUnknown<Schema extends v.GenericSchema>(schema: Schema) {
  return v.lazy((input) => (input === UNKNOWN ? (v.any() as unknown as Schema) : schema));
}

function quoted(value: unknown): string {
  // JSON has no infinite numbers, and nothing for undefined.
  const json = (typeof value !== "number" && JSON.stringify(value)) || String(value);
  const start = json.length <= MOST_QUOTED ? json : `${json.slice(0, MOST_QUOTED)}…`;
  return start.replace(INVISIBLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

// HTML's rule for an e-mail address, which knows ASCII only.
const AsciiAddress = v.pipe(v.string(), v.rfcEmail());

function isEmailAddress(address: string): boolean {
  const at = address.lastIndexOf("@") + 1;
  const domain = address.slice(at).toLowerCase();
  const ascii = domainToASCII(domain);
  return (
    v.is(AsciiAddress, address.slice(0, at) + ascii) &&
    domain.includes(".") &&
    // domainToASCII silently drops, maps, decodes and cuts off characters (WHATWG URL, "domain to ASCII").
    (ascii === domain || domainToUnicode(ascii) === domain) &&
    // Lower case maps characters as well, such as the Kelvin sign to the letter k.
    address === address.normalize("NFKC")
  );
}

function stringSchema(what: string) {
  return v.string(({ input }) =>
    typeof input === "number"
      ? // YAML reads digits without quotes as a number.
        `${input} is a number, not ${what}: put it in quotes`
      : `${quoted(input)} is not ${what}: give a string`,
  );
}

function idSchema(what: string, where: string) {
  return orUnknown(
    v.pipe(
      stringSchema(`the id of ${what}`),
      v.regex(
        /^[0-9a-f]{24}$/i,
        ({ input }) =>
          `${quoted(input)} is not the id of ${what}: give the 24 hexadecimal digits that ${where}`,
      ),
      v.toLowerCase(),
    ),
  );
}

function rolesSchema(what: string, example: string, wrong: (role: string) => string | undefined) {
  const role = v.pipe(
    stringSchema("a role"),
    v.nonEmpty(`"" is not a role: name one, such as ${example}`),
    v.check(
      (role) => wrong(role) === undefined,
      ({ input }) => wrong(input) as string,
    ),
  );
  return orUnknown(
    v.pipe(
      v.array(
        orUnknown(role),
        ({ input }) => `${quoted(input)} is not a list of roles: give ${what}, such as ["${example}"]`,
      ),
      v.minLength(1, `there is no role: give ${what}, such as ["${example}"]`),
    ),
  );
}

function listSchema<Item extends v.GenericSchema>(item: Item, of: string) {
  return orUnknown(v.array(orUnknown(item), ({ input }) => `${quoted(input)} is not a list: give ${of}`));
}

/** An object with these properties and no others; every one that is missing or too much is named. */
function closedObject<Entries extends v.ObjectEntries>(entries: Entries) {
  const names = Object.keys(entries).join(", ");
  return v.objectWithRest(
    entries,
    v.never(`there is no such argument: the arguments are ${names}`),
    ({ expected, input }) =>
      expected === "Object" ? `${quoted(input)} is not an entry: give ${names}` : "it is missing: give it",
  );
}

const Arguments = closedObject({
  orgId: idSchema("an organization", "Atlas shows in the organization's settings"),
  username: orUnknown(
    v.pipe(
      stringSchema("an e-mail address"),
      v.check(
        isEmailAddress,
        ({ input }) =>
          `${quoted(input)} is not an e-mail address: give the plain address, such as ada@example.com`,
      ),
      v.toLowerCase(),
    ),
  ),
  roles: rolesSchema("at least one organization role", "ORG_MEMBER", (role) =>
    role.startsWith("GROUP_")
      ? `"${role}" is a role in a project: give it in groupRoleAssignments, with the id of the project`
      : undefined,
  ),
  teamIds: v.nullish(
    listSchema(
      idSchema("a team", "Atlas shows in the address of the team's page"),
      "the ids of teams, or []",
    ),
  ),
  groupRoleAssignments: v.nullish(
    listSchema(
      closedObject({
        groupId: idSchema("a project", "Atlas shows in the project's settings"),
        roles: rolesSchema("at least one project role", "GROUP_READ_ONLY", (role) =>
          role.startsWith("ORG_") ? `"${role}" is a role in the organization: give it in roles` : undefined,
        ),
      }),
      "entries of groupId and roles, or []",
    ),
  ),
  onAccepted: v.nullish(
    orUnknown(
      v.picklist(
        ["fail", "retain", "manage"],
        ({ input }) =>
          `${quoted(input)} is not a choice: give "fail" (a member stops the destroy), "retain" (a member stays) or "manage" (a member is changed and removed)`,
      ),
    ),
    "fail",
  ),
  reinviteExpired: v.nullish(
    orUnknown(v.boolean(({ input }) => `${quoted(input)} is not true or false: give one of them`)),
    false,
  ),
});

/**
 * Checks the arguments of a program, all of them at once, and brings them to their one spelling: ids and the
 * address in lower case, sets sorted and without duplicates, defaults filled in. Teams and project roles that
 * are left out stay absent, as they are not managed here. So the engine's own comparison of old and new inputs
 * shows exactly what changes in Atlas.
 */
export function checkInputs(
  news: Record<string, unknown>,
  olds: Record<string, unknown> = {},
): CheckedInputs {
  // No arguments: the resource adds the first two, and a refresh the others, so that a plan shows them.
  const { __provider, __resource, status, expiresAt, ...given } = news;
  const { success, output, issues = [] } = v.safeParse(Arguments, given);
  if (!success) {
    const failures = issues.map(failure);
    // With ignoreChanges, the engine puts the stored value in place of the program's: what Atlas has is no mistake.
    const isStored = (name: string) =>
      Object.hasOwn(olds, name) && isDeepStrictEqual(given[name], olds[name]);
    const mistakes = failures.filter(({ property }) => !isStored(argumentOf(property)));
    if (mistakes.length > 0) {
      return { inputs: given as unknown as OrgInvitationInputs, failures: mistakes, warnings: [] };
    }
    const ignored = failures.map(({ property }) => argumentOf(property));
    const stored = Object.fromEntries(ignored.map((name) => [name, given[name]]));
    const unknown = Object.fromEntries(ignored.map((name) => [name, UNKNOWN]));
    const checked = checkInputs({ ...given, ...unknown });
    return { ...checked, inputs: { ...checked.inputs, ...stored } };
  }
  const { roles, teamIds, groupRoleAssignments, ...others } = output;
  const inputs: OrgInvitationInputs = {
    ...others,
    roles: mapIfKnown(roles, sortedSet),
    // Absent where they were left out: the plugin host cannot answer with what is undefined.
    ...(teamIds && { teamIds: mapIfKnown(teamIds, sortedSet) }),
    ...(groupRoleAssignments && {
      groupRoleAssignments: mapIfKnown(groupRoleAssignments, mergedAssignments),
    }),
  };
  return { inputs, failures: [], warnings: warnings(inputs) };
}

function failure({ path, message }: v.BaseIssue<unknown>): CheckFailure {
  // What is checked is an object, so that everything wrong is at one of its properties.
  const keys = (path as v.IssuePathItem[]).map(({ key }) => key);
  const property = keys.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
  return { property: property.replace(/^\./, ""), reason: message };
}

/** The argument that a path begins with. */
function argumentOf(property: string): string {
  return property.replace(/[.[].*$/s, "");
}

/** A set that holds an unknown value has no one spelling yet. */
function mapIfKnown<Value>(value: Value, spell: (value: Value) => Value): Value {
  return JSON.stringify(value).includes(UNKNOWN) ? value : spell(value);
}

function warnings({ username, roles, groupRoleAssignments = [] }: OrgInvitationInputs): string[] {
  const unusual = [
    ...knownItems(roles).filter((role) => !ORG_ROLES.includes(role)),
    ...knownItems(groupRoleAssignments)
      .flatMap((assignment) => knownItems(assignment.roles))
      .filter((role) => !GROUP_ROLES.includes(role)),
  ];
  const whom = username === UNKNOWN ? "somebody not known yet" : username;
  return sortedSet(unusual).map(
    (role) => `${whom}: this version does not know the role ${role}. It is sent to Atlas as it is.`,
  );
}

function knownItems<Item>(list: Item[]): Item[] {
  return Array.isArray(list) ? list.filter((item) => item !== UNKNOWN) : [];
}
