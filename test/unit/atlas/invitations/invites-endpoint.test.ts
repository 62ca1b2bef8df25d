import { describe, expect, test } from "vitest";
import type { Access } from "../../../../provider/atlas/invitations/access.ts";
import {
  INVITES_API_VERSIONS,
  InvitesEndpoint,
} from "../../../../provider/atlas/invitations/invites-endpoint.ts";
import { UsersEndpoint } from "../../../../provider/atlas/invitations/users-endpoint.ts";
import { bounds, clientFixture, rejection } from "../client-fixture.ts";

// What is of this API alone: `invitations-api.test.ts` has what all generations do alike.

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
const noRecheck = () => Promise.reject(new Error("It was rechecked."));

/** Both generations: where they are, and in which media type they speak. */
const GENERATIONS = [
  ["v1.0", "/api/atlas/v1.0/orgs", "application/json"],
  ["v2", "/api/atlas/v2/orgs", "application/vnd.atlas.2023-01-01+json"],
] as const;

describe.each(GENERATIONS)("the invitations of %s", (generation, root, mediaType) => {
  async function startScene(...[options]: Parameters<typeof clientFixture>) {
    const scene = await clientFixture(options);
    const connected = (client = scene.client) =>
      new InvitesEndpoint(
        client,
        new UsersEndpoint(client),
        INVITES_API_VERSIONS[generation],
        scene.clock.now,
      );
    const api = connected();
    const orgId = scene.organization.id;
    /** What the list of invitations tells. */
    const list = () => api.listOrgInvites(orgId, bounds);
    return { ...scene, api, connected, orgId, list, path: `${root}/${orgId}/invites` };
  }

  test("are listed by one request", async () => {
    await using scene = await startScene();
    const person = scene.organization.invite("Ada@Example.com", { ...full, inviterUsername: "nmtxqlkl" });
    scene.organization.invite("bob@example.com");

    const { people, unusable } = await scene.list();

    expect(people).toEqual([
      {
        username: ada,
        orgMembershipStatus: "PENDING",
        ...full,
        invitationId: person.invitationId,
        createdAt: person.createdAt,
        expiresAt: person.expiresAt,
        inviterUsername: "nmtxqlkl",
        orgName: "Example",
      },
      expect.objectContaining({ username: "bob@example.com", ...none }),
    ]);
    expect(unusable).toEqual([]);
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

    expect(await scene.list()).toEqual({ people: [], unusable: [] });
  });

  test("are told as expired, and can no longer be changed, where Atlas lists them on", async () => {
    await using scene = await startScene({ listsExpired: true });
    const { invitationId, expiresAt } = scene.organization.invite(ada);
    scene.clock.pass(30 * 24 * 3_600_000 - 1);
    expect((await scene.list()).people).toMatchObject([{ orgMembershipStatus: "PENDING", expiresAt }]);
    scene.clock.pass(1);

    expect((await scene.list()).people).toMatchObject([
      { username: ada, orgMembershipStatus: "INVITATION_EXPIRED", invitationId, expiresAt },
    ]);
    const invitee = { username: ada, invitationId, roles: none.roles };
    expect(await scene.api.updateOrgInvite(scene.orgId, invitee, full, bounds)).toBeUndefined();
    expect(scene.verified().at(-1)).toMatchObject({ method: "PATCH", errorCode: "ALREADY_EXPIRED" });
  });

  test("to a project are told apart, where the person has another invitation as well", async () => {
    await using scene = await startScene();
    scene.organization.inviteToProject(ada, { groupId: project, roles: ["GROUP_OWNER"] });
    scene.organization.invite("bob@example.com");
    scene.organization.inviteToProject("bob@example.com", { groupId: project, roles: ["GROUP_OWNER"] });

    const { people } = await scene.list();

    expect(people.map(({ username, isProjectInvitation }) => [username, isProjectInvitation])).toEqual([
      [ada, true],
      ["bob@example.com", undefined],
      ["bob@example.com", true],
    ]);
  });

  test("are made by one request", async () => {
    await using scene = await startScene();

    await scene.api.createOrgInvite(scene.orgId, ada, full, noRecheck, bounds);

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

    await scene.api.createOrgInvite(scene.orgId, ada, none, noRecheck, bounds);

    expect(scene.verified().map(({ body }) => body)).toEqual([{ username: ada, roles: ["ORG_MEMBER"] }]);
  });

  test("are told as they are, not as they were asked for", async () => {
    await using scene = await startScene({ ignoresOnCreate: ["teamIds", "groupRoleAssignments"] });

    const person = await scene.api.createOrgInvite(scene.orgId, ada, full, noRecheck, bounds);

    expect(person).toMatchObject({ ...none, roles: full.roles });
  });

  test.each([
    ["their roles", { roles: ["ORG_OWNER"] }, { roles: ["ORG_OWNER"] }],
    // The legacy page marks the roles as required.
    ["their teams", { teamIds: [team] }, { roles: ["ORG_MEMBER"], teamIds: [team] }],
    ["their last team", { teamIds: [] }, { roles: ["ORG_MEMBER"], teamIds: [] }],
    [
      "their project roles",
      { groupRoleAssignments: full.groupRoleAssignments },
      { roles: ["ORG_MEMBER"], groupRoleAssignments: full.groupRoleAssignments },
    ],
    ["everything", full, full],
  ])("are sent %s alone, beside the roles that they have", async (_, change, body) => {
    await using scene = await startScene();
    const { invitationId } = scene.organization.invite(ada);
    const invitee = { username: ada, invitationId, roles: ["ORG_MEMBER"], teamIds: [other] };

    await scene.api.updateOrgInvite(scene.orgId, invitee, change, bounds);

    expect(scene.verified()).toEqual([
      {
        method: "PATCH",
        path: `${scene.path}/${invitationId}`,
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

  test("are cancelled by one request", async () => {
    await using scene = await startScene();
    const { invitationId } = scene.organization.invite(ada);

    await scene.api.deleteOrgInvite(scene.orgId, { username: ada, invitationId, roles: [] }, bounds);

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
    const invitee = { username: ada, invitationId: somebody, roles: none.roles };

    expect(await scene.api.deleteOrgInvite(scene.orgId, invitee, bounds)).toBe(true);
  });

  test("that say less than they might are taken as they are", async () => {
    await using scene = await startScene();
    const least = { id: somebody, username: "ADA@example.com", roles: ["ORG_MEMBER"] };
    const nulls = Object.fromEntries(
      [
        "teamIds",
        "groupRoleAssignments",
        "createdAt",
        "expiresAt",
        "inviterUsername",
        "orgName",
        "groupId",
      ].map((name) => [name, null]),
    );
    scene.atlas.fail({ status: 200, body: [least, { ...least, ...nulls, links: [] }] });

    const person = { username: ada, orgMembershipStatus: "PENDING", ...none, invitationId: somebody };
    expect(await scene.list()).toEqual({ people: [person, person], unusable: [] });
  });

  test.each([
    [
      "roles of tomorrow",
      { roles: ["ORG_MEMBER", "org.of-tomorrow"] },
      { roles: ["ORG_MEMBER", "org.of-tomorrow"] },
    ],
    ["no roles in the organization", { roles: [] }, { roles: [] }],
    [
      "a project without a role",
      { groupRoleAssignments: [{ groupId: project }, { groupId: other, groupRole: null }] },
      {
        groupRoleAssignments: [
          { groupId: project, roles: [] },
          { groupId: other, roles: [] },
        ],
      },
    ],
  ])("with %s are taken as they are", async (_, changes, access) => {
    await using scene = await startScene();
    scene.organization.invite(ada);
    scene.organization.rewrite(ada, (view) => ({ ...view, ...changes }));

    expect(await scene.list()).toMatchObject({ people: [{ ...none, ...access }], unusable: [] });
  });

  test.each([
    ["no roles", { roles: null }, "its roles is missing or of another kind"],
    ["one role for a list", { roles: "ORG_MEMBER" }, "its roles is missing or of another kind"],
    ["no id", { id: undefined }, "its id is missing or of another kind"],
    ["an id that is none", { id: ".." }, "its id is missing or of another kind"],
    ["no username", { username: null }, "its username is missing or of another kind"],
    [
      "project roles without a project",
      { groupRoleAssignments: [{ groupRole: "GROUP_OWNER" }] },
      "its groupRoleAssignments.0.groupId is missing or of another kind",
    ],
  ])("with %s cannot be used, and spoil no other", async (_, changes, reason) => {
    await using scene = await startScene();
    const { invitationId } = scene.organization.invite(ada);
    scene.organization.invite("bob@example.com");
    scene.organization.rewrite(ada, (view) => ({ ...view, ...changes }));

    const { people, unusable } = await scene.list();

    expect(people.map(({ username }) => username)).toEqual(["bob@example.com"]);
    const { username, id } = { username: ada, id: invitationId, ...changes };
    expect(unusable).toEqual([{ username: username ?? undefined, id, reason }]);
  });

  test("are not listed for a key that may only read, until it has the role", async () => {
    await using scene = await startScene();
    scene.organization.invite(ada);
    const key = scene.atlas.addApiKey({ organization: scene.organization, roles: ["ORG_READ_ONLY"] });
    const api = scene.connected(scene.connectedBy(key));
    const invitee = { username: ada, userId: somebody, roles: none.roles };

    expect(await api.listOrgInvites(scene.orgId, bounds)).toEqual({ people: [], unusable: [] });
    const refused = await rejection(api.deleteOrgInvite(scene.orgId, invitee, bounds));
    expect(refused).toMatchObject({ status: 401, errorCode: "NOT_ORG_OWNER", path: scene.path });

    // It was refused in one organization only.
    expect(await api.deleteOrgInvite(scene.atlas.addOrganization().id, invitee, bounds)).toBeUndefined();

    key.roles = ["ORG_OWNER"];
    expect((await api.listOrgInvites(scene.orgId, bounds)).people).toHaveLength(1);
    expect(await api.deleteOrgInvite(scene.orgId, invitee, bounds)).toBeUndefined();
  });

  test("stay refused to a key that may only read while they are asked for again", async () => {
    await using scene = await startScene();
    const key = scene.atlas.addApiKey({ organization: scene.organization, roles: ["ORG_READ_ONLY"] });
    const api = scene.connected(scene.connectedBy(key));
    await api.listOrgInvites(scene.orgId, bounds);

    const again = api.listOrgInvites(scene.orgId, bounds);
    const invitee = { username: ada, userId: somebody, roles: none.roles };
    const refused = await rejection(api.updateOrgInvite(scene.orgId, invitee, full, bounds));

    expect(refused).toMatchObject({ errorCode: "NOT_ORG_OWNER" });
    await again;
  });
});
