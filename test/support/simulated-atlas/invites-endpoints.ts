import { type Answer, Refusal, refusal } from "./answer.ts";
import {
  accessOnCreate,
  accessOnUpdate,
  type EndpointRequest,
  parseAccess,
  parseFields,
  parseUsername,
  serveBy,
} from "./endpoint-request.ts";
import type { Organization, Person } from "./organization.ts";

const accessFields = ["roles", "teamIds", "groupRoleAssignments"];
const fieldNames = { roles: "roles", groupRoles: "roles" } as const;

/** `/orgs/{orgId}/invites[/{invitationId}]`, the same in v1.0 and in v2 (documented). */
export const serveInvites = serveBy({
  GET: listInvites,
  POST: createInvite,
  "GET id": (request) => answerWith(request.organization, storedInvitation(request)),
  "PATCH id": updateInvite,
  "DELETE id": deleteInvite,
});

function listInvites({ organization, url }: EndpointRequest): Answer {
  const username = url.searchParams.get("username");
  const invitations = (username === null ? organization.stored() : organization.entries(username)).filter(
    isListed,
  );
  // Recorded: a bare array without pages.
  return { status: 200, body: invitations.map((person) => invitationView(organization, person)) };
}

function createInvite({ organization, body, principal, settings }: EndpointRequest): Answer {
  const fields = parseFields(body, ["username", ...accessFields], ["username", "roles"]);
  const username = parseUsername(fields.username);
  const access = accessOnCreate(parseAccess(fields, fieldNames), settings);
  for (const field of settings.ignoresOnCreate) delete access[field];

  const existing = organization.storedPerson(username);
  if (existing?.status === "ACTIVE") {
    // Unknown: the answer for a member. The code is the organization's form of one recorded with 400 on projects.
    throw refusal(400, "USER_ALREADY_IN_ORG", `${username} is already in the organization.`, [username]);
  }
  if (existing?.status === "PENDING" && settings.secondInvite === "refuse") {
    const parameters = [username, organization.name];
    throw refusal(400, "DEFAULT_INVITATION_EXCEPTION", `${username} was not invited.`, parameters);
  }
  const isKept = existing?.status === "PENDING" && settings.secondInvite === "keep";
  // Recorded: 200, not 201.
  return answerWith(
    organization,
    isKept ? existing : organization.storeInvitation(username, access, principal),
  );
}

function updateInvite(request: EndpointRequest): Answer {
  const { organization, settings, body } = request;
  const person = storedInvitation(request);
  // Unknown: the answer for an invitation to a project.
  if (person.project) throw notFound(request);
  // Documented: roles are required and replace all previous ones.
  const fields = parseFields(body, accessFields, ["roles"]);
  if (person.status === "INVITATION_EXPIRED") {
    throw refusal(400, "ALREADY_EXPIRED", `The invitation of ${person.username} has expired.`);
  }
  // Recorded: createdAt and expiresAt stay.
  Object.assign(person, accessOnUpdate(parseAccess(fields, fieldNames), settings));
  return answerWith(organization, person);
}

function deleteInvite(request: EndpointRequest): Answer {
  const person = storedInvitation(request);
  if (person.project) {
    // Documented.
    throw refusal(400, "CANNOT_DELETE_GROUP_INVITATION", "The invitation is to a project.");
  }
  request.organization.remove(person);
  return { status: 204 };
}

/** Whether the invitations API shows an entry. An expired invitation has an id only if Atlas still lists it. */
const isListed = ({ status, invitationId }: Person) =>
  status === "PENDING" || (status === "INVITATION_EXPIRED" && invitationId !== undefined);

function storedInvitation(request: EndpointRequest): Person {
  const people = request.organization.stored();
  const person = people.find((entry) => isListed(entry) && entry.invitationId === request.id);
  if (!person) throw notFound(request);
  return person;
}

function notFound({ method, id = "", settings: { goneAnswer } }: EndpointRequest): Refusal {
  if (goneAnswer === "bare") return new Refusal({ status: 404 });
  const status = goneAnswer === "documented" ? (method === "DELETE" ? 400 : 404) : goneAnswer;
  return refusal(status, "INVALID_INVITATION_ID", `An invalid invitation ID ${id} was specified.`, [id]);
}

const answerWith = (organization: Organization, person: Person): Answer => ({
  status: 200,
  body: invitationView(organization, person),
});

/** Recorded: always these ten keys. */
function invitationView(organization: Organization, person: Person) {
  const view = {
    createdAt: person.createdAt,
    expiresAt: person.expiresAt,
    // Recorded: one item per role, whereas a request has one item per project.
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
  if (!person.project) return organization.rewritten(person, view);
  const { id: groupId, name: groupName } = person.project;
  // Inferred from the fields that an official client knows: the form of an invitation to a project.
  const roles = person.groupRoleAssignments.flatMap(({ roles }) => roles);
  return organization.rewritten(person, { ...view, groupId, groupName, groupRoleAssignments: [], roles });
}
