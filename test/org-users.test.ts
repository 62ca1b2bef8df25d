import { expect, test } from "vitest";
import type { Access } from "../provider/access.ts";
import { AtlasApiError } from "../provider/errors.ts";
import { OutdatedError } from "../provider/invitations-api.ts";
import { OrgUsers } from "../provider/org-users.ts";
import { clientScene, rejection } from "./client-scene.ts";

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
const fullBody = {
  roles: {
    orgRoles: full.roles,
    groupRoleAssignments: [
      { groupId: project, groupRoles: ["GROUP_OWNER", "GROUP_READ_ONLY"] },
      { groupId: other, groupRoles: ["GROUP_READ_ONLY"] },
    ],
  },
  teamIds: [team],
};
const noneBody = { roles: { orgRoles: ["ORG_MEMBER"], groupRoleAssignments: [] }, teamIds: [] };
const noLook = () => Promise.reject(new Error("It looked."));
const allowed = () => Promise.resolve();

async function startScene(...options: Parameters<typeof clientScene>) {
  const scene = await clientScene(...options);
  const orgId = scene.organization.id;
  const path = `/api/atlas/v2/orgs/${orgId}/users`;
  return { ...scene, api: new OrgUsers(scene.client), orgId, path };
}

/** The query of a list's page: everyone, whatever their status, and as many as there may be. */
const page = (number: number) =>
  `?itemsPerPage=500&pageNum=${number}&orgMembershipStatuses=PENDING&orgMembershipStatuses=ACTIVE&orgMembershipStatuses=INVITATION_EXPIRED&orgMembershipStatuses=INVITATION_REJECTED`;

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

  expect(await scene.api.listOrgUsers(scene.orgId)).toEqual([
    {
      username: ada,
      orgMembershipStatus: "PENDING",
      access: full,
      userId: invited.userId,
      createdAt: invited.createdAt,
      expiresAt: invited.expiresAt,
      inviterUsername: "nmtxqlkl",
    },
    {
      username: "bob@example.com",
      orgMembershipStatus: "ACTIVE",
      access: full,
      userId: member.userId,
    },
    {
      username: "late@example.com",
      orgMembershipStatus: "INVITATION_EXPIRED",
      access: none,
      userId: late?.userId,
      createdAt: late?.createdAt,
      expiresAt: late?.expiresAt,
      inviterUsername: "owner@example.com",
    },
    {
      username: "no@example.com",
      orgMembershipStatus: "INVITATION_REJECTED",
      access: none,
      userId: no?.userId,
      createdAt: no?.createdAt,
      inviterUsername: "owner@example.com",
    },
  ]);
  expect(scene.verified()).toEqual([
    {
      method: "GET",
      path: scene.path + page(1),
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

  expect(await scene.api.listOrgUsers(scene.orgId)).toEqual([]);
  expect(scene.verified()).toHaveLength(1);
});

test.each([
  [500, 1],
  [501, 2],
  [1000, 2],
  [1203, 3],
])("%i people are listed in %i pages, each of them once", async (count, pages) => {
  await using scene = await startScene();
  const names = Array.from({ length: count }, (_, index) => `person${index}@example.com`);
  for (const name of names) scene.organization.addMember(name);

  const people = await scene.api.listOrgUsers(scene.orgId);

  expect(people.map(({ username }) => username)).toEqual(names);
  expect(scene.verified().map(({ path }) => path)).toEqual(
    Array.from({ length: pages }, (_, index) => scene.path + page(index + 1)),
  );
});

test("a list that holds fewer than it counts is an error", async () => {
  await using scene = await startScene();
  const person = { id: somebody, username: ada, orgMembershipStatus: "ACTIVE", roles: {} };
  scene.atlas.fail({ status: 200, body: { results: [person], totalCount: 7 } });
  scene.atlas.fail({ status: 200, body: { results: [], totalCount: 7 } });

  const error = await rejection(scene.api.listOrgUsers(scene.orgId));

  expect(error.message).toBe(`Atlas lists 1 people of ${scene.orgId}, but counts 7. Run the command again.`);
  expect(scene.verified()).toHaveLength(2);
});

test("somebody who leaves between two pages hides nobody", async () => {
  await using scene = await startScene();
  const names = Array.from({ length: 501 }, (_, index) => `person${index}@example.com`);
  for (const name of names) scene.organization.addMember(name);
  let pages = 0;
  scene.atlas.onRequest(({ challenge }, stage) => {
    if (stage === "answered" && !challenge && ++pages === 1)
      scene.organization.removeMember("person0@example.com");
  });

  const people = await scene.api.listOrgUsers(scene.orgId);

  expect(people.map(({ username }) => username)).toEqual(names.slice(1));
  expect(scene.verified().map(({ path }) => path)).toEqual(
    [page(1), page(2), page(1)].map((query) => scene.path + query),
  );
});

test("half a list is never taken for the whole", async () => {
  await using scene = await startScene();
  for (let index = 0; index < 501; index++) scene.organization.addMember(`person${index}@example.com`);
  scene.atlas.fail({ path: /pageNum=2/, status: 501 });

  expect(await rejection(scene.api.listOrgUsers(scene.orgId))).toMatchObject({ status: 501 });
});

test("somebody is invited with all that is declared", async () => {
  await using scene = await startScene();

  const person = await scene.api.createOrgUser(scene.orgId, ada, full, noLook);

  const [stored] = scene.organization.invitations;
  expect(stored).toMatchObject({ username: ada, ...full });
  expect(person).toEqual({
    username: ada,
    orgMembershipStatus: "PENDING",
    access: full,
    userId: stored?.userId,
    createdAt: stored?.createdAt,
    expiresAt: stored?.expiresAt,
    inviterUsername: scene.key.publicKey,
  });
  expect(scene.verified()).toMatchObject([
    {
      method: "POST",
      path: scene.path,
      accept: mediaType,
      contentType: mediaType,
      body: { username: ada, ...fullBody },
      status: 201,
    },
  ]);
  expect(scene.atlas.mails).toHaveLength(1);
});

test("somebody is invited without teams and projects", async () => {
  await using scene = await startScene();

  await scene.api.createOrgUser(scene.orgId, ada, none, noLook);

  expect(scene.verified().map(({ body }) => body)).toEqual([{ username: ada, ...noneBody }]);
  expect(scene.organization.invitations).toMatchObject([none]);
});

test("an invitation is sent again after a lost answer only if a look allows it", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ cut: "before" });
  await scene.api.createOrgUser(scene.orgId, ada, none, allowed);
  expect(scene.atlas.mails).toHaveLength(1);

  scene.atlas.fail({ cut: "after" });
  const again = scene.api.createOrgUser(scene.orgId, "bob@example.com", none, noLook);
  await expect(again).rejects.toThrow("It looked.");
  expect(scene.atlas.mails).toHaveLength(2);
});

test("an invitation waits for the throttle of invitations, in which nobody else waits", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ method: "POST", status: 400, body: { errorCode: "RATE_LIMITED_IP" } });

  await scene.api.createOrgUser(scene.orgId, ada, none, allowed);
  expect(scene.slept()).toBe(60_000);

  await scene.api.listOrgUsers(scene.orgId);
  expect(scene.slept()).toBe(60_000);
});

test.each([409, 400] as const)("a conflict is an error, also as a %i", async (usersConflict) => {
  await using scene = await startScene({ usersConflict });
  scene.organization.addMember(ada);

  const error = await rejection(scene.api.createOrgUser(scene.orgId, ada, none, noLook));

  expect(error).toMatchObject({ name: "AtlasApiError", status: usersConflict });
  expect(scene.atlas.mails).toEqual([]);
});

test("a person's access is changed to all that is declared", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.addMember(ada);

  const person = await scene.api.updateOrgUser(scene.orgId, { username: ada, userId }, full);

  expect(person).toMatchObject({ username: ada, orgMembershipStatus: "ACTIVE", userId, access: full });
  expect(scene.organization.find(ada)).toMatchObject(full);
  expect(scene.verified()).toMatchObject([
    {
      method: "PATCH",
      path: `${scene.path}/${userId}`,
      accept: mediaType,
      contentType: mediaType,
      body: fullBody,
      status: 200,
    },
  ]);
});

test("the last team and project role go by empty lists", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.addMember(ada, full);

  const person = await scene.api.updateMember(scene.orgId, { username: ada, userId }, none);

  expect(person?.access).toEqual(none);
  expect(scene.verified().map(({ body }) => body)).toEqual([noneBody]);
  expect(scene.organization.find(ada)).toMatchObject(none);
});

test("a change may look before it is repeated", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.invite(ada);
  scene.atlas.fail({ cut: "before" });

  const change = scene.api.updateOrgUser(scene.orgId, { username: ada, userId }, full, noLook);

  await expect(change).rejects.toThrow("It looked.");
  expect(scene.organization.find(ada)).toMatchObject(none);
});

test("somebody is removed by one request without a body", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.invite(ada);

  expect(await scene.api.removeOrgUser(scene.orgId, { username: ada, userId }, noLook)).toBe(true);

  expect(scene.organization.users).toEqual([]);
  expect(scene.verified()).toEqual([
    {
      method: "DELETE",
      path: `${scene.path}/${userId}`,
      accept: mediaType,
      authenticated: true,
      challenge: false,
      username: scene.key.publicKey,
      status: 204,
    },
  ]);
});

test("a removal looks before it is repeated", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.invite(ada);
  scene.atlas.fail({ cut: "before" });

  const removal = scene.api.removeOrgUser(scene.orgId, { username: ada, userId }, noLook);

  await expect(removal).rejects.toThrow("It looked.");
  expect(scene.organization.users).toHaveLength(1);
});

test("a member is removed after a lost answer if they are one still", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.addMember(ada);
  scene.atlas.fail({ cut: "before" });

  expect(await scene.api.removeMember(scene.orgId, { username: ada, userId })).toBe(true);

  expect(scene.verified().map(({ method }) => method)).toEqual(["DELETE", "GET", "DELETE"]);
  expect(scene.organization.users).toEqual([]);
});

test("a member who left while the answer was lost is not removed again", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.addMember(ada);
  scene.atlas.fail({ method: "DELETE", cut: "after" });

  expect(await scene.api.removeMember(scene.orgId, { username: ada, userId })).toBeUndefined();

  expect(scene.verified().map(({ method }) => method)).toEqual(["DELETE", "GET"]);
});

test.each(["PENDING", "ACTIVE"])("who is expected to be %s and is, may be acted on", async (status) => {
  await using scene = await startScene();
  const { userId } = scene.organization.invite(ada);
  if (status === "ACTIVE") scene.organization.accept(ada);

  await scene.api.expect(status, scene.orgId, { username: ada, userId });

  expect(scene.verified()).toMatchObject([
    { method: "GET", path: `${scene.path}/${userId}`, accept: mediaType, status: 200 },
  ]);
});

test("who is not what was expected, or not there any more, may not be acted on", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.invite(ada);
  const expecting = (status: string) => scene.api.expect(status, scene.orgId, { username: ada, userId });

  await expect(expecting("ACTIVE")).rejects.toThrow(OutdatedError);
  scene.organization.accept(ada);
  await expect(expecting("PENDING")).rejects.toThrow(`${ada} is no longer PENDING.`);
  scene.organization.removeMember(ada);
  await expect(expecting("ACTIVE")).rejects.toThrow(OutdatedError);
});

test("an expired invitation is none that may be acted on", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.invite(ada);
  scene.organization.expire(ada);

  await expect(scene.api.expect("PENDING", scene.orgId, { username: ada, userId })).rejects.toThrow(
    OutdatedError,
  );
});

test("a look that fails is an error, and says nothing about the person", async () => {
  await using scene = await startScene();
  const { userId } = scene.organization.invite(ada);
  scene.atlas.fail({ status: 501 });

  const error = await rejection(scene.api.expect("PENDING", scene.orgId, { username: ada, userId }));

  expect(error).toBeInstanceOf(AtlasApiError);
  expect(error).toMatchObject({ status: 501 });
});

test.each([
  [404, undefined],
  [404, "USER_NOT_FOUND"],
  [404, "USERNAME_NOT_FOUND"],
  [404, "USER_NOT_IN_ORG"],
  [404, "INVALID_USER_ID"],
])("somebody of whom Atlas answers %i %s is unknown", async (status, errorCode) => {
  await using scene = await startScene();
  const user = { username: ada, userId: somebody };
  const body = errorCode ? { error: status, errorCode, detail: "No." } : "";
  scene.atlas.fail({ status, body, times: Number.POSITIVE_INFINITY });

  expect(await scene.api.updateOrgUser(scene.orgId, user, full)).toBeUndefined();
  expect(await scene.api.updateMember(scene.orgId, user, full)).toBeUndefined();
  expect(await scene.api.removeOrgUser(scene.orgId, user, noLook)).toBeUndefined();
  expect(await scene.api.removeMember(scene.orgId, user)).toBeUndefined();
  await expect(scene.api.expect("ACTIVE", scene.orgId, user)).rejects.toThrow(OutdatedError);
});

test.each([
  [401, "UNEXPECTED_ERROR"],
  [401, "NOT_ORG_OWNER"],
  [403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"],
  [403, "CANNOT_DEMOTE_LAST_ORG_OWNER"],
  [404, "ORG_NOT_FOUND"],
  [404, "TEAM_NOT_FOUND"],
  [404, "GROUP_NOT_FOUND"],
  [410, "VERSION_GONE"],
  [501, "UNEXPECTED_ERROR"],
])("nobody is unknown where Atlas answers %i %s", async (status, errorCode) => {
  await using scene = await startScene();
  const user = { username: ada, userId: somebody };
  const body = { error: status, errorCode, detail: "No." };
  scene.atlas.fail({ status, body, times: Number.POSITIVE_INFINITY });

  const requests: Promise<unknown>[] = [
    scene.api.listOrgUsers(scene.orgId),
    scene.api.createOrgUser(scene.orgId, ada, full, noLook),
    scene.api.updateMember(scene.orgId, user, full),
    scene.api.removeMember(scene.orgId, user),
    scene.api.expect("ACTIVE", scene.orgId, user),
  ];
  for (const error of await Promise.all(requests.map(rejection))) {
    expect(error).toMatchObject({ name: "AtlasApiError", status, errorCode });
  }
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

  const person = {
    username: ada,
    orgMembershipStatus: "ACTIVE",
    access: { roles: [], teamIds: [], groupRoleAssignments: [] },
    userId: somebody,
  };
  expect(await scene.api.listOrgUsers(scene.orgId)).toEqual([person, person]);
});

test.each([
  ["no roles", { roles: undefined }, "results.0.roles"],
  ["a list for roles", { roles: { orgRoles: "ORG_MEMBER" } }, "results.0.roles.orgRoles"],
  ["no id", { id: undefined }, "results.0.id"],
  ["an empty id", { id: "" }, "results.0.id"],
  ["no username", { username: null }, "results.0.username"],
  ["no status", { orgMembershipStatus: undefined }, "results.0.orgMembershipStatus"],
  [
    "project roles as the invitations API has them",
    { roles: { orgRoles: [], groupRoleAssignments: [{ groupId: project, groupRole: "GROUP_OWNER" }] } },
    "results.0.roles.groupRoleAssignments.0.groupRoles",
  ],
])("a user with %s is an error that says so", async (_, changes, place) => {
  await using scene = await startScene();
  const user = { id: somebody, username: ada, orgMembershipStatus: "ACTIVE", roles: { orgRoles: [] } };
  scene.atlas.fail({ status: 200, body: { results: [{ ...user, ...changes }], totalCount: 1 } });

  const error = await rejection(scene.api.listOrgUsers(scene.orgId));

  expect(error).toBeInstanceOf(AtlasApiError);
  expect(error.message).toContain(`its ${place} is missing or of another kind`);
});

test("a list that does not say how many there are is an error, not the whole", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 200, body: { results: [] } });

  const error = await rejection(scene.api.listOrgUsers(scene.orgId));

  expect(error.message).toContain("its totalCount is missing or of another kind");
});
