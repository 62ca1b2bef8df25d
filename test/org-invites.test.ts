import { describe, expect, test } from "vitest";
import type { Access } from "../provider/access.ts";
import { AtlasApiError } from "../provider/errors.ts";
import { INVITES, OrgInvites } from "../provider/org-invites.ts";
import { OrgUsers } from "../provider/org-users.ts";
import { clientScene, rejection } from "./client-scene.ts";

const ada = "ada@example.com";
const team = "5f0000000000000000000001";
const project = "5f0000000000000000000002";
const other = "5f0000000000000000000003";
const somebody = "6a793f89c0eb9e7a177165b6";
const none: Access = { roles: ["ORG_MEMBER"], teamIds: [], groupRoleAssignments: [] };
const full: Access = {
  roles: ["ORG_MEMBER", "ORG_READ_ONLY"],
  teamIds: [team],
  groupRoleAssignments: [
    { groupId: project, roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] },
    { groupId: other, roles: ["GROUP_READ_ONLY"] },
  ],
};
const noLook = () => Promise.reject(new Error("It looked."));

/** Both generations: where they are, and in which media type they speak. */
const GENERATIONS = [
  ["v1.0", "/api/atlas/v1.0/orgs", "application/json"],
  ["v2", "/api/atlas/v2/orgs", "application/vnd.atlas.2023-01-01+json"],
] as const;

describe.each(GENERATIONS)("the invitations of %s", (generation, root, mediaType) => {
  async function startScene(...options: Parameters<typeof clientScene>) {
    const scene = await clientScene(...options);
    const { client, organization } = scene;
    const api = new OrgInvites(client, new OrgUsers(client), INVITES[generation]);
    return { ...scene, api, orgId: organization.id, path: `${root}/${organization.id}/invites` };
  }

  test("are listed by one request", async () => {
    await using scene = await startScene();
    const person = scene.organization.invite("Ada@Example.com", { ...full, inviterUsername: "nmtxqlkl" });
    scene.organization.invite("bob@example.com");

    const people = await scene.api.listOrgInvites(scene.orgId);

    expect(people).toEqual([
      {
        username: ada,
        orgMembershipStatus: "PENDING",
        access: full,
        invitationId: person.invitationId,
        createdAt: person.createdAt,
        expiresAt: person.expiresAt,
        inviterUsername: "nmtxqlkl",
        orgName: "Example",
      },
      expect.objectContaining({ username: "bob@example.com", access: none }),
    ]);
    expect(scene.verified()).toEqual([
      {
        method: "GET",
        path: scene.path,
        accept: mediaType,
        authenticated: true,
        challenge: false,
        username: scene.key.publicKey,
        status: 200,
      },
    ]);
  });

  test("are those that are pending, and no members", async () => {
    await using scene = await startScene();
    scene.organization.addMember("member@example.com");
    scene.organization.invite("late@example.com");
    scene.organization.expire("late@example.com");
    scene.organization.invite("no@example.com");
    scene.organization.reject("no@example.com");

    expect(await scene.api.listOrgInvites(scene.orgId)).toEqual([]);
  });

  test("are looked up first, then everyone the organization knows", async () => {
    await using scene = await startScene();
    scene.organization.invite(ada);
    scene.organization.addMember("bob@example.com");

    const lists = await Promise.all(scene.api.lists.map((list) => list(scene.orgId)));

    expect(lists.map((people) => people.map(({ username }) => username))).toEqual([
      [ada],
      [ada, "bob@example.com"],
    ]);
    expect(lists[0]?.[0]?.invitationId).toBeDefined();
    expect(lists[1]?.[0]?.userId).toBeDefined();
  });

  test("are made with all that is declared", async () => {
    await using scene = await startScene();

    const person = await scene.api.createOrgInvite(scene.orgId, ada, full, noLook);

    const [stored] = scene.organization.invitations;
    expect(stored).toMatchObject({ username: ada, ...full });
    expect(person).toEqual({
      username: ada,
      orgMembershipStatus: "PENDING",
      access: full,
      invitationId: stored?.invitationId,
      createdAt: stored?.createdAt,
      expiresAt: stored?.expiresAt,
      // Recorded: the public key, where an API key invites.
      inviterUsername: scene.key.publicKey,
      orgName: "Example",
    });
    expect(scene.verified()).toMatchObject([
      {
        method: "POST",
        path: scene.path,
        accept: mediaType,
        contentType: mediaType,
        body: { username: ada, ...full },
        status: 200,
      },
    ]);
  });

  test("are made without the lists that are empty", async () => {
    await using scene = await startScene();

    await scene.api.createOrgInvite(scene.orgId, ada, none, noLook);

    expect(scene.verified().map(({ body }) => body)).toEqual([{ username: ada, roles: ["ORG_MEMBER"] }]);
    expect(scene.organization.invitations).toMatchObject([none]);
  });

  test("are told as they are, not as they were asked for", async () => {
    await using scene = await startScene({ ignoresOnCreate: ["teamIds", "groupRoleAssignments"] });

    const { access } = await scene.api.createOrgInvite(scene.orgId, ada, full, noLook);

    expect(access).toEqual({ ...none, roles: full.roles });
  });

  test("are sent again after a lost answer only if a look allows it", async () => {
    await using scene = await startScene();
    scene.atlas.fail({ cut: "before" });
    let looks = 0;
    const look = async () => {
      looks += 1;
    };

    await scene.api.createOrgInvite(scene.orgId, ada, none, look);

    expect(looks).toBe(1);
    expect(scene.atlas.mails).toHaveLength(1);

    scene.atlas.fail({ cut: "after" });
    const again = scene.api.createOrgInvite(scene.orgId, "bob@example.com", none, noLook);
    await expect(again).rejects.toThrow("It looked.");
    expect(scene.atlas.mails).toHaveLength(2);
  });

  test("wait for the throttle of invitations, in which nobody else waits", async () => {
    await using scene = await startScene();
    scene.atlas.fail({ method: "POST", status: 400, body: { errorCode: "RATE_LIMITED_IP" } });
    const allowed = () => Promise.resolve();

    await scene.api.createOrgInvite(scene.orgId, ada, none, allowed);
    expect(scene.slept()).toBe(60_000);

    await scene.api.listOrgInvites(scene.orgId);
    expect(scene.slept()).toBe(60_000);
  });

  test("are changed to all that is declared", async () => {
    await using scene = await startScene();
    const { invitationId, createdAt } = scene.organization.invite(ada);

    const person = await scene.api.updateOrgInvite(scene.orgId, { username: ada, invitationId }, full);

    expect(person).toMatchObject({ username: ada, access: full, invitationId, createdAt });
    expect(scene.organization.invitations).toMatchObject([{ invitationId, ...full }]);
    expect(scene.verified()).toMatchObject([
      {
        method: "PATCH",
        path: `${scene.path}/${invitationId}`,
        accept: mediaType,
        contentType: mediaType,
        body: full,
        status: 200,
      },
    ]);
    expect(scene.atlas.mails).toHaveLength(1);
  });

  test("lose their last team and project role by empty lists", async () => {
    await using scene = await startScene();
    const { invitationId } = scene.organization.invite(ada, full);

    const person = await scene.api.updateOrgInvite(scene.orgId, { username: ada, invitationId }, none);

    expect(person?.access).toEqual(none);
    expect(scene.verified().map(({ body }) => body)).toEqual([none]);
    expect(scene.organization.invitations).toMatchObject([none]);
  });

  test("are sent no more of a person than their access", async () => {
    await using scene = await startScene();
    const { invitationId } = scene.organization.invite(ada);
    const inputs = { ...none, orgId: scene.orgId, username: ada, onAccepted: "fail", status: "PENDING" };

    await scene.api.updateOrgInvite(scene.orgId, { username: ada, invitationId }, inputs);

    expect(scene.verified().map(({ body }) => body)).toEqual([none]);
  });

  test("are cancelled by one request without a body", async () => {
    await using scene = await startScene();
    const { invitationId } = scene.organization.invite(ada);

    expect(await scene.api.deleteOrgInvite(scene.orgId, { username: ada, invitationId })).toBe(true);

    expect(scene.organization.users).toEqual([]);
    expect(scene.verified()).toEqual([
      {
        method: "DELETE",
        path: `${scene.path}/${invitationId}`,
        accept: mediaType,
        authenticated: true,
        challenge: false,
        username: scene.key.publicKey,
        status: 204,
      },
    ]);
  });

  // The page of v1.0 says that it returns an empty JSON document.
  test("are cancelled where the answer is an empty document", async () => {
    await using scene = await startScene();
    scene.atlas.fail({ status: 200, body: {} });
    const invitee = { username: ada, invitationId: somebody };

    expect(await scene.api.deleteOrgInvite(scene.orgId, invitee)).toBe(true);
  });

  test("cannot be addressed without their id, and nothing is sent then", async () => {
    await using scene = await startScene();
    const { userId } = scene.organization.addMember(ada);

    expect(await scene.api.updateOrgInvite(scene.orgId, { username: ada, userId }, full)).toBeUndefined();
    expect(await scene.api.deleteOrgInvite(scene.orgId, { username: ada, userId })).toBeUndefined();

    expect(scene.atlas.requests).toEqual([]);
    expect(scene.organization.find(ada)).toMatchObject({ status: "ACTIVE", ...none });
  });

  test.each(["documented", 400, 404, "bare"] as const)(
    "that are gone or accepted are unknown where Atlas answers as %s",
    async (goneAnswer) => {
      await using scene = await startScene({ goneAnswer });
      const { invitationId } = scene.organization.invite(ada);
      scene.organization.accept(ada);

      for (const id of [invitationId, somebody]) {
        const invitee = { username: ada, invitationId: id };
        expect(await scene.api.updateOrgInvite(scene.orgId, invitee, full)).toBeUndefined();
        expect(await scene.api.deleteOrgInvite(scene.orgId, invitee)).toBeUndefined();
      }

      expect(scene.verified()).toHaveLength(4);
      expect(scene.organization.find(ada)).toMatchObject({ status: "ACTIVE", ...none });
    },
  );

  test("that expired cannot be changed any more, and are unknown then", async () => {
    await using scene = await startScene();
    scene.atlas.fail({ status: 400, body: { errorCode: "ALREADY_EXPIRED" } });
    const invitee = { username: ada, invitationId: somebody };

    expect(await scene.api.updateOrgInvite(scene.orgId, invitee, full)).toBeUndefined();
  });

  test.each([
    [401, "UNEXPECTED_ERROR"],
    [401, "NOT_ORG_OWNER"],
    [403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"],
    [404, "ORG_NOT_FOUND"],
    [404, "TEAM_NOT_FOUND"],
    [404, "GROUP_NOT_FOUND"],
    [410, "VERSION_GONE"],
    [501, "UNEXPECTED_ERROR"],
  ])("are not unknown where Atlas answers %i %s", async (status, errorCode) => {
    await using scene = await startScene();
    const invitee = { username: ada, invitationId: somebody };
    const body = { error: status, errorCode, detail: "No." };
    scene.atlas.fail({ status, body, times: Number.POSITIVE_INFINITY });

    const requests = [
      scene.api.listOrgInvites(scene.orgId),
      scene.api.createOrgInvite(scene.orgId, ada, full, noLook),
      scene.api.updateOrgInvite(scene.orgId, invitee, full),
      scene.api.deleteOrgInvite(scene.orgId, invitee),
    ];
    for (const error of await Promise.all(requests.map(rejection))) {
      expect(error).toMatchObject({ name: "AtlasApiError", status, errorCode });
    }
  });

  test("of another organization are an error, not unknown", async () => {
    await using scene = await startScene();
    const invitee = { username: ada, invitationId: somebody };

    const strange = scene.api.deleteOrgInvite("000000000000000000000000", invitee);
    const foreign = scene.api.deleteOrgInvite(scene.atlas.addOrganization().id, invitee);

    expect(await rejection(strange)).toMatchObject({ status: 404, errorCode: "ORG_NOT_FOUND" });
    expect(await rejection(foreign)).toMatchObject({ status: 401, errorCode: "USER_CANNOT_ACCESS_ORG" });
  });

  test("that say less than they might are taken as they are", async () => {
    await using scene = await startScene();
    const least = { id: somebody, username: "ADA@example.com", roles: ["ORG_MEMBER"] };
    const nulls = Object.fromEntries(
      ["teamIds", "groupRoleAssignments", "createdAt", "expiresAt", "inviterUsername", "orgName"].map(
        (name) => [name, null],
      ),
    );
    scene.atlas.fail({ status: 200, body: [least, { ...least, ...nulls, links: [] }] });

    const person = { username: ada, orgMembershipStatus: "PENDING", access: none, invitationId: somebody };
    expect(await scene.api.listOrgInvites(scene.orgId)).toEqual([person, person]);
  });

  test.each([
    ["without roles", { id: somebody, username: ada }, "0.roles"],
    ["without an id", { username: ada, roles: [] }, "0.id"],
    ["with an empty id", { id: "", username: ada, roles: [] }, "0.id"],
    ["without a username", { id: somebody, roles: [] }, "0.username"],
    ["with one role for a list", { id: somebody, username: ada, roles: "ORG_MEMBER" }, "0.roles"],
    [
      "with project roles as a request has them",
      {
        id: somebody,
        username: ada,
        roles: [],
        groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER"] }],
      },
      "0.groupRoleAssignments.0.groupRole",
    ],
  ])("that come %s are an error that says so", async (_, invitation, place) => {
    await using scene = await startScene();
    scene.atlas.fail({ status: 200, body: [invitation] });

    const error = await rejection(scene.api.listOrgInvites(scene.orgId));

    expect(error).toBeInstanceOf(AtlasApiError);
    expect(error.message).toContain(`its ${place} is missing or of another kind`);
  });

  test("leave members to the users of the organization", async () => {
    await using scene = await startScene();
    const { userId } = scene.organization.addMember(ada);
    const member = { username: ada, userId };

    expect(await scene.api.updateMember(scene.orgId, member, full)).toMatchObject({ access: full });
    expect(scene.organization.find(ada)).toMatchObject({ status: "ACTIVE", ...full });
    expect(await scene.api.removeMember(scene.orgId, member)).toBe(true);
    expect(scene.organization.users).toEqual([]);

    const users = `/api/atlas/v2/orgs/${scene.orgId}/users/${userId}`;
    expect(scene.verified().map(({ method, path }) => [method, path])).toEqual([
      ["PATCH", users],
      ["DELETE", users],
    ]);
  });
});
