import { describe, expect, test, vi } from "vitest";
import type { AtlasError } from "../../../provider/atlas/errors.ts";
import { UsersEndpoint } from "../../../provider/atlas/invitations/users-endpoint.ts";
import { IncompleteCreateError } from "../../../provider/lifecycle/lifecycle.ts";
import { ada, GENERATIONS, gate, lifecycleFixture, project, team } from "./lifecycle-fixture.ts";

/*
 * Answers of Atlas are taken as they are, and compared with what was asked for: what Atlas did not take is an error
 * that names it, and what it added is one line.
 */

describe("an invitation that Atlas stores without its teams", () => {
  test("is completed by a second request", async () => {
    await using scene = await lifecycleFixture("v1.0", { ignoresOnCreate: ["teamIds"] });
    const { organization, inputs, lifecycle, requests } = scene;
    expect(await lifecycle.create(inputs({ teamIds: [team] }))).toMatchObject({ teamIds: [team] });
    expect(organization.find(ada)).toMatchObject({ teamIds: [team] });
    expect(requests().slice(-2)).toEqual(["POST invites", "PATCH invites/id"]);
  });

  test("is kept as sent when it cannot be completed, and the next update completes it", async () => {
    await using scene = await lifecycleFixture("v2", { ignoresOnCreate: ["teamIds"] });
    const { organization, inputs, lifecycle, atlas } = scene;
    const declared = inputs({ teamIds: [team] });
    atlas.fail({ method: "PATCH", status: 501, body: "" });
    const error = await lifecycle.create(declared, "resource").catch((error: unknown) => error);
    expect(error).toBeInstanceOf(IncompleteCreateError);
    const { state, message } = error as IncompleteCreateError;
    expect(message).toMatch(
      `${ada} was invited to ${organization.id}, but without all that is declared: PATCH`,
    );
    expect(state).toMatchObject({
      status: "PENDING",
      teamIds: [],
      invitationId: organization.find(ada)?.invitationId,
      declaredBy: "resource",
    });
    expect(await lifecycle.update(state, declared)).toMatchObject({ teamIds: [team] });
    expect(organization.find(ada)).toMatchObject({ teamIds: [team] });
    expect(atlas.mails).toHaveLength(1);
  });

  test("is kept as sent when it was accepted before it could be completed", async () => {
    await using scene = await lifecycleFixture("v2", { ignoresOnCreate: ["teamIds"] });
    const { organization, inputs, lifecycle, atlas } = scene;
    const { opened, open } = gate();
    const held = atlas.fail({ method: "PATCH", until: opened });
    const created = lifecycle.create(inputs({ teamIds: [team] }));
    await held.struck;
    organization.accept(ada);
    open();
    const error = await created.catch((error: unknown) => error);
    expect(error).toBeInstanceOf(IncompleteCreateError);
    const { state, message } = error as IncompleteCreateError;
    expect(message).toContain(`${ada} has accepted the invitation to ${organization.id}, so`);
    expect(state).toMatchObject({ status: "PENDING", teamIds: [] });
    expect(state.declaredBy).toBeUndefined();
  });

  test("is completed where it was accepted meanwhile, and members are managed", async () => {
    await using scene = await lifecycleFixture("v2", { ignoresOnCreate: ["teamIds"] });
    const { organization, inputs, lifecycle, atlas } = scene;
    const held = atlas.fail({ method: "PATCH", status: 404, body: "" });
    const created = lifecycle.create(inputs({ teamIds: [team], onAccepted: "manage" }));
    await held.struck;
    organization.accept(ada);
    expect(await created).toMatchObject({ status: "ACCEPTED", teamIds: [team] });
    expect(organization.find(ada)).toMatchObject({ teamIds: [team] });
  });

  test("is completed by the users API where Atlas retires the invitations meanwhile", async () => {
    await using scene = await lifecycleFixture("v2", { ignoresOnCreate: ["teamIds"] });
    const { organization, inputs, lifecycle, atlas } = scene;
    const { opened, open } = gate();
    const held = atlas.fail({ method: "PATCH", until: opened });
    const created = lifecycle.create(inputs({ teamIds: [team] }));
    await held.struck;
    atlas.sunset();
    open();
    expect(await created).toMatchObject({ status: "PENDING", teamIds: [team] });
    expect(organization.find(ada)).toMatchObject({ teamIds: [team] });
    expect(atlas.mails).toHaveLength(1);
  });

  test("is kept as sent when Atlas drops them from every request", async () => {
    const ignores = ["teamIds"] as const;
    await using scene = await lifecycleFixture("v1.0", {
      ignoresOnCreate: ignores,
      ignoresOnUpdate: ignores,
    });
    const { inputs, lifecycle, atlas } = scene;
    const error = await lifecycle.create(inputs({ teamIds: [team] })).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(IncompleteCreateError);
    expect((error as Error).message).toContain(
      `Atlas did not take teamIds ${team}. Where an identity provider manages`,
    );
    expect((error as Error).message).toContain("set the invitations API to v2");
    expect(atlas.mails).toHaveLength(1);
  });

  test("is kept as sent when a bug strikes, which is told as its cause", async () => {
    await using scene = await lifecycleFixture("users", { addsRoles: ["ORG_READ_ONLY"] });
    const bug = new TypeError("roles is not iterable");
    vi.spyOn(UsersEndpoint.prototype, "updateOrgUser").mockRejectedValue(bug);
    const error = await scene.lifecycle.create(scene.inputs()).catch((error: unknown) => error);
    vi.restoreAllMocks();
    expect(error).toBeInstanceOf(IncompleteCreateError);
    expect((error as Error).cause).toBe(bug);
    expect(scene.organization.invitations).toHaveLength(1);
  });
});

describe.each(GENERATIONS)("what Atlas answers on %s", (generation) => {
  test("is stored of a member without an organization role, and brought to what is declared", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, connected } = scene;
    organization.addMember(ada, { roles: [] });
    const retained = await connected().create(inputs({ onAccepted: "retain" }));
    expect(retained).toMatchObject({ status: "ACCEPTED", roles: [] });
    expect(await connected().read(retained)).toEqual(retained);
    expect(organization.find(ada)).toMatchObject({ roles: [] });

    const managed = await connected().create(inputs({ onAccepted: "manage" }));
    expect(managed).toMatchObject({ roles: ["ORG_MEMBER"] });
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_MEMBER"] });
  });

  test("is read of a member with a role of a project, and a role of tomorrow", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, connected, lifecycle } = scene;
    const roles = ["GROUP_OWNER", "ORG_OF_TOMORROW"];
    const state = await lifecycle.create(inputs({ onAccepted: "manage" }));
    organization.accept(ada);
    organization.change(ada, { roles });
    const read = await connected().read(state);
    // They show as drift, and the next update takes them.
    expect(read).toMatchObject({ status: "ACCEPTED", roles, declared: { roles } });
    await connected().update(read as never, inputs({ onAccepted: "manage" }));
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_MEMBER"] });
  });

  test("is adopted of an invitation with a role of a project", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, connected } = scene;
    organization.invite(ada, { roles: ["GROUP_OWNER"] });
    const found = inputs({ roles: ["GROUP_OWNER"] });
    const adopted = await connected().create(found);
    expect(adopted).toMatchObject({ status: "PENDING", roles: ["GROUP_OWNER"] });
    expect(await connected().read(adopted)).toEqual(adopted);
    expect(scene.changes()).toEqual([]);

    expect(await connected().create(inputs())).toMatchObject({ roles: ["ORG_MEMBER"] });
    expect(organization.find(ada)).toMatchObject({ status: "PENDING", roles: ["ORG_MEMBER"] });
  });

  test("is a project invitation, which is never adopted, changed or cancelled", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, lifecycle, connected, notices, atlas } = scene;
    const before = organization.inviteToProject(ada, { groupId: project, roles: ["GROUP_OWNER"] });
    const refused = atlas.fail({ method: "POST", status: 400, body: { errorCode: "INVALID_ENUM_VALUE" } });
    await expect(lifecycle.create(inputs())).rejects.toThrow("INVALID_ENUM_VALUE");
    refused.lift();
    expect(notices).toEqual([
      `${ada} has an invitation to a project of ${organization.id}, from owner@example.com: it is not an invitation to the organization, and is left as it is.`,
    ]);
    const { invitationId, userId } = before;
    const access = { roles: ["ORG_MEMBER"], teamIds: [], groupRoleAssignments: [] };
    const ids = generation === "users" ? { userId } : { invitationId };
    const state = { ...inputs(), ...access, declared: access, ...ids, status: "PENDING" as const };
    expect(await connected().read(state)).toBeUndefined();
    expect(organization.users).toEqual([before]);
  });

  test.each([
    ["an invitation", "fail"],
    ["a member", "manage"],
  ] as const)(
    "has a role that Atlas adds to those of %s: one request at most, one line, and no drift",
    async (_, onAccepted) => {
      await using scene = await lifecycleFixture(generation, { addsRoles: ["ORG_READ_ONLY"] });
      const { organization, inputs, lifecycle, connected, notices, changes } = scene;
      const isMember = onAccepted === "manage";
      if (isMember) organization.addMember(ada, { roles: ["ORG_OWNER"] });
      const state = await lifecycle.create(inputs({ onAccepted }));
      const roles = ["ORG_MEMBER", "ORG_READ_ONLY"];
      expect(state).toMatchObject({ roles, declared: { roles: ["ORG_MEMBER"] } });
      expect(changes().map(({ method }) => method)).toEqual(isMember ? ["PATCH"] : ["POST", "PATCH"]);
      expect(notices.filter((line) => line.includes("besides"))).toEqual([
        `${ada} in ${organization.id}: Atlas gives roles ORG_READ_ONLY besides what is declared, and it is left so. Where an identity provider gives it, change it there.`,
      ]);

      expect(await connected().read(state)).toEqual(state);
      expect(await connected().update(state, inputs({ onAccepted }))).toEqual(state);
      const settled = await connected().update(state, inputs({ onAccepted, reinviteExpired: true }));
      expect(settled).toMatchObject({ roles, reinviteExpired: true });
      expect(changes()).toEqual([]);

      const changed = await connected().update(settled, inputs({ onAccepted, roles: ["ORG_OWNER"] }));
      expect(changes()).toHaveLength(1);
      expect(changed).toMatchObject({ roles: ["ORG_OWNER", "ORG_READ_ONLY"] });
    },
  );

  test.each([
    ["an invitation", "fail"],
    ["a member", "manage"],
  ] as const)("lacks the teams that Atlas does not take of %s, which is an error", async (_, onAccepted) => {
    await using scene = await lifecycleFixture(generation, { ignoresOnUpdate: ["teamIds"] });
    const { organization, inputs, lifecycle, connected } = scene;
    let state = await lifecycle.create(inputs({ onAccepted }));
    if (onAccepted === "manage") {
      organization.accept(ada);
      state = (await connected().read(state)) as typeof state;
    }
    const declared = inputs({ onAccepted, roles: ["ORG_OWNER"], teamIds: [team] });
    const error = await connected()
      .update(state, declared)
      .catch((error: AtlasError) => error);
    expect(error).toMatchObject({ name: "AtlasError" });
    expect((error as Error).message).toMatch(
      `${ada} in ${organization.id}: Atlas did not take teamIds ${team}. Where an identity provider manages the roles`,
    );
    expect((error as Error).message).toContain("set the invitations API to v2");
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_OWNER"], teamIds: [] });
  });

  test("keeps the roles that an identity provider manages, which is an error with the ways out", async () => {
    await using scene = await lifecycleFixture(generation, { ignoresOnUpdate: ["roles"] });
    const { organization, inputs, lifecycle, connected } = scene;
    organization.addMember(ada, { roles: ["ORG_READ_ONLY"] });
    await expect(lifecycle.create(inputs({ onAccepted: "manage" }))).rejects.toThrow(
      `${ada} in ${organization.id}: Atlas did not take roles ORG_MEMBER. Where an identity provider manages the roles of the organization, change them there, declare what Atlas has, or set onAccepted to "retain".`,
    );
    // Each of the ways out needs no request.
    scene.changes();
    const retained = await connected().create(inputs({ onAccepted: "retain" }));
    expect(retained).toMatchObject({ roles: ["ORG_READ_ONLY"] });
    const asFound = inputs({ onAccepted: "manage", roles: ["ORG_READ_ONLY"] });
    expect(await connected().create(asFound)).toMatchObject({ roles: ["ORG_READ_ONLY"] });
    expect(scene.changes()).toEqual([]);
  });

  test("keeps the team that Atlas does not take away, which is one line and no update for ever", async () => {
    await using scene = await lifecycleFixture(generation, { ignoresOnUpdate: ["teamIds"] });
    const { organization, inputs, lifecycle, connected, notices, changes } = scene;
    const state = await lifecycle.create(inputs({ teamIds: [team] }));
    const updated = await lifecycle.update(state, inputs());
    expect(updated).toMatchObject({ teamIds: [team], declared: { teamIds: [] } });
    expect(notices).toEqual([
      `${ada} in ${organization.id}: Atlas gives teamIds ${team} besides what is declared, and it is left so. Where an identity provider gives it, change it there.`,
    ]);
    changes();
    expect(await connected().read(updated)).toEqual(updated);
    expect(await connected().update(updated, inputs())).toEqual(updated);
    expect(changes()).toEqual([]);
  });

  test("is left so where another choice is made for a member whose roles are not the declared ones", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, connected, requests } = scene;
    const state = await connected().create(inputs());
    organization.accept(ada);
    organization.change(ada, { roles: ["ORG_OWNER"] });
    const read = (await connected().read(state)) as typeof state;
    requests();
    const choice = { onAccepted: "retain", reinviteExpired: true } as const;
    expect(await connected().update(read, inputs(choice))).toEqual({ ...read, ...choice });
    expect(requests()).toEqual([]);
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_OWNER"] });
  });

  test("is brought to what is declared where onAccepted is changed to manage", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, lifecycle, connected } = scene;
    const state = await lifecycle.create(inputs());
    organization.accept(ada);
    const roles = ["ORG_MEMBER", "ORG_OWNER"];
    organization.change(ada, { roles, teamIds: [team] });
    const read = (await connected().read(state)) as typeof state;
    expect(read).toMatchObject({ roles, declared: { roles: ["ORG_MEMBER"] } });
    const managed = await connected().update(read, inputs({ onAccepted: "manage" }));
    expect(managed).toMatchObject({ roles: ["ORG_MEMBER"], teamIds: [] });
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_MEMBER"], teamIds: [] });
  });

  test("a choice for a member who lacks what is declared is stored, and what they lack is said", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, lifecycle, notices, requests } = scene;
    const pending = await lifecycle.create(inputs({ roles: ["ORG_OWNER"] }));
    organization.accept(ada);
    organization.change(ada, { roles: ["ORG_MEMBER"] });
    const state = await scene.connected().read(pending);
    requests();
    const choice = inputs({ roles: ["ORG_OWNER"], onAccepted: "retain" });
    expect(await lifecycle.update(state as never, choice)).toMatchObject({ onAccepted: "retain" });
    expect(requests()).toEqual([]);
    expect(notices).toEqual([
      `${ada} is a member of ${organization.id} without roles ORG_OWNER, which is declared: under onAccepted "retain" a member stays as they are.`,
    ]);
  });
});
