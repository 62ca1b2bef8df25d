import { describe, expect, test } from "vitest";
import { startScene } from "./caller.ts";

const sentAt = Date.parse("2026-08-10T03:03:37.500Z");
const thirtyDaysMs = 2_592_000_000;

test("somebody who accepts becomes a member with the access of the invitation and the same id", async () => {
  await using scene = await startScene();
  const access = { roles: ["ORG_OWNER"], teamIds: ["t"] };
  const { userId } = scene.organization.invite("ada@example.com", access);

  scene.organization.accept("ada@example.com");

  const member = scene.organization.find("ada@example.com");
  expect(member).toMatchObject({ status: "ACTIVE", userId, ...access });
  expect(member).not.toHaveProperty("invitationId");
  expect(scene.organization.invitations).toEqual([]);
});

test("accepting can be set to give another id", async () => {
  await using scene = await startScene({ newIdOnAcceptance: true });
  const { userId } = scene.organization.invite("ada@example.com");

  scene.organization.accept("ada@example.com");

  expect(scene.organization.find("ada@example.com")?.userId).not.toBe(userId);
});

test("an invitation expires after exactly 30 days, whatever was changed meanwhile", async () => {
  let now = sentAt;
  await using scene = await startScene({ now: () => now });
  const { invitationId } = scene.organization.invite("ada@example.com");
  const path = `${scene.invites}/${invitationId}`;

  now = Date.parse("2026-09-09T03:03:36.999Z");
  expect((await scene.caller.v2("PATCH", path, { roles: ["ORG_OWNER"] })).status).toBe(200);
  now += 1;
  expect((await scene.caller.v2("GET", path)).status).toBe(404);
  expect((await scene.caller.v2("GET", scene.invites)).body).toEqual([]);
  expect(scene.organization.find("ada@example.com")).toMatchObject({
    status: "INVITATION_EXPIRED",
    expiresAt: "2026-09-09T03:03:37Z",
  });
});

test("an invitation that is made to expire looks as if it had been sent 30 days ago", async () => {
  await using scene = await startScene({ now: () => sentAt + thirtyDaysMs });
  scene.organization.invite("ada@example.com");

  scene.organization.expire("ada@example.com");

  expect(scene.organization.users).toMatchObject([
    {
      status: "INVITATION_EXPIRED",
      createdAt: "2026-08-10T03:03:37Z",
      expiresAt: "2026-09-09T03:03:37Z",
    },
  ]);
});

test("people act only on what is there", async () => {
  await using scene = await startScene();
  const { organization } = scene;
  organization.addMember("ada@example.com");
  organization.invite("ben@example.com");
  organization.reject("ben@example.com");

  for (const act of ["accept", "reject", "expire", "cancel"] as const) {
    expect(() => organization[act]("ada@example.com")).toThrow("ada@example.com is ACTIVE, not PENDING");
    expect(() => organization[act]("nobody@example.com")).toThrow("nobody@example.com is unknown");
  }
  expect(() => organization.removeMember("ben@example.com")).toThrow("INVITATION_REJECTED, not ACTIVE");
  expect(() => organization.change("ben@example.com", {})).toThrow("not PENDING or ACTIVE");
  expect(() => organization.changeAddress("ben@example.com", "b@example.com")).toThrow(
    "not PENDING or ACTIVE",
  );
  expect(organization.users.map(({ status }) => status)).toEqual(["ACTIVE", "INVITATION_REJECTED"]);
});

test("owners cancel, remove and change people in the UI, without a request", async () => {
  await using scene = await startScene();
  const { organization } = scene;
  organization.invite("ada@example.com");
  organization.invite("ben@example.com");
  organization.addMember("cleo@example.com");
  organization.addMember("dora@example.com");

  organization.cancel("ada@example.com");
  organization.change("ben@example.com", { teamIds: ["t"] });
  organization.removeMember("cleo@example.com");
  organization.change("dora@example.com", { roles: ["ORG_OWNER"] });

  expect(organization.users).toMatchObject([
    { username: "ben@example.com", status: "PENDING", roles: ["ORG_MEMBER"], teamIds: ["t"] },
    { username: "dora@example.com", status: "ACTIVE", roles: ["ORG_OWNER"] },
  ]);
  expect(scene.atlas.requests).toEqual([]);
});

test("an address changes, and both ids stay", async () => {
  await using scene = await startScene({ storesUsername: (username) => username.replace("+new", "") });
  const { organization } = scene;
  const member = organization.addMember("ada@example.com");
  const invited = organization.invite("ben@example.com");

  organization.changeAddress("ada@example.com", "Augusta@example.com");
  organization.changeAddress("ben@example.com", "benjamin+new@example.com");

  const renamed = [
    { ...member, username: "Augusta@example.com" },
    { ...invited, username: "benjamin@example.com" },
  ];
  expect(organization.users).toEqual(renamed);
  expect(organization.find("augusta@example.com")).toEqual(renamed[0]);
  expect(organization.find("ada@example.com")).toBeUndefined();
  const { body } = await scene.caller.v2("GET", `${scene.users}/${member.userId}`);
  expect(body).toMatchObject({ id: member.userId, username: "Augusta@example.com" });
});

test("a member who is added while invited is a member once", async () => {
  await using scene = await startScene();
  scene.organization.invite("ada@example.com");

  scene.organization.addMember("Ada@example.com");

  expect(scene.organization.users).toMatchObject([{ username: "Ada@example.com", status: "ACTIVE" }]);
});

test("what a test was given does not change with the store, nor the store with it", async () => {
  await using scene = await startScene();
  const roles = ["ORG_MEMBER"];
  const invited = scene.organization.invite("ada@example.com", { roles });
  const [seen] = scene.organization.users;

  roles.push("ORG_OWNER");
  seen?.roles.push("ORG_OWNER");
  scene.organization.accept("ada@example.com");

  expect(invited.status).toBe("PENDING");
  expect(scene.organization.find("ada@example.com")?.roles).toEqual(["ORG_MEMBER"]);
});

test("organizations know nothing of each other's people", async () => {
  await using scene = await startScene();
  const other = scene.atlas.addOrganization();
  scene.organization.invite("ada@example.com");

  expect(other.users).toEqual([]);
  expect(other.id).toMatch(/^[0-9a-f]{24}$/);
  expect(other.id).not.toBe(scene.organization.id);
});

test("somebody who is restored is stored as given, in place of what was there, without a mail", async () => {
  await using scene = await startScene();
  const { organization, atlas } = scene;
  organization.invite("ada@example.com");
  const person = { ...organization.addMember("grace@example.com"), username: "Ada@example.com" };
  organization.removeMember("grace@example.com");

  organization.restore(person);

  expect(organization.users).toEqual([person]);
  expect(atlas.mails).toHaveLength(1);
});

describe("somebody with an invitation who joined by single sign-on", () => {
  const access = { roles: ["ORG_READ_ONLY"], teamIds: ["t"] };

  async function start(options?: Parameters<typeof startScene>[0]) {
    const scene = await startScene(options);
    const pending = scene.organization.invite("ada@example.com", { roles: ["ORG_OWNER"] });
    const active = scene.organization.joinBySingleSignOn("Ada@example.com", access);
    const invited = async () => (await scene.caller.v2("GET", scene.invites)).body;
    const listed = async (query = "") => (await scene.caller.v2("GET", scene.users + query)).body.results;
    return { ...scene, pending, active, invited, listed };
  }

  test("is a member, and still pending among the invitations", async () => {
    await using scene = await start();

    expect(scene.active).toMatchObject({ status: "ACTIVE", ...access });
    expect(scene.active.userId).not.toBe(scene.pending.userId);
    expect(scene.organization.users).toEqual([scene.pending, scene.active]);
    expect(scene.organization.find("ada@example.com")).toEqual(scene.active);
    expect(await scene.invited()).toMatchObject([{ id: scene.pending.invitationId, roles: ["ORG_OWNER"] }]);
  });

  test("is listed among the users once", async () => {
    await using scene = await start();

    const member = [{ id: scene.active.userId, orgMembershipStatus: "ACTIVE" }];
    expect(await scene.listed()).toMatchObject(member);
    expect(await scene.listed("?username=ada@example.com")).toMatchObject(member);
    expect(await scene.listed("?orgMembershipStatuses=PENDING")).toEqual([]);
  });

  test("can be set to be listed among the users twice", async () => {
    await using scene = await start({ showsPendingBesideActive: true });

    const both = [
      { id: scene.pending.userId, orgMembershipStatus: "PENDING" },
      { id: scene.active.userId, orgMembershipStatus: "ACTIVE" },
    ];
    expect(await scene.listed()).toMatchObject(both);
    expect(await scene.listed("?username=ada@example.com")).toMatchObject(both);
  });

  test("is not invited again", async () => {
    await using scene = await start();
    const invite = (path: string, roles: unknown) =>
      scene.caller.v2("POST", path, { username: "ada@example.com", roles });

    expect((await invite(scene.invites, ["ORG_MEMBER"])).status).toBe(400);
    expect((await invite(scene.users, { orgRoles: ["ORG_MEMBER"] })).status).toBe(409);
    expect(scene.organization.users).toEqual([scene.pending, scene.active]);
  });

  test("loses exactly the entry that is deleted by its id", async () => {
    for (const id of ["invitationId", "userId"] as const) {
      await using scene = await start();
      const collection = id === "userId" ? scene.users : scene.invites;
      const deleted = await scene.caller.v2("DELETE", `${collection}/${scene.pending[id]}`);
      expect([deleted.status, scene.organization.users]).toEqual([204, [scene.active]]);
    }
    await using scene = await start();
    const deleted = await scene.caller.v2("DELETE", `${scene.users}/${scene.active.userId}`);
    expect([deleted.status, scene.organization.users]).toEqual([204, [scene.pending]]);
  });

  test("is changed in exactly the entry that is updated by its id or as an invitation", async () => {
    await using scene = await start();
    const { pending, active } = scene;

    await scene.caller.v2("PATCH", scene.invites, { username: "ada@example.com", roles: ["ORG_MEMBER"] });
    expect(scene.organization.users).toEqual([{ ...pending, roles: ["ORG_MEMBER"] }, active]);
    await scene.caller.v2("PATCH", `${scene.users}/${pending.userId}`, { teamIds: ["u"] });
    await scene.caller.v2("PATCH", `${scene.users}/${active.userId}`, { teamIds: [] });

    expect(scene.organization.users).toEqual([
      { ...pending, roles: ["ORG_MEMBER"], teamIds: ["u"] },
      { ...active, teamIds: [] },
    ]);
  });

  test("is one member after accepting, too", async () => {
    await using scene = await start();

    scene.organization.accept("ada@example.com");

    expect(scene.organization.users).toEqual([scene.active]);
  });
});

describe("answers that show one person in another way", () => {
  test("do so in every answer of both APIs, and only there", async () => {
    await using scene = await startScene();
    const { organization, caller, invites, users } = scene;
    organization.rewrite("Ada@example.com", ({ id, ...view }) => ({ ...view, roles: null, id: ".." }));
    const broken = { roles: null, id: ".." };

    const body = { username: "ada@example.com", roles: ["ORG_OWNER"] };
    expect((await caller.v2("POST", invites, body)).body).toMatchObject(broken);
    organization.invite("ben@example.com");
    const [stored] = organization.users;
    const invite = `${invites}/${stored?.invitationId}`;
    const user = `${users}/${stored?.userId}`;

    expect((await caller.v2("GET", invites)).body).toMatchObject([broken, { roles: ["ORG_MEMBER"] }]);
    expect((await caller.v1("GET", invite)).body).toMatchObject(broken);
    expect((await caller.v1("PATCH", invite, { roles: ["ORG_OWNER"] })).body).toMatchObject(broken);
    expect((await caller.v2("GET", users)).body.results).toMatchObject([
      broken,
      { roles: { orgRoles: ["ORG_MEMBER"] } },
    ]);
    expect((await caller.v2("GET", user)).body).toMatchObject(broken);
    expect((await caller.v2("PATCH", user, { teamIds: [] })).body).toMatchObject(broken);
    expect((await caller.v2("DELETE", user)).status).toBe(204);
    const created = await caller.v2("POST", users, { ...body, roles: { orgRoles: ["ORG_OWNER"] } });
    expect(created).toMatchObject({ status: 201, body: broken });
    expect(organization.find("ada@example.com")).toMatchObject({
      status: "PENDING",
      roles: ["ORG_OWNER"],
      userId: expect.stringMatching(/^[0-9a-f]{24}$/),
    });
  });

  test.each([
    ["without a field", ({ inviterUsername, ...view }: Record<string, unknown>) => view],
    ["with another status", (view: object) => ({ ...view, orgMembershipStatus: "SUSPENDED" })],
    ["with a new field", (view: object) => ({ ...view, links: [] })],
    ["as nothing", () => null],
  ])("may show them %s", async (_, rewrite) => {
    await using scene = await startScene();
    scene.organization.invite("ada@example.com");
    const invites = (await scene.caller.v2("GET", scene.invites)).body;
    const { results } = (await scene.caller.v2("GET", scene.users)).body;

    scene.organization.rewrite("ada@example.com", rewrite);

    expect((await scene.caller.v2("GET", scene.invites)).body).toEqual(invites.map(rewrite));
    expect((await scene.caller.v2("GET", scene.users)).body.results).toEqual(results.map(rewrite));
  });

  test("do what was told last, to members as well, without a change of what is stored", async () => {
    await using scene = await startScene();
    const member = scene.organization.addMember("ada@example.com");

    scene.organization.rewrite("ada@example.com", () => null);
    scene.organization.rewrite("ada@example.com", (view) => {
      (view.teamIds as string[]).push("t");
      return view;
    });

    expect((await scene.caller.v2("GET", scene.users)).body.results).toMatchObject([{ teamIds: ["t"] }]);
    expect(scene.organization.users).toEqual([member]);
  });
});

test("only a pending entry has a valid invitation id, whatever else is remembered", async () => {
  await using scene = await startScene();
  const pending = scene.organization.invite("ada@example.com");
  scene.organization.cancel("ada@example.com");
  scene.organization.remember({ ...pending, status: "INVITATION_REJECTED" });

  expect((await scene.caller.v2("GET", scene.invites)).body).toEqual([]);
  expect((await scene.caller.v2("DELETE", `${scene.invites}/${pending.invitationId}`)).status).toBe(400);
});

test("an older entry of an address stays beside a newer one, which is found first", async () => {
  await using scene = await startScene();
  const { organization } = scene;
  organization.invite("ada@example.com");
  organization.reject("ada@example.com");
  const rejected = organization.users;
  const member = { ...organization.addMember("grace@example.com"), username: "ada@example.com" };
  organization.removeMember("grace@example.com");

  organization.remember(member);

  expect(organization.users).toEqual([...rejected, member]);
  expect(organization.find("ada@example.com")).toEqual(member);
  const statuses = "orgMembershipStatuses=ACTIVE&orgMembershipStatuses=INVITATION_REJECTED";
  const { body } = await scene.caller.v2("GET", `${scene.users}?username=ada@example.com&${statuses}`);
  expect(body.results.map(({ id }: { id: string }) => id)).toEqual([rejected[0]?.userId, member.userId]);
  organization.removeMember("ada@example.com");
  expect(organization.users).toEqual(rejected);
});
