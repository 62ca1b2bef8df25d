import { describe, expect, test, vi } from "vitest";
import { AtlasClient } from "../../../provider/atlas/atlas-client.ts";
import type { Notice } from "../../../provider/atlas/notice.ts";
import type { LifecycleRow, OnAccepted, Operation } from "../../../provider/lifecycle/membership.ts";
import type { OrgInvitationState } from "../../../provider/lifecycle/org-invitation-state.ts";
import { type Cell, LIFECYCLE_TABLE } from "../../support/lifecycle-table.ts";
import type { Organization } from "../../support/simulated-atlas/organization.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { API_VERSIONS, APIS, ada, DEPRECATED_APIS, project, refusal, team } from "./lifecycle-fixture.ts";

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
    if (cell.does.startsWith("forgets")) {
      const text = `${ada} stays a member of ${organization.id}. Only the resource is deleted.`;
      expect(notices).toEqual([text]);
    }
    if (operation === "read") expect(result?.status).toBe(/`(\w+)`/.exec(cell.does)?.[1]);
  });
});

describe.each(APIS)("the lifecycle on $apiVersion", ({ isUsers, setup, invitesPath, invitationPath }) => {
  test("stores what Atlas answers about an invitation", async () => {
    const { organization, invited, apiKey } = await setup();
    const { invitationId, userId, orgName, ...state } = await invited();
    const stored = organization.find(ada);
    const { createdAt, expiresAt } = stored ?? {};
    const inviterUsername = apiKey.publicKey;
    expect(state).toMatchObject({ status: "PENDING", createdAt, expiresAt, inviterUsername });
    expect({ invitationId, userId, orgName }).toEqual(
      isUsers ? { userId: stored?.userId } : { invitationId: stored?.invitationId, orgName: "Example" },
    );
  });

  test("adopts an invitation in any letter case without a second e-mail, and reports it", async () => {
    const { organization, expectNoChange, connected, inputs } = await setup();
    const { expiresAt } = organization.invite("Ada@Example.COM");
    const notices: Notice[] = [];
    const run = connected({ notify: (notice) => notices.push(notice) });
    const adopted = await expectNoChange(() => run.create(inputs()));
    expect(adopted).toMatchObject({ username: ada, status: "PENDING" });
    const text = `${ada} was already invited to ${organization.id}, by owner@example.com: the resource adopted the invitation, which expires on ${expiresAt}, and no other e-mail is sent. Deleting the resource will cancel the invitation that owner@example.com sent.`;
    expect(notices).toEqual([{ severity: "info", text, subject: { orgId: organization.id, username: ada } }]);
  });

  const access = {
    roles: ["ORG_OWNER"],
    teamIds: [team],
    groupRoleAssignments: [{ groupId: project, roles: ["GROUP_OWNER"] }],
  };
  const none = { roles: ["ORG_MEMBER"], teamIds: [], groupRoleAssignments: [] };

  test.each([
    ["retain", access, "will keep the member."],
    ["manage", none, "will remove the member from the organization"],
  ] as const)("reports a member adopted under %s", async (onAccepted, expected, text) => {
    const { organization, invited, notices, atlas } = await setup();
    const { userId } = organization.addMember(ada, access);
    expect(await invited({ onAccepted })).toMatchObject({ status: "ACCEPTED", userId, ...expected });
    expect(organization.find(ada)).toMatchObject({ status: "ACTIVE", ...expected });
    expect(atlas.mails).toEqual([]);
    const start = `${ada} is already a member of ${organization.id}: the resource adopted the member, and no invitation is sent.`;
    expect(notices).toEqual([expect.stringContaining(`${start} Deleting the resource ${text}`)]);
  });

  test("stores a change of onAccepted or reinviteExpired without a request", async () => {
    const { inputs, lifecycle, invited, requests } = await setup();
    const state = await invited();
    requests();
    const changes = { onAccepted: "manage", reinviteExpired: true } as const;
    expect(await lifecycle.update(state, inputs(changes))).toEqual({ ...state, ...changes });
    expect(requests()).toEqual([]);
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

  test("adopts the invitation that a colleague sends while its own is throttled", async () => {
    const clock = new SimulatedClock();
    const { organization, invited, atlas, failAfter, notices } = await setup({ clock });
    const headers = { "Retry-After": "55" };
    failAfter(() => organization.invite(ada), { method: "POST", path: invitesPath, status: 429, headers });
    await clock.run(invited());
    expect(atlas.mails).toHaveLength(1);
    expect(notices.at(-1)).toContain("will cancel the invitation that owner@example.com sent");
  });

  const afterwards = { status: 200, when: "after" } as const;

  test.each([
    ["is lost", { cut: "after" }, true],
    ["breaks off", { damage: "half body" }, true],
    ["cannot be read", { ...afterwards, body: "<html>" }, true],
    ["has another content", { ...afterwards, body: { results: [] } }, true],
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

  test("keeps the invitation in the state of a member, who has a new id, and removes only a managed member", async () => {
    const { organization, invited, refresh, connected } = await setup({ newIdOnAcceptance: true });
    const state = await invited();
    organization.accept(ada);
    const userId = organization.find(ada)?.userId;
    expect(await refresh(state)).toEqual({ ...state, status: "ACCEPTED", userId });
    await expect(connected().delete(state)).rejects.toMatchObject(refusal("delete", "ACTIVE, fail"));
    expect(organization.users).toHaveLength(1);
    await connected().delete({ ...state, onAccepted: "manage" });
    expect(organization.users).toEqual([]);
  });

  test.each([
    [
      { path: /users\?/, status: 403, body: { errorCode: "ORG_REQUIRES_ACCESS_LIST" } },
      "ORG_REQUIRES_ACCESS_LIST",
    ],
    [{ path: /users\?/, status: 500, body: "" }, "answered 500"],
    [{ path: /users\?/, cut: "before" }, "other side closed"],
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

  test.each(API_VERSIONS)("reads, updates and cancels by the state that %s wrote", async (writer) => {
    const { organization, inputs, connected, refresh, atlas } = await setup();
    const written = await connected({ invitationsApi: writer }).create(inputs());
    expect(await refresh(written)).toMatchObject({ status: "PENDING", createdAt: written.createdAt });
    const updated = await connected().update(written, inputs({ roles: ["ORG_OWNER"] }));
    expect(updated).toMatchObject({ status: "PENDING", roles: ["ORG_OWNER"] });
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_OWNER"] });
    await connected().delete(written);
    expect(organization.users).toEqual([]);
    expect(atlas.mails).toHaveLength(1);
  });

  test("throws a bug in a look-up unchanged", async () => {
    const { invited } = await setup();
    const bug = new TypeError("people is not iterable");
    vi.spyOn(AtlasClient.prototype, "fetch").mockRejectedValueOnce(bug);
    await expect(invited()).rejects.toBe(bug);
  });
});

describe.each(DEPRECATED_APIS)("the retirement of $apiVersion", ({ apiVersion, setup }) => {
  test("interrupts no operation, and is reported once in each run", async () => {
    const { atlas, organization, inputs, lifecycle, connected, notices } = await setup();
    const grace = "grace@example.com";
    const state = await lifecycle.create(inputs());
    atlas.sunset();
    const changed = inputs({ roles: ["ORG_OWNER"] });
    const updated = await lifecycle.update(state, changed);
    expect(updated).toMatchObject({ ...changed, status: "PENDING", invitationId: state.invitationId });
    expect(await lifecycle.read(updated)).toEqual(updated);
    const other = await lifecycle.create(inputs({ username: grace }));
    expect(other).toMatchObject({ status: "PENDING", userId: organization.find(grace)?.userId });
    const retired = `warning: Atlas has retired the ${apiVersion} API of invitations. The users API is used instead.`;
    expect(notices).toEqual([retired]);

    await connected().delete(updated);
    expect(organization.find(ada)).toBeUndefined();
    expect(await connected().read(updated)).toBeUndefined();
    await connected().create(inputs());
    expect(organization.find(ada)).toMatchObject({ status: "PENDING" });
    expect(notices).toEqual(Array(4).fill(retired));
    expect(atlas.mails).toHaveLength(3);
  });
});
