import { expect, test } from "vitest";
import { AtlasApiError, AtlasError } from "../../../../provider/atlas/errors.ts";
import type { Access } from "../../../../provider/atlas/invitations/access.ts";
import { StaleObservationError } from "../../../../provider/atlas/invitations/invitations-api.ts";
import { UsersEndpoint } from "../../../../provider/atlas/invitations/users-endpoint.ts";
import type { SimulatedAtlas } from "../../../support/simulated-atlas/simulated-atlas.ts";
import { bounds, clientFixture, rejection } from "../client-fixture.ts";

// What is of this API alone: `invitations-api.test.ts` has what all generations do alike.

const ada = "ada@example.com";
const team = "5f0000000000000000000001";
const project = "5f0000000000000000000002";
const other = "5f0000000000000000000003";
const somebody = "6a793f89c0eb9e7a177165b7";
const mediaType = "application/vnd.atlas.2025-02-19+json";
const none: Access = { roles: ["ORG_MEMBER"], teamIds: [], groupRoleAssignments: [] };
const full: Access = {
  roles: ["ORG_MEMBER", "ORG_READ_ONLY"],
  teamIds: [team],
  groupRoleAssignments: [
    { groupId: project, roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] },
    { groupId: other, roles: ["GROUP_READ_ONLY"] },
  ],
};
const fullAssignments = [
  { groupId: project, groupRoles: ["GROUP_OWNER", "GROUP_READ_ONLY"] },
  { groupId: other, groupRoles: ["GROUP_READ_ONLY"] },
];
const fullBody = {
  roles: { orgRoles: full.roles, groupRoleAssignments: fullAssignments },
  teamIds: [team],
};
const noRecheck = () => Promise.reject(new Error("It was rechecked."));
const allowed = () => Promise.resolve();

async function startScene(...[options]: Parameters<typeof clientFixture>) {
  const scene = await clientFixture(options);
  const orgId = scene.organization.id;
  const api = new UsersEndpoint(scene.client);
  return {
    ...scene,
    api,
    orgId,
    path: `/api/atlas/v2/orgs/${orgId}/users`,
    list: () => api.listOrgUsers(orgId, bounds),
    /** The names of all whom the list shows. */
    names: async () => (await api.listOrgUsers(orgId, bounds)).people.map(({ username }) => username),
    /** The pages that were asked for. */
    pages: () =>
      scene.verified().map(({ path }) => Number(new URL(path, scene.atlas.url).searchParams.get("pageNum"))),
    /** So many members, in the order of the list. */
    fill: (count: number) => {
      const names = Array.from({ length: count }, (_, index) => `person${index}@example.com`);
      for (const name of names) scene.organization.addMember(name);
      return names;
    },
  };
}

/** Does something each time that a page of this number was answered, so many times. */
function afterPage(atlas: SimulatedAtlas, pageNum: number, act: () => void, times = 1) {
  let left = times;
  atlas.onRequest(({ path, authenticated }, stage) => {
    if (stage !== "handled" || !authenticated || !path.includes(`pageNum=${pageNum}&`) || left === 0) return;
    left -= 1;
    act();
  });
}

test("everyone is listed by one request, whatever became of them", async () => {
  await using scene = await startScene();
  const invited = scene.organization.invite("Ada@Example.com", { ...full, inviterUsername: "nmtxqlkl" });
  const member = scene.organization.addMember("bob@example.com", full);
  scene.organization.invite("late@example.com");
  scene.organization.expire("late@example.com");
  const late = scene.organization.find("late@example.com");
  scene.organization.invite("no@example.com");
  scene.organization.reject("no@example.com");
  const no = scene.organization.find("no@example.com");

  expect(await scene.list()).toEqual({
    people: [
      {
        username: ada,
        orgMembershipStatus: "PENDING",
        ...full,
        userId: invited.userId,
        createdAt: invited.createdAt,
        expiresAt: invited.expiresAt,
        inviterUsername: "nmtxqlkl",
      },
      {
        username: "bob@example.com",
        orgMembershipStatus: "ACTIVE",
        ...full,
        userId: member.userId,
      },
      {
        username: "late@example.com",
        orgMembershipStatus: "INVITATION_EXPIRED",
        ...none,
        userId: late?.userId,
        createdAt: late?.createdAt,
        expiresAt: late?.expiresAt,
        inviterUsername: "owner@example.com",
      },
      {
        username: "no@example.com",
        orgMembershipStatus: "INVITATION_REJECTED",
        ...none,
        userId: no?.userId,
        createdAt: no?.createdAt,
        inviterUsername: "owner@example.com",
      },
    ],
    unusable: [],
  });
  expect(scene.verified()).toEqual([
    {
      method: "GET",
      path: `${scene.path}?itemsPerPage=500&pageNum=1&orgMembershipStatuses=PENDING&orgMembershipStatuses=ACTIVE&orgMembershipStatuses=INVITATION_EXPIRED&orgMembershipStatuses=INVITATION_REJECTED`,
      accept: mediaType,
      authenticated: true,
      challenge: false,
      username: scene.key.publicKey,
      status: 200,
    },
  ]);
});

test("an organization without anybody is one request as well", async () => {
  await using scene = await startScene();

  expect(await scene.list()).toEqual({ people: [], unusable: [] });
  expect(scene.verified()).toHaveLength(1);
});

// The overlap takes the place of one entry of the second page, and of two of the third.
test.each([
  [500, 1],
  [501, 2],
  [998, 2],
  [999, 3],
  [1203, 3],
  [1494, 3],
])("%i people are listed in %i pages, each of them once", async (count, pages) => {
  await using scene = await startScene();
  const names = scene.fill(count);

  expect(await scene.names()).toEqual(names);
  expect(scene.pages()).toEqual(Array.from({ length: pages }, (_, index) => index + 1));
});

test("people who join or leave between two pages hide nobody, and show nobody twice", async () => {
  for (const change of [
    (scene: Scene) => scene.organization.removeMember("person0@example.com"),
    (scene: Scene) => scene.organization.removeMember("person499@example.com"),
    (scene: Scene) => void scene.organization.addMember("new@example.com"),
    (scene: Scene) => {
      scene.organization.removeMember("person0@example.com");
      scene.organization.addMember("new@example.com");
    },
    (scene: Scene) => {
      scene.organization.removeMember("person499@example.com");
      scene.organization.addMember("new@example.com");
    },
  ]) {
    await using scene = await startScene();
    scene.fill(501);
    afterPage(scene.atlas, 1, () => change(scene));

    const names = await scene.names();

    expect(names).toEqual(scene.organization.users.map(({ username }) => username));
    expect(scene.pages()).toEqual([1, 2, 1, 2].slice(0, scene.organization.users.length > 500 ? 4 : 3));
  }
});

test("somebody who leaves, and somebody who joins, between the second and the third page hide nobody", async () => {
  await using scene = await startScene();
  scene.fill(1203);
  afterPage(scene.atlas, 2, () => {
    scene.organization.removeMember("person600@example.com");
    scene.organization.addMember("new@example.com");
  });

  expect(await scene.names()).toEqual(scene.organization.users.map(({ username }) => username));
  expect(scene.pages()).toEqual([1, 2, 3, 1, 2, 3]);
});

test("a change behind what was read so far costs no further request", async () => {
  await using scene = await startScene();
  const names = scene.fill(600);
  afterPage(scene.atlas, 1, () => {
    scene.organization.removeMember("person550@example.com");
    scene.organization.addMember("new@example.com");
  });

  expect(await scene.names()).toEqual([
    ...names.filter((name) => name !== "person550@example.com"),
    "new@example.com",
  ]);
  expect(scene.pages()).toEqual([1, 2]);
});

test("a list that changes between its pages each time is an error after three starts", async () => {
  await using scene = await startScene();
  scene.fill(510);
  let left = 0;
  afterPage(scene.atlas, 1, () => scene.organization.removeMember(`person${left++}@example.com`), 9);

  const error = await rejection(scene.list());

  expect(error).toBeInstanceOf(AtlasError);
  expect(error.message).toBe(
    `The pages of the list of users of ${scene.orgId} did not fit together, 3 times in a row: people joined or left meanwhile, or Atlas counts others than it lists. So nobody's status is known for certain. Run the command again.`,
  );
  expect(scene.pages()).toEqual([1, 2, 1, 2, 1, 2]);
});

test("a count that differs between two pages for good is an error after three starts", async () => {
  await using scene = await startScene({ countsDiffer: true });
  scene.fill(501);

  const error = await rejection(scene.list());

  expect(error.message).toContain("did not fit together, 3 times in a row");
  expect(scene.pages()).toEqual([1, 2, 1, 2, 1, 2]);
});

test("a count that differs between pages is no trouble where there is one page", async () => {
  await using scene = await startScene({ countsDiffer: true });
  const names = scene.fill(500);

  expect(await scene.names()).toEqual(names);
});

test.each([
  ["of a list that is short", 1],
  ["of a list of which a page is full", 500],
  ["of a list of which the last entry has no id", 500],
])("a count that is more than there is, %s, is an error after three starts", async (what, count) => {
  await using scene = await startScene();
  const entry = { id: somebody, username: ada, orgMembershipStatus: "ACTIVE", roles: {} };
  const results: unknown[] = Array(count).fill(entry);
  if (what.includes("no id")) results[count - 1] = { ...entry, id: undefined };
  const totalCount = 1000;
  for (let start = 0; start < 3; start++) {
    scene.atlas.fail({ path: /pageNum=1&/, status: 200, body: { results, totalCount } });
    scene.atlas.fail({ path: /pageNum=2&/, status: 200, body: { results: results.slice(499), totalCount } });
  }

  const error = await rejection(scene.list());

  expect(error.message).toContain("did not fit together, 3 times in a row");
  expect(scene.pages()).toEqual([1, 2, 1, 2, 1, 2]);
});

test("a page that is empty after a full one, whose last entry has no id, is an error after three starts", async () => {
  await using scene = await startScene();
  const results = Array(500).fill({ username: ada, orgMembershipStatus: "ACTIVE", roles: {} });
  const body = { results, totalCount: 501 };
  scene.atlas.fail({ path: /pageNum=1&/, status: 200, body, times: 3 });
  scene.atlas.fail({ path: /pageNum=2&/, status: 200, body: { ...body, results: [] }, times: 3 });

  const error = await rejection(scene.list());

  expect(error.message).toContain("did not fit together, 3 times in a row");
  expect(scene.pages()).toEqual([1, 2, 1, 2, 1, 2]);
});

test("half a list is never taken for the whole", async () => {
  await using scene = await startScene();
  scene.fill(501);
  scene.atlas.fail({ path: /pageNum=2/, status: 501 });

  expect(await rejection(scene.list())).toMatchObject({ status: 501 });
});

test("a list that does not say how many there are is an error, not the whole", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 200, body: { results: [] } });

  const error = await rejection(scene.list());

  expect(error).toBeInstanceOf(AtlasApiError);
  expect(error.message).toContain("its totalCount is missing or of another kind");
});

test("who is pending without a role in the organization is invited to a project", async () => {
  await using scene = await startScene();
  scene.organization.inviteToProject(ada, { groupId: project, roles: ["GROUP_OWNER"] });
  scene.organization.invite("bob@example.com", { roles: ["ORG_MEMBER"], groupRoleAssignments: [] });
  scene.organization.addMember("eve@example.com", { roles: [] });

  const { people } = await scene.list();

  expect(people.map(({ username, isProjectInvitation }) => [username, isProjectInvitation])).toEqual([
    [ada, true],
    ["bob@example.com", undefined],
    ["eve@example.com", undefined],
  ]);
});

test.each<[string, Partial<Access>, object]>([
  ["all that is declared", full, fullBody],
  [
    "an empty list of project roles",
    none,
    { roles: { orgRoles: none.roles, groupRoleAssignments: [] }, teamIds: [] },
  ],
  ["nothing but roles", { roles: none.roles }, { roles: { orgRoles: none.roles } }],
  [
    "roles and teams",
    { roles: none.roles, teamIds: [team] },
    { roles: { orgRoles: none.roles }, teamIds: [team] },
  ],
])("somebody is invited with %s by one request", async (_, access, body) => {
  await using scene = await startScene();

  await scene.api.createOrgUser(scene.orgId, ada, access, noRecheck, bounds);

  expect(scene.verified()).toMatchObject([
    {
      method: "POST",
      path: scene.path,
      accept: mediaType,
      contentType: mediaType,
      body: { username: ada, ...body },
      status: 201,
    },
  ]);
  expect(scene.verified()[0]?.body).toEqual({ username: ada, ...body });
  expect(scene.organization.invitations).toMatchObject([{ ...none, ...access }]);
});

test.each([409, 400] as const)("a conflict is an error, also as a %i", async (usersConflict) => {
  await using scene = await startScene({ usersConflict });
  scene.organization.addMember(ada);

  const error = await rejection(scene.api.createOrgUser(scene.orgId, ada, none, noRecheck, bounds));

  expect(error).toMatchObject({ name: "AtlasApiError", status: usersConflict });
  expect(scene.atlas.mails).toEqual([]);
});

test.each<[string, Partial<Access>, object]>([
  ["everything", full, fullBody],
  ["the roles", { roles: ["ORG_OWNER"] }, { roles: { orgRoles: ["ORG_OWNER"] } }],
  ["the teams", { teamIds: [other] }, { teamIds: [other] }],
  ["the teams, of which none is left", { teamIds: [] }, { teamIds: [] }],
  // The roles have to name organization roles.
  [
    "the project roles",
    { groupRoleAssignments: full.groupRoleAssignments },
    { roles: { orgRoles: ["ORG_MEMBER"], groupRoleAssignments: fullAssignments } },
  ],
  [
    "the project roles, of which none is left",
    { groupRoleAssignments: [] },
    { roles: { orgRoles: ["ORG_MEMBER"], groupRoleAssignments: [] } },
  ],
])("where %s of a member are changed, nothing else is sent", async (_, change, body) => {
  await using scene = await startScene();
  const before = { ...full, roles: ["ORG_MEMBER"] };
  const { userId } = scene.organization.addMember(ada, before);

  const person = await scene.api.updateMember(
    scene.orgId,
    { username: ada, userId, orgMembershipStatus: "ACTIVE", ...before },
    change,
    bounds,
  );

  expect(person).toMatchObject({
    username: ada,
    orgMembershipStatus: "ACTIVE",
    userId,
    ...before,
    ...change,
  });
  expect(scene.organization.find(ada)).toMatchObject({ ...before, ...change });
  expect(scene.verified()).toEqual([
    {
      method: "PATCH",
      path: `${scene.path}/${userId}`,
      accept: mediaType,
      contentType: mediaType,
      body,
      authenticated: true,
      challenge: false,
      username: scene.key.publicKey,
      status: 200,
    },
  ]);
});

test("a change of somebody pending is rechecked before it is sent, and before it is repeated", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.invite(ada);
  const user = { username: ada, userId, roles: none.roles };
  const change = (recheck: () => Promise<void>) =>
    scene.api.updateOrgUser(scene.orgId, user, full, bounds, recheck);

  await expect(change(noRecheck)).rejects.toThrow("It was rechecked.");
  expect(scene.atlas.requests).toEqual([]);

  scene.atlas.fail({ cut: "before" });
  let rechecks = 0;
  await change(async () => void rechecks++);
  expect(rechecks).toBe(2);
  expect(scene.organization.find(ada)).toMatchObject(full);
});

test("a removal of somebody pending is rechecked before it is sent, and before it is repeated", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.invite(ada);
  const user = { username: ada, userId, roles: none.roles };

  const removal = scene.api.removeOrgUser(scene.orgId, user, bounds, noRecheck);
  await expect(removal).rejects.toThrow("It was rechecked.");
  expect(scene.atlas.requests).toEqual([]);

  scene.atlas.fail({ cut: "before" });
  let rechecks = 0;
  expect(await scene.api.removeOrgUser(scene.orgId, user, bounds, async () => void rechecks++)).toBe(true);
  expect(rechecks).toBe(2);
  expect(scene.organization.users).toEqual([]);
  expect(scene.verified().at(-1)).toEqual({
    method: "DELETE",
    path: `${scene.path}/${userId}`,
    accept: mediaType,
    authenticated: true,
    challenge: false,
    username: scene.key.publicKey,
    status: 204,
  });
});

test("a member is removed after a lost answer if they are one still", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.addMember(ada);
  scene.atlas.fail({ cut: "before" });

  const member = { username: ada, userId, roles: none.roles };
  expect(await scene.api.removeMember(scene.orgId, member, bounds)).toBe(true);

  expect(scene.verified().map(({ method }) => method)).toEqual(["DELETE", "GET", "DELETE"]);
  expect(scene.organization.users).toEqual([]);
});

test("a member who left while the answer was lost is not removed again", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.addMember(ada);
  scene.atlas.fail({ method: "DELETE", cut: "after" });

  const member = { username: ada, userId, roles: none.roles };
  expect(await scene.api.removeMember(scene.orgId, member, bounds)).toBeUndefined();

  expect(scene.verified().map(({ method }) => method)).toEqual(["DELETE", "GET"]);
});

test("a member who left, and was invited again, while the removal waited is not removed", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.addMember(ada);
  scene.atlas.fail({ method: "DELETE", status: 429, headers: { "Retry-After": "60" } });
  void scene.clock.after(30_000).then(() => {
    scene.organization.restore({ ...scene.organization.invite(ada), userId });
  });

  const member = { username: ada, userId, roles: none.roles };
  expect(await scene.api.removeMember(scene.orgId, member, bounds)).toBeUndefined();

  expect(scene.organization.invitations).toMatchObject([{ username: ada, userId }]);
});

test.each(["PENDING", "ACTIVE"])("who is expected to be %s and is, may be acted on", async (status) => {
  await using scene = await startScene();
  const { userId } = scene.organization.invite(ada);
  if (status === "ACTIVE") scene.organization.accept(ada);

  const user = { username: ada, userId, roles: none.roles };
  await scene.api.assertStatus(status, scene.orgId, user, bounds);

  expect(scene.verified()).toMatchObject([
    { method: "GET", path: `${scene.path}/${userId}`, accept: mediaType, status: 200 },
  ]);
});

test("who is not what was expected, or not there any more, may not be acted on", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.invite(ada);
  const user = { username: ada, userId, roles: none.roles };
  const expecting = (status: string) => scene.api.assertStatus(status, scene.orgId, user, bounds);

  await expect(expecting("ACTIVE")).rejects.toThrow(StaleObservationError);
  scene.organization.accept(ada);
  await expect(expecting("PENDING")).rejects.toThrow(`${ada} is no longer PENDING.`);
  scene.organization.removeMember(ada);
  await expect(expecting("ACTIVE")).rejects.toThrow(StaleObservationError);
});

test("an expired invitation is none that may be acted on", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.invite(ada);
  scene.organization.expire(ada);

  const user = { username: ada, userId, roles: none.roles };
  const expecting = scene.api.assertStatus("PENDING", scene.orgId, user, bounds);

  await expect(expecting).rejects.toThrow(StaleObservationError);
});

test("a look that fails is an error, and says nothing about the person", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.invite(ada);
  scene.atlas.fail({ status: 501 });

  const user = { username: ada, userId, roles: none.roles };
  const error = await rejection(scene.api.assertStatus("PENDING", scene.orgId, user, bounds));

  expect(error).toBeInstanceOf(AtlasApiError);
  expect(error).toMatchObject({ status: 501 });
});

test("a member of whom nothing changed while the change of them waited is changed", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.addMember(ada);
  const member = { username: ada, userId, orgMembershipStatus: "ACTIVE", ...none };
  scene.atlas.fail({ method: "PATCH", status: 429, headers: { "Retry-After": "55" } });
  const roles = ["ORG_OWNER"];
  expect(await scene.api.updateMember(scene.orgId, member, { roles }, bounds)).toMatchObject({ roles });
  expect(scene.organization.find(ada)).toMatchObject({ roles });
});

test.each(["removed", "invited anew", "changed"] as const)(
  "a member who was %s while the change of them waited is looked up again",
  async (what) => {
    await using scene = await startScene();
    const { organization, orgId, atlas } = scene;
    const { userId } = organization.addMember(ada);
    const member = { username: ada, userId, orgMembershipStatus: "ACTIVE", ...none };
    const limited = atlas.fail({ method: "PATCH", status: 429, headers: { "Retry-After": "55" } });
    const updated = scene.api.updateMember(orgId, member, { roles: ["ORG_OWNER"] }, bounds);
    await limited.struck;
    if (what === "changed") organization.change(ada, { roles: ["ORG_MEMBER", "ORG_BILLING_ADMIN"] });
    else organization.removeMember(ada);
    if (what === "invited anew") organization.restore({ ...organization.invite(ada), userId });

    expect(await updated).toBeUndefined();
    expect(scene.verified().filter(({ method }) => method === "PATCH")).toHaveLength(1);
  },
);

test.each([
  [404, undefined],
  [404, "USER_NOT_FOUND"],
  [404, "USERNAME_NOT_FOUND"],
  [404, "USER_NOT_IN_ORG"],
  [404, "INVALID_USER_ID"],
])("somebody of whom Atlas answers %i %s is unknown", async (status, errorCode) => {
  await using scene = await startScene();
  const user = { username: ada, userId: somebody, orgMembershipStatus: "ACTIVE", ...none };
  const body = errorCode ? { error: status, errorCode, detail: "No." } : "";
  scene.atlas.fail({ status, body, times: Number.POSITIVE_INFINITY });

  expect(await scene.api.updateOrgUser(scene.orgId, user, full, bounds, allowed)).toBeUndefined();
  expect(await scene.api.updateMember(scene.orgId, user, full, bounds)).toBeUndefined();
  expect(await scene.api.removeOrgUser(scene.orgId, user, bounds, allowed)).toBeUndefined();
  expect(await scene.api.removeMember(scene.orgId, user, bounds)).toBeUndefined();
  await expect(scene.api.assertStatus("ACTIVE", scene.orgId, user, bounds)).rejects.toThrow(
    StaleObservationError,
  );
});

test("users that say less than they might are taken as they are", async () => {
  await using scene = await startScene();
  const least = { id: somebody, username: "ADA@example.com", orgMembershipStatus: "ACTIVE", roles: {} };
  const nulls = {
    roles: { orgRoles: null, groupRoleAssignments: null },
    teamIds: null,
    invitationCreatedAt: null,
    invitationExpiresAt: null,
    inviterUsername: null,
  };
  scene.atlas.fail({
    status: 200,
    body: { results: [least, { ...least, ...nulls, mobileNumber: null }], totalCount: 2, links: [] },
  });

  const person = { ...none, username: ada, orgMembershipStatus: "ACTIVE", roles: [], userId: somebody };
  expect(await scene.list()).toEqual({ people: [person, person], unusable: [] });
});

test.each([
  ["a status of tomorrow", { orgMembershipStatus: "SUSPENDED" }, { orgMembershipStatus: "SUSPENDED" }],
  ["a role of tomorrow", { roles: { orgRoles: ["of-tomorrow"] } }, { roles: ["of-tomorrow"] }],
  [
    "a project without a role",
    {
      roles: {
        orgRoles: [],
        groupRoleAssignments: [{ groupId: project }, { groupId: other, groupRoles: null }],
      },
    },
    {
      roles: [],
      groupRoleAssignments: [
        { groupId: project, roles: [] },
        { groupId: other, roles: [] },
      ],
    },
  ],
])("a user with %s is taken as they are", async (_, changes, person) => {
  await using scene = await startScene();
  scene.organization.addMember(ada);
  scene.organization.rewrite(ada, (view) => ({ ...view, ...changes }));

  expect(await scene.list()).toMatchObject({ people: [{ username: ada, ...person }], unusable: [] });
});

test.each([
  ["no roles", { roles: null }, "its roles is missing or of another kind"],
  ["one role for a list", { roles: { orgRoles: "A" } }, "its roles.orgRoles is missing or of another kind"],
  ["no id", { id: undefined }, "its id is missing or of another kind"],
  ["an id that is none", { id: ".." }, "its id is missing or of another kind"],
  ["no username", { username: null }, "its username is missing or of another kind"],
  ["no status", { orgMembershipStatus: null }, "its orgMembershipStatus is missing or of another kind"],
  [
    "project roles without a project",
    { roles: { orgRoles: [], groupRoleAssignments: [{ groupRoles: ["GROUP_OWNER"] }] } },
    "its roles.groupRoleAssignments.0.groupId is missing or of another kind",
  ],
])("a user with %s cannot be used, and spoils no other", async (_, changes, reason) => {
  await using scene = await startScene();
  const { userId } = scene.organization.addMember(ada);
  scene.organization.addMember("bob@example.com");
  scene.organization.rewrite(ada, (view) => ({ ...view, ...changes }));

  const { people, unusable } = await scene.list();

  expect(people.map(({ username }) => username)).toEqual(["bob@example.com"]);
  const { username, id } = { username: ada, id: userId, ...changes };
  expect(unusable).toEqual([{ username: username ?? undefined, id, reason }]);
});

type Scene = Awaited<ReturnType<typeof startScene>>;
