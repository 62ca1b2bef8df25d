import { describe, expect, test, vi } from "vitest";
import { AccessWriter } from "../../../provider/lifecycle/access-writer.ts";
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

  test("is completed by the next update", async () => {
    const { organization, invited, update, refresh, atlas } = await setup();
    atlas.fail({ method: "PATCH", status: 501, body: "" });
    const { state } = (await invited(declared).catch((error) => error)) as IncompleteCreateError;
    expect(state.declaredBy).toBeUndefined();
    // The next plan shows what is missing.
    const read = await refresh(state);
    expect(read.declared.teamIds).toEqual([]);
    expect(await update(read, declared)).toMatchObject(declared);
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

  test("is completed by the users API where Atlas retires the invitations API before the second request", async () => {
    const { organization, invited, during, atlas } = await setup();
    const retire = () => atlas.sunset();
    const created = await during({ method: "PATCH" }, () => invited(declared), retire);
    expect(created).toMatchObject({ status: "PENDING", ...declared });
    expect(organization.find(ada)).toMatchObject(declared);
    expect(atlas.mails).toHaveLength(1);
  });
});

describe.each(APIS)("the lifecycle on $apiVersion", ({ isUsers, setup }) => {
  test("reports a bug after the invitation was sent as a cause, with the state to store", async () => {
    const { invited, organization } = await setup({ addsRoles: ["ORG_READ_ONLY"] });
    const bug = new TypeError("roles is not iterable");
    vi.spyOn(AccessWriter.prototype, "change").mockRejectedValueOnce(bug);
    const error = await invited().catch((error) => error);
    expect(error).toMatchObject({ kind: "incompleteCreate" });
    expect(error.cause).toBe(bug);
    expect(organization.invitations).toHaveLength(1);
  });

  test("stores a member without an organization role, and grants one to a managed member", async () => {
    const { organization, invited, refresh } = await setup();
    organization.addMember(ada, { roles: [] });
    const retained = await invited({ onAccepted: "retain" });
    expect(retained).toMatchObject({ status: "ACCEPTED", roles: [] });
    expect(await refresh(retained)).toEqual(retained);
    expect(organization.find(ada)).toMatchObject({ roles: [] });
    expect(await invited({ onAccepted: "manage" })).toMatchObject({ roles: ["ORG_MEMBER"] });
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_MEMBER"] });
  });

  test("shows project roles and unknown roles of a managed member as drift, and removes them", async () => {
    const { organization, stored, refresh, update } = await setup({ onAccepted: "manage" });
    const roles = ["GROUP_OWNER", "ORG_OF_TOMORROW"];
    const state = await stored();
    organization.change(ada, { roles });
    const read = await refresh(state);
    expect(read).toMatchObject({ status: "ACCEPTED", roles, declared: { roles } });
    await update(read);
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_MEMBER"] });
  });

  test("adopts an invitation with a project role among the roles of the organization", async () => {
    const { organization, invited, refresh, changes } = await setup();
    organization.invite(ada, { roles: ["GROUP_OWNER"] });
    const adopted = await invited({ roles: ["GROUP_OWNER"] });
    expect(adopted).toMatchObject({ status: "PENDING", roles: ["GROUP_OWNER"] });
    expect(await refresh(adopted)).toEqual(adopted);
    expect(changes()).toEqual([]);
    expect(await invited()).toMatchObject({ roles: ["ORG_MEMBER"] });
    expect(organization.find(ada)).toMatchObject({ status: "PENDING", roles: ["ORG_MEMBER"] });
  });

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
      expect(notices.filter((text) => text.startsWith("warning"))).toEqual([
        `warning: ${ada} in ${organization.id}: Atlas grants roles ORG_READ_ONLY in addition to what is declared. This was not changed. If an identity provider grants it, change it there.`,
      ]);

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

  test("fails where Atlas ignores the roles of a member, unless they are retained or declared as they are", async () => {
    const { organization, invited, expectNoChange } = await setup({ ignoresOnUpdate: ["roles"] });
    const roles = ["ORG_READ_ONLY"];
    organization.addMember(ada, { roles });
    await expect(invited({ onAccepted: "manage" })).rejects.toMatchObject({ kind: "accessNotTaken" });
    await expectNoChange(async () => {
      expect(await invited({ onAccepted: "retain" })).toMatchObject({ roles });
      expect(await invited({ onAccepted: "manage", roles })).toMatchObject({ roles });
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

  test("stores another onAccepted of a member without a request, and reports what the member lacks", async () => {
    const { organization, accepted, refresh, update, notices, requests } = await setup();
    const state = await accepted();
    organization.change(ada, { roles: ["ORG_OWNER"] });
    const read = await refresh(state);
    requests();
    const changes = { onAccepted: "retain", reinviteExpired: true } as const;
    expect(await update(read, changes)).toEqual({ ...read, ...changes });
    expect(requests()).toEqual([]);
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_OWNER"] });
    expect(notices).toEqual([expect.stringContaining("without roles ORG_MEMBER")]);
  });
});
