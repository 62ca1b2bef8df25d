import { type Answer, refusal } from "./answer.ts";
import {
  type Call,
  parseAssignments,
  parseFields,
  parseRoles,
  parseTeamIds,
  parseUsername,
  presentAccess,
} from "./call.ts";
import type { Access, MembershipStatus, Organization, Person } from "./organization.ts";
import { accessOnCreate, accessOnUpdate } from "./stored-access.ts";

const allStatuses: readonly MembershipStatus[] = [
  "ACTIVE",
  "PENDING",
  "INVITATION_EXPIRED",
  "INVITATION_REJECTED",
];
// Documented: who expired or rejected is shown only when asked for.
const shownByDefault: readonly MembershipStatus[] = ["ACTIVE", "PENDING"];

/** `/orgs/{orgId}/users[/{userId}]`, version 2025-02-19. */
export function serveUsers(call: Call): Answer {
  const { method, organization, id } = call;
  if (id === undefined) {
    if (method === "GET") return listUsers(call);
    if (method === "POST") return createUser(call);
  } else {
    if (method === "GET")
      return { status: 200, body: userView(organization, storedUser(call, askedStatuses(call.url))) };
    if (method === "PATCH") return updateUser(call);
    if (method === "DELETE") return removeUser(call);
  }
  return { status: 405 };
}

function listUsers(call: Call): Answer {
  const { organization, url, settings } = call;
  const statuses = askedStatuses(url);
  const username = url.searchParams.get("username");
  const itemsPerPage = askedNumber(url, "itemsPerPage", 100, 500);
  const pageNum = askedNumber(url, "pageNum", 1, Number.MAX_SAFE_INTEGER);
  const found = listedPeople(call)
    .filter(({ status }) => statuses.includes(status))
    .filter((person) => username === null || organization.sameUsername(person.username, username));
  const page = found.slice((pageNum - 1) * itemsPerPage, pageNum * itemsPerPage);

  const link = (rel: string, number: number) => {
    const href = new URL(url);
    href.searchParams.set("pageNum", String(number));
    href.searchParams.set("itemsPerPage", String(itemsPerPage));
    return { href: href.href, rel };
  };
  const links = [link("self", pageNum)];
  if (pageNum > 1) links.push(link("previous", pageNum - 1));
  if (pageNum * itemsPerPage < found.length) links.push(link("next", pageNum + 1));
  const counts = url.searchParams.get("includeCount") !== "false";
  return {
    status: 200,
    body: {
      links,
      results: page.map((person) => userView(organization, person)),
      ...(counts && { totalCount: found.length + (settings.countsDiffer ? pageNum - 1 : 0) }),
    },
  };
}

function listedPeople({ organization, settings }: Call): readonly Person[] {
  const people = organization.stored().filter(({ project }) => !project || settings.showsProjectInvitations);
  if (settings.showsPendingBesideActive) return people;
  const keyOf = ({ username }: Person) => organization.usernameKey(username);
  const members = new Set(people.filter(({ status }) => status === "ACTIVE").map(keyOf));
  return people.filter((person) => person.status !== "PENDING" || !members.has(keyOf(person)));
}

function createUser({ organization, body, caller, settings }: Call): Answer {
  const fields = parseFields(body, ["username", "roles", "teamIds"], ["username", "roles"]);
  const username = parseUsername(fields.username);
  const access = accessOnCreate(parseAccess(fields, organization), settings);
  const known = organization.storedPerson(username);
  // Documented: who expired or rejected is replaced.
  if (known?.status === "PENDING" || known?.status === "ACTIVE") {
    const code = settings.usersConflict === 409 ? "USER_ALREADY_EXISTS" : "USER_ALREADY_IN_ORG";
    throw refusal(settings.usersConflict, code, `A user with username ${username} already exists.`, [
      username,
    ]);
  }
  return {
    status: 201,
    body: userView(organization, organization.storeInvitation(username, access, caller)),
  };
}

function updateUser(call: Call): Answer {
  const person = changeableUser(call);
  const fields = parseFields(call.body, ["roles", "teamIds"]);
  // Documented: an empty list resets.
  Object.assign(person, accessOnUpdate(parseAccess(fields, call.organization), call.settings));
  return { status: 200, body: userView(call.organization, person) };
}

function removeUser(call: Call): Answer {
  // Documented: this cancels an invitation, and it removes a member just as well.
  call.organization.remove(changeableUser(call));
  return { status: 204 };
}

function storedUser(call: Call, statuses: readonly MembershipStatus[]): Person {
  const { organization, id = "", settings } = call;
  const person = organization.stored().find(({ userId }) => userId === id);
  if (!person) throw refusal(404, "USER_NOT_FOUND", `No user with ID ${id} exists.`, [id]);
  if (!statuses.includes(person.status)) throw notInOrganization(id);
  if (person.project && !settings.showsProjectInvitations) throw notInOrganization(id);
  return person;
}

function changeableUser(call: Call): Person {
  const person = storedUser(call, shownByDefault);
  // Documented: who is invited by the deprecated project endpoint is not updated or removed. Inferred: the code.
  if (person.project) throw notInOrganization(person.userId);
  return person;
}

const notInOrganization = (id: string) =>
  refusal(404, "USER_NOT_IN_ORG", `User ${id} is not in the organization.`, [id]);

function askedStatuses(url: URL): readonly MembershipStatus[] {
  const many = url.searchParams.getAll("orgMembershipStatuses");
  const one = url.searchParams.getAll("orgMembershipStatus");
  // Documented: at most four, and not together with the older singular.
  if (many.length > 4 || (many.length > 0 && one.length > 0)) throw invalidQuery("orgMembershipStatuses");
  const asked = [...many, ...one];
  for (const status of asked) {
    if (!allStatuses.some((known) => known === status)) throw invalidQuery("orgMembershipStatuses");
  }
  return asked.length > 0 ? allStatuses.filter((status) => asked.includes(status)) : shownByDefault;
}

function askedNumber(url: URL, name: string, byDefault: number, max: number): number {
  const text = url.searchParams.get(name);
  if (text === null) return byDefault;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > max) throw invalidQuery(name);
  return number;
}

const invalidQuery = (name: string) =>
  refusal(400, "INVALID_QUERY_PARAMETER", `The query parameter ${name} is not valid.`, [name]);

function parseAccess(fields: Record<string, unknown>, organization: Organization): Partial<Access> {
  const roles =
    fields.roles === undefined
      ? undefined
      : parseFields(fields.roles, ["orgRoles", "groupRoleAssignments"], ["orgRoles"]);
  const assignments = roles?.groupRoleAssignments;
  return presentAccess({
    roles: roles && parseRoles(roles.orgRoles, "orgRoles", "ORG"),
    teamIds: fields.teamIds === undefined ? undefined : parseTeamIds(fields.teamIds, organization),
    groupRoleAssignments:
      assignments === undefined ? undefined : parseAssignments(assignments, "groupRoles", organization),
  });
}

function userView(organization: Organization, person: Person) {
  const common = {
    id: person.userId,
    orgMembershipStatus: person.status,
    roles: {
      groupRoleAssignments: person.groupRoleAssignments.map(({ groupId, roles }) => ({
        groupId,
        groupRoles: roles,
      })),
      orgRoles: person.roles,
    },
    teamIds: person.teamIds,
    username: person.username,
  };
  if (person.status === "ACTIVE") {
    return organization.shown(person, {
      ...common,
      country: "IE",
      createdAt: person.createdAt,
      firstName: "First",
      lastAuth: person.createdAt,
      lastName: "Last",
      mobileNumber: null,
    });
  }
  return organization.shown(person, {
    ...common,
    invitationCreatedAt: person.createdAt,
    // Documented: null after a rejection.
    invitationExpiresAt: person.expiresAt ?? null,
    inviterUsername: person.inviterUsername,
  });
}
