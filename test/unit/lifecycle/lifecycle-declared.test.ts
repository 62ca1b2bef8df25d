import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import type { Access } from "../../../provider/atlas/invitations/access.ts";
import type { OrgInvitationInputs } from "../../../provider/lifecycle/org-invitation-state.ts";
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
const reader = { groupId: otherProject, roles: ["GROUP_READ_ONLY"] };
const access = { teamIds: [team], groupRoleAssignments: [owner] };
const empty = { teamIds: [], groupRoleAssignments: [] };
const leftOut = { teamIds: undefined, groupRoleAssignments: undefined };
const asOwner = { roles: ["ORG_OWNER"] };
const teams = (...teamIds: string[]) => ({ teamIds });
const both = teams(team, otherTeam);
const more = {
  ...both,
  groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] }, reader],
};
const rest = {
  teamIds: [otherTeam],
  groupRoleAssignments: [{ groupId: project, roles: ["GROUP_READ_ONLY"] }, reader],
};
const member = { roles: ["ORG_MEMBER"] };
const strange = { roles: ["GROUP_OWNER", "ORG_OF_TOMORROW"] };

/**
 * What the program declares, what others change in Atlas then, whether a read stores that, what the program declares
 * then, and what the person has in Atlas after the update.
 */
type Change = [
  declared: Partial<OrgInvitationInputs>,
  found: Partial<Access>,
  read: "read" | "not read",
  news: Partial<OrgInvitationInputs>,
  after: Partial<Access>,
];

const CHANGES: [does: string, ...Change][] = [
  ["keeps what is not declared", {}, access, "read", asOwner, { ...access, ...asOwner }],
  ["removes only what is no longer declared", access, more, "not read", {}, { ...member, ...rest }],
  [
    "keeps what others granted",
    teams(team),
    both,
    "not read",
    { ...asOwner, ...teams(team) },
    { ...asOwner, ...both },
  ],
  ["sends nothing where Atlas lacks what is no longer declared", teams(team), teams(), "not read", {}, empty],
  ["removes what an empty list lacks", empty, access, "read", empty, empty],
  ["removes drift from a list no longer declared", teams(team), both, "read", {}, empty],
  ["grants what is declared for the first time", {}, {}, "read", access, access],
  ["replaces a list declared for the first time", {}, teams(otherTeam), "read", teams(team), teams(team)],
  ["removes project roles and unknown roles among the roles", {}, strange, "read", {}, member],
];

/** Updates a resource, and asserts what Atlas has and the state declares then, and that the next update converges. */
async function expectChange(
  { stored, organization, refresh, update, changes }: Awaited<ReturnType<(typeof APIS)[number]["setup"]>>,
  [declared, found, read, news, after]: Change,
): Promise<void> {
  let state = await stored({ ...leftOut, ...declared });
  organization.change(ada, found);
  if (read === "read") {
    state = await refresh(state);
    const shown = Object.fromEntries(Object.entries(found).filter(([field]) => field in state.declared));
    expect(state.declared).toEqual({ ...member, ...declared, ...shown });
    expect(state).toMatchObject(found);
    // A program that declares what a read shows changes nothing.
    expect(await update(state, { ...leftOut, ...state.declared })).toEqual(state);
  }
  const before = organization.find(ada);
  changes();
  const updated = await update(state, { ...leftOut, ...news });
  const now = organization.find(ada);
  expect(now).toMatchObject(after);
  expect(changes().length === 0).toBe(isDeepStrictEqual(now, before));
  expect(updated.declared).toEqual({ ...member, ...news });

  const drift = Object.fromEntries(Object.entries(after).filter(([field]) => field in updated.declared));
  const next = await refresh(updated);
  expect(next).toEqual({ ...updated, ...after, declared: { ...updated.declared, ...drift } });
  const corrected = await update(next, { ...leftOut, ...news });
  expect(organization.find(ada)).toMatchObject({ ...after, ...news });
  expect(await refresh(corrected)).toEqual(corrected);
}

describe.each(APIS)("on $apiVersion", ({ isUsers, setup }) => {
  test("sends with an invitation only the teams and project roles that are declared", async () => {
    const { invited, changes } = await setup();
    const roles = isUsers ? { orgRoles: ["ORG_MEMBER"] } : ["ORG_MEMBER"];
    await invited(leftOut);
    expect(changes()).toEqual([{ method: "POST", body: { username: ada, roles } }]);
  });

  describe.each(PEOPLE)("the access of $whose", ({ onAccepted }) => {
    const isMember = onAccepted === "manage";

    describe.each(["kept", "reset"] as const)("where a change leaves what it omits %s", (omittedOnUpdate) => {
      test.each(CHANGES)("%s", async (_, ...change) => {
        await expectChange(await setup({ onAccepted, omittedOnUpdate }), change);
      });

      test("keeps undeclared teams and project roles on adoption", async () => {
        const { organization, invited, changes } = await setup({ onAccepted, omittedOnUpdate });
        if (isMember) organization.addMember(ada, access);
        else organization.invite(ada, access);
        const state = await invited({ ...leftOut, ...asOwner });
        expect(organization.find(ada)).toMatchObject({ ...access, ...asOwner });
        expect(state).toMatchObject(access);
        expect(state.declared).toEqual(asOwner);
        const roles = isUsers || isMember ? { orgRoles: ["ORG_OWNER"] } : ["ORG_OWNER"];
        if (omittedOnUpdate === "kept") expect(changes()).toEqual([{ method: "PATCH", body: { roles } }]);
      });
    });

    test("sends only the fields that change", async () => {
      const { stored, update, changes, refresh } = await setup({ onAccepted });
      const state = await stored(access);
      changes();
      const updated = await update(state, { ...access, ...asOwner });
      const isUser = isUsers || isMember;
      const roles = isUser ? { orgRoles: ["ORG_OWNER"] } : ["ORG_OWNER"];
      expect(changes()).toEqual([{ method: "PATCH", body: { roles } }]);
      await update(await refresh(updated), { ...access, ...asOwner, teamIds: [] });
      // The invitations API requires the roles in every change.
      const body = isUser ? { teamIds: [] } : { roles, teamIds: [] };
      expect(changes()).toEqual([{ method: "PATCH", body }]);
    });
  });

  const roles = ["ORG_MEMBER", "ORG_READ_ONLY"];
  const withBilling = { roles: ["ORG_BILLING_ADMIN", ...roles], ...teams(otherTeam) };
  const stillWithBilling = { roles: ["ORG_BILLING_ADMIN", "ORG_OWNER"], ...both };

  test.each<[does: string, ...Change]>([
    ["grants a role where there is none", {}, { roles: [] }, "read", {}, member],
    [
      "removes only what the plan named",
      { roles, ...teams() },
      withBilling,
      "not read",
      { ...asOwner, ...teams(team) },
      stillWithBilling,
    ],
  ])("of a managed member, %s", async (_, ...change) => {
    await expectChange(await setup({ onAccepted: "manage" }), change);
  });

  test.each(UNMANAGED)("grants exactly what is declared once %s becomes manage", async (onAccepted) => {
    const { organization, accepted, refresh, update } = await setup({ onAccepted });
    const state = await accepted(teams(team));
    const roles = ["ORG_MEMBER", "ORG_OWNER"];
    organization.change(ada, { roles, ...both });
    const read = await refresh(state);
    expect(read).toMatchObject({ roles, declared: member });
    organization.change(ada, { roles: [...roles, "ORG_BILLING_ADMIN"] });
    const updated = await update(read, { ...teams(team), onAccepted: "manage" });
    expect(updated).toMatchObject({ ...member, ...teams(team) });
    expect(organization.find(ada)).toMatchObject({ ...member, ...teams(team) });
  });

  test.each(UNMANAGED)("refuses to remove a team from a member under %s", async (onAccepted) => {
    const { accepted, update, expectNoChange } = await setup({ onAccepted });
    const state = await accepted(teams(team));
    await expectNoChange(async () => {
      const updated = update(state, { teamIds: undefined });
      await expect(updated).rejects.toMatchObject(refusal("update", `ACTIVE, ${onAccepted}`));
    });
  });
});
