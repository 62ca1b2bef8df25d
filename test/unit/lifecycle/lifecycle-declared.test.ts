import { describe, expect, test } from "vitest";
import type { OnAccepted } from "../../../provider/lifecycle/membership.ts";
import type {
  OrgInvitationInputs,
  OrgInvitationState,
} from "../../../provider/lifecycle/org-invitation-state.ts";
import type { Settings } from "../../support/simulated-atlas/settings.ts";
import { ada, GENERATIONS, lifecycleFixture, project, team } from "./lifecycle-fixture.ts";

const otherTeam = "5f0000000000000000000003";
const otherProject = "5f0000000000000000000004";
const owner = { groupId: project, roles: ["GROUP_OWNER"] };
const leftOut = { teamIds: undefined, groupRoleAssignments: undefined };

/** An invitation under fail, and a member under manage: what is declared holds for both. */
const WHO = [
  { who: "an invitation", onAccepted: "fail" },
  { who: "a member", onAccepted: "manage" },
] as const;

describe.each(GENERATIONS)("on %s", (generation) => {
  const isUsers = generation === "users";

  async function startScene(onAccepted: OnAccepted, settings: Partial<Settings> = {}) {
    const scene = await lifecycleFixture(generation, settings);
    const { organization, connected } = scene;
    return {
      ...scene,
      /** Ada by an earlier run: invited, or a member by now where members are managed. */
      earlier: async (changes: Partial<OrgInvitationInputs>): Promise<OrgInvitationState> => {
        const created = await connected().create(scene.inputs({ onAccepted, ...changes }));
        if (onAccepted === "manage") organization.accept(ada);
        return refreshed(await connected().read(created));
      },
      declared: (changes: Partial<OrgInvitationInputs>) => scene.inputs({ onAccepted, ...changes }),
      refresh: async (state: OrgInvitationState) => refreshed(await connected().read(state)),
      [Symbol.asyncDispose]: () => scene.atlas.stop(),
    };
  }

  function refreshed(state: OrgInvitationState | undefined): OrgInvitationState {
    if (!state) throw new Error("It was dropped.");
    return state;
  }

  test("teams and project roles that are left out are not sent with an invitation", async () => {
    await using scene = await startScene("fail");
    await scene.lifecycle.create(scene.declared(leftOut));
    const roles = isUsers ? { orgRoles: ["ORG_MEMBER"] } : ["ORG_MEMBER"];
    expect(scene.changes()).toEqual([{ method: "POST", body: { username: ada, roles } }]);
  });

  describe.each(WHO)("of $who", ({ onAccepted }) => {
    test.each(["kept", "reset"] as const)(
      "what is left out is not taken when it is adopted (omitted on update: %s)",
      async (omittedOnUpdate) => {
        await using scene = await startScene(onAccepted, { omittedOnUpdate });
        const { organization, lifecycle } = scene;
        const access = { teamIds: [team], groupRoleAssignments: [owner] };
        if (onAccepted === "manage") organization.addMember(ada, access);
        else organization.invite(ada, access);
        const state = await lifecycle.create(scene.declared({ ...leftOut, roles: ["ORG_OWNER"] }));
        expect(organization.find(ada)).toMatchObject({ ...access, roles: ["ORG_OWNER"] });
        // The outputs show what Atlas has.
        expect(state).toMatchObject({ ...access, declared: { roles: ["ORG_OWNER"] } });
        expect(state.declared.teamIds).toBeUndefined();
        expect(state.declared.groupRoleAssignments).toBeUndefined();
        const sent = scene.changes();
        if (omittedOnUpdate === "kept") {
          const roles = isUsers || onAccepted === "manage" ? { orgRoles: ["ORG_OWNER"] } : ["ORG_OWNER"];
          expect(sent).toEqual([{ method: "PATCH", body: { roles } }]);
        }
      },
    );

    test("what is left out shows in the outputs, and is no drift", async () => {
      await using scene = await startScene(onAccepted);
      const state = await scene.earlier(leftOut);
      const access = { teamIds: [team], groupRoleAssignments: [owner] };
      scene.organization.change(ada, access);
      const read = await scene.refresh(state);
      expect(read).toEqual({ ...state, ...access });
      expect(read.declared.teamIds).toBeUndefined();
      expect(await scene.connected().update(read, scene.declared(leftOut))).toEqual(read);
      expect(scene.organization.find(ada)).toMatchObject(access);
    });

    test.each(["kept", "reset"] as const)(
      "what is left out outlives a change of the roles (omitted on update: %s)",
      async (omittedOnUpdate) => {
        await using scene = await startScene(onAccepted, { omittedOnUpdate });
        const state = await scene.earlier(leftOut);
        const access = { teamIds: [team], groupRoleAssignments: [owner] };
        scene.organization.change(ada, access);
        const read = await scene.refresh(state);
        const changed = scene.declared({ ...leftOut, roles: ["ORG_OWNER"] });
        const updated = await scene.connected().update(read, changed);
        expect(updated).toMatchObject({ ...access, roles: ["ORG_OWNER"] });
        expect(scene.organization.find(ada)).toMatchObject({ ...access, roles: ["ORG_OWNER"] });
      },
    );

    test("an empty list means none: what Atlas has shows as drift, and is taken", async () => {
      await using scene = await startScene(onAccepted);
      const state = await scene.earlier({ teamIds: [], groupRoleAssignments: [] });
      const access = { teamIds: [team], groupRoleAssignments: [owner] };
      scene.organization.change(ada, access);
      const read = await scene.refresh(state);
      expect(read.declared).toEqual({ roles: ["ORG_MEMBER"], ...access });
      await scene.connected().update(read, scene.declared({ teamIds: [], groupRoleAssignments: [] }));
      expect(scene.organization.find(ada)).toMatchObject({ teamIds: [], groupRoleAssignments: [] });
    });

    test.each(["kept", "reset"] as const)(
      "what is declared no longer is taken back, and what others gave stays (omitted on update: %s)",
      async (omittedOnUpdate) => {
        await using scene = await startScene(onAccepted, { omittedOnUpdate });
        const state = await scene.earlier({ teamIds: [team], groupRoleAssignments: [owner] });
        const given = { groupId: otherProject, roles: ["GROUP_READ_ONLY"] };
        const alsoGiven = { groupId: project, roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] };
        scene.organization.change(ada, {
          teamIds: [team, otherTeam],
          groupRoleAssignments: [alsoGiven, given],
        });

        const updated = await scene.connected().update(state, scene.declared(leftOut));
        const left = {
          roles: ["ORG_MEMBER"],
          teamIds: [otherTeam],
          groupRoleAssignments: [{ groupId: project, roles: ["GROUP_READ_ONLY"] }, given],
        };
        expect(scene.organization.find(ada)).toMatchObject(left);
        expect(updated).toMatchObject(left);
        expect(updated.declared.teamIds).toBeUndefined();
      },
    );

    test("what a refresh has shown as drift is taken back as well, as the plan names it", async () => {
      await using scene = await startScene(onAccepted);
      const state = await scene.earlier({ teamIds: [team] });
      scene.organization.change(ada, { teamIds: [team, otherTeam] });
      const read = await scene.refresh(state);
      expect(read.declared.teamIds).toEqual([team, otherTeam]);
      await scene.connected().update(read, scene.declared({ teamIds: undefined }));
      expect(scene.organization.find(ada)).toMatchObject({ teamIds: [] });
    });

    test("what is declared no longer, and Atlas has no longer, needs no change", async () => {
      await using scene = await startScene(onAccepted);
      const state = await scene.earlier({ teamIds: [team] });
      scene.organization.change(ada, { teamIds: [] });
      scene.changes();
      const updated = await scene.connected().update(state, scene.declared({ teamIds: undefined }));
      expect(scene.changes()).toEqual([]);
      expect(updated).toMatchObject({ teamIds: [] });
      expect(updated.declared.teamIds).toBeUndefined();
    });

    test("what is declared for the first time is given", async () => {
      await using scene = await startScene(onAccepted);
      const state = await scene.earlier(leftOut);
      const access = { teamIds: [team], groupRoleAssignments: [owner] };
      const updated = await scene.connected().update(state, scene.declared(access));
      expect(scene.organization.find(ada)).toMatchObject(access);
      expect(updated).toMatchObject({ ...access, declared: access });
    });

    test("a change sends only what changes, as with ignoreChanges", async () => {
      await using scene = await startScene(onAccepted, { omittedOnUpdate: "kept" });
      const access = { teamIds: [team], groupRoleAssignments: [owner] };
      const state = await scene.earlier(access);
      scene.changes();
      await scene.connected().update(state, scene.declared({ ...access, roles: ["ORG_OWNER"] }));
      const isUser = isUsers || onAccepted === "manage";
      const roles = isUser ? { orgRoles: ["ORG_OWNER"] } : ["ORG_OWNER"];
      expect(scene.changes()).toEqual([{ method: "PATCH", body: { roles } }]);
      expect(scene.organization.find(ada)).toMatchObject({ ...access, roles: ["ORG_OWNER"] });

      const read = await scene.refresh({ ...state, roles: ["ORG_OWNER"] });
      const fewer = scene.declared({ roles: ["ORG_OWNER"], groupRoleAssignments: [owner], teamIds: [] });
      await scene.connected().update(read, fewer);
      // The invitations API demands the roles with every change.
      const body = isUser ? { teamIds: [] } : { roles: ["ORG_OWNER"], teamIds: [] };
      expect(scene.changes()).toEqual([{ method: "PATCH", body }]);
      expect(scene.organization.find(ada)).toMatchObject({ teamIds: [], groupRoleAssignments: [owner] });
    });
  });

  test.each(WHO)(
    "what others gave $who since the last refresh survives a change of something else, and is drift after it",
    async ({ onAccepted }) => {
      await using scene = await startScene(onAccepted);
      const { organization, connected, refresh, declared } = scene;
      const state = await scene.earlier({ teamIds: [team] });
      organization.change(ada, { teamIds: [team, otherTeam] });
      const changed = declared({ roles: ["ORG_OWNER"], teamIds: [team] });
      const updated = await connected().update(state, changed);
      expect(organization.find(ada)).toMatchObject({ roles: ["ORG_OWNER"], teamIds: [team, otherTeam] });

      const read = await refresh(updated);
      expect(read.declared).toMatchObject({ roles: ["ORG_OWNER"], teamIds: [team, otherTeam] });
      const settled = await connected().update(read, changed);
      expect(organization.find(ada)).toMatchObject({ teamIds: [team] });
      expect(await refresh(settled)).toEqual(settled);
    },
  );

  test("a member loses only what the plan named: what others gave since shows as drift, and then goes", async () => {
    await using scene = await startScene("manage");
    const { organization, connected, refresh } = scene;
    const state = await scene.earlier({ roles: ["ORG_MEMBER", "ORG_READ_ONLY"], teamIds: [] });
    const given = { roles: ["ORG_MEMBER", "ORG_READ_ONLY", "ORG_BILLING_ADMIN"], teamIds: [otherTeam] };
    organization.change(ada, given);

    const declared = scene.declared({ roles: ["ORG_OWNER"], teamIds: [team] });
    const updated = await connected().update(state, declared);
    expect(organization.find(ada)).toMatchObject({
      roles: ["ORG_BILLING_ADMIN", "ORG_OWNER"],
      teamIds: [team, otherTeam],
    });

    const read = await refresh(updated);
    expect(read.declared).toMatchObject({
      roles: ["ORG_BILLING_ADMIN", "ORG_OWNER"],
      teamIds: [team, otherTeam],
    });
    const settled = await connected().update(read, declared);
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_OWNER"], teamIds: [team] });
    expect(await refresh(settled)).toEqual(settled);
  });

  test("a member whom onAccepted begins to manage is brought exactly to what is declared", async () => {
    await using scene = await startScene("manage");
    const { organization, connected, refresh, declared } = scene;
    const earlier = await scene.earlier({ teamIds: [team] });
    const state = { ...earlier, onAccepted: "retain" as const };
    organization.change(ada, { roles: ["ORG_OWNER"], teamIds: [otherTeam] });
    const read = await refresh(state);
    expect(read).toMatchObject({ roles: ["ORG_OWNER"], declared: { roles: ["ORG_MEMBER"] } });
    organization.change(ada, { roles: ["ORG_OWNER", "ORG_BILLING_ADMIN"] });
    await connected().update(read, declared({ teamIds: [team] }));
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_MEMBER"], teamIds: [team] });
  });

  test.each(["fail", "retain"] as const)(
    "a member under %s keeps what is declared no longer: that is a change, and refused",
    async (onAccepted) => {
      await using scene = await startScene(onAccepted);
      const created = await scene.earlier({ teamIds: [team] });
      scene.organization.accept(ada);
      const state = await scene.refresh(created);
      const before = scene.organization.users;
      const updated = scene.connected().update(state, scene.declared({ teamIds: undefined }));
      await expect(updated).rejects.toThrow(/has accepted .*changed\. Set onAccepted to "manage"/);
      expect(scene.organization.users).toEqual(before);
    },
  );
});
