import { domainToASCII, domainToUnicode } from "node:url";
import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { mergedAssignments, sortedSet } from "../atlas/invitations/access.ts";
import type { OrgInvitationInputs } from "./org-invitation-state.ts";
import { GROUP_ROLES, ORG_ROLES } from "./roles.ts";

/** Stands for each value that is not known yet, in a preview. The wire format of the engine fixes the constant. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** One invalid argument: the path of its property, and the reason. */
export interface CheckFailure {
  property: string;
  reason: string;
}

export interface CheckedInputs {
  /** Normalised, with defaults; unchanged where there are failures. */
  inputs: OrgInvitationInputs;
  failures: CheckFailure[];
  /** Roles that this version does not know. They are no failures, as Atlas adds roles. */
  warnings: string[];
}

// Enough to find the value in a program. It may be the content of a whole file.
const MAX_QUOTED = 200;

// Characters that a reader of the message cannot see, or takes for a space.
const INVISIBLE = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/gu;

/** A schema that also accepts an unknown value. */
function orUnknown<Schema extends v.GenericSchema>(schema: Schema) {
  return v.lazy((input) => (input === UNKNOWN ? (v.any() as unknown as Schema) : schema));
}

function quoted(value: unknown): string {
  // JSON has no infinite numbers, and no undefined.
  const json = (typeof value !== "number" && JSON.stringify(value)) || String(value);
  const start = json.length <= MAX_QUOTED ? json : `${json.slice(0, MAX_QUOTED)}…`;
  return start.replace(INVISIBLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

// The rule of HTML for an e-mail address, which is limited to ASCII.
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
    // Lower-casing maps characters as well, such as the Kelvin sign to the letter k.
    address === address.normalize("NFKC")
  );
}

function stringSchema(what: string) {
  return v.string(({ input }) =>
    typeof input === "number"
      ? // YAML reads digits without quotes as a number.
        `must be ${what} in quotes; got the number ${input}`
      : `must be ${what}, a string; got ${quoted(input)}`,
  );
}

function idSchema(what: string, where: string) {
  return orUnknown(
    v.pipe(
      stringSchema(`the id of ${what}`),
      v.regex(
        /^[0-9a-f]{24}$/i,
        ({ input }) => `must be the id of ${what}, 24 hexadecimal digits that ${where}; got ${quoted(input)}`,
      ),
      v.toLowerCase(),
    ),
  );
}

function rolesSchema(what: string, example: string, wrong: (role: string) => string | undefined) {
  const role = v.pipe(
    stringSchema("a role"),
    v.nonEmpty(`must be a role, such as ${example}; got ""`),
    v.check(
      (role) => wrong(role) === undefined,
      ({ input }) => wrong(input) as string,
    ),
  );
  return orUnknown(
    v.pipe(
      v.array(
        orUnknown(role),
        ({ input }) => `must be a list of roles, such as ["${example}"]; got ${quoted(input)}`,
      ),
      v.minLength(1, `must contain ${what}, such as ["${example}"]; got []`),
    ),
  );
}

function listSchema<Item extends v.GenericSchema>(item: Item, of: string) {
  return orUnknown(v.array(orUnknown(item), ({ input }) => `must be a list of ${of}; got ${quoted(input)}`));
}

/** An object with exactly these properties. Each one that is missing or unknown is a failure of its own. */
function closedObject<Entries extends v.ObjectEntries>(entries: Entries) {
  const names = Object.keys(entries).join(", ");
  return v.objectWithRest(
    entries,
    v.never(`unknown argument; the arguments are ${names}`),
    ({ expected, input }) =>
      expected === "Object"
        ? `must be an entry with ${names}; got ${quoted(input)}`
        : "required, but missing",
  );
}

const Arguments = closedObject({
  orgId: idSchema("an organization", "Atlas shows in the organization's settings"),
  username: orUnknown(
    v.pipe(
      stringSchema("an e-mail address"),
      v.check(
        isEmailAddress,
        ({ input }) => `must be a plain e-mail address, such as ada@example.com; got ${quoted(input)}`,
      ),
      v.toLowerCase(),
    ),
  ),
  roles: rolesSchema("at least one organization role", "ORG_MEMBER", (role) =>
    role.startsWith("GROUP_")
      ? `"${role}" is a role in a project: declare it in groupRoleAssignments, with the id of the project`
      : undefined,
  ),
  teamIds: v.nullish(
    listSchema(idSchema("a team", "Atlas shows in the address of the team's page"), "ids of teams, or []"),
  ),
  groupRoleAssignments: v.nullish(
    listSchema(
      closedObject({
        groupId: idSchema("a project", "Atlas shows in the project's settings"),
        roles: rolesSchema("at least one project role", "GROUP_READ_ONLY", (role) =>
          role.startsWith("ORG_")
            ? `"${role}" is a role in the organization: declare it in roles`
            : undefined,
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
          `must be "fail" (a member is an error), "retain" (a member stays) or "manage" (a member is changed and removed); got ${quoted(input)}`,
      ),
    ),
    "fail",
  ),
  reinviteExpired: v.nullish(
    orUnknown(v.boolean(({ input }) => `must be true or false; got ${quoted(input)}`)),
    false,
  ),
});

/**
 * Checks all arguments of a program at once, and normalises them: ids and the address in lower case, sets sorted and
 * without duplicates, defaults filled in. Teams and project roles that are left out stay absent, as they are not managed.
 * So the comparison of old and new inputs shows exactly what changes in Atlas.
 */
export function checkInputs(
  news: Record<string, unknown>,
  olds: Record<string, unknown> = {},
): CheckedInputs {
  // Not arguments: the resource adds the first two, and a read adds the others, so that a plan displays them.
  const { __provider, __resource, status, expiresAt, ...given } = news;
  const { success, output, issues = [] } = v.safeParse(Arguments, given);
  if (!success) {
    const failures = issues.map(failure);
    // With ignoreChanges, the engine passes the stored value instead of the program's. Atlas's values are no mistakes.
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
    // Absent, not undefined, where they were left out: the plugin host cannot send undefined.
    ...(teamIds && { teamIds: mapIfKnown(teamIds, sortedSet) }),
    ...(groupRoleAssignments && {
      groupRoleAssignments: mapIfKnown(groupRoleAssignments, mergedAssignments),
    }),
  };
  return { inputs, failures: [], warnings: warnings(inputs) };
}

function failure({ path, message }: v.BaseIssue<unknown>): CheckFailure {
  // The arguments are an object, so every issue has a path.
  const keys = (path as v.IssuePathItem[]).map(({ key }) => key);
  const property = keys.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
  return { property: property.replace(/^\./, ""), reason: message };
}

/** The first argument of a path. */
function argumentOf(property: string): string {
  return property.replace(/[.[].*$/s, "");
}

/** Whether the inputs contain no unknown value. */
export function isKnown(inputs: unknown): boolean {
  return !JSON.stringify(inputs).includes(UNKNOWN);
}

/** A set with an unknown value cannot be normalised yet. */
function mapIfKnown<Value>(value: Value, normalize: (value: Value) => Value): Value {
  return isKnown(value) ? normalize(value) : value;
}

function warnings({ username, roles, groupRoleAssignments = [] }: OrgInvitationInputs): string[] {
  const unusual = [
    ...knownItems(roles).filter((role) => !(ORG_ROLES as readonly string[]).includes(role)),
    ...knownItems(groupRoleAssignments)
      .flatMap((assignment) => knownItems(assignment.roles))
      .filter((role) => !(GROUP_ROLES as readonly string[]).includes(role)),
  ];
  const person = username === UNKNOWN ? "a person whose address is not known yet" : username;
  return sortedSet(unusual).map(
    (role) => `The role ${role} of ${person} is unknown to this version. It is sent to Atlas unchanged.`,
  );
}

function knownItems<Item>(list: Item[]): Item[] {
  return Array.isArray(list) ? list.filter((item) => item !== UNKNOWN) : [];
}
