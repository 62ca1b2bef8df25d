import type { Organization, Person } from "../support/simulated-atlas/organization.ts";

/** One generation of the invitations API, as the tier runs it. */
export interface Generation {
  /** The value of MONGODB_ATLAS_INVITATIONS_API. */
  name: string;
  /** Tested against the path of everything that a look-up may ask for. */
  lists: RegExp[];
  requests: (organization: Organization) => ExpectedRequests;
}

/** What Atlas is to log for each step of the lifecycle, in the form of `SimulatedAtlas.log`. */
export interface ExpectedRequests {
  /** Looks up somebody who is invited at present. */
  findInvited: string[];
  /** Looks up somebody who is not: a member, or nobody. */
  findOther: string[];
  invite: string[];
  change: (person: Person) => string[];
  cancel: (person: Person) => string[];
  /** Would cancel the invitation, but it was accepted. */
  cancelAccepted: (person: Person) => string[];
  /** Would cancel the invitation, but Atlas answers that it knows none. */
  cancelGone: (person: Person, status: number) => string[];
  changeMember: (person: Person) => string[];
  removeMember: (person: Person) => string[];
}

/** The page that the vendor documents DELETE on. */
export const V1 = invites("v1.0", "/api/atlas/v1.0/orgs");

/** What is used unless told otherwise. */
export const V2 = invites("v2", "/api/atlas/v2/orgs");

export const USERS: Generation = {
  name: "users",
  lists: [/\/users\?/],
  requests: ({ id }) => {
    const list = `GET ${usersList(id)} 200`;
    const look = (person: Person) => `GET ${user(id, person)}`;
    return {
      findInvited: [list],
      findOther: [list],
      invite: [`POST ${users(id)} 201`],
      change: (person) => [`${look(person)} 200`, `PATCH ${user(id, person)} 200`],
      cancel: (person) => [`${look(person)} 200`, `DELETE ${user(id, person)} 204`],
      cancelAccepted: (person) => [`${look(person)} 200`],
      cancelGone: (person) => [`${look(person)} 404`],
      changeMember: (person) => [`PATCH ${user(id, person)} 200`],
      removeMember: (person) => [`DELETE ${user(id, person)} 204`],
    };
  },
};

export const GENERATIONS: Generation[] = [V2, V1, USERS];

function invites(name: string, root: string): Generation {
  return {
    name,
    lists: [/\/invites$/, /\/users\?/],
    requests: ({ id }) => {
      const list = `${root}/${id}/invites`;
      const one = ({ invitationId }: Person) => `${list}/${invitationId}`;
      return {
        findInvited: [`GET ${list} 200`],
        findOther: [`GET ${list} 200`, `GET ${usersList(id)} 200`],
        invite: [`POST ${list} 200`],
        change: (person) => [`PATCH ${one(person)} 200`],
        cancel: (person) => [`DELETE ${one(person)} 204`],
        cancelAccepted: (person) => [`DELETE ${one(person)} 400`],
        cancelGone: (person, status) => [`DELETE ${one(person)} ${status}`],
        changeMember: (person) => [`PATCH ${user(id, person)} 200`],
        removeMember: (person) => [`DELETE ${user(id, person)} 204`],
      };
    },
  };
}

const users = (organizationId: string) => `/api/atlas/v2/orgs/${organizationId}/users`;
const user = (organizationId: string, { userId }: Person) => `${users(organizationId)}/${userId}`;

function usersList(organizationId: string): string {
  const statuses = ["PENDING", "ACTIVE", "INVITATION_EXPIRED", "INVITATION_REJECTED"];
  const asked = statuses.map((status) => `&orgMembershipStatuses=${status}`).join("");
  return `${users(organizationId)}?itemsPerPage=500&pageNum=1${asked}`;
}

/** The requests of one command: the first is sent once more, without credentials, for the challenge. */
export function withChallenge(...steps: string[][]): string[] {
  const requests = steps.flat();
  return [...requests.slice(0, 1).map((request) => answered(request, "401 challenge")), ...requests];
}

/** The same request with another outcome. */
export function answered(request: string, outcome: number | string): string {
  return request.replace(/\S+$/, String(outcome));
}
