import { describe, expect, test } from "vitest";
import { startScene } from "./caller.ts";

const sentAt = Date.parse("2026-08-10T03:03:37.500Z");
const team = "5f0000000000000000000001";
const project = "5f0000000000000000000002";
const unknownId = "5f0000000000000000000003";

describe.each(["v1", "v2"] as const)("the invitations of %s", (generation) => {
  async function start(options?: Parameters<typeof startScene>[0]) {
    const started = await startScene({ now: () => sentAt, ...options });
    const call = (method: string, path = "", body?: unknown) =>
      started.caller[generation](method, started.invites + path, body);
    return { ...started, call };
  }

  test("an invitation is created with 200, stored and mailed, and answered with the ten recorded keys", async () => {
    await using scene = await start();

    const created = await scene.call("POST", "", {
      username: "ada@example.com",
      roles: ["ORG_MEMBER"],
      teamIds: [team],
      groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] }],
    });

    const [stored] = scene.organization.invitations;
    expect(created.status).toBe(200);
    expect(created.body).toEqual({
      createdAt: "2026-08-10T03:03:37Z",
      expiresAt: "2026-09-09T03:03:37Z",
      groupRoleAssignments: [
        { groupId: project, groupRole: "GROUP_OWNER" },
        { groupId: project, groupRole: "GROUP_READ_ONLY" },
      ],
      id: stored?.invitationId,
      inviterUsername: scene.key.publicKey,
      orgId: scene.organization.id,
      orgName: "Example",
      roles: ["ORG_MEMBER"],
      teamIds: [team],
      username: "ada@example.com",
    });
    expect(stored).toMatchObject({ username: "ada@example.com", status: "PENDING", teamIds: [team] });
    expect(scene.atlas.mails).toEqual([
      { organization: scene.organization.id, username: "ada@example.com", at: "2026-08-10T03:03:37Z" },
    ]);
  });

  test("the list is a bare array of who is pending, filtered by username", async () => {
    await using scene = await start();
    for (const name of ["ada", "ben+x", "cleo", "dora"]) scene.organization.invite(`${name}@example.com`);
    scene.organization.accept("cleo@example.com");
    scene.organization.reject("dora@example.com");

    const usernames = async (query: string) =>
      (await scene.call("GET", query)).body.map(({ username }: { username: string }) => username);

    expect(await usernames("")).toEqual(["ada@example.com", "ben+x@example.com"]);
    expect(await usernames("?username=ben%2Bx%40example.com")).toEqual(["ben+x@example.com"]);
    expect(await usernames("?username=ben+x@example.com")).toEqual([]);
  });

  test("an update replaces what is given, keeps the rest and the dates, and sends no mail", async () => {
    let now = sentAt;
    await using scene = await start({ now: () => now });
    const before = scene.organization.invite("ada@example.com", {
      teamIds: [team],
      groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER"] }],
    });

    now += 1_000_000;
    const updated = await scene.call("PATCH", `/${before.invitationId}`, {
      roles: ["ORG_OWNER"],
      groupRoleAssignments: [],
    });

    expect(updated.status).toBe(200);
    expect(updated.body).toMatchObject({ roles: ["ORG_OWNER"], teamIds: [team], groupRoleAssignments: [] });
    expect(scene.organization.users).toEqual([{ ...before, roles: ["ORG_OWNER"], groupRoleAssignments: [] }]);
    expect(scene.atlas.mails).toHaveLength(1);
  });

  test("an invitation is updated by its username as well, a member is not", async () => {
    await using scene = await start();
    scene.organization.invite("ada@example.com");
    const member = scene.organization.addMember("ben@example.com");

    const updated = await scene.call("PATCH", "", { username: "ada@example.com", roles: ["ORG_OWNER"] });
    const unknown = await scene.call("PATCH", "", { username: "cleo@example.com", roles: ["ORG_OWNER"] });

    expect(updated).toMatchObject({ status: 200, body: { roles: ["ORG_OWNER"] } });
    const notFound = { status: 404, body: { errorCode: "USERNAME_NOT_FOUND" } };
    expect(unknown).toMatchObject(notFound);
    expect(
      await scene.call("PATCH", "", { username: "ben@example.com", roles: ["ORG_OWNER"] }),
    ).toMatchObject(notFound);
    expect(scene.organization.find("ben@example.com")).toEqual(member);
    expect(scene.organization.find("ada@example.com")?.roles).toEqual(["ORG_OWNER"]);
  });

  test("deleting an invitation forgets the pending user, with 204 and no body", async () => {
    await using scene = await start();
    const { invitationId } = scene.organization.invite("ada@example.com");

    const deleted = await scene.call("DELETE", `/${invitationId}`);

    expect(deleted).toMatchObject({ status: 204, text: "" });
    expect(deleted.headers.get("content-length")).toBeNull();
    expect(deleted.headers.get("content-type")).toMatch(/^application\/.*json/);
    expect(scene.organization.users).toEqual([]);
  });

  test.each(["accept", "reject", "expire", "cancel"] as const)(
    "after somebody's %s the invitation's id is not valid any more, and nothing changes",
    async (act) => {
      await using scene = await start();
      const { invitationId } = scene.organization.invite("ada@example.com");
      scene.organization[act]("ada@example.com");
      const before = scene.organization.users;

      const get = await scene.call("GET", `/${invitationId}`);
      const patch = await scene.call("PATCH", `/${invitationId}`, { roles: ["ORG_OWNER"] });
      const remove = await scene.call("DELETE", `/${invitationId}`);

      expect([get.status, patch.status, remove.status]).toEqual([404, 404, 400]);
      for (const { body } of [get, patch, remove]) {
        expect(body).toMatchObject({ errorCode: "INVALID_INVITATION_ID", parameters: [invitationId] });
      }
      expect(scene.organization.users).toEqual(before);
    },
  );

  test("an invitation that ran out can be set to stay listed until it is deleted", async () => {
    await using scene = await start({ listsExpired: true });
    const { invitationId } = scene.organization.invite("ada@example.com");
    scene.organization.expire("ada@example.com");
    const [expired] = scene.organization.users;
    const shown = { id: invitationId, username: "ada@example.com", expiresAt: "2026-08-10T03:03:37Z" };

    expect((await scene.call("GET")).body).toMatchObject([shown]);
    expect(await scene.call("GET", `/${invitationId}`)).toMatchObject({ status: 200, body: shown });
    const user = { orgMembershipStatus: "INVITATION_EXPIRED", username: "ada@example.com" };
    expect(
      (await scene.caller.v2("GET", `${scene.users}?orgMembershipStatuses=INVITATION_EXPIRED`)).body.results,
    ).toMatchObject([user]);

    const refused = { status: 400, body: { errorCode: "ALREADY_EXPIRED" } };
    const roles = ["ORG_OWNER"];
    expect(await scene.call("PATCH", `/${invitationId}`, { roles })).toMatchObject(refused);
    expect(await scene.call("PATCH", "", { username: "ada@example.com", roles })).toMatchObject(refused);
    expect(scene.organization.users).toEqual([expired]);

    scene.organization.invite("ben@example.com");
    expect((await scene.call("DELETE", `/${invitationId}`)).status).toBe(204);
    expect(scene.organization.users).toMatchObject([{ username: "ben@example.com" }]);
  });

  test("an invitation that ran out is replaced by a new one, even if it is still listed", async () => {
    await using scene = await start({ listsExpired: true, secondInvite: "refuse" });
    scene.organization.invite("ada@example.com");
    scene.organization.expire("ada@example.com");

    const created = await scene.call("POST", "", { username: "ada@example.com", roles: ["ORG_MEMBER"] });

    expect(created.status).toBe(200);
    expect((await scene.call("GET")).body).toEqual([created.body]);
  });

  test("a rejected invitation is not listed, even if expired ones are", async () => {
    await using scene = await start({ listsExpired: true });
    scene.organization.invite("ada@example.com");
    scene.organization.reject("ada@example.com");

    expect((await scene.call("GET")).body).toEqual([]);
  });

  test("the pending user's id is no invitation id", async () => {
    await using scene = await start();
    const { userId } = scene.organization.invite("ada@example.com");

    const deleted = await scene.call("DELETE", `/${userId}`);

    expect(deleted).toMatchObject({ status: 400, body: { errorCode: "INVALID_INVITATION_ID" } });
    expect(scene.organization.invitations).toHaveLength(1);
  });

  test("the invitation of another organization is not valid here", async () => {
    await using scene = await start();
    const other = scene.atlas.addOrganization();
    const { invitationId } = other.invite("ada@example.com");

    expect((await scene.call("DELETE", `/${invitationId}`)).status).toBe(400);
    expect(other.invitations).toHaveLength(1);
  });

  test.each([
    [400, { GET: 400, DELETE: 400 }],
    [404, { GET: 404, DELETE: 404 }],
  ] as const)("the answer for an unknown invitation can be set to %s", async (goneAnswer, expected) => {
    await using scene = await start({ goneAnswer });

    for (const [method, status] of Object.entries(expected)) {
      const answer = await scene.call(method, `/${unknownId}`);
      expect(answer).toMatchObject({ status, body: { errorCode: "INVALID_INVITATION_ID", error: status } });
    }
  });

  test("the answer for an unknown invitation can be a bare 404", async () => {
    await using scene = await start({ goneAnswer: "bare" });

    expect(await scene.call("DELETE", `/${unknownId}`)).toMatchObject({ status: 404, text: "" });
  });

  test("a second invitation replaces the first and sends a second mail", async () => {
    await using scene = await start();
    const first = scene.organization.invite("ada@example.com");

    const second = await scene.call("POST", "", { username: "ada@example.com", roles: ["ORG_OWNER"] });

    expect(second.status).toBe(200);
    expect(second.body.id).not.toBe(first.invitationId);
    expect(scene.organization.users).toMatchObject([
      { invitationId: second.body.id, roles: ["ORG_OWNER"], inviterUsername: scene.key.publicKey },
    ]);
    expect(scene.atlas.mails).toHaveLength(2);
  });

  test.each([
    ["keep", 200],
    ["refuse", 400],
  ] as const)("a second invitation can be set to %s the first", async (secondInvite, status) => {
    await using scene = await start({ secondInvite });
    const first = scene.organization.invite("ada@example.com");

    const second = await scene.call("POST", "", { username: "ada@example.com", roles: ["ORG_OWNER"] });

    expect(second.status).toBe(status);
    expect(scene.organization.users).toEqual([first]);
    expect(scene.atlas.mails).toHaveLength(1);
  });

  test("a member is not invited again", async () => {
    await using scene = await start();
    const member = scene.organization.addMember("ada@example.com");

    const created = await scene.call("POST", "", { username: "ada@example.com", roles: ["ORG_OWNER"] });

    expect(created).toMatchObject({ status: 400, body: { errorCode: "USER_ALREADY_IN_ORG" } });
    expect(scene.organization.users).toEqual([member]);
    expect(scene.atlas.mails).toEqual([]);
  });

  test.each(["expire", "reject"] as const)("somebody is invited anew after %s", async (act) => {
    await using scene = await start();
    const old = scene.organization.invite("ada@example.com");
    scene.organization[act]("ada@example.com");

    const created = await scene.call("POST", "", { username: "ada@example.com", roles: ["ORG_MEMBER"] });

    expect(created.status).toBe(200);
    expect(created.body.id).not.toBe(old.invitationId);
    expect(scene.organization.users).toMatchObject([{ status: "PENDING", invitationId: created.body.id }]);
  });

  test("fields that are set to be ignored are dropped without a word on creation, not on update", async () => {
    await using scene = await start({ ignoresOnCreate: ["teamIds", "groupRoleAssignments"] });
    const access = {
      roles: ["ORG_MEMBER"],
      teamIds: [team],
      groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER"] }],
    };

    const created = await scene.call("POST", "", { username: "ada@example.com", ...access });
    expect(created).toMatchObject({ status: 200, body: { teamIds: [], groupRoleAssignments: [] } });
    await scene.call("PATCH", `/${created.body.id}`, access);
    expect(scene.organization.find("ada@example.com")).toMatchObject(access);
  });

  test.each([
    ["no username", { roles: ["ORG_MEMBER"] }, "MISSING_ATTRIBUTE"],
    ["a username that is no address", { username: "ada", roles: ["ORG_MEMBER"] }, "INVALID_EMAIL_ADDRESS"],
    ["no roles", { username: "ada@example.com" }, "MISSING_ATTRIBUTE"],
    ["an empty list of roles", { username: "ada@example.com", roles: [] }, "MISSING_ATTRIBUTE"],
    [
      "a project role for the organization",
      { username: "a@b", roles: ["GROUP_OWNER"] },
      "INVALID_ENUM_VALUE",
    ],
    ["roles that are no list", { username: "a@b", roles: "ORG_MEMBER" }, "INVALID_ATTRIBUTE"],
    [
      "project roles in the form of an answer",
      {
        username: "a@b",
        roles: ["ORG_MEMBER"],
        groupRoleAssignments: [{ groupId: "x", groupRole: "GROUP_OWNER" }],
      },
      "INVALID_ATTRIBUTE",
    ],
    [
      "project roles in the form of the users API",
      {
        username: "a@b",
        roles: ["ORG_MEMBER"],
        groupRoleAssignments: [{ groupId: "x", groupRoles: ["GROUP_OWNER"] }],
      },
      "INVALID_ATTRIBUTE",
    ],
    ["roles in the form of the users API", { username: "a@b", roles: { orgRoles: [] } }, "INVALID_ATTRIBUTE"],
    ["an unknown field", { username: "a@b", roles: ["ORG_MEMBER"], orgRoles: [] }, "INVALID_ATTRIBUTE"],
    ["a list", [], "INVALID_JSON"],
    ["text", "not JSON", "MALFORMED_JSON"],
    ["nothing", undefined, "INVALID_JSON"],
  ])("refuses to create from %s", async (_, body, errorCode) => {
    await using scene = await start();

    expect(await scene.call("POST", "", body)).toMatchObject({ status: 400, body: { errorCode } });
    expect(scene.organization.users).toEqual([]);
    expect(scene.atlas.mails).toEqual([]);
  });

  test.each([
    ["without roles", { teamIds: [] }],
    ["with a username", { username: "ada@example.com", roles: ["ORG_OWNER"] }],
  ])("refuses to update an invitation by id %s", async (_, body) => {
    await using scene = await start();
    const before = scene.organization.invite("ada@example.com");

    expect((await scene.call("PATCH", `/${before.invitationId}`, body)).status).toBe(400);
    expect(scene.organization.users).toEqual([before]);
  });

  test("strict references refuse teams and projects that are not there", async () => {
    await using scene = await start();
    scene.organization.strictReferences = true;
    const create = (access: object) =>
      scene.call("POST", "", { username: "ada@example.com", roles: ["ORG_MEMBER"], ...access });

    expect(await create({ teamIds: [team] })).toMatchObject({
      status: 404,
      body: { errorCode: "TEAM_NOT_FOUND", parameters: [team] },
    });
    expect(
      await create({ groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER"] }] }),
    ).toMatchObject({
      status: 404,
      body: {
        detail: `No group with ID ${project} exists.`,
        errorCode: "GROUP_NOT_FOUND",
        parameters: [project],
      },
    });
    expect(scene.atlas.mails).toEqual([]);

    const accepted = await create({
      teamIds: [scene.organization.addTeam()],
      groupRoleAssignments: [{ groupId: scene.organization.addProject(), roles: ["GROUP_OWNER"] }],
    });
    expect(accepted.status).toBe(200);
  });

  test("a method that is not there gets 405 without a body", async () => {
    await using scene = await start();

    expect(await scene.call("DELETE")).toMatchObject({ status: 405, text: "" });
    expect(await scene.call("PUT", `/${unknownId}`)).toMatchObject({ status: 405, text: "" });
  });

  test("usernames keep their letter case, which does not tell people apart", async () => {
    await using scene = await start({ secondInvite: "keep" });
    await scene.call("POST", "", { username: "Ada@Example.com", roles: ["ORG_MEMBER"] });
    await scene.call("POST", "", { username: "ada@example.com", roles: ["ORG_MEMBER"] });

    expect((await scene.call("GET", "?username=ADA@example.com")).body).toMatchObject([
      { username: "Ada@Example.com" },
    ]);
    expect(scene.organization.users).toHaveLength(1);
  });

  test("Atlas can be set to store another spelling of a username, and still finds it by the given one", async () => {
    const storesUsername = (username: string) => username.replace(/\+\w+@/, "@");
    await using scene = await start({ storesUsername, secondInvite: "keep" });
    const alias = { username: "Ada+work@example.com", roles: ["ORG_MEMBER"] };
    const main = { username: "Ada@example.com" };

    const created = await scene.call("POST", "", alias);
    const again = await scene.call("POST", "", alias);

    expect(created).toMatchObject({ status: 200, body: main });
    expect(again.body).toEqual(created.body);
    for (const username of ["ada%2Bwork@example.com", "ada%2Bother@example.com", "ada@example.com"]) {
      expect((await scene.call("GET", `?username=${username}`)).body).toEqual([created.body]);
    }
    expect((await scene.call("PATCH", "", alias)).body).toEqual(created.body);
    expect(scene.organization.find(alias.username)).toMatchObject(main);
    expect(scene.atlas.mails).toMatchObject([main]);
  });

  test("the letter case of usernames can be set to tell people apart", async () => {
    await using scene = await start({ usernameCase: "significant" });
    await scene.call("POST", "", { username: "Ada@example.com", roles: ["ORG_MEMBER"] });
    await scene.call("POST", "", { username: "ada@example.com", roles: ["ORG_MEMBER"] });

    expect((await scene.call("GET", "?username=ada@example.com")).body).toMatchObject([
      { username: "ada@example.com" },
    ]);
    expect(scene.organization.users).toHaveLength(2);
  });
});
