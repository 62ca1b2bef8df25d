import { expect, test } from "vitest";
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
