import type { Access, Organization, Person } from "./organization.ts";
import type { Settings } from "./settings.ts";
import type { SimulatedAtlas } from "./simulated-atlas.ts";

/** How a fact about Atlas is known. "unknown": the settings offer the alternatives. */
type Source = "recorded" | "documented" | "inferred" | "unknown";

/** What differs from a usual exchange: any setting of the simulator, and parts of the request and the response. */
interface Details extends Partial<Settings> {
  /** Whose API key the request has. @default "owner" */
  as?: "owner" | "member" | "stranger";
  accept?: string;
  /** The Content-Type of the request. */
  sentType?: string;
  /** The body of the request. By default, it asks for `access`, for a POST in the name of `username`. */
  sent?: unknown;
  /** @default the address of Ada */
  username?: string;
  /** @default the role ORG_MEMBER to create, ORG_OWNER to update */
  access?: Partial<Access>;
  /** The whole body of the response. */
  body?: unknown;
  /** A part of the body of the response. */
  bodyHas?: unknown;
  /** The ids or the usernames in the list of the response. */
  lists?: string[];
  /** What a successful PATCH changes of the user. @default `access` */
  changes?: Partial<Access>;
  /** All users afterwards, if not those that follow from the method, the answer and `changes`. */
  stored?: Partial<Person>[];
  /** Whether a successful POST sends a mail. @default true */
  sends?: boolean;
}

type StateName = keyof typeof states;

/**
 * A request in a known state, and the response of Atlas. A request is a method and a path in the organization,
 * with "*" for both collections, and with an API version if it goes to one only. "{id}" is the id of the user in
 * the collection, "{otherId}" the id in the other collection. An answer is a status and an error code.
 */
export interface Exchange extends Details {
  source: Source;
  state: StateName;
  request: string;
  answer: string;
}

/** Several states and several requests of one row are an exchange each. */
const exchangesFrom =
  (source: Source) =>
  (state: StateName | StateName[], request: string | string[], answer: string, details: Details = {}) =>
    [state]
      .flat()
      .flatMap((state) =>
        [request].flat().map((request): Exchange => ({ ...details, source, state, request, answer })),
      );
const recorded = exchangesFrom("recorded");
const documented = exchangesFrom("documented");
const inferred = exchangesFrom("inferred");
const unknown = exchangesFrom("unknown");

export const ada = "ada@example.com";
const team = "5f0000000000000000000001";
const project = "5f0000000000000000000002";
const owner = ["ORG_OWNER"];
const groupRoles = ["GROUP_OWNER", "GROUP_READ_ONLY"];
const groupRoleAssignments = [{ groupId: project, roles: groupRoles }];
const access: Access = { roles: ["ORG_MEMBER"], teamIds: [team], groupRoleAssignments };
const noGroups: Access = { roles: owner, teamIds: [], groupRoleAssignments: [] };

/** Invites Ada, and then changes the invitation. */
const inviteAnd = (change: "accept" | "reject" | "expire" | "cancel") => (organization: Organization) => {
  const person = organization.invite(ada, access);
  organization[change](ada);
  return person;
};

const inviteMany = (count: number) => (organization: Organization) => {
  for (let index = 0; index < count; index++) organization.invite(`user${index}@x.org`);
};

const inviteAndJoin = (organization: Organization) => ({
  pending: organization.invite(ada, access),
  active: organization.joinBySingleSignOn("Ada@example.com", { roles: ["ORG_READ_ONLY"] }),
});

type State = (organization: Organization, atlas: SimulatedAtlas) => Person | undefined;
const state = (prepare: (...parameters: Parameters<State>) => unknown) => prepare as State;

/** The states before the requests. A state that returns a user gives the ids of this user to the request. */
export const states = {
  empty: state(() => undefined),
  pending: state((organization) => organization.invite(ada, access)),
  accepted: inviteAnd("accept"),
  rejected: inviteAnd("reject"),
  expired: inviteAnd("expire"),
  cancelled: inviteAnd("cancel"),
  member: state((organization) => organization.addMember(ada, access)),
  "each status": state((organization) => {
    for (const name of ["pending", "active", "expired", "rejected"]) organization.invite(`${name}@x.org`);
    organization.accept("active@x.org");
    organization.expire("expired@x.org");
    organization.reject("rejected@x.org");
  }),
  "5 users": state(inviteMany(5)),
  "101 users": state(inviteMany(101)),
  "changes in the UI": state((organization) => {
    inviteMany(4)(organization);
    organization.accept("user0@x.org");
    organization.change("user1@x.org", { roles: owner });
    organization.changeAddress("user2@x.org", "Aaa@x.org");
    organization.addMember("USER3@x.org");
    organization.removeMember("user3@x.org");
  }),
  "mixed case": state((organization) => organization.invite("Ada@Example.com", access)),
  "pending elsewhere": state((_, atlas) => atlas.addOrganization().invite(ada)),
  "to a project": state((organization) =>
    organization.inviteToProject(ada, { groupId: project, roles: groupRoles }),
  ),
  "pending, also member": state((organization) => inviteAndJoin(organization).pending),
  "member, also pending": state((organization) => inviteAndJoin(organization).active),
  "rejected and member": state((organization) => {
    const member = organization.addMember(ada);
    organization.invite(ada);
    organization.reject(ada);
    organization.remember(member);
    return member;
  }),
  "rejected, with an invitation id": state((organization) => {
    const pending = organization.invite(ada);
    organization.restore({ ...pending, status: "INVITATION_REJECTED" });
    return pending;
  }),
  "empty access list": state((organization) => Object.assign(organization, { accessList: [] })),
  "access list of others": state((organization) => Object.assign(organization, { accessList: ["10.0.0.1"] })),
  "access list with the client": state((organization) =>
    Object.assign(organization, { accessList: ["10.0.0.1", "127.0.0.1"] }),
  ),
  sunset: state((organization, atlas) => {
    atlas.sunset();
    return organization.invite(ada);
  }),
};

const ended: StateName[] = ["expired", "rejected"];
const unlisted: StateName[] = [...ended, "cancelled", "rejected, with an invitation id"];
const ofOwners = ["GET /invites", "DELETE /invites/{id}", "POST /users", "DELETE /users/{id}"];
const addingRoles: Details = {
  addsRoles: ["ORG_READ_ONLY", "ORG_MEMBER"],
  stored: [{ roles: ["ORG_MEMBER", "ORG_READ_ONLY"] }],
};
const page = (totalCount: number, count: number) => ({ totalCount, results: Array(count).fill({}) });
const shownUser = {
  id: "{id}",
  roles: { groupRoleAssignments: [{ groupId: project, groupRoles }], orgRoles: ["ORG_MEMBER"] },
  teamIds: [team],
  username: ada,
};
const invitation = { username: ada, roles: ["ORG_MEMBER"] };
const all = ["PENDING", "ACTIVE", "INVITATION_EXPIRED", "INVITATION_REJECTED"]
  .map((status) => `orgMembershipStatuses=${status}`)
  .join("&");
const storesUsername = (username: string) => username.replace(/\+\w+@/, "@");
const json = (version: string) => `application/vnd.atlas.${version}+json`;

export const exchanges = [
  // Reading.
  recorded("pending", "GET /invites", "200", {
    body: [
      {
        createdAt: "2026-08-10T03:03:37Z",
        expiresAt: "2026-09-09T03:03:37Z",
        groupRoleAssignments: groupRoles.map((groupRole) => ({ groupId: project, groupRole })),
        id: "{id}",
        inviterUsername: "owner@example.com",
        orgId: "{orgId}",
        orgName: "Example",
        roles: ["ORG_MEMBER"],
        teamIds: [team],
        username: ada,
      },
    ],
  }),
  recorded("pending", "GET /users/{id}", "200", {
    body: {
      ...shownUser,
      invitationCreatedAt: "2026-08-10T03:03:37Z",
      invitationExpiresAt: "2026-09-09T03:03:37Z",
      inviterUsername: "owner@example.com",
      orgMembershipStatus: "PENDING",
    },
  }),
  recorded("member", "GET /users/{id}", "200", {
    body: {
      ...shownUser,
      country: "IE",
      createdAt: "2026-08-10T03:03:37Z",
      firstName: "First",
      lastAuth: "2026-08-10T03:03:37Z",
      lastName: "Last",
      mobileNumber: null,
      orgMembershipStatus: "ACTIVE",
    },
  }),
  recorded("pending", "GET /invites/{id}", "200", { bodyHas: { id: "{id}" } }),
  inferred("accepted", "GET /users/{id}", "200", { bodyHas: { orgMembershipStatus: "ACTIVE" } }),
  unknown("accepted", "GET /users/{id}", "404 USER_NOT_FOUND", { newIdOnAcceptance: true }),
  documented("each status", "GET /invites", "200", { lists: ["pending@x.org"] }),
  documented("each status", "GET /users", "200", { lists: ["pending@x.org", "active@x.org"] }),
  documented("each status", `GET /users?${all}`, "200", {
    bodyHas: {
      results: [
        { orgMembershipStatus: "PENDING" },
        { orgMembershipStatus: "ACTIVE" },
        { orgMembershipStatus: "INVITATION_EXPIRED", invitationExpiresAt: "2026-08-10T03:03:37Z" },
        { orgMembershipStatus: "INVITATION_REJECTED", invitationExpiresAt: null },
      ],
    },
  }),
  documented("5 users", "GET /users?itemsPerPage=2&pageNum=2", "200", {
    lists: ["user2@x.org", "user3@x.org"],
  }),
  documented("5 users", "GET /users?itemsPerPage=2&pageNum=3", "200", { lists: ["user4@x.org"] }),
  documented("101 users", "GET /users", "200", { bodyHas: page(101, 100) }),
  documented("101 users", "GET /users?itemsPerPage=500", "200", { bodyHas: page(101, 101) }),
  unknown("5 users", "GET /users?itemsPerPage=2&pageNum=2", "200", {
    countsDiffer: true,
    bodyHas: { totalCount: 6 },
  }),
  inferred("changes in the UI", "GET /users", "200", { lists: ["user0@x.org", "user1@x.org", "Aaa@x.org"] }),
  ["itemsPerPage=501", "itemsPerPage=ten", "pageNum=0", "orgMembershipStatuses=x", `${all}&${all}`].flatMap(
    (query) => documented("empty", `GET /users?${query}`, "400 INVALID_QUERY_PARAMETER"),
  ),

  // Creating.
  recorded("empty", "POST /invites", "200", { access, bodyHas: { inviterUsername: "{publicKey}" } }),
  documented("empty", "POST /users", "201", { access, bodyHas: { inviterUsername: "{publicKey}" } }),
  unknown("pending", "POST /invites", "200"),
  unknown("pending", "POST /invites", "200", { secondInvite: "keep", sends: false, bodyHas: { id: "{id}" } }),
  unknown("pending", "POST /invites", "400 DEFAULT_INVITATION_EXCEPTION", { secondInvite: "refuse" }),
  unknown("member", "POST /invites", "400 USER_ALREADY_IN_ORG"),
  documented(["pending", "member"], "POST /users", "409 USER_ALREADY_EXISTS"),
  inferred(["pending", "member"], "POST /users", "400 USER_ALREADY_IN_ORG", { usersConflict: 400 }),
  inferred(ended, "POST /invites", "200", { listsExpired: true, secondInvite: "refuse" }),
  documented(ended, "POST /users", "201"),
  unknown("empty", "POST /invites", "200", {
    ignoresOnCreate: ["teamIds", "groupRoleAssignments"],
    access,
    stored: [{ roles: ["ORG_MEMBER"], teamIds: [], groupRoleAssignments: [] }],
  }),
  unknown("empty", "POST /invites", "200", addingRoles),
  unknown("empty", "POST /users", "201", addingRoles),
  (
    [
      [{ roles: owner }, "MISSING_ATTRIBUTE"],
      [{ username: ada }, "MISSING_ATTRIBUTE"],
      [{ ...invitation, username: "ada" }, "INVALID_EMAIL_ADDRESS"],
      [{ ...invitation, roles: [] }, "MISSING_ATTRIBUTE"],
      [{ ...invitation, roles: groupRoles }, "INVALID_ENUM_VALUE"],
      [{ ...invitation, roles: { orgRoles: owner } }, "INVALID_ATTRIBUTE"],
      [{ ...invitation, orgRoles: owner }, "INVALID_ATTRIBUTE"],
      [{ ...invitation, groupRoleAssignments: [{ groupId: "x", groupRoles }] }, "INVALID_ATTRIBUTE"],
      [{ ...invitation, groupRoleAssignments: [{ groupId: "x", roles: owner }] }, "INVALID_ENUM_VALUE"],
      [[], "INVALID_JSON"],
      ["not JSON", "MALFORMED_JSON"],
      [undefined, "INVALID_JSON"],
    ] as const
  ).flatMap(([sent, code]) => inferred("empty", "POST /invites", `400 ${code}`, { sent })),
  inferred("empty", "POST /users", "400 INVALID_JSON", { sent: invitation }),
  inferred("empty", "POST /users", "400 MISSING_ATTRIBUTE", { sent: { roles: { orgRoles: owner } } }),
  inferred("empty", "POST /*", "415", { sentType: "text/plain" }),

  // Updating. The dates never change.
  recorded("pending", "PATCH /invites/{id}", "200", { access: { roles: owner, groupRoleAssignments: [] } }),
  documented("pending", "PATCH /invites/{id}", "400 MISSING_ATTRIBUTE", { access: { teamIds: [] } }),
  inferred("pending", "PATCH /invites/{id}", "400 INVALID_ATTRIBUTE", { sent: invitation }),
  documented("pending", "PATCH /users/{id}", "200"),
  documented("member", "PATCH /users/{id}", "200", { access: noGroups }),
  documented("member", "PATCH /users/{id}", "200", { access: { teamIds: [] } }),
  (
    [
      [{ roles: { orgRoles: [] } }, "MISSING_ATTRIBUTE"],
      [{ roles: { groupRoleAssignments: [] } }, "MISSING_ATTRIBUTE"],
      [{ roles: { orgRoles: owner, groupRoleAssignments } }, "INVALID_ATTRIBUTE"],
      [{ username: ada, teamIds: [] }, "INVALID_ATTRIBUTE"],
    ] as const
  ).flatMap(([sent, code]) => inferred("member", "PATCH /users/{id}", `400 ${code}`, { sent })),
  unknown("pending", "PATCH /*/{id}", "200", {
    ignoresOnUpdate: ["roles"],
    access: noGroups,
    changes: { teamIds: [], groupRoleAssignments: [] },
  }),
  unknown("pending", "PATCH /*/{id}", "200", {
    ignoresOnUpdate: ["teamIds", "groupRoleAssignments"],
    omittedOnUpdate: "reset",
    access: noGroups,
    changes: { roles: owner },
  }),
  unknown("pending", "PATCH /*/{id}", "400 MISSING_ATTRIBUTE", {
    ignoresOnUpdate: ["roles"],
    access: { roles: [] },
  }),
  unknown("pending", "PATCH /*/{id}", "200", { omittedOnUpdate: "reset", changes: noGroups }),
  // A user always has an organization role: an update without roles neither resets nor adds any.
  unknown("member", "PATCH /users/{id}", "200", {
    omittedOnUpdate: "reset",
    addsRoles: owner,
    access: {},
    changes: { teamIds: [], groupRoleAssignments: [] },
  }),
  unknown("pending", "PATCH /invites/{id}", "200", {
    omittedOnUpdate: "reset",
    ignoresOnUpdate: ["teamIds"],
    addsRoles: ["ORG_READ_ONLY"],
    changes: { roles: ["ORG_OWNER", "ORG_READ_ONLY"], groupRoleAssignments: [] },
  }),

  // Deleting, and ids that are not valid any more.
  recorded("pending", "DELETE /invites/{id}", "204"),
  documented(["pending", "member"], "DELETE /users/{id}", "204"),
  recorded("pending", "DELETE /invites/{otherId}", "400 INVALID_INVITATION_ID"),
  recorded("pending", "DELETE /users/{otherId}", "404 USER_NOT_FOUND"),
  recorded("accepted", "GET /invites/{id}", "404 INVALID_INVITATION_ID", {
    bodyHas: { detail: "An invalid invitation ID {id} was specified.", parameters: ["{id}"] },
  }),
  documented("accepted", "DELETE /invites/{id}", "400 INVALID_INVITATION_ID"),
  inferred(unlisted, "GET /invites", "200", { lists: [] }),
  inferred(unlisted, "PATCH /invites/{id}", "404 INVALID_INVITATION_ID"),
  inferred(unlisted, "DELETE /invites/{id}", "400 INVALID_INVITATION_ID"),
  unknown("empty", "GET /invites/{id}", "400 INVALID_INVITATION_ID", { goneAnswer: 400 }),
  unknown("empty", "DELETE /invites/{id}", "404 INVALID_INVITATION_ID", { goneAnswer: 404 }),
  unknown("empty", "DELETE /invites/{id}", "404", { goneAnswer: "bare" }),
  inferred("pending elsewhere", "DELETE /invites/{id}", "400 INVALID_INVITATION_ID"),
  documented(ended, "GET /users/{id}", "404 USER_NOT_IN_ORG"),
  documented(ended, `GET /users/{id}?${all}`, "200", { bodyHas: { username: ada } }),
  inferred(ended, ["PATCH /users/{id}", "DELETE /users/{id}"], "404 USER_NOT_IN_ORG"),
  recorded("pending", ["DELETE /*", "PUT /*/{id}"], "405"),

  // Expired invitations that the invitations API still lists.
  unknown("expired", "GET /invites", "200", { listsExpired: true, lists: ["{id}"] }),
  unknown("expired", "GET /invites/{id}", "200", { listsExpired: true, bodyHas: { username: ada } }),
  documented("expired", "PATCH /invites/{id}", "400 ALREADY_EXPIRED", { listsExpired: true }),
  unknown("expired", "DELETE /invites/{id}", "204", { listsExpired: true }),
  inferred("rejected", "GET /invites", "200", { listsExpired: true, lists: [] }),

  // Invitations to a project.
  inferred("to a project", "GET /invites/{id}", "200", {
    bodyHas: {
      groupId: project,
      groupName: "Example project",
      roles: groupRoles,
      groupRoleAssignments: [],
      teamIds: [],
    },
  }),
  unknown("to a project", "GET /users/{id}", "200", {
    bodyHas: { roles: { orgRoles: [], groupRoleAssignments: [{ groupId: project, groupRoles }] } },
  }),
  unknown("to a project", "GET /users", "200", {
    showsProjectInvitations: false,
    bodyHas: { results: [], totalCount: 0 },
  }),
  unknown("to a project", "GET /users/{id}", "404 USER_NOT_IN_ORG", { showsProjectInvitations: false }),
  documented("to a project", "DELETE /invites/{id}", "400 CANNOT_DELETE_GROUP_INVITATION"),
  unknown("to a project", "PATCH /invites/{id}", "404 INVALID_INVITATION_ID"),
  documented("to a project", ["DELETE /users/{id}", "PATCH /users/{id}"], "404 USER_NOT_IN_ORG"),

  // Several entries of one address. Unknown: whether an invitation stays when its user joins by single sign-on.
  unknown("pending, also member", "GET /invites", "200", { lists: ["{id}"] }),
  unknown("member, also pending", "GET /users", "200", { lists: ["{id}"] }),
  unknown("pending, also member", "GET /users", "200", {
    showsPendingBesideActive: true,
    bodyHas: { results: [{ id: "{id}" }, { orgMembershipStatus: "ACTIVE" }] },
  }),
  unknown("pending, also member", "POST /invites", "400 USER_ALREADY_IN_ORG"),
  unknown("pending, also member", "PATCH /*/{id}", "200"),
  unknown("member, also pending", "PATCH /users/{id}", "200"),
  unknown(["pending, also member", "member, also pending"], "DELETE /users/{id}", "204"),
  inferred("rejected and member", `GET /users?${all}`, "200", { lists: [ada, "{id}"] }),
  inferred(["pending, also member", "rejected and member"], "POST /users", "409 USER_ALREADY_EXISTS"),

  // Usernames.
  unknown("mixed case", "GET /invites?username=ADA@example.com", "200", { lists: ["{id}"] }),
  unknown("mixed case", "GET /invites?username=ada%2Bx@example.com", "200", { lists: [] }),
  unknown("mixed case", "POST /users", "409 USER_ALREADY_EXISTS"),
  unknown("empty", "POST /invites", "200", {
    storesUsername,
    username: "Ada+work@example.com",
    stored: [{ username: "Ada@example.com" }],
  }),
  unknown("pending", "POST /users", "409 USER_ALREADY_EXISTS", {
    storesUsername,
    username: "ada+x@example.com",
  }),

  // Authorization.
  documented("pending", "GET /users", "200", { as: "member" }),
  unknown("pending", ofOwners, "401 NOT_ORG_OWNER", { as: "member" }),
  unknown("pending", ofOwners, "403 USER_UNAUTHORIZED", {
    as: "member",
    notOwnerAnswer: 403,
    notOwnerCode: "USER_UNAUTHORIZED",
  }),
  documented("pending", "GET /*", "401 USER_CANNOT_ACCESS_ORG", { as: "stranger" }),
  documented("empty", "GET /orgs/{id}/invites", "404 ORG_NOT_FOUND", { bodyHas: { parameters: ["{id}"] } }),
  recorded("empty access list", "GET /*", "403 ORG_REQUIRES_ACCESS_LIST", {
    body: {
      detail: "This organization requires access through an access list of ip ranges.",
      error: 403,
      errorCode: "ORG_REQUIRES_ACCESS_LIST",
      parameters: ["127.0.0.1"],
      reason: "Forbidden",
    },
  }),
  recorded("access list of others", "GET /*", "403 IP_ADDRESS_NOT_ON_ACCESS_LIST"),
  documented("access list with the client", "GET /*", "200"),

  // API versions.
  documented("empty", "GET v2/invites", "200", { accept: json("2023-01-01") }),
  documented("empty", "GET v2/invites", "200", { accept: json("2099-12-31") }),
  documented("empty", "GET /users", "200", { accept: json("2025-02-19") }),
  documented("empty", "GET /users", "406", { accept: json("2025-02-18") }),
  ["application/json", "*/*", json("2022-12-31"), json("preview")].flatMap((accept) =>
    documented("empty", "GET v2/invites", "406", { accept }),
  ),
  inferred("empty", "GET v1/invites", "200", { accept: "*/*" }),
  inferred("empty", "GET v1/invites", "406", { accept: json("2023-01-01") }),
  documented("sunset", "DELETE /invites/{id}", "410 VERSION_GONE"),
  documented("sunset", "GET /users", "200", { bodyHas: { totalCount: 1 } }),
  // The path of an example in the documentation.
  documented("pending", "DELETE /invitations/{id}?/invites", "404 RESOURCE_NOT_FOUND"),
].flat();
