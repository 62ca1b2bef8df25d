import type { Organization, Person } from "../support/simulated-atlas/organization.ts";

/** One version of the API for invitations. */
export interface ApiVersion {
  /** The value of MONGODB_ATLAS_INVITATIONS_API. */
  name: string;
  requests: (organization: Organization) => ExpectedRequests;
}

/** The requests that each step of the lifecycle sends, in the form of `SimulatedAtlas.log`. */
export interface ExpectedRequests {
  /** Looks up a person with a pending invitation. */
  findInvited: string[];
  /** Looks up a person without one. */
  findOther: string[];
  invite: string[];
  change: (person: Person) => string[];
  cancel: (person: Person) => string[];
  /** Tries to cancel an invitation that was accepted. */
  cancelAccepted: (person: Person) => string[];
  changeMember: (person: Person) => string[];
  removeMember: (person: Person) => string[];
}

/** The version whose DELETE the vendor documents. */
export const V1 = invitesVersion("v1.0", "/api/atlas/v1.0/orgs");

/** The default. */
export const V2 = invitesVersion("v2", "/api/atlas/v2/orgs");

export const USERS: ApiVersion = {
  name: "users",
  requests: ({ id }) => {
    const find = (person: Person) => `GET ${user(id, person)}`;
    return {
      findInvited: [usersList(id)],
      findOther: [usersList(id)],
      invite: [`POST ${users(id)} 201`],
      change: (person) => [`${find(person)} 200`, `PATCH ${user(id, person)} 200`],
      cancel: (person) => [`${find(person)} 200`, `DELETE ${user(id, person)} 204`],
      cancelAccepted: (person) => [`${find(person)} 200`],
      ...memberRequests(id),
    };
  },
};

export const API_VERSIONS: ApiVersion[] = [V2, V1, USERS];

function invitesVersion(name: string, root: string): ApiVersion {
  return {
    name,
    requests: ({ id }) => {
      const list = `${root}/${id}/invites`;
      const one = ({ invitationId }: Person) => `${list}/${invitationId}`;
      return {
        findInvited: [`GET ${list} 200`],
        findOther: [`GET ${list} 200`, usersList(id)],
        invite: [`POST ${list} 200`],
        change: (person) => [`PATCH ${one(person)} 200`],
        cancel: (person) => [`DELETE ${one(person)} 204`],
        cancelAccepted: (person) => [`DELETE ${one(person)} 400`],
        ...memberRequests(id),
      };
    },
  };
}

const memberRequests = (organizationId: string) => ({
  changeMember: (person: Person) => [`PATCH ${user(organizationId, person)} 200`],
  removeMember: (person: Person) => [`DELETE ${user(organizationId, person)} 204`],
});

const users = (organizationId: string) => `/api/atlas/v2/orgs/${organizationId}/users`;
const user = (organizationId: string, { userId }: Person) => `${users(organizationId)}/${userId}`;

function usersList(organizationId: string): string {
  const statuses = ["PENDING", "ACTIVE", "INVITATION_EXPIRED", "INVITATION_REJECTED"];
  const query = statuses.map((status) => `&orgMembershipStatuses=${status}`).join("");
  return `GET ${users(organizationId)}?itemsPerPage=500&pageNum=1${query} 200`;
}

/** The requests of one command: the first is sent once more, without credentials, for the challenge. */
export function withChallenge(...steps: string[][]): string[] {
  const requests = steps.flat();
  return [...requests.slice(0, 1).map((request) => answered(request, "401 challenge")), ...requests];
}

/** Requests whose order is open, without the challenge that whichever is first is answered with. */
export function unordered(...steps: string[][]): string[] {
  return steps
    .flat()
    .filter((request) => !request.endsWith("challenge"))
    .sort();
}

/** The same request with another outcome. */
export function answered(request: string, outcome: number | string): string {
  return request.replace(/\S+$/, String(outcome));
}
