import { expect, test } from "vitest";
import { startScene } from "./caller.ts";

const sentAt = Date.parse("2026-08-10T03:03:37.500Z");
const team = "5f0000000000000000000001";
const project = "5f0000000000000000000002";
const allStatuses = ["PENDING", "ACTIVE", "INVITATION_EXPIRED", "INVITATION_REJECTED"]
  .map((status) => `orgMembershipStatuses=${status}`)
  .join("&");

async function start(options?: Parameters<typeof startScene>[0]) {
  const scene = await startScene({ now: () => sentAt, ...options });
  const call = (method: string, path = "", body?: unknown) =>
    scene.caller.v2(method, scene.users + path, body);
  const list = async (query: string) => (await call("GET", query)).body;
  const usernames = async (query: string) =>
    (await list(query)).results.map(({ username }: { username: string }) => username);
  return { ...scene, call, list, usernames };
}

/** One person in each status. */
async function startWithEverybody(options?: Parameters<typeof startScene>[0]) {
  const scene = await start(options);
  for (const name of ["pending", "active", "expired", "rejected"]) scene.organization.invite(`${name}@x.org`);
  scene.organization.accept("active@x.org");
  scene.organization.expire("expired@x.org");
  scene.organization.reject("rejected@x.org");
  return scene;
}

test("somebody is invited with 201, stored and mailed, and shown as a pending user", async () => {
  await using scene = await start();

  const created = await scene.call("POST", "", {
    username: "ada@example.com",
    roles: {
      orgRoles: ["ORG_MEMBER"],
      groupRoleAssignments: [{ groupId: project, groupRoles: ["GROUP_OWNER", "GROUP_READ_ONLY"] }],
    },
    teamIds: [team],
  });

  const [stored] = scene.organization.users;
  expect(created.status).toBe(201);
  expect(created.body).toEqual({
    id: stored?.userId,
    invitationCreatedAt: "2026-08-10T03:03:37Z",
    invitationExpiresAt: "2026-09-09T03:03:37Z",
    inviterUsername: scene.key.publicKey,
    orgMembershipStatus: "PENDING",
    roles: {
      groupRoleAssignments: [{ groupId: project, groupRoles: ["GROUP_OWNER", "GROUP_READ_ONLY"] }],
      orgRoles: ["ORG_MEMBER"],
    },
    teamIds: [team],
    username: "ada@example.com",
  });
  expect(stored).toMatchObject({
    status: "PENDING",
    groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] }],
  });
  expect(scene.atlas.mails.map(({ username }) => username)).toEqual(["ada@example.com"]);
});

test("a pending person has another id among the invitations", async () => {
  await using scene = await start();
  scene.organization.invite("ada@example.com");

  const [invitation] = (await scene.caller.v2("GET", scene.invites)).body;
  const [user] = (await scene.list("")).results;

  expect([invitation.username, invitation.createdAt]).toEqual([user.username, user.invitationCreatedAt]);
  expect(invitation.id).not.toBe(user.id);
});

test("a member is shown with an account and without an invitation", async () => {
  await using scene = await start();
  const { userId } = scene.organization.addMember("ada@example.com", { roles: ["ORG_OWNER"] });

  const { body } = await scene.call("GET", `/${userId}`);

  expect(body).toMatchObject({
    id: userId,
    orgMembershipStatus: "ACTIVE",
    roles: { orgRoles: ["ORG_OWNER"], groupRoleAssignments: [] },
    teamIds: [],
    mobileNumber: null,
  });
  expect(Object.keys(body).filter((key) => key.startsWith("invit"))).toEqual([]);
});

test("a rejected invitation has no expiry, an expired one keeps it", async () => {
  await using scene = await startWithEverybody();

  const rejected = (await scene.list("?orgMembershipStatuses=INVITATION_REJECTED")).results;
  const expired = (await scene.list("?orgMembershipStatuses=INVITATION_EXPIRED")).results;

  expect(rejected).toMatchObject([{ username: "rejected@x.org", invitationExpiresAt: null }]);
  expect(expired).toMatchObject([{ username: "expired@x.org", invitationExpiresAt: "2026-08-10T03:03:37Z" }]);
});

test("the list shows who is active or pending, and others when asked for", async () => {
  await using scene = await startWithEverybody();

  expect(await scene.usernames("")).toEqual(["pending@x.org", "active@x.org"]);
  expect(await scene.usernames("?orgMembershipStatuses=ACTIVE")).toEqual(["active@x.org"]);
  expect(
    await scene.usernames("?orgMembershipStatuses=PENDING&orgMembershipStatuses=INVITATION_EXPIRED"),
  ).toEqual(["pending@x.org", "expired@x.org"]);
  expect(await scene.usernames("?orgMembershipStatus=INVITATION_REJECTED")).toEqual(["rejected@x.org"]);
  expect(await scene.usernames(`?${allStatuses}`)).toHaveLength(4);
  expect(await scene.usernames(`?username=rejected%40x.org&${allStatuses}`)).toEqual(["rejected@x.org"]);
  expect(await scene.usernames("?username=rejected%40x.org")).toEqual([]);
});

test.each([
  [
    5,
    [
      ["self", "next"],
      ["self", "previous", "next"],
      ["self", "previous"],
    ],
  ],
  [
    4,
    [
      ["self", "next"],
      ["self", "previous"],
    ],
  ],
  [0, [["self"]]],
])("the list of %i people comes in pages of two, each with a link to the next", async (count, rels) => {
  await using scene = await start();
  const everybody = Array.from({ length: count }, (_, i) => `user${i}@x.org`);
  for (const username of everybody) scene.organization.invite(username);

  const seenUsers: string[] = [];
  const seenRels: string[][] = [];
  let path: string | undefined = `/api/atlas/v2${scene.users}?itemsPerPage=2&${allStatuses}`;
  while (path) {
    const Accept = "application/vnd.atlas.2025-02-19+json";
    const { body } = await scene.caller.call("GET", path, { headers: { Accept } });
    expect(body.totalCount).toBe(count);
    seenUsers.push(...body.results.map(({ username }: { username: string }) => username));
    seenRels.push(body.links.map(({ rel }: { rel: string }) => rel));
    const next = body.links.find(({ rel }: { rel: string }) => rel === "next")?.href;
    path = next?.slice(scene.atlas.url.length);
  }

  expect(seenUsers).toEqual(everybody);
  expect(seenRels).toEqual(rels);
});

test("a page holds 100 unless asked otherwise, and the count can be left out", async () => {
  await using scene = await start();
  for (let i = 0; i < 101; i++) scene.organization.invite(`user${i}@x.org`);

  const first = await scene.list("");
  expect([first.results.length, first.totalCount]).toEqual([100, 101]);
  expect(await scene.usernames("?pageNum=2")).toEqual(["user100@x.org"]);
  expect(await scene.usernames("?pageNum=3")).toEqual([]);
  expect(await scene.usernames("?itemsPerPage=500")).toHaveLength(101);
  expect(await scene.list("?includeCount=false")).not.toHaveProperty("totalCount");
});

test.each([
  [false, [3, 3]],
  [true, [3, 4]],
])("the count of people differs between pages: %s", async (countsDiffer, expected) => {
  await using scene = await start({ countsDiffer });
  for (let i = 0; i < 3; i++) scene.organization.invite(`user${i}@x.org`);

  for (let round = 0; round < 2; round++) {
    const pages = [await scene.list("?itemsPerPage=2"), await scene.list("?itemsPerPage=2&pageNum=2")];
    expect(pages.map(({ totalCount }) => totalCount)).toEqual(expected);
    expect(pages.map(({ results }) => results.length)).toEqual([2, 1]);
  }
});

test("somebody joins and somebody leaves between two pages, which then miss a person", async () => {
  await using scene = await start();
  for (let i = 0; i < 4; i++) scene.organization.invite(`user${i}@x.org`);
  scene.atlas.onRequest(({ path, authenticated }, stage) => {
    if (!path.includes("pageNum=2") || !authenticated || stage !== "arrived") return;
    scene.organization.cancel("user0@x.org");
    scene.organization.addMember("new@x.org");
  });

  const first = await scene.list("?itemsPerPage=2");
  const second = await scene.list("?itemsPerPage=2&pageNum=2");

  expect([first.totalCount, second.totalCount]).toEqual([4, 4]);
  const usernamesIn = ({ results }: { results: { username: string }[] }) =>
    results.map(({ username }) => username);
  expect(usernamesIn(first)).toEqual(["user0@x.org", "user1@x.org"]);
  expect(usernamesIn(second)).toEqual(["user3@x.org", "new@x.org"]);
});

test("the list keeps the order of joining, whatever changes", async () => {
  await using scene = await start();
  for (let i = 0; i < 4; i++) scene.organization.invite(`user${i}@x.org`);

  scene.organization.accept("user0@x.org");
  scene.organization.change("user1@x.org", { roles: ["ORG_OWNER"] });
  scene.organization.changeAddress("user2@x.org", "aaa@x.org");

  expect(await scene.usernames("")).toEqual(["user0@x.org", "user1@x.org", "aaa@x.org", "user3@x.org"]);
});

test.each([
  "itemsPerPage=0",
  "itemsPerPage=501",
  "itemsPerPage=ten",
  "pageNum=0",
  "orgMembershipStatuses=ACTIVE,PENDING",
  "orgMembershipStatuses=active",
  "orgMembershipStatus=ACTIVE&orgMembershipStatuses=PENDING",
  `${allStatuses}&orgMembershipStatuses=ACTIVE`,
])("refuses to list with %s", async (query) => {
  await using scene = await start();

  expect(await scene.call("GET", `?${query}`)).toMatchObject({
    status: 400,
    body: { errorCode: "INVALID_QUERY_PARAMETER" },
  });
});

test.each([
  [409, "USER_ALREADY_EXISTS"],
  [400, "USER_ALREADY_IN_ORG"],
] as const)(
  "inviting somebody pending or active is a conflict that can be a %s",
  async (usersConflict, errorCode) => {
    await using scene = await start({ usersConflict });
    scene.organization.invite("pending@x.org");
    scene.organization.addMember("active@x.org");
    const before = scene.organization.users;

    for (const username of ["pending@x.org", "active@x.org"]) {
      const answer = await scene.call("POST", "", { username, roles: { orgRoles: ["ORG_OWNER"] } });
      expect(answer).toMatchObject({ status: usersConflict, body: { errorCode, parameters: [username] } });
    }
    expect(scene.organization.users).toEqual(before);
    expect(scene.atlas.mails).toHaveLength(1);
  },
);

test("a username that Atlas stores in another spelling conflicts with and is found by the given one", async () => {
  const storesUsername = (username: string) => username.replace("bücher", "xn--bcher-kva");
  await using scene = await start({ storesUsername });
  const body = { username: "ada@bücher.example", roles: { orgRoles: ["ORG_MEMBER"] } };
  const stored = { username: "ada@xn--bcher-kva.example" };

  expect(await scene.call("POST", "", body)).toMatchObject({ status: 201, body: stored });
  expect((await scene.call("POST", "", body)).status).toBe(409);
  const query = `?username=${encodeURIComponent(body.username)}`;
  expect((await scene.list(query)).results).toMatchObject([stored]);
});

test.each(["expired@x.org", "rejected@x.org"])("inviting %s replaces what was", async (username) => {
  await using scene = await startWithEverybody();
  const old = scene.organization.find(username);

  const created = await scene.call("POST", "", { username, roles: { orgRoles: ["ORG_OWNER"] } });

  expect(created.status).toBe(201);
  expect(created.body.id).not.toBe(old?.userId);
  expect(scene.organization.users).toHaveLength(4);
  expect(scene.organization.find(username)).toMatchObject({ status: "PENDING", roles: ["ORG_OWNER"] });
});

test("an update changes only what is given, and empty lists reset", async () => {
  await using scene = await start();
  const before = scene.organization.invite("ada@example.com", {
    teamIds: [team],
    groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER"] }],
  });

  const roles = await scene.call("PATCH", `/${before.userId}`, { roles: { orgRoles: ["ORG_OWNER"] } });
  expect(roles).toMatchObject({ status: 200, body: { roles: { orgRoles: ["ORG_OWNER"] } } });
  expect(scene.organization.users).toEqual([{ ...before, roles: ["ORG_OWNER"] }]);

  await scene.call("PATCH", `/${before.userId}`, {
    roles: { orgRoles: ["ORG_OWNER"], groupRoleAssignments: [] },
    teamIds: [],
  });
  expect(scene.organization.users).toEqual([
    { ...before, roles: ["ORG_OWNER"], teamIds: [], groupRoleAssignments: [] },
  ]);
});

test("a member is updated like somebody pending", async () => {
  await using scene = await start();
  const { userId } = scene.organization.addMember("ada@example.com");

  const updated = await scene.call("PATCH", `/${userId}`, { teamIds: [team] });

  expect(updated).toMatchObject({ status: 200, body: { orgMembershipStatus: "ACTIVE", teamIds: [team] } });
  expect(scene.organization.find("ada@example.com")).toMatchObject({ status: "ACTIVE", teamIds: [team] });
});

test.each([
  ["no username", { roles: { orgRoles: ["ORG_MEMBER"] } }],
  ["no roles", { username: "ada@example.com" }],
  ["roles in the form of the invitations API", { username: "ada@example.com", roles: ["ORG_MEMBER"] }],
])("refuses to create with %s", async (_, body) => {
  await using scene = await start();

  expect((await scene.call("POST", "", body)).status).toBe(400);
  expect(scene.organization.users).toEqual([]);
});

test.each([
  ["no roles of the organization", { roles: { orgRoles: [] } }],
  ["roles without those of the organization", { roles: { groupRoleAssignments: [] } }],
  ["roles in the form of the invitations API", { roles: ["ORG_OWNER"] }],
  ["a username", { username: "ada@example.com", teamIds: [] }],
  [
    "project roles in the form of the invitations API",
    {
      roles: {
        orgRoles: ["ORG_OWNER"],
        groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER"] }],
      },
    },
  ],
])("refuses to update with %s", async (_, body) => {
  await using scene = await start();
  const before = scene.organization.addMember("ada@example.com");

  expect((await scene.call("PATCH", `/${before.userId}`, body)).status).toBe(400);
  expect(scene.organization.users).toEqual([before]);
});

test("deleting cancels a pending invitation in both families", async () => {
  await using scene = await start();
  const { userId } = scene.organization.invite("ada@example.com");

  expect(await scene.call("DELETE", `/${userId}`)).toMatchObject({ status: 204, text: "" });
  expect(scene.organization.users).toEqual([]);
  expect((await scene.caller.v2("GET", scene.invites)).body).toEqual([]);
});

test("deleting removes a member just as well", async () => {
  await using scene = await start();
  const { userId } = scene.organization.addMember("ada@example.com");

  expect((await scene.call("DELETE", `/${userId}`)).status).toBe(204);
  expect(scene.organization.users).toEqual([]);
});

test("who expired or rejected is not in the organization, and an unknown id is nobody", async () => {
  await using scene = await startWithEverybody();
  const before = scene.organization.users;

  for (const username of ["expired@x.org", "rejected@x.org"]) {
    const id = before.find((user) => user.username === username)?.userId;
    for (const [method, body] of [["GET"], ["PATCH", { teamIds: [team] }], ["DELETE"]] as const) {
      const answer = await scene.call(method, `/${id}`, body);
      expect(answer).toMatchObject({ status: 404, body: { errorCode: "USER_NOT_IN_ORG" } });
    }
    expect((await scene.call("GET", `/${id}?${allStatuses}`)).body.username).toBe(username);
  }
  expect(await scene.call("DELETE", `/${team}`)).toMatchObject({
    status: 404,
    body: { errorCode: "USER_NOT_FOUND" },
  });
  expect(scene.organization.users).toEqual(before);
});

test("an invitation's id is no user id", async () => {
  await using scene = await start();
  const { invitationId } = scene.organization.invite("ada@example.com");

  expect((await scene.call("DELETE", `/${invitationId}`)).status).toBe(404);
  expect(scene.organization.invitations).toHaveLength(1);
});
