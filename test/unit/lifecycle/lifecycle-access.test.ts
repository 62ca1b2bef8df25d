import { describe, expect, test } from "vitest";
import type { IncompleteCreateError } from "../../../provider/lifecycle/lifecycle-error.ts";
import { APIS, ada, DEPRECATED_APIS, PEOPLE, project, refusal, team } from "./lifecycle-fixture.ts";

/*
 * Answers of Atlas are stored unchanged and compared with the request: what Atlas did not grant is an error that names
 * it, and what Atlas granted in addition is a warning.
 */

describe.each(DEPRECATED_APIS)("an invitation that $apiVersion stores without its teams", (api) => {
  const declared = { teamIds: [team] };
  const setup = (options: Parameters<typeof api.setup>[0] = {}) =>
    api.setup({ ignoresOnCreate: ["teamIds"], ...options });

  test("is completed by a second request", async () => {
    const { organization, invited, requests } = await setup();
    expect(await invited(declared)).toMatchObject(declared);
    expect(organization.find(ada)).toMatchObject(declared);
    expect(requests().slice(-2)).toEqual(["POST invites", "PATCH invites/id"]);
  });

  const teamIds = ["teamIds"] as const;

  test.each([
    ["the second request fails", [], 501, { kind: "api", status: 501 }],
    ["Atlas ignores the teams in it", teamIds, undefined, { kind: "accessNotTaken" }],
    ["the person accepts before it", [], 404, refusal("update", "ACTIVE, fail")],
  ])("is an error with the state to store where %s", async (_, ignoresOnUpdate, status, cause) => {
    const { organization, invited, atlas, failAfter } = await setup({ ignoresOnUpdate });
    if (status) failAfter(() => status === 404 && organization.accept(ada), { method: "PATCH", status });
    const createdAt = expect.any(String);
    const stored = { status: "PENDING", teamIds: [], createdAt, declaredBy: "resource" };
    await expect(invited(declared, "resource")).rejects.toMatchObject({
      kind: "incompleteCreate",
      message: expect.stringContaining(ada),
      state: { ...stored, declared: expect.objectContaining(declared) },
      cause,
    });
    expect(organization.users).toHaveLength(1);
    expect(atlas.mails).toHaveLength(1);
  });

  test.each(["an update", "a read and an update"])("is completed by %s", async (how) => {
    const { organization, invited, update, refresh, atlas } = await setup();
    atlas.fail({ method: "PATCH", status: 501, body: "" });
    const { state } = (await invited(declared).catch((error) => error)) as IncompleteCreateError;
    expect(state.declaredBy).toBeUndefined();
    // The next plan shows what is missing.
    const read = await refresh(state);
    expect(read.declared.teamIds).toEqual([]);
    const olds = how === "an update" ? state : read;
    expect(await update(olds, declared)).toMatchObject(declared);
    expect(organization.find(ada)).toMatchObject(declared);
    expect(atlas.mails).toHaveLength(1);
  });

  test("is completed as a managed member where the person accepts before the second request", async () => {
    const { organization, invited, failAfter } = await setup({ onAccepted: "manage" });
    const acceptWithOtherRoles = () => {
      organization.accept(ada);
      organization.change(ada, { roles: ["ORG_READ_ONLY"] });
    };
    failAfter(acceptWithOtherRoles, { method: "PATCH", status: 404 });
    expect(await invited(declared)).toMatchObject({ status: "ACCEPTED", roles: ["ORG_MEMBER"], ...declared });
    const roles = ["ORG_MEMBER", "ORG_READ_ONLY"];
    expect(organization.find(ada)).toMatchObject({ status: "ACTIVE", roles, ...declared });
  });
});

describe.each(APIS)("the lifecycle on $apiVersion", ({ isUsers, setup }) => {
  test("never adopts, reads or changes an invitation to a project", async () => {
    const { organization, invited, inputs, connected, notices, atlas } = await setup();
    const before = organization.inviteToProject(ada, { groupId: project, roles: ["GROUP_OWNER"] });
    const refused = atlas.fail({ method: "POST", status: 400, body: { errorCode: "INVALID_ENUM_VALUE" } });
    await expect(invited()).rejects.toMatchObject({ errorCode: "INVALID_ENUM_VALUE" });
    refused.lift();
    const text = `${ada} has an invitation to a project of ${organization.id}, from owner@example.com`;
    expect(notices).toEqual([expect.stringContaining(text)]);
    const { invitationId, userId } = before;
    const ids = isUsers ? { userId } : { invitationId };
    const access = { roles: ["ORG_MEMBER"], teamIds: [], groupRoleAssignments: [] };
    const state = { ...inputs(), ...access, declared: access, ...ids, status: "PENDING" as const };
    expect(await connected().read(state)).toBeUndefined();
    expect(organization.users).toEqual([before]);
  });

  describe.each(PEOPLE)("and the access of $whose", ({ onAccepted }) => {
    const isMember = onAccepted === "manage";

    test("warns of a role that Atlas adds, and neither removes it nor shows it as drift", async () => {
      const { organization, invited, refresh, update, notices, changes } = await setup({
        onAccepted,
        addsRoles: ["ORG_READ_ONLY"],
      });
      if (isMember) organization.addMember(ada, { roles: ["ORG_OWNER"] });
      const state = await invited();
      const roles = ["ORG_MEMBER", "ORG_READ_ONLY"];
      expect(state).toMatchObject({ roles, declared: { roles: ["ORG_MEMBER"] } });
      expect(changes().map(({ method }) => method)).toEqual(isMember ? ["PATCH"] : ["POST", "PATCH"]);
      const warning = `warning: ${ada} in ${organization.id}: Atlas grants roles ORG_READ_ONLY in addition`;
      expect(notices.at(-1)).toContain(warning);

      expect(await refresh(state)).toEqual(state);
      expect(await update(state)).toEqual(state);
      const updated = await update(state, { reinviteExpired: true });
      expect(updated).toMatchObject({ roles, reinviteExpired: true });
      expect(changes()).toEqual([]);
      const changed = await update(updated, { roles: ["ORG_OWNER"] });
      expect(changes()).toHaveLength(1);
      expect(changed).toMatchObject({ roles: ["ORG_OWNER", "ORG_READ_ONLY"] });
    });

    test("fails where Atlas ignores declared teams, after it granted the rest", async () => {
      const { organization, stored, update } = await setup({ onAccepted, ignoresOnUpdate: ["teamIds"] });
      const updated = update(await stored(), { roles: ["ORG_OWNER"], teamIds: [team] });
      const message = expect.stringContaining(`did not grant teamIds ${team}`);
      await expect(updated).rejects.toMatchObject({ kind: "accessNotTaken", message });
      expect(organization.find(ada)).toMatchObject({ roles: ["ORG_OWNER"], teamIds: [] });
    });
  });

  test("warns once where Atlas does not remove a team, and does not try it again", async () => {
    const ignoresOnUpdate = ["teamIds"] as const;
    const { invited, update, refresh, notices, expectNoChange } = await setup({ ignoresOnUpdate });
    const updated = await update(await invited({ teamIds: [team] }));
    expect(updated).toMatchObject({ teamIds: [team], declared: { teamIds: [] } });
    expect(notices).toEqual([expect.stringContaining(`grants teamIds ${team} in addition`)]);
    await expectNoChange(async () => {
      expect(await refresh(updated)).toEqual(updated);
      expect(await update(updated)).toEqual(updated);
    });
  });

  test.each(["an invitation", "a member"])(
    "stores another onAccepted of %s without a request",
    async (whose) => {
      const { organization, invited, accepted, refresh, update, notices, requests } = await setup();
      const isMember = whose === "a member";
      const state = await (isMember ? accepted() : invited());
      if (isMember) organization.change(ada, { roles: ["ORG_OWNER"] });
      const read = isMember ? await refresh(state) : state;
      requests();
      const changes = { onAccepted: "retain", reinviteExpired: true } as const;
      expect(await update(read, changes)).toEqual({ ...read, ...changes });
      expect(requests()).toEqual([]);
      const text = `${ada} is a member of ${organization.id} without roles ORG_MEMBER`;
      expect(notices).toEqual(isMember ? [expect.stringContaining(text)] : []);
    },
  );
});
