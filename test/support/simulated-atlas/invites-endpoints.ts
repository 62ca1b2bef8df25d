import { type Answer, Refusal, refusal } from "./answer.ts";
import {
  type Call,
  parseAssignments,
  parseFields,
  parseRoles,
  parseTeamIds,
  parseUsername,
  presentAccess,
} from "./call.ts";
import type { Access, Organization, Person } from "./organization.ts";
import { accessOnCreate, accessOnUpdate } from "./stored-access.ts";

const accessFields = ["roles", "teamIds", "groupRoleAssignments"];

/** `/orgs/{orgId}/invites[/{invitationId}]`, the same in v1.0 and in v2 (documented). */
export function serveInvites(call: Call): Answer {
  const { method, organization, id } = call;
  if (id === undefined) {
    if (method === "GET") return listInvites(call);
    if (method === "POST") return createInvite(call);
    if (method === "PATCH") return updateInviteByUsername(call);
  } else {
    if (method === "GET") return { status: 200, body: invitationView(organization, storedInvitation(call)) };
    if (method === "PATCH") return updateInvite(call);
    if (method === "DELETE") return deleteInvite(call);
  }
  // Recorded: a 405 has no body.
  return { status: 405 };
}

function listInvites({ organization, url }: Call): Answer {
  const username = url.searchParams.get("username");
  // Recorded: a bare array that is never paged.
  const body = organization
    .stored()
    .filter(isListed)
    .filter((person) => username === null || organization.sameUsername(person.username, username))
    .map((person) => invitationView(organization, person));
  return { status: 200, body };
}

function createInvite({ organization, body, caller, settings }: Call): Answer {
  const fields = parseFields(body, ["username", ...accessFields], ["username", "roles"]);
  const username = parseUsername(fields.username);
  const access = accessOnCreate(parseAccess(fields, organization), settings);
  for (const field of settings.ignoresOnCreate) delete access[field];

  const known = organization.storedPerson(username);
  if (known?.status === "ACTIVE") {
    // Unknown: the answer for a member. The code is the organization's form of one recorded with 400 on projects.
    throw refusal(400, "USER_ALREADY_IN_ORG", `${username} is already in the organization.`, [username]);
  }
  if (known?.status === "PENDING" && settings.secondInvite === "refuse") {
    throw refusal(400, "DEFAULT_INVITATION_EXCEPTION", `${username} was not invited.`, [
      username,
      organization.name,
    ]);
  }
  if (known?.status === "PENDING" && settings.secondInvite === "keep") {
    return { status: 200, body: invitationView(organization, known) };
  }
  const invitation = organization.storeInvitation(username, access, caller);
  // Recorded: 200, not 201.
  return { status: 200, body: invitationView(organization, invitation) };
}

function updateInvite(call: Call): Answer {
  const person = storedInvitation(call);
  // Unknown: the answer for an invitation to a project.
  if (person.project) throw notFound(call);
  // Documented: roles are required and replace all previous ones.
  const fields = parseFields(call.body, accessFields, ["roles"]);
  return update(call, person, fields);
}

function updateInviteByUsername(call: Call): Answer {
  const { organization, body } = call;
  const fields = parseFields(body, ["username", ...accessFields], ["username", "roles"]);
  const username = parseUsername(fields.username);
  const person = organization.entries(username).find((entry) => isListed(entry) && !entry.project);
  if (!person) {
    // Unknown: the answer for a username without an invitation.
    throw refusal(404, "USERNAME_NOT_FOUND", `No invitation for ${username} exists.`, [username]);
  }
  return update(call, person, fields);
}

function update({ organization, settings }: Call, person: Person, fields: Record<string, unknown>): Answer {
  if (person.status === "INVITATION_EXPIRED") {
    throw refusal(400, "ALREADY_EXPIRED", `The invitation of ${person.username} has run out.`);
  }
  // Recorded: createdAt and expiresAt stay.
  Object.assign(person, accessOnUpdate(parseAccess(fields, organization), settings));
  return { status: 200, body: invitationView(organization, person) };
}

function deleteInvite(call: Call): Answer {
  const person = storedInvitation(call);
  if (person.project) {
    // Documented.
    throw refusal(400, "CANNOT_DELETE_GROUP_INVITATION", "The invitation is to a project.");
  }
  call.organization.remove(person);
  return { status: 204 };
}

/** Whether the invitations API shows somebody. An expired invitation has an id only if Atlas still lists it. */
const isListed = ({ status, invitationId }: Person) =>
  status === "PENDING" || (status === "INVITATION_EXPIRED" && invitationId !== undefined);

function storedInvitation(call: Call): Person {
  const person = call.organization
    .stored()
    .find((entry) => isListed(entry) && entry.invitationId === call.id);
  if (!person) throw notFound(call);
  return person;
}

function notFound({ method, id = "", settings: { goneAnswer } }: Call): Refusal {
  if (goneAnswer === "bare") return new Refusal({ status: 404 });
  const status = goneAnswer === "documented" ? (method === "DELETE" ? 400 : 404) : goneAnswer;
  return refusal(status, "INVALID_INVITATION_ID", `An invalid invitation ID ${id} was specified.`, [id]);
}

function parseAccess(fields: Record<string, unknown>, organization: Organization): Partial<Access> {
  const { roles, teamIds, groupRoleAssignments } = fields;
  return presentAccess({
    roles: roles === undefined ? undefined : parseRoles(roles, "roles", "ORG"),
    teamIds: teamIds === undefined ? undefined : parseTeamIds(teamIds, organization),
    groupRoleAssignments:
      groupRoleAssignments === undefined
        ? undefined
        : parseAssignments(groupRoleAssignments, "roles", organization),
  });
}

/** Recorded: always these ten keys. */
function invitationView(organization: Organization, person: Person) {
  const view = {
    createdAt: person.createdAt,
    expiresAt: person.expiresAt,
    // Recorded: one item a role, where a request has one a project.
    groupRoleAssignments: person.groupRoleAssignments.flatMap(({ groupId, roles }) =>
      roles.map((groupRole) => ({ groupId, groupRole })),
    ),
    id: person.invitationId,
    inviterUsername: person.inviterUsername,
    orgId: organization.id,
    orgName: organization.name,
    roles: person.roles,
    teamIds: person.teamIds,
    username: person.username,
  };
  if (!person.project) return organization.shown(person, view);
  const { id: groupId, name: groupName } = person.project;
  // Inferred from the fields that an official client knows: an invitation to a project is listed so.
  const roles = person.groupRoleAssignments.flatMap(({ roles }) => roles);
  return organization.shown(person, { ...view, groupId, groupName, groupRoleAssignments: [], roles });
}
