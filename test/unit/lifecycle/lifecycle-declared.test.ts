import { describe, expect, test } from "vitest";
import {
  APIS,
  ada,
  otherProject,
  otherTeam,
  PEOPLE,
  project,
  refusal,
  team,
  UNMANAGED,
} from "./lifecycle-fixture.ts";

/*
 * Only declared fields are sent, compared and removed. What others granted since the last read is not removed by a
 * change that did not name it.
 */

const owner = { groupId: project, roles: ["GROUP_OWNER"] };
const access = { teamIds: [team], groupRoleAssignments: [owner] };
const empty = { teamIds: [], groupRoleAssignments: [] };
const leftOut = { teamIds: undefined, groupRoleAssignments: undefined };

describe.each(APIS)("on $apiVersion", ({ isUsers, setup }) => {
  test("sends with an invitation only the teams and project roles that are declared", async () => {
    const { invited, changes } = await setup();
    const roles = isUsers ? { orgRoles: ["ORG_MEMBER"] } : ["ORG_MEMBER"];
    await invited(leftOut);
    expect(changes()).toEqual([{ method: "POST", body: { username: ada, roles } }]);
    const username = "grace@example.com";
    await invited({ username, ...access });
    const assigned = [{ groupId: project, groupRoles: owner.roles }];
    const body = isUsers
      ? { username, roles: { ...roles, groupRoleAssignments: assigned }, teamIds: [team] }
      : { username, roles, teamIds: [team], groupRoleAssignments: [owner] };
    expect(changes()).toEqual([{ method: "POST", body }]);
  });

  describe.each(PEOPLE)("the access of $whose", ({ onAccepted }) => {
    const isMember = onAccepted === "manage";

    describe.each(["kept", "reset"] as const)("where a change leaves what it omits %s", (omittedOnUpdate) => {
      test("keeps undeclared teams and project roles on adoption", async () => {
        const { organization, invited, changes } = await setup({ onAccepted, omittedOnUpdate });
        if (isMember) organization.addMember(ada, access);
        else organization.invite(ada, access);
        const state = await invited({ ...leftOut, roles: ["ORG_OWNER"] });
        expect(organization.find(ada)).toMatchObject({ ...access, roles: ["ORG_OWNER"] });
        expect(state).toMatchObject(access);
        expect(state.declared).toEqual({ roles: ["ORG_OWNER"] });
        const roles = isUsers || isMember ? { orgRoles: ["ORG_OWNER"] } : ["ORG_OWNER"];
        if (omittedOnUpdate === "kept") expect(changes()).toEqual([{ method: "PATCH", body: { roles } }]);
      });

      test("keeps undeclared teams and project roles in reads and updates", async () => {
        const { organization, stored, refresh, update } = await setup({ onAccepted, omittedOnUpdate });
        const state = await stored(leftOut);
        organization.change(ada, access);
        const read = await refresh(state);
        expect(read).toEqual({ ...state, ...access });
        expect(read.declared).toEqual({ roles: ["ORG_MEMBER"] });
        expect(await update(read, leftOut)).toEqual(read);
        const updated = await update(read, { ...leftOut, roles: ["ORG_OWNER"] });
        expect(updated).toMatchObject({ ...access, roles: ["ORG_OWNER"] });
        expect(organization.find(ada)).toMatchObject({ ...access, roles: ["ORG_OWNER"] });
      });

      test("removes what is no longer declared, and keeps what others granted", async () => {
        const { organization, stored, update } = await setup({ onAccepted, omittedOnUpdate });
        const state = await stored(access);
        const granted = { groupId: otherProject, roles: ["GROUP_READ_ONLY"] };
        organization.change(ada, {
          teamIds: [team, otherTeam],
          groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] }, granted],
        });
        const updated = await update(state, leftOut);
        const left = {
          roles: ["ORG_MEMBER"],
          teamIds: [otherTeam],
          groupRoleAssignments: [{ groupId: project, roles: ["GROUP_READ_ONLY"] }, granted],
        };
        expect(organization.find(ada)).toMatchObject(left);
        expect(updated).toMatchObject(left);
        expect(updated.declared).toEqual({ roles: ["ORG_MEMBER"] });
      });

      test("keeps what others granted since the last read in another change, and shows it as drift", async () => {
        const { organization, stored, update, refresh } = await setup({ onAccepted, omittedOnUpdate });
        const state = await stored({ teamIds: [team] });
        organization.change(ada, { teamIds: [team, otherTeam] });
        const changed = { roles: ["ORG_OWNER"], teamIds: [team] };
        const updated = await update(state, changed);
        expect(organization.find(ada)).toMatchObject({ roles: ["ORG_OWNER"], teamIds: [team, otherTeam] });

        const read = await refresh(updated);
        expect(read.declared).toMatchObject({ roles: ["ORG_OWNER"], teamIds: [team, otherTeam] });
        const corrected = await update(read, changed);
        expect(organization.find(ada)).toMatchObject({ teamIds: [team] });
        expect(await refresh(corrected)).toEqual(corrected);
      });
    });

    const teams = (...teamIds: string[]) => ({ ...leftOut, teamIds });
    const both = teams(team, otherTeam);
    const onlyTeam = { teamIds: [team], groupRoleAssignments: [] };

    test.each([
      ["removes what an empty list lacks", empty, access, access, empty, empty],
      ["removes drift from a list no longer declared", teams(team), both, both, leftOut, empty],
      ["grants what is declared for the first time", leftOut, empty, leftOut, access, access],
      ["replaces a list declared for the first time", leftOut, teams(otherTeam), leftOut, onlyTeam, onlyTeam],
    ])("%s", async (_, before, found, shown, declared, after) => {
      const { organization, stored, refresh, update } = await setup({ onAccepted });
      const state = await stored(before);
      organization.change(ada, JSON.parse(JSON.stringify(found)));
      const read = await refresh(state);
      expect(read.declared).toEqual({ roles: ["ORG_MEMBER"], ...shown });
      const updated = await update(read, declared);
      expect(organization.find(ada)).toMatchObject(after);
      expect(updated).toMatchObject(after);
      expect(updated.declared).toEqual({ roles: ["ORG_MEMBER"], ...declared });
    });

    test("sends nothing where Atlas lacks what is no longer declared", async () => {
      const { organization, stored, update, expectNoChange } = await setup({ onAccepted });
      const state = await stored({ teamIds: [team] });
      organization.change(ada, { teamIds: [] });
      const updated = await expectNoChange(() => update(state, { teamIds: undefined }));
      expect(updated).toMatchObject({ teamIds: [] });
      expect(updated.declared.teamIds).toBeUndefined();
    });

    test("sends only the fields that change", async () => {
      const { stored, update, changes, refresh, organization } = await setup({ onAccepted });
      const state = await stored(access);
      changes();
      const updated = await update(state, { ...access, roles: ["ORG_OWNER"] });
      const isUser = isUsers || isMember;
      const roles = isUser ? { orgRoles: ["ORG_OWNER"] } : ["ORG_OWNER"];
      expect(changes()).toEqual([{ method: "PATCH", body: { roles } }]);

      await update(await refresh(updated), { ...access, roles: ["ORG_OWNER"], teamIds: [] });
      // The invitations API requires the roles in every change.
      const body = isUser ? { teamIds: [] } : { roles, teamIds: [] };
      expect(changes()).toEqual([{ method: "PATCH", body }]);
      expect(organization.find(ada)).toMatchObject({ teamIds: [], groupRoleAssignments: [owner] });
    });
  });

  test("removes from a member only what the plan named, and shows the rest as drift", async () => {
    const { organization, stored, update, refresh } = await setup({ onAccepted: "manage" });
    const roles = ["ORG_MEMBER", "ORG_READ_ONLY"];
    const state = await stored({ roles, teamIds: [] });
    organization.change(ada, { roles: [...roles, "ORG_BILLING_ADMIN"], teamIds: [otherTeam] });

    const declared = { roles: ["ORG_OWNER"], teamIds: [team] };
    const updated = await update(state, declared);
    const both = { roles: ["ORG_BILLING_ADMIN", "ORG_OWNER"], teamIds: [team, otherTeam] };
    expect(organization.find(ada)).toMatchObject(both);

    const read = await refresh(updated);
    expect(read.declared).toMatchObject(both);
    const corrected = await update(read, declared);
    expect(organization.find(ada)).toMatchObject(declared);
    expect(await refresh(corrected)).toEqual(corrected);
  });

  test.each(UNMANAGED)("grants exactly what is declared once %s becomes manage", async (onAccepted) => {
    const { organization, accepted, refresh, update } = await setup({ onAccepted });
    const state = await accepted({ teamIds: [team] });
    const roles = ["ORG_MEMBER", "ORG_OWNER"];
    organization.change(ada, { roles, teamIds: [team, otherTeam] });
    const read = await refresh(state);
    expect(read).toMatchObject({ roles, declared: { roles: ["ORG_MEMBER"] } });
    organization.change(ada, { roles: [...roles, "ORG_BILLING_ADMIN"] });
    const updated = await update(read, { teamIds: [team], onAccepted: "manage" });
    expect(updated).toMatchObject({ roles: ["ORG_MEMBER"], teamIds: [team] });
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_MEMBER"], teamIds: [team] });
  });

  test.each(UNMANAGED)("refuses to remove a team from a member under %s", async (onAccepted) => {
    const { accepted, update, expectNoChange } = await setup({ onAccepted });
    const state = await accepted({ teamIds: [team] });
    await expectNoChange(async () => {
      const updated = update(state, { teamIds: undefined });
      await expect(updated).rejects.toMatchObject(refusal("update", `ACTIVE, ${onAccepted}`));
    });
  });
});
