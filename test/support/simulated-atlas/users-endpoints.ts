import { type Answer, refusal } from "./answer.ts";
import {
  accessOnCreate,
  accessOnUpdate,
  type EndpointRequest,
  parseAccess,
  parseFields,
  parseUsername,
  serveBy,
} from "./endpoint-request.ts";
import type { MembershipStatus, Organization, Person } from "./organization.ts";

const allStatuses: readonly MembershipStatus[] = [
  "ACTIVE",
  "PENDING",
  "INVITATION_EXPIRED",
  "INVITATION_REJECTED",
];
// Documented: a request has to ask for expired and rejected users.
const defaultStatuses: readonly MembershipStatus[] = ["ACTIVE", "PENDING"];

/** `/orgs/{orgId}/users[/{userId}]`, version 2025-02-19. */
export const serveUsers = serveBy({
  GET: listUsers,
  POST: createUser,
  "GET id": (request) =>
    answerWith(200, request.organization, storedUser(request, requestedStatuses(request.url))),
  "PATCH id": updateUser,
  "DELETE id": removeUser,
});

function listUsers(request: EndpointRequest): Answer {
  const { organization, url, settings } = request;
  const statuses = requestedStatuses(url);
  const itemsPerPage = requestedNumber(url, "itemsPerPage", 100, 500);
  const pageNum = requestedNumber(url, "pageNum", 1, Number.MAX_SAFE_INTEGER);
  const found = listedPeople(request).filter(({ status }) => statuses.includes(status));
  const page = found.slice((pageNum - 1) * itemsPerPage, pageNum * itemsPerPage);

  const results = page.map((person) => userView(organization, person));
  const totalCount = found.length + (settings.countsDiffer ? pageNum - 1 : 0);
  return { status: 200, body: { results, totalCount } };
}

function listedPeople({ organization, settings }: EndpointRequest): readonly Person[] {
  const people = organization.stored().filter(({ project }) => !project || settings.showsProjectInvitations);
  if (settings.showsPendingBesideActive) return people;
  const keyOf = ({ username }: Person) => organization.usernameKey(username);
  const members = new Set(people.filter(({ status }) => status === "ACTIVE").map(keyOf));
  return people.filter((person) => person.status !== "PENDING" || !members.has(keyOf(person)));
}

function createUser({ organization, body, principal, settings }: EndpointRequest): Answer {
  const fields = parseFields(body, ["username", "roles", "teamIds"], ["username", "roles"]);
  const username = parseUsername(fields.username);
  const access = accessOnCreate(parseUserAccess(fields), settings);
  const existing = organization.storedPerson(username);
  // Documented: Atlas replaces a user who is expired or rejected.
  if (existing && defaultStatuses.includes(existing.status)) {
    const code = settings.usersConflict === 409 ? "USER_ALREADY_EXISTS" : "USER_ALREADY_IN_ORG";
    const detail = `A user with username ${username} already exists.`;
    throw refusal(settings.usersConflict, code, detail, [username]);
  }
  return answerWith(201, organization, organization.storeInvitation(username, access, principal));
}

function updateUser(request: EndpointRequest): Answer {
  const { organization, body, settings } = request;
  const person = changeableUser(request);
  const fields = parseFields(body, ["roles", "teamIds"]);
  // Documented: an empty list resets.
  Object.assign(person, accessOnUpdate(parseUserAccess(fields), settings));
  return answerWith(200, organization, person);
}

function removeUser(request: EndpointRequest): Answer {
  // Documented: this cancels an invitation, and it removes a member.
  request.organization.remove(changeableUser(request));
  return { status: 204 };
}

function storedUser(
  { organization, id = "", settings }: EndpointRequest,
  statuses: readonly MembershipStatus[],
): Person {
  const person = organization.stored().find(({ userId }) => userId === id);
  if (!person) throw refusal(404, "USER_NOT_FOUND", `No user with ID ${id} exists.`, [id]);
  const isHidden = person.project && !settings.showsProjectInvitations;
  if (isHidden || !statuses.includes(person.status)) throw notInOrganization(id);
  return person;
}

function changeableUser(request: EndpointRequest): Person {
  const person = storedUser(request, defaultStatuses);
  // Documented: no update or removal for an invitation by the deprecated project endpoint. Inferred: the code.
  if (person.project) throw notInOrganization(person.userId);
  return person;
}

const notInOrganization = (id: string) =>
  refusal(404, "USER_NOT_IN_ORG", `User ${id} is not in the organization.`, [id]);

function requestedStatuses(url: URL): readonly MembershipStatus[] {
  const requested = url.searchParams.getAll("orgMembershipStatuses");
  const isUnknown = (status: string) => !allStatuses.some((known) => known === status);
  // Documented: at most four.
  if (requested.length > 4 || requested.some(isUnknown)) throw invalidQuery("orgMembershipStatuses");
  return requested.length > 0 ? allStatuses.filter((status) => requested.includes(status)) : defaultStatuses;
}

function requestedNumber(url: URL, name: string, byDefault: number, max: number): number {
  const text = url.searchParams.get(name) ?? String(byDefault);
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > max) throw invalidQuery(name);
  return number;
}

const invalidQuery = (name: string) =>
  refusal(400, "INVALID_QUERY_PARAMETER", `The query parameter ${name} is not valid.`, [name]);

function parseUserAccess({ roles, teamIds }: Record<string, unknown>) {
  const { orgRoles, groupRoleAssignments } =
    roles === undefined ? {} : parseFields(roles, ["orgRoles", "groupRoleAssignments"], ["orgRoles"]);
  const access = { roles: orgRoles, teamIds, groupRoleAssignments };
  return parseAccess(access, { roles: "orgRoles", groupRoles: "groupRoles" });
}

const answerWith = (status: number, organization: Organization, person: Person): Answer => ({
  status,
  body: userView(organization, person),
});

function userView(organization: Organization, person: Person) {
  const { userId, status, roles: orgRoles, groupRoleAssignments, teamIds, username } = person;
  const assignments = groupRoleAssignments.map(({ groupId, roles }) => ({ groupId, groupRoles: roles }));
  const common = {
    id: userId,
    orgMembershipStatus: status,
    roles: { groupRoleAssignments: assignments, orgRoles },
    teamIds,
    username,
  };
  const account = {
    country: "IE",
    createdAt: person.createdAt,
    firstName: "First",
    lastAuth: person.createdAt,
    lastName: "Last",
    mobileNumber: null,
  };
  const invitation = {
    invitationCreatedAt: person.createdAt,
    // Documented: null after a rejection.
    invitationExpiresAt: person.expiresAt ?? null,
    inviterUsername: person.inviterUsername,
  };
  return organization.rewritten(person, { ...common, ...(status === "ACTIVE" ? account : invitation) });
}
