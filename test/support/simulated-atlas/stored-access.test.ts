import { describe, expect, test } from "vitest";
import { startScene } from "./caller.ts";
import type { Access } from "./organization.ts";

const ada = "ada@example.com";
const team = "5f0000000000000000000001";
const project = "5f0000000000000000000002";
const before: Access = {
  roles: ["ORG_MEMBER"],
  teamIds: [team],
  groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER"] }],
};
const after: Access = {
  roles: ["ORG_OWNER"],
  teamIds: [],
  groupRoleAssignments: [{ groupId: project, roles: ["GROUP_READ_ONLY"] }],
};

/** The same requests and answers in both APIs. */
const apis = {
  invitations: {
    collection: "invites",
    id: "invitationId",
    bodyOf: (access: Partial<Access>) => access,
    rolesIn: (body: { roles: string[] }) => body.roles,
  },
  users: {
    collection: "users",
    id: "userId",
    bodyOf: ({ roles, teamIds, groupRoleAssignments }: Partial<Access>) => ({
      ...(roles && {
        roles: {
          orgRoles: roles,
          ...(groupRoleAssignments && {
            groupRoleAssignments: groupRoleAssignments.map(({ groupId, roles }) => ({
              groupId,
              groupRoles: roles,
            })),
          }),
        },
      }),
      ...(teamIds && { teamIds }),
    }),
    rolesIn: (body: { roles: { orgRoles: string[] } }) => body.roles.orgRoles,
  },
} as const;

describe.each(["invitations", "users"] as const)("the access that the %s API stores", (name) => {
  const { collection, id, bodyOf, rolesIn } = apis[name];

  async function start(options?: Parameters<typeof startScene>[0]) {
    const scene = await startScene(options);
    const post = (access: Partial<Access>) =>
      scene.caller.v2("POST", scene[collection], { username: ada, ...bodyOf(access) });
    /** Changes somebody who was invited with the access `before`. */
    const patch = async (access: Partial<Access>) => {
      const invited = scene.organization.invite(ada, before);
      return scene.caller.v2("PATCH", `${scene[collection]}/${invited[id]}`, bodyOf(access));
    };
    const stored = () => {
      const { roles, teamIds, groupRoleAssignments } = scene.organization.find(ada) ?? {};
      return { roles, teamIds, groupRoleAssignments };
    };
    return { ...scene, post, patch, stored };
  }

  test.each(["roles", "teamIds", "groupRoleAssignments"] as const)(
    "an update can be set to ignore %s, and answers 200 with the old value",
    async (field) => {
      await using scene = await start({ ignoresOnUpdate: [field] });

      const updated = await scene.patch(after);

      expect(updated.status).toBe(200);
      expect(scene.stored()).toEqual({ ...after, [field]: before[field] });
      if (field === "roles") expect(rolesIn(updated.body)).toEqual(before.roles);
    },
  );

  test("an ignored field still has to be valid", async () => {
    await using scene = await start({ ignoresOnUpdate: ["roles"] });

    expect((await scene.patch({ ...after, roles: [] })).status).toBe(400);
  });

  test.each([
    ["kept", before],
    ["reset", { teamIds: [], groupRoleAssignments: [] }],
  ] as const)("teams and project roles that an update omits are %s", async (omittedOnUpdate, expected) => {
    await using scene = await start({ omittedOnUpdate });

    expect((await scene.patch({ roles: ["ORG_OWNER"] })).status).toBe(200);

    const { teamIds, groupRoleAssignments } = expected;
    expect(scene.stored()).toEqual({ roles: ["ORG_OWNER"], teamIds, groupRoleAssignments });
  });

  test("an ignored field is not reset either", async () => {
    await using scene = await start({ omittedOnUpdate: "reset", ignoresOnUpdate: ["teamIds"] });

    await scene.patch({ roles: ["ORG_OWNER"] });

    expect(scene.stored()).toEqual({ ...before, roles: ["ORG_OWNER"], groupRoleAssignments: [] });
  });

  test("an organization role that Atlas adds is stored once, on creation and on update", async () => {
    await using scene = await start({ addsRoles: ["ORG_READ_ONLY"] });

    const created = await scene.post({ roles: ["ORG_OWNER"] });
    expect(rolesIn(created.body)).toEqual(["ORG_OWNER", "ORG_READ_ONLY"]);
    scene.organization.cancel(ada);
    const updated = await scene.patch({ roles: ["ORG_READ_ONLY", "ORG_OWNER"] });
    expect(rolesIn(updated.body)).toEqual(["ORG_READ_ONLY", "ORG_OWNER"]);
    expect(scene.stored().roles).toEqual(["ORG_READ_ONLY", "ORG_OWNER"]);
  });
});

test("an update by username ignores, resets and adds as an update by id does", async () => {
  await using scene = await startScene({
    ignoresOnUpdate: ["teamIds"],
    omittedOnUpdate: "reset",
    addsRoles: ["ORG_READ_ONLY"],
  });
  scene.organization.invite(ada, before);

  await scene.caller.v1("PATCH", scene.invites, { username: ada, roles: ["ORG_OWNER"], teamIds: [] });

  expect(scene.organization.find(ada)).toMatchObject({
    roles: ["ORG_OWNER", "ORG_READ_ONLY"],
    teamIds: [team],
    groupRoleAssignments: [],
  });
});

test.each([
  ["kept", { ...before, teamIds: [] }, { ...before, roles: ["ORG_OWNER"] }],
  [
    "reset",
    { ...before, teamIds: [], groupRoleAssignments: [] },
    { ...before, roles: ["ORG_OWNER"], teamIds: [] },
  ],
] as const)(
  "a user's fields that an update omits are %s, except organization roles",
  async (omittedOnUpdate, withoutRoles, withoutTeams) => {
    await using scene = await startScene({ omittedOnUpdate });
    const { userId } = scene.organization.addMember(ada, before);
    const patch = (body: object) => scene.caller.v2("PATCH", `${scene.users}/${userId}`, body);

    await patch({ teamIds: [] });
    expect(scene.organization.find(ada)).toMatchObject(withoutRoles);

    scene.organization.change(ada, before);
    const groupRoleAssignments = [{ groupId: project, groupRoles: ["GROUP_OWNER"] }];
    await patch({ roles: { orgRoles: ["ORG_OWNER"], groupRoleAssignments } });
    expect(scene.organization.find(ada)).toMatchObject(withoutTeams);
  },
);

test("without roles in an update, Atlas adds none", async () => {
  await using scene = await startScene({ addsRoles: ["ORG_READ_ONLY"] });
  const { userId } = scene.organization.addMember(ada, before);

  await scene.caller.v2("PATCH", `${scene.users}/${userId}`, { teamIds: [] });

  expect(scene.organization.find(ada)).toMatchObject({ roles: before.roles });
});
