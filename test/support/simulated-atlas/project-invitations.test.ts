import { expect, test } from "vitest";
import { startScene } from "./caller.ts";

const ada = "ada@example.com";
const groupId = "5f0000000000000000000002";
const roles = ["GROUP_OWNER", "GROUP_READ_ONLY"];

async function start(options?: Parameters<typeof startScene>[0]) {
  const scene = await startScene(options);
  const invited = scene.organization.inviteToProject(ada, { groupId, groupName: "Web", roles });
  return {
    ...scene,
    invited,
    invite: `${scene.invites}/${invited.invitationId}`,
    user: `${scene.users}/${invited.userId}`,
  };
}

test("an invitation to a project is mailed, and listed with the project among the organization's", async () => {
  await using scene = await start();

  const { body } = await scene.caller.v2("GET", scene.invites);

  expect(scene.atlas.mails).toMatchObject([{ username: ada }]);
  expect(body).toMatchObject([
    {
      id: scene.invited.invitationId,
      orgId: scene.organization.id,
      username: ada,
      groupId,
      groupName: "Web",
      roles,
      groupRoleAssignments: [],
      teamIds: [],
    },
  ]);
  expect((await scene.caller.v1("GET", scene.invite)).body).toEqual(body[0]);
});

test("the users API shows somebody pending, without a role in the organization", async () => {
  await using scene = await start();

  const { body } = await scene.caller.v2("GET", scene.users);

  expect(body.results).toMatchObject([
    {
      id: scene.invited.userId,
      orgMembershipStatus: "PENDING",
      username: ada,
      roles: { orgRoles: [], groupRoleAssignments: [{ groupId, groupRoles: roles }] },
    },
  ]);
  expect((await scene.caller.v2("GET", scene.user)).body).toEqual(body.results[0]);
});

test("the users API can be set to hide somebody who is invited to a project", async () => {
  await using scene = await start({ showsProjectInvitations: false });

  expect((await scene.caller.v2("GET", scene.users)).body).toMatchObject({ results: [], totalCount: 0 });
  expect(await scene.caller.v2("GET", scene.user)).toMatchObject({
    status: 404,
    body: { errorCode: "USER_NOT_IN_ORG" },
  });
  expect((await scene.caller.v2("GET", scene.invites)).body).toHaveLength(1);
});

test("an invitation to a project is not changed or cancelled through the organization", async () => {
  await using scene = await start();
  const orgRoles = ["ORG_OWNER"];

  for (const call of [scene.caller.v1, scene.caller.v2]) {
    expect(await call.call(scene.caller, "DELETE", scene.invite)).toMatchObject({
      status: 400,
      body: { errorCode: "CANNOT_DELETE_GROUP_INVITATION" },
    });
  }
  expect(await scene.caller.v2("PATCH", scene.invite, { roles: orgRoles })).toMatchObject({
    status: 404,
    body: { errorCode: "INVALID_INVITATION_ID" },
  });
  expect(await scene.caller.v2("PATCH", scene.invites, { username: ada, roles: orgRoles })).toMatchObject({
    status: 404,
    body: { errorCode: "USERNAME_NOT_FOUND" },
  });
  const notInOrganization = { status: 404, body: { errorCode: "USER_NOT_IN_ORG" } };
  expect(await scene.caller.v2("DELETE", scene.user)).toMatchObject(notInOrganization);
  expect(await scene.caller.v2("PATCH", scene.user, { roles: { orgRoles } })).toMatchObject(
    notInOrganization,
  );
  expect(scene.organization.users).toEqual([scene.invited]);
});

test("an invitation to the organization beside it is changed and cancelled as usual", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite(ada);
  const toProject = scene.organization.inviteToProject(ada, { groupId, roles });

  const body = { username: ada, roles: ["ORG_OWNER"] };
  expect(await scene.caller.v2("PATCH", scene.invites, body)).toMatchObject({ status: 200, body });
  expect((await scene.caller.v2("DELETE", `${scene.invites}/${invitationId}`)).status).toBe(204);

  expect(scene.organization.users).toEqual([toProject]);
});

test("who accepts an invitation to a project is a member of the organization, too", async () => {
  await using scene = await start();

  scene.organization.accept(ada);

  expect(scene.organization.find(ada)).toMatchObject({
    status: "ACTIVE",
    roles: ["ORG_MEMBER"],
    groupRoleAssignments: [{ groupId, roles }],
  });
  expect((await scene.caller.v2("DELETE", scene.user)).status).toBe(204);
});
