import { describe, expect, test } from "vitest";
import { systemClock } from "../../../provider/atlas/clock.ts";
import type { InvitationsApi } from "../../../provider/atlas/invitations/invitations-api.ts";
import { MemberDirectory } from "../../../provider/atlas/invitations/member-directory.ts";
import { Declarations } from "../../../provider/lifecycle/declarations.ts";
import { Lifecycle } from "../../../provider/lifecycle/lifecycle.ts";
import {
  type LifecycleRow,
  type OnAccepted,
  type Operation,
  statusOf,
} from "../../../provider/lifecycle/membership.ts";
import type { OrgInvitationState } from "../../../provider/lifecycle/org-invitation-state.ts";
import { LIFECYCLE_TABLE } from "../../support/lifecycle-table.ts";
import type { Organization } from "../../support/simulated-atlas/organization.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { ada, GENERATIONS, gate, lifecycleFixture, project, team } from "./lifecycle-fixture.ts";

const onAcceptedOf = (row: LifecycleRow): OnAccepted =>
  row === "ACTIVE, retain" ? "retain" : row === "ACTIVE, manage" ? "manage" : "fail";

/** What people do in Atlas so that it says of Ada what the row says, given that she is invited. */
function become(row: LifecycleRow, organization: Organization): void {
  if (row === "nothing") organization.cancel(ada);
  if (row.startsWith("ACTIVE")) organization.accept(ada);
  if (row === "INVITATION_EXPIRED") organization.expire(ada);
  if (row === "INVITATION_REJECTED") organization.reject(ada);
}

const cells = Object.entries(LIFECYCLE_TABLE).flatMap(([row, operations]) =>
  Object.entries(operations).map(([operation, cell]) => ({
    row: row as LifecycleRow,
    operation: operation as Operation,
    cell,
  })),
);

describe.each(GENERATIONS)("%s", (generation) => {
  test.each(cells)("$row, $operation: $cell.does", async ({ row, operation, cell }) => {
    await using scene = await lifecycleFixture(generation);
    const { atlas, organization, inputs, lifecycle, requests } = scene;
    const declared = inputs({ onAccepted: onAcceptedOf(row) });
    const changed = { ...declared, roles: ["ORG_OWNER"], teamIds: [team] };

    if (operation === "create") organization.invite(ada);
    const state = operation === "create" ? undefined : await lifecycle.create(declared);
    become(row, organization);
    const before = organization.find(ada);
    const mails = atlas.mails.length;
    requests();

    const run = {
      create: (): Promise<unknown> => lifecycle.create(changed),
      read: () => lifecycle.read(state as never),
      update: () => lifecycle.update(state as never, changed),
      delete: () => lifecycle.delete(state as never),
    }[operation]();

    if (cell.refuses) {
      await expect(run).rejects.toThrow(cell.refuses);
      await expect(run).rejects.toThrow(ada);
      await expect(run).rejects.toThrow(organization.id);
      expect(organization.find(ada)).toEqual(before);
    }
    const result = (cell.refuses ? undefined : await run) as OrgInvitationState | undefined;
    expect(requests()).toEqual(cell[generation === "users" ? "users" : "invites"]);

    const now = organization.find(ada);
    const sent = cell.does === "invites them" ? 1 : 0;
    expect(atlas.mails.length - mails).toBe(sent);
    if (sent) expect(now).toMatchObject({ status: "PENDING", roles: ["ORG_OWNER"], teamIds: [team] });
    if (/changes|changed/.test(cell.does)) {
      expect(now).toEqual({ ...before, roles: ["ORG_OWNER"], teamIds: [team] });
    }
    if (/cancels|removes/.test(cell.does)) expect(now).toBeUndefined();
    else if (!sent && !/change/.test(cell.does)) expect(now).toEqual(before);
    if (operation === "read") {
      const status = before && statusOf(before.status);
      expect(result && { status: result.status, roles: result.roles }).toEqual(
        status && { status, roles: ["ORG_MEMBER"] },
      );
    }
  });
});

describe.each(GENERATIONS)("the lifecycle on %s", (generation) => {
  const invited = generation === "users" ? /users$/ : /invites$/;

  test("keeps what Atlas told of an invitation", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, lifecycle, atlas } = scene;
    const state = await lifecycle.create(inputs());
    const stored = organization.find(ada);
    expect(state).toMatchObject({
      status: "PENDING",
      createdAt: stored?.createdAt,
      expiresAt: stored?.expiresAt,
      inviterUsername: atlas.requests[0]?.username ?? atlas.requests.at(-1)?.username,
      ...(generation === "users"
        ? { userId: stored?.userId }
        : { invitationId: stored?.invitationId, orgName: "Example" }),
    });
    expect(generation === "users" ? state.invitationId : state.userId).toBeUndefined();
  });

  test("adopts an invitation in any letter case, says so, and sends no second e-mail", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, lifecycle, atlas, notices } = scene;
    const { expiresAt } = organization.invite("Ada@Example.COM");
    const state = await lifecycle.create(inputs());
    expect(state).toMatchObject({ username: ada, status: "PENDING" });
    expect(atlas.mails).toHaveLength(1);
    expect(notices).toEqual([
      `${ada} was already invited to ${organization.id}, by owner@example.com: adopted the invitation, which expires on ${expiresAt}; no other e-mail is sent. Destroying this resource cancels the invitation that owner@example.com sent.`,
    ]);
    expect(atlas.requests.map(({ method }) => method)).not.toContain("PATCH");
  });

  test.each([
    ["retain", "ORG_OWNER", "keeps them."],
    [
      "manage",
      "ORG_MEMBER",
      'removes a member who was there before; set onAccepted to "retain" to keep them.',
    ],
  ] as const)(
    "says under %s when it adopts a member, and what destroying does to them",
    async (onAccepted, role, destroying) => {
      await using scene = await lifecycleFixture(generation);
      const { organization, inputs, lifecycle, notices } = scene;
      const { userId } = organization.addMember(ada, { roles: ["ORG_OWNER"] });
      const state = await lifecycle.create(inputs({ onAccepted }));
      expect(state).toMatchObject({ status: "ACCEPTED", userId, roles: [role] });
      expect(organization.find(ada)).toMatchObject({ status: "ACTIVE", roles: [role] });
      expect(notices).toEqual([
        `${ada} is already a member of ${organization.id}: adopted the member; no invitation is sent. Destroying this resource ${destroying}`,
      ]);
    },
  );

  test("grants teams and project roles, and takes the last of them away", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, lifecycle } = scene;
    const groupRoleAssignments = [{ groupId: project, roles: ["GROUP_OWNER", "GROUP_READ_ONLY"] }];
    const state = await lifecycle.create(inputs({ teamIds: [team], groupRoleAssignments }));
    expect(state).toMatchObject({ teamIds: [team], groupRoleAssignments });
    expect(organization.find(ada)).toMatchObject({ teamIds: [team], groupRoleAssignments });
    const bare = await lifecycle.update(state, inputs());
    expect(bare).toMatchObject({ teamIds: [], groupRoleAssignments: [], invitationId: state.invitationId });
    expect(organization.find(ada)).toMatchObject({ teamIds: [], groupRoleAssignments: [] });
  });

  test("takes the last team and project role from a managed member", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, lifecycle } = scene;
    const groupRoleAssignments = [{ groupId: project, roles: ["GROUP_OWNER"] }];
    organization.addMember(ada, { teamIds: [team], groupRoleAssignments });
    const state = await lifecycle.create(inputs({ onAccepted: "manage" }));
    expect(state).toMatchObject({ status: "ACCEPTED", teamIds: [], groupRoleAssignments: [] });
    expect(organization.find(ada)).toMatchObject({ teamIds: [], groupRoleAssignments: [] });
  });

  test("stores a change of onAccepted or reinviteExpired without a request", async () => {
    await using scene = await lifecycleFixture(generation);
    const { inputs, lifecycle, requests } = scene;
    const state = await lifecycle.create(inputs());
    requests();
    const changes = { onAccepted: "manage", reinviteExpired: true } as const;
    expect(await lifecycle.update(state, inputs(changes))).toEqual({ ...state, ...changes });
    expect(requests()).toEqual([]);
  });

  test.each([
    ["colleague", "owner@example.com"],
    ["concurrent run", "anotherkey"],
  ])("adopts the invitation that a %s sent first", async (_, inviterUsername) => {
    await using scene = await lifecycleFixture(generation, { secondInvite: "refuse" });
    const { organization, inputs, lifecycle, atlas, notices } = scene;
    const { opened, open } = gate();
    const held = atlas.fail({ method: "POST", path: invited, until: opened });
    const created = lifecycle.create(inputs({ roles: ["ORG_OWNER"] }));
    await held.struck;
    organization.invite(ada, { inviterUsername });
    open();
    expect(await created).toMatchObject({ status: "PENDING", roles: ["ORG_OWNER"] });
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_OWNER"] });
    expect(atlas.mails).toHaveLength(1);
    expect(notices).toEqual([
      expect.stringContaining(
        `${ada} was already invited to ${organization.id}, by ${inviterUsername}: adopted`,
      ),
    ]);
  });

  test.each([
    ["was lost", { cut: "after" }],
    ["broke off", { damage: "half body" }],
    ["cannot be read", { status: 200, body: "<html>", when: "after" }],
    ["holds something else", { status: 200, body: { results: [] }, when: "after" }],
  ] as const)("adopts its own invitation when the answer to it %s, and says so", async (_, fault) => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, lifecycle, atlas, notices } = scene;
    atlas.fail({ method: "POST", path: invited, ...fault });
    expect(await lifecycle.create(inputs())).toMatchObject({ status: "PENDING" });
    expect(organization.invitations).toHaveLength(1);
    expect(atlas.mails).toHaveLength(1);
    expect(notices).toEqual([
      `The invitation of ${ada} to ${organization.id} was sent; the answer to it was lost.`,
    ]);
  });

  test("says that a colleague has invited them while the invitation waited", async () => {
    const clock = new SimulatedClock();
    await using scene = await lifecycleFixture(generation, { now: clock.now }, clock);
    const { organization, inputs, lifecycle, atlas, notices } = scene;
    const headers = { "Retry-After": "55" };
    const limited = atlas.fail({ method: "POST", path: invited, status: 429, headers });
    const created = clock.run(lifecycle.create(inputs()));
    await limited.struck;
    organization.invite(ada);
    await created;
    expect(atlas.mails).toHaveLength(1);
    expect(notices.at(-1)).toContain(
      "Destroying this resource cancels the invitation that owner@example.com sent.",
    );
  });

  test("sends again an invitation that was lost on its way", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, lifecycle, atlas, notices } = scene;
    atlas.fail({ method: "POST", path: invited, cut: "before" });
    expect(await lifecycle.create(inputs())).toMatchObject({ status: "PENDING" });
    expect(organization.invitations).toHaveLength(1);
    expect(atlas.mails).toHaveLength(1);
    expect(notices).toEqual([]);
  });

  test("reports a refused invitation when nobody was faster", async () => {
    await using scene = await lifecycleFixture(generation);
    const { inputs, lifecycle, atlas } = scene;
    const refused = { status: 400, body: { errorCode: "DEFAULT_INVITATION_EXCEPTION", detail: "No mail." } };
    atlas.fail({ method: "POST", path: invited, times: 2, ...refused });
    await expect(lifecycle.create(inputs())).rejects.toMatchObject({
      name: "AtlasApiError",
      detail: "No mail.",
    });
    const gone = { status: 400, body: { errorCode: "INVALID_ENUM_VALUE", detail: "No role." } };
    atlas.fail({ method: "POST", path: invited, ...gone });
    await expect(lifecycle.create(inputs())).rejects.toMatchObject({
      name: "AtlasApiError",
      detail: "No role.",
    });
    expect(atlas.mails).toEqual([]);
  });

  test("invites again a member who left while they were adopted", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, lifecycle, atlas } = scene;
    organization.addMember(ada, { roles: ["ORG_OWNER"] });
    const { opened, open } = gate();
    const held = atlas.fail({ method: "PATCH", until: opened });
    const created = lifecycle.create(inputs({ onAccepted: "manage" }));
    await held.struck;
    organization.removeMember(ada);
    open();
    expect(await created).toMatchObject({ status: "PENDING" });
    expect(organization.find(ada)).toMatchObject({ status: "PENDING", roles: ["ORG_MEMBER"] });
  });

  test("cancels the invitation that somebody sent anew", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, lifecycle } = scene;
    const state = await lifecycle.create(inputs());
    organization.cancel(ada);
    organization.invite(ada);
    await lifecycle.delete(state);
    expect(organization.find(ada)).toBeUndefined();
  });

  test("follows the invitation that somebody sent anew", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, lifecycle } = scene;
    const state = await lifecycle.create(inputs());
    organization.expire(ada);
    const { createdAt, expiresAt, invitationId } = organization.invite(ada);
    const read = await lifecycle.read(state);
    expect(read).toMatchObject({ status: "PENDING", createdAt, expiresAt });
    if (generation !== "users") expect(read?.invitationId).toBe(invitationId);
  });

  test("remembers the invitation that was accepted", async () => {
    await using scene = await lifecycleFixture(generation, { newIdOnAcceptance: true });
    const { organization, inputs, lifecycle, connected } = scene;
    const state = await lifecycle.create(inputs());
    organization.accept(ada);
    const userId = organization.find(ada)?.userId;
    expect(await connected().read(state)).toEqual({ ...state, status: "ACCEPTED", userId });
  });

  test("removes the member who accepted under a new id, but only when it manages them", async () => {
    await using scene = await lifecycleFixture(generation, { newIdOnAcceptance: true });
    const { organization, inputs, lifecycle } = scene;
    const state = await lifecycle.create(inputs());
    organization.accept(ada);
    await expect(lifecycle.delete(state)).rejects.toThrow("can no longer be deleted");
    expect(organization.find(ada)).toMatchObject({ status: "ACTIVE" });
    await lifecycle.delete({ ...state, onAccepted: "manage" });
    expect(organization.find(ada)).toBeUndefined();
  });

  test.each([
    { status: 403, body: { errorCode: "ORG_REQUIRES_ACCESS_LIST", detail: "No." } },
    { status: 500, body: "" },
    { cut: "before" as const },
    { damage: "half body" as const },
  ])("never takes an unreadable list for an answer: %o", async (fault) => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, lifecycle, atlas } = scene;
    const state = await lifecycle.create(inputs());
    organization.accept(ada);
    const struck = atlas.fail({ method: "GET", path: /users\?/, times: Number.POSITIVE_INFINITY, ...fault });
    const unknown = `It is unknown whether ${ada} is invited to ${organization.id}, has accepted, or neither`;
    const later = scene.connected();
    await expect(later.delete(state)).rejects.toThrow(unknown);
    await expect(later.delete({ ...state, onAccepted: "manage" })).rejects.toThrow(unknown);
    await expect(later.read(state)).rejects.toThrow(unknown);
    await expect(later.update(state, inputs({ roles: ["ORG_OWNER"] }))).rejects.toThrow(unknown);
    await expect(later.create(inputs())).rejects.toThrow(unknown);
    expect(organization.find(ada)).toMatchObject({ status: "ACTIVE", roles: ["ORG_MEMBER"] });
    struck.lift();
    expect(await later.read(state)).toMatchObject({ status: "ACCEPTED" });
  });

  test("does not guess what a status means that it does not know", async () => {
    await using scene = await lifecycleFixture(generation);
    const { inputs, lifecycle, atlas } = scene;
    const somebody = {
      id: "5f0000000000000000000009",
      username: ada,
      orgMembershipStatus: "SUSPENDED",
      roles: {},
    };
    const body = { results: [somebody], totalCount: 1 };
    atlas.fail({ method: "GET", path: /users\?/, status: 200, body, times: 2 });
    await expect(lifecycle.create(inputs())).rejects.toThrow('"SUSPENDED", which this version does not know');
    expect(atlas.mails).toEqual([]);
  });

  test("gives up when Atlas contradicts itself", async () => {
    await using scene = await lifecycleFixture(generation);
    const { organization, inputs, lifecycle, atlas } = scene;
    const state = await lifecycle.create(inputs());
    const path = generation === "users" ? /users\/[^?]+$/ : /invites\//;
    atlas.fail({ path, status: 404, body: "", times: Number.POSITIVE_INFINITY });
    await expect(lifecycle.delete(state)).rejects.toThrow(
      `Atlas's list and its answers disagree about ${ada} in ${organization.id}`,
    );
    expect(organization.find(ada)).toMatchObject({ status: "PENDING" });
  });

  test("reads every state, updates it and cancels, whichever generation wrote it", async () => {
    for (const writer of GENERATIONS) {
      await using scene = await lifecycleFixture(writer);
      const { organization, inputs, lifecycle, connected, atlas } = scene;
      const written = await lifecycle.create(inputs());
      const read = await connected(generation).read(written);
      expect(read).toMatchObject({ status: "PENDING", createdAt: written.createdAt });
      const changed = inputs({ roles: ["ORG_OWNER"] });
      const updated = await connected(generation).update(written, changed);
      expect(updated).toMatchObject({ status: "PENDING", roles: ["ORG_OWNER"] });
      expect(organization.find(ada)).toMatchObject({ roles: ["ORG_OWNER"] });
      expect(atlas.mails).toHaveLength(1);
      await connected(generation).delete(written);
      expect(organization.find(ada)).toBeUndefined();
    }
  });
});

describe.each(["v1.0", "v2"] as const)("the sunset of %s", (generation) => {
  test("finishes every operation that meets it, and says so once", async () => {
    await using scene = await lifecycleFixture(generation);
    const { atlas, organization, inputs, lifecycle, connected, notices } = scene;
    const state = await lifecycle.create(inputs());
    atlas.sunset();

    const said = `Atlas has retired the ${generation} API of invitations: going on with the users API.`;
    const changed = inputs({ roles: ["ORG_OWNER"] });
    const updated = await lifecycle.update(state, changed);
    expect(updated).toMatchObject({ ...changed, status: "PENDING", invitationId: state.invitationId });
    expect(await lifecycle.read(updated)).toEqual(updated);
    const grace = await lifecycle.create(inputs({ username: "grace@example.com" }));
    expect(grace).toMatchObject({
      status: "PENDING",
      userId: organization.find("grace@example.com")?.userId,
    });
    expect(notices).toEqual([said]);

    await connected().delete(updated);
    expect(notices).toEqual([said, said]);
    expect(organization.find(ada)).toBeUndefined();
    expect(await connected().read(updated)).toBeUndefined();
    await connected().create(inputs());
    expect(organization.find(ada)).toMatchObject({ status: "PENDING" });
    expect(atlas.mails).toHaveLength(3);
  });

  test("is met once by operations that run together", async () => {
    await using scene = await lifecycleFixture(generation);
    const { atlas, organization, inputs, lifecycle, notices } = scene;
    const names = ["a", "b", "c", "d"].map((name) => `${name}@example.com`);
    const states = await Promise.all(names.map((username) => lifecycle.create(inputs({ username }))));
    organization.accept("d@example.com");
    atlas.sunset();
    const deleted = await Promise.allSettled(states.map((state) => lifecycle.delete(state)));
    expect(deleted.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled", "rejected"]);
    expect(organization.users.map(({ username }) => username)).toEqual(["d@example.com"]);
    expect(notices).toHaveLength(1);
  });
});

test("a bug is told as one, and not as what is unknown of a person", async () => {
  await using scene = await lifecycleFixture("v2");
  const bug = new TypeError("people is not iterable");
  const api = { lookUp: () => Promise.reject(bug) } as unknown as InvitationsApi;
  const notify = () => undefined;
  const people = new MemberDirectory(api, systemClock, notify);
  const options = { api, people, declarations: new Declarations(), clock: systemClock, notify };
  const lifecycle = new Lifecycle({ ...options, maxWaitMs: 1_000 });
  await expect(lifecycle.create(scene.inputs())).rejects.toBe(bug);
});
