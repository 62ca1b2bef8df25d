import { describe, expect, test } from "vitest";
import type { PartialAccess } from "../../../../provider/atlas/invitations/access.ts";
import type {
  InvitationsApi,
  Invitee,
  Listing,
  Person,
} from "../../../../provider/atlas/invitations/invitations-api.ts";
import { MemberDirectory } from "../../../../provider/atlas/invitations/member-directory.ts";
import type { SimulatedAtlasOptions } from "../../../support/simulated-atlas/simulated-atlas.ts";
import { bounds, rejection } from "../client/client-fixture.ts";
import {
  ada,
  bob,
  full,
  invitationsFixture,
  member,
  noRecheck,
  otherProject,
  project,
  team,
  unknownId,
  usersBody,
  VERSIONS,
} from "./invitations-fixture.ts";

const unknownRoles = ["ORG_MEMBER", "org.of-tomorrow"];
const withoutRole = [{ groupId: project }, { groupId: otherProject, groupRole: null, groupRoles: null }];
const noProject = [{ groupRole: "GROUP_OWNER", groupRoles: ["GROUP_OWNER"] }];
const bothProjects = [project, otherProject].map((groupId) => ({ groupId, roles: [] }));

/** What an entry says in the list of invitations and in that of users, and the access that it has. */
const USABLE: [what: string, invitation: object, user: object, access: PartialAccess][] = [
  [
    "an unknown role",
    { roles: unknownRoles },
    { roles: { orgRoles: unknownRoles } },
    { roles: unknownRoles },
  ],
  ["no role in the organization", { roles: [] }, { roles: { orgRoles: [] } }, { roles: [] }],
  [
    "projects without a role",
    { groupRoleAssignments: withoutRole },
    { roles: { orgRoles: member.roles, groupRoleAssignments: withoutRole } },
    { groupRoleAssignments: bothProjects },
  ],
];

/** What an entry says in the list of invitations and in that of users, and the property that makes it unusable. */
const UNUSABLE: [what: string, invitation: object, user: object, property: string][] = [
  ["no roles", { roles: null }, { roles: null }, "roles"],
  ["a role instead of a list", { roles: "A" }, { roles: { orgRoles: "A" } }, "roles"],
  ["a malformed id", { id: ".." }, { id: ".." }, "id"],
  ["no username", { username: null }, { username: null }, "username"],
  [
    "roles in no project",
    { groupRoleAssignments: noProject },
    { roles: { orgRoles: [], groupRoleAssignments: noProject } },
    "groupRoleAssignments.0.groupId",
  ],
];

// What the lifecycle relies on in every version of the API.
describe.each(VERSIONS)("the %s API", (version) => {
  const isUsers = version === "users";

  async function setUp(options?: SimulatedAtlasOptions) {
    const fixture = await invitationsFixture(version, options);
    const { api, orgId, clock } = fixture;
    const lists = (by: InvitationsApi = api) =>
      by.lookUp(async ({ invitations, users }) => ({
        ...(invitations && { invitations: await invitations(orgId, bounds) }),
        users: await users(orgId, bounds),
      }));
    return {
      ...fixture,
      lists,
      /** The list of the endpoint that invites. */
      list: async (by?: InvitationsApi): Promise<Listing> => {
        const { invitations, users } = await lists(by);
        return invitations ?? users;
      },
      /** The recheck of the lifecycle, on a cache of its own. */
      recheck: new MemberDirectory(api, clock, () => {}).expectUninvited({ orgId, username: ada }, {}),
      invite: (access: PartialAccess = member, recheck = noRecheck) =>
        api.createOrgInvite(orgId, ada, access, recheck, bounds),
      update: (invitee: Invitee, change: PartialAccess = full, by = api) =>
        by.updateOrgInvite(orgId, invitee, change, bounds),
      remove: (invitee: Invitee, by = api) => by.deleteOrgInvite(orgId, invitee, bounds),
    };
  }

  test("lists everyone whatever their status, and pending people apart where they have ids of their own", async () => {
    await using fixture = await setUp();
    const { organization, orgId, logged, path, verified } = fixture;
    const invited = organization.invite("Ada@Example.com", { ...full, inviterUsername: "nmtxqlkl" });
    const colleague = organization.addMember(bob, full);
    for (const username of ["late@example.com", "no@example.com"]) organization.invite(username);
    organization.expire("late@example.com");
    organization.reject("no@example.com");
    const late = organization.find("late@example.com");
    const no = organization.find("no@example.com");

    const { invitations, users } = await fixture.lists();

    const { invitationId, userId, createdAt, expiresAt } = invited;
    const pending = { username: ada, orgMembershipStatus: "PENDING", ...full, createdAt, expiresAt };
    const inviterUsername = "owner@example.com";
    expect(users).toEqual({
      people: [
        { ...pending, userId, inviterUsername: "nmtxqlkl" },
        { username: bob, orgMembershipStatus: "ACTIVE", ...full, userId: colleague.userId },
        {
          username: "late@example.com",
          orgMembershipStatus: "INVITATION_EXPIRED",
          ...member,
          userId: late?.userId,
          createdAt: late?.createdAt,
          expiresAt: late?.expiresAt,
          inviterUsername,
        },
        {
          username: "no@example.com",
          orgMembershipStatus: "INVITATION_REJECTED",
          ...member,
          userId: no?.userId,
          createdAt: no?.createdAt,
          inviterUsername,
        },
      ],
      unusable: [],
    });
    const details = { invitationId, inviterUsername: "nmtxqlkl", orgName: "Example" };
    expect(invitations).toEqual(isUsers ? undefined : { people: [{ ...pending, ...details }], unusable: [] });
    const statuses = ["PENDING", "ACTIVE", "INVITATION_EXPIRED", "INVITATION_REJECTED"];
    const query = `itemsPerPage=500&pageNum=1&${statuses.map((status) => `orgMembershipStatuses=${status}`).join("&")}`;
    expect(verified()).toEqual([
      ...(isUsers ? [] : [logged("GET", path, 200)]),
      logged("GET", `/api/atlas/v2/orgs/${orgId}/users?${query}`, 200),
    ]);
  });

  test("accepts entries without optional fields, with null for them, and with unknown fields", async () => {
    await using fixture = await setUp();
    const least = { id: unknownId, username: "ADA@example.com" };
    const optional = [
      "teamIds",
      "groupRoleAssignments",
      "createdAt",
      "expiresAt",
      "inviterUsername",
      "orgName",
    ];
    const more = ["groupId", "invitationCreatedAt", "invitationExpiresAt"];
    const nulls = { ...Object.fromEntries([...optional, ...more].map((name) => [name, null])), links: [] };
    const invitation = { ...least, roles: [] };
    const user = { ...least, orgMembershipStatus: "ACTIVE", roles: {} };
    const nullRoles = { orgRoles: null, groupRoleAssignments: null };
    const results = [user, { ...user, ...nulls, roles: nullRoles }];
    const body = isUsers ? { results, totalCount: 2, links: [] } : [invitation, { ...invitation, ...nulls }];
    fixture.atlas.fail({ status: 200, body });

    const identity = isUsers
      ? { orgMembershipStatus: "ACTIVE", userId: unknownId }
      : { orgMembershipStatus: "PENDING", invitationId: unknownId };
    const person = { ...member, username: ada, roles: [], ...identity };
    expect(await fixture.list()).toEqual({ people: [person, person], unusable: [] });
  });

  test.each(USABLE)("accepts an entry with %s as it is", async (_, invitation, user, access) => {
    await using fixture = await setUp();
    fixture.organization.invite(ada);
    fixture.organization.rewrite(ada, (view) => ({ ...view, ...(isUsers ? user : invitation) }));

    const person = { username: ada, ...member, ...access };
    expect(await fixture.list()).toMatchObject({ people: [person], unusable: [] });
  });

  test.each(UNUSABLE)("skips an entry with %s, and no other", async (_, invitation, user, property) => {
    await using fixture = await setUp();
    const stored = fixture.organization.invite(ada);
    fixture.organization.invite(bob);
    const changes = isUsers ? user : invitation;
    fixture.organization.rewrite(ada, (view) => ({ ...view, ...changes }));

    const { people, unusable } = await fixture.list();

    expect(people.map(({ username }) => username)).toEqual([bob]);
    const [id] = Object.values(fixture.idsOf(stored));
    const { username, ...entry } = { username: ada as string | null, id, ...changes };
    const reason = expect.stringMatching(new RegExp(`${property}\\b.* is missing`));
    expect(unusable).toEqual([{ username: username ?? undefined, id: entry.id, reason }]);
  });

  test.each<[what: string, access: PartialAccess, invitesBody: object]>([
    ["everything", full, full],
    ["empty lists", member, { roles: member.roles }],
    ["roles only", { roles: member.roles }, { roles: member.roles }],
    ["a team", { roles: member.roles, teamIds: [team] }, { roles: member.roles, teamIds: [team] }],
  ])("invites with %s by one request", async (_, access, invitesBody) => {
    await using fixture = await setUp();
    const { key, organization, logged, path, idsOf } = fixture;

    const person = await fixture.invite(access);

    const body = { username: ada, ...(isUsers ? usersBody(access) : invitesBody) };
    expect(fixture.verified()).toEqual([logged("POST", path, isUsers ? 201 : 200, body)]);
    const [stored] = organization.invitations;
    expect(stored).toMatchObject({ username: ada, ...member, ...access });
    expect(person).toEqual({
      username: ada,
      orgMembershipStatus: "PENDING",
      ...member,
      ...access,
      ...(stored && idsOf(stored)),
      createdAt: stored?.createdAt,
      expiresAt: stored?.expiresAt,
      // Recorded: the public key, where an API key invites.
      inviterUsername: key.publicKey,
      orgName: isUsers ? undefined : "Example",
    });
    expect(fixture.atlas.mails).toHaveLength(1);
  });

  test("returns an invitation as Atlas stores it, not as it was requested", async () => {
    await using fixture = await setUp({ addsRoles: ["ORG_BILLING_ADMIN"], ignoresOnCreate: ["teamIds"] });

    const { roles, teamIds } = await fixture.invite(full);

    expect(roles).toEqual(["ORG_BILLING_ADMIN", "ORG_MEMBER", "ORG_READ_ONLY"]);
    expect(teamIds).toEqual(isUsers ? full.teamIds : []);
  });

  const { groupRoleAssignments } = full;
  test.each<[what: string, change: PartialAccess, invitesBody: object, body: object]>([
    // v1.0 documents the roles as required.
    ["the roles", { roles: ["ORG_OWNER"] }, { roles: ["ORG_OWNER"] }, { roles: { orgRoles: ["ORG_OWNER"] } }],
    ["the teams", { teamIds: [] }, { ...member, groupRoleAssignments: undefined }, { teamIds: [] }],
    [
      "the project roles",
      { groupRoleAssignments },
      { roles: member.roles, groupRoleAssignments },
      usersBody({ roles: member.roles, groupRoleAssignments }),
    ],
    ["everything", full, full, usersBody(full)],
  ])("changes %s of an invitation, and nothing else", async (_, change, invitesBody, body) => {
    await using fixture = await setUp();
    const { organization, path, logged, idsOf } = fixture;
    const before = { ...member, teamIds: [team] };
    const stored = organization.invite(ada, before);
    const [id] = Object.values(idsOf(stored));

    const person = await fixture.update({ username: ada, ...idsOf(stored), roles: member.roles }, change);

    expect(person).toMatchObject({ username: ada, ...before, ...change, ...idsOf(stored) });
    const { createdAt } = stored;
    expect(organization.invitations).toMatchObject([{ ...before, ...change, createdAt }]);
    expect(fixture.atlas.mails).toHaveLength(1);
    const sent = JSON.parse(JSON.stringify(isUsers ? body : invitesBody));
    expect(fixture.verified()).toEqual([
      ...(isUsers ? [logged("GET", `${path}/${id}`, 200)] : []),
      logged("PATCH", `${path}/${id}`, 200, sent),
    ]);
  });

  test("cancels an invitation by a request without a body", async () => {
    await using fixture = await setUp();
    const { organization, path, logged, idsOf } = fixture;
    const stored = organization.invite(ada);
    const [id] = Object.values(idsOf(stored));
    const invitee = { username: ada, ...idsOf(stored), roles: member.roles };

    expect(await fixture.remove(invitee)).toBe(true);

    expect(organization.users).toEqual([]);
    expect(fixture.verified().at(-1)).toEqual(logged("DELETE", `${path}/${id}`, 204));
    expect(fixture.verified()).toHaveLength(isUsers ? 2 : 1);
  });

  // The page of v1.0 says that it returns an empty JSON document.
  test("accepts an empty document as the answer to a cancellation", async () => {
    await using fixture = await setUp();
    const stored = fixture.organization.invite(ada);
    fixture.atlas.fail({ method: "DELETE", status: 200, body: {} });

    const invitee = { username: ada, ...fixture.idsOf(stored), roles: member.roles };
    expect(await fixture.remove(invitee)).toBe(true);
  });

  test("sends nothing about an invitation of which it knows no id of its own", async () => {
    await using fixture = await setUp();
    const { invitationId, userId } = fixture.organization.invite(ada);
    const invitee = { username: ada, roles: member.roles, ...(isUsers ? { invitationId } : { userId }) };

    expect(await fixture.update(invitee)).toBeUndefined();
    expect(await fixture.remove(invitee)).toBeUndefined();

    expect(fixture.atlas.requests).toEqual([]);
    expect(fixture.organization.invitations).toMatchObject([member]);
  });

  test.each(["documented", 400, 404, "bare"] as const)(
    "changes nobody who has accepted or is gone, where the answer is %s",
    async (goneAnswer) => {
      await using fixture = await setUp({ goneAnswer });
      const stored = fixture.organization.invite(ada);
      fixture.organization.accept(ada);

      for (const ids of [fixture.idsOf(stored), { invitationId: unknownId, userId: unknownId }]) {
        const invitee = { username: ada, ...ids, roles: member.roles };
        expect(await fixture.update(invitee)).toBeUndefined();
        expect(await fixture.remove(invitee)).toBeUndefined();
      }

      expect(fixture.organization.users).toMatchObject([{ username: ada, status: "ACTIVE", ...member }]);
    },
  );

  test.each([
    [401, "UNEXPECTED_ERROR"],
    [401, "USER_CANNOT_ACCESS_ORG"],
    [403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"],
    [403, "CANNOT_DEMOTE_LAST_ORG_OWNER"],
    [404, "ORG_NOT_FOUND"],
    [404, "TEAM_NOT_FOUND"],
    [404, "GROUP_NOT_FOUND"],
    [410, "VERSION_GONE"],
    [501, "UNEXPECTED_ERROR"],
  ])("throws for %i %s, whatever the request", async (status, errorCode) => {
    await using fixture = await setUp();
    const invitee = { username: ada, invitationId: unknownId, userId: unknownId, roles: member.roles };
    const body = { error: status, errorCode, detail: "No." };
    fixture.atlas.fail({ status, body, times: Number.POSITIVE_INFINITY });

    const requests: Promise<unknown>[] = [
      fixture.lists(),
      fixture.invite(full),
      fixture.update(invitee),
      fixture.remove(invitee),
    ];
    for (const error of await Promise.all(requests.map(rejection))) {
      expect(error).toMatchObject({ kind: "api", status, errorCode });
    }
  });

  test.each([
    [401, "NOT_ORG_OWNER"],
    [403, "USER_UNAUTHORIZED"],
  ] as const)(
    "lists everyone to a key that may only read, and throws its %i %s for a change",
    async (status, code) => {
      await using fixture = await setUp({ notOwnerAnswer: status, notOwnerCode: code });
      const { organization, orgId } = fixture;
      organization.invite(ada);
      organization.addMember(bob);
      const key = fixture.atlas.addApiKey({ organization, roles: ["ORG_READ_ONLY"] });
      const api = fixture.apiOf(fixture.connectedBy(key));

      const { invitations, users } = await fixture.lists(api);

      const people = [...(invitations?.people ?? []), ...users.people];
      expect(people.map((person) => [person.username, person.orgMembershipStatus])).toEqual([
        [ada, "PENDING"],
        [bob, "ACTIVE"],
      ]);
      const [invitee] = people as [Person];
      const writes: Promise<unknown>[] = [
        api.createOrgInvite(orgId, "eve@example.com", member, noRecheck, bounds),
        fixture.update(invitee, full, api),
        fixture.remove(invitee, api),
      ];
      for (const error of await Promise.all(writes.map(rejection))) {
        expect(error).toMatchObject({ kind: "api", status, errorCode: code });
      }
      expect(organization.users).toMatchObject([member, member]);
      expect(fixture.atlas.mails).toHaveLength(1);
    },
  );
});

describe.each(["v1.0", "v2"] as const)("the invitations of the %s API", (version) => {
  test("are expired, and not changed, where Atlas still lists them after their expiry", async () => {
    await using fixture = await invitationsFixture(version, { listsExpired: true });
    const { api, orgId, organization, clock } = fixture;
    const { invitationId, expiresAt } = organization.invite(ada);
    const statuses = () =>
      api.lookUp(async ({ invitations }) => {
        const { people = [] } = (await invitations?.(orgId, bounds)) ?? {};
        return people.map((person) => [person.orgMembershipStatus, person.expiresAt]);
      });

    clock.pass(30 * 24 * 3_600_000 - 1);
    expect(await statuses()).toEqual([["PENDING", expiresAt]]);
    clock.pass(1);
    expect(await statuses()).toEqual([["INVITATION_EXPIRED", expiresAt]]);

    const invitee = { username: ada, invitationId, roles: member.roles };
    expect(await api.updateOrgInvite(orgId, invitee, full, bounds)).toBeUndefined();
    expect(fixture.verified().at(-1)).toMatchObject({ method: "PATCH", errorCode: "ALREADY_EXPIRED" });
  });

  test("are rejected to a key that may only read, in its organization, until it has the role", async () => {
    await using fixture = await invitationsFixture(version);
    const { atlas, organization, orgId, path } = fixture;
    organization.invite(ada);
    const key = atlas.addApiKey({ organization, roles: ["ORG_READ_ONLY"] });
    const api = fixture.apiOf(fixture.connectedBy(key));
    const list = () => api.lookUp(async ({ invitations }) => invitations?.(orgId, bounds));
    // The list of users has no invitation id.
    const invitee = { username: ada, userId: unknownId, roles: member.roles };
    const remove = (from = orgId) => api.deleteOrgInvite(from, invitee, bounds);

    expect(await list()).toEqual({ people: [], unusable: [] });
    const again = list();
    expect(await rejection(remove())).toMatchObject({ status: 401, errorCode: "NOT_ORG_OWNER", path });
    await again;
    expect(await remove(atlas.addOrganization().id)).toBeUndefined();

    key.roles = ["ORG_OWNER"];
    expect((await list())?.people).toHaveLength(1);
    expect(await remove()).toBeUndefined();
  });
});
