import { describe, expect, test } from "vitest";
import type { OrgInvitationState } from "../../../provider/lifecycle/org-invitation-state.ts";
import { APIS, type FixtureOptions } from "./lifecycle-fixture.ts";

const names = (count: number) => Array.from({ length: count }, (_, index) => `p${index}@example.com`);

describe.each(APIS)("on $apiVersion", (api) => {
  /** So many people were invited by an earlier run, which stored these states. */
  async function setup(count: number, options?: FixtureOptions) {
    const fixture = await api.setup(options);
    const states = names(count).map((username): OrgInvitationState => {
      const { invitationId, userId, createdAt } = fixture.organization.invite(username);
      const { roles, teamIds, groupRoleAssignments, ...inputs } = fixture.inputs({ username });
      const access = { roles, teamIds: [], groupRoleAssignments: [] };
      const ids = api.isUsers ? { userId } : { invitationId };
      return { ...inputs, ...access, ...ids, declared: access, createdAt, status: "PENDING" };
    });
    return { ...fixture, states };
  }

  test("reads of 500 people cost one request for each list", async () => {
    const { organization, connected, requests, states } = await setup(500);
    const readAll = async () => {
      const lifecycle = connected();
      const read = await Promise.all(states.map((state) => lifecycle.read(state)));
      return read.map((state) => state?.status);
    };
    expect(new Set(await readAll())).toEqual(new Set(["PENDING"]));
    expect(requests()).toEqual([api.lists[0]]);
    for (const username of names(10)) organization.accept(username);
    expect((await readAll()).filter((status) => status === "ACCEPTED")).toHaveLength(10);
    expect(requests()).toEqual(api.lists);
  });

  test("deleting 20 resources of people who joined by single sign-on costs one list of users", async () => {
    const { organization, connected, requests, states } = await setup(20, { onAccepted: "manage" });
    for (const { username } of states) organization.joinBySingleSignOn(username);
    const run = connected();
    await Promise.all(states.map((state) => run.delete(state)));
    expect(requests().filter((request) => request === "GET users")).toHaveLength(1);
    expect(organization.users).toEqual([]);
  });

  test("a member who left since the list was cached is looked up again", async () => {
    const { organization, invited, connected } = await api.setup({ onAccepted: "manage" });
    const people = names(2);
    const states = [];
    for (const username of people) states.push(await invited({ username }));
    for (const username of people) organization.accept(username);
    const run = connected();
    await run.delete(states[0] as OrgInvitationState);
    organization.removeMember("p1@example.com");
    await run.delete(states[1] as OrgInvitationState);
    expect(organization.users).toEqual([]);
  });

  test.each([
    { does: "removes", onAccepted: "manage", left: 0 },
    { does: "keeps", onAccepted: "retain", left: 200 },
  ] as const)("deleting 200 resources $does new members with few lists", async ({ onAccepted, left }) => {
    const { organization, lifecycle, requests, notices, states } = await setup(200, { onAccepted });
    for (const { username } of states) organization.accept(username);
    const remaining = [...states];
    const worker = async () => {
      for (let next = remaining.shift(); next; next = remaining.shift()) await lifecycle.delete(next);
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    expect(organization.users).toHaveLength(left);
    expect(notices).toHaveLength(left);
    const lists = requests().filter((request) => /^GET (invites|users)$/.test(request));
    expect(lists.length).toBeLessThanOrEqual(4);
  });
});
