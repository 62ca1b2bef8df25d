import { describe, expect, test } from "vitest";
import type { Notice } from "../../../provider/atlas/notice.ts";
import type { LifecycleRow, OnAccepted, Operation } from "../../../provider/lifecycle/membership.ts";
import type { OrgInvitationState } from "../../../provider/lifecycle/org-invitation-state.ts";
import { type Cell, LIFECYCLE_TABLE } from "../../support/lifecycle-table.ts";
import type { Organization } from "../../support/simulated-atlas/organization.ts";
import { APIS, ada, DEPRECATED_APIS, refusal, team } from "./lifecycle-fixture.ts";

/** The notice of an operation, by the beginning of what it does. */
const NOTICES: Record<string, string> = {
  "adopts the invitation": "Deleting the resource will cancel the invitation that owner@example.com sent.",
  "adopts the member": "Deleting the resource will remove the member from the organization",
  "adopts the member unchanged": "Deleting the resource will keep the member.",
  "forgets the resource": `${ada} stays a member`,
};

const onAcceptedOf = (row: string) => (/^ACTIVE, (.*)/.exec(row)?.[1] ?? "fail") as OnAccepted;

/** Makes Atlas answer what the row says about Ada, who is invited. */
function changeStatus(row: LifecycleRow, organization: Organization): void {
  if (row === "nothing") organization.cancel(ada);
  if (row.startsWith("ACTIVE")) organization.accept(ada);
  if (row === "INVITATION_EXPIRED") organization.expire(ada);
  if (row === "INVITATION_REJECTED") organization.reject(ada);
}

const rows = Object.entries(LIFECYCLE_TABLE) as [LifecycleRow, Record<Operation, Cell>][];
const cells = rows.flatMap(([row, operations]) => {
  const entries = Object.entries(operations) as [Operation, Cell][];
  return entries.map(([operation, cell]) => ({ row, operation, cell }));
});

describe.each(APIS)("the table of the lifecycle on $apiVersion", ({ isUsers, setup }) => {
  test.each(cells)("$row, $operation: $cell.does", async ({ row, operation, cell }) => {
    const { atlas, organization, inputs, lifecycle, requests, notices } = await setup();
    const declared = inputs({ onAccepted: onAcceptedOf(row) });
    const changed = { ...declared, roles: ["ORG_OWNER"], teamIds: [team] };
    if (operation === "create") organization.invite(ada);
    const state = operation === "create" ? undefined : await lifecycle.create(declared);
    changeStatus(row, organization);
    const before = organization.find(ada);
    const mails = atlas.mails.length;
    requests();

    const run = {
      create: (): Promise<unknown> => lifecycle.create(changed),
      read: () => lifecycle.read(state as never),
      update: () => lifecycle.update(state as never, changed),
      delete: () => lifecycle.delete(state as never),
    }[operation]();
    const isRefused = cell.does.startsWith("error");
    if (isRefused) {
      const message = expect.stringMatching(`${ada} .*${organization.id}`);
      await expect(run).rejects.toMatchObject({ ...refusal(operation, row), message });
    }
    const result = (isRefused ? undefined : await run) as OrgInvitationState | undefined;

    expect(requests()).toEqual(cell[isUsers ? "users" : "invites"]);
    const now = organization.find(ada);
    const isInvited = cell.does.startsWith("invites");
    const access = { roles: ["ORG_OWNER"], teamIds: [team] };
    expect(atlas.mails.length - mails).toBe(isInvited ? 1 : 0);
    if (isInvited) expect(now).toMatchObject({ status: "PENDING", ...access });
    else if (/\bchanges\b/.test(cell.does)) expect(now).toEqual({ ...before, ...access });
    else if (/cancels|removes/.test(cell.does)) expect(now).toBeUndefined();
    else expect(now).toEqual(before);
    const notice = NOTICES[cell.does.replace(/,.*/, "")];
    expect(notices).toEqual(notice ? [expect.stringContaining(notice)] : []);
    if (cell.does.startsWith("`ACCEPTED`")) {
      expect(result).toEqual({ ...state, status: "ACCEPTED", userId: before?.userId });
    }
    if (operation === "read") expect(result?.status).toBe(/`(\w+)`/.exec(cell.does)?.[1]);
  });
});

describe.each(APIS)("the lifecycle on $apiVersion", ({ isUsers, setup, invitesPath, invitationPath }) => {
  test("adopts an invitation in any letter case without a second e-mail, and reports it", async () => {
    const { organization, expectNoChange, connected, inputs } = await setup();
    const { expiresAt } = organization.invite("Ada@Example.COM");
    const notices: Notice[] = [];
    const run = connected({ notify: (notice) => notices.push(notice) });
    const adopted = await expectNoChange(() => run.create(inputs()));
    expect(adopted).toMatchObject({ username: ada, status: "PENDING" });
    const text = expect.stringContaining(
      `by owner@example.com: the resource adopted the invitation, which expires on ${expiresAt}`,
    );
    expect(notices).toEqual([{ severity: "info", text, subject: { orgId: organization.id, username: ada } }]);
  });

  test.each([
    ["a colleague", "owner@example.com"],
    ["a concurrent run", "anotherkey"],
  ])("adopts the invitation that %s sends at the same moment", async (_, inviterUsername) => {
    const { organization, invited, during, atlas, notices } = await setup({ secondInvite: "refuse" });
    const create = () => invited({ roles: ["ORG_OWNER"] });
    const invite = () => organization.invite(ada, { inviterUsername });
    const created = await during({ method: "POST", path: invitesPath }, create, invite);
    expect(created).toMatchObject({ status: "PENDING", roles: ["ORG_OWNER"] });
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_OWNER"] });
    expect(atlas.mails).toHaveLength(1);
    const text = `already invited to ${organization.id}, by ${inviterUsername}`;
    expect(notices).toEqual([expect.stringContaining(text)]);
  });

  test.each([
    ["is lost", { cut: "after" }, true],
    ["breaks off", { damage: "half body" }, true],
    ["has another content", { status: 200, when: "after", body: { results: [] } }, true],
    ["is missing, as the request was lost", { cut: "before" }, false],
  ] as const)("invites once where the answer %s", async (_, fault, isSent) => {
    const { organization, invited, atlas, notices } = await setup();
    atlas.fail({ method: "POST", path: invitesPath, ...fault });
    expect(await invited()).toMatchObject({ status: "PENDING" });
    expect(organization.invitations).toHaveLength(1);
    expect(atlas.mails).toHaveLength(1);
    const text = `The invitation of ${ada} to ${organization.id} was sent, although its answer was lost.`;
    expect(notices).toEqual(isSent ? [text] : []);
  });

  test.each([
    ["DEFAULT_INVITATION_EXCEPTION", 2],
    ["INVALID_ENUM_VALUE", 1],
  ])("reports the rejection %s of an invitation", async (errorCode, times) => {
    const { atlas, invited } = await setup();
    atlas.fail({ method: "POST", path: invitesPath, times, status: 400, body: { errorCode } });
    await expect(invited()).rejects.toMatchObject({ kind: "api", errorCode });
    expect(atlas.mails).toEqual([]);
  });

  test("invites a member who leaves while they are adopted", async () => {
    const { organization, invited, during } = await setup();
    organization.addMember(ada, { roles: ["ORG_OWNER"] });
    const adopt = () => invited({ onAccepted: "manage" });
    const created = await during({ method: "PATCH" }, adopt, () => organization.removeMember(ada));
    expect(created).toMatchObject({ status: "PENDING" });
    expect(organization.find(ada)).toMatchObject({ status: "PENDING", roles: ["ORG_MEMBER"] });
  });

  test("reads and cancels the invitation that replaced its own, without the ids of the old one", async () => {
    const { organization, inputs, refresh, connected } = await setup();
    const state = await connected({ invitationsApi: isUsers ? "v2" : "users" }).create(inputs());
    organization.expire(ada);
    const createdAt = "2026-01-01T00:00:00Z";
    organization.restore({ ...organization.invite(ada), createdAt });
    const { expiresAt, invitationId, userId } = organization.find(ada) ?? {};
    const read = await refresh(state);
    expect(read).toMatchObject({ status: "PENDING", createdAt, expiresAt });
    const ids = isUsers ? [undefined, userId] : [invitationId, undefined];
    expect([read.invitationId, read.userId]).toEqual(ids);
    await connected().delete(state);
    expect(organization.users).toEqual([]);
  });

  test.each([
    [{ path: /users\?/, status: 500, body: "" }, "answered 500"],
    [{ path: /users\?/, damage: "half body" }, "broke off"],
    [{ status: 404, body: { errorCode: "ORG_NOT_FOUND" } }, "ORG_NOT_FOUND"],
    [{ status: 401, body: { errorCode: "USER_CANNOT_ACCESS_ORG" } }, "USER_CANNOT_ACCESS_ORG"],
  ] as const)("changes nothing when the look-up fails: %o", async (fault, text) => {
    const { organization, inputs, invited, connected, atlas, refresh } = await setup();
    const state = await invited();
    organization.accept(ada);
    const before = organization.users;
    const failing = atlas.fail({ times: Number.POSITIVE_INFINITY, ...fault });
    const run = connected();
    for (const operation of [
      () => run.delete(state),
      () => run.delete({ ...state, onAccepted: "manage" }),
      () => run.read(state),
      () => run.update(state, inputs({ roles: ["ORG_OWNER"] })),
      () => run.create(inputs()),
    ]) {
      await expect(operation()).rejects.toThrow(text);
    }
    expect(organization.users).toEqual(before);
    failing.lift();
    expect(await refresh(state)).toMatchObject({ status: "ACCEPTED" });
  });

  test("invites nobody whose status it does not know", async () => {
    const { atlas, organization, invited } = await setup();
    organization.addMember(ada);
    organization.rewrite(ada, (view) => ({ ...view, orgMembershipStatus: "SUSPENDED" }));
    await expect(invited()).rejects.toMatchObject({ kind: "unknownStatus" });
    expect(atlas.mails).toEqual([]);
  });

  test("fails where Atlas lists an invitation that it does not find", async () => {
    const { organization, lifecycle, invited, atlas } = await setup();
    const state = await invited();
    atlas.fail({ path: invitationPath, status: 404, body: "", times: Number.POSITIVE_INFINITY });
    await expect(lifecycle.delete(state)).rejects.toMatchObject({ kind: "listsDisagree" });
    expect(organization.find(ada)).toMatchObject({ status: "PENDING" });
  });
});

describe.each(DEPRECATED_APIS)("the retirement of $apiVersion", ({ apiVersion, setup }) => {
  test("interrupts no operation, and is reported once in each run", async () => {
    const { atlas, organization, inputs, lifecycle, connected, notices } = await setup();
    const state = await lifecycle.create(inputs());
    atlas.sunset();
    const changed = inputs({ roles: ["ORG_OWNER"] });
    const updated = await lifecycle.update(state, changed);
    expect(updated).toMatchObject({ ...changed, status: "PENDING", invitationId: state.invitationId });
    expect(await lifecycle.read(updated)).toEqual(updated);
    await lifecycle.create(inputs({ username: "grace@example.com" }));
    const retired = `warning: Atlas has retired the ${apiVersion} API of invitations. The users API is used instead.`;
    expect(notices).toEqual([retired]);

    await connected().delete(updated);
    expect(organization.users).toMatchObject([{ username: "grace@example.com", status: "PENDING" }]);
    expect(notices).toEqual([retired, retired]);
  });
});
