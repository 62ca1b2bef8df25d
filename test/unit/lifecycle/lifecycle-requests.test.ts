import { describe, expect, test } from "vitest";
import type { OnAccepted } from "../../../provider/lifecycle/membership.ts";
import type { OrgInvitationState } from "../../../provider/lifecycle/org-invitation-state.ts";
import type { InvitationsApiVersion } from "../../../provider/settings/settings.ts";
import { GENERATIONS, lifecycleFixture } from "./lifecycle-fixture.ts";

const PARALLEL = 8;

async function startScene(generation: InvitationsApiVersion) {
  const scene = await lifecycleFixture(generation);
  const { organization } = scene;
  return {
    ...scene,
    /** Invites so many people, and returns their states as an earlier run stored them. */
    invited: (count: number, onAccepted: OnAccepted = "fail"): OrgInvitationState[] =>
      names(count).map((username) => {
        const { invitationId, userId, createdAt } = organization.invite(username);
        const access = { roles: ["ORG_MEMBER"], teamIds: [], groupRoleAssignments: [] };
        const ids = generation === "users" ? { userId } : { invitationId };
        const inputs = { orgId: organization.id, username, onAccepted, reinviteExpired: false };
        return { ...inputs, ...access, ...ids, declared: access, createdAt, status: "PENDING" };
      }),
    [Symbol.asyncDispose]: () => scene.atlas.stop(),
  };
}

const names = (count: number) => Array.from({ length: count }, (_, index) => `p${index}@example.com`);

/** Does the work for all, so many at a time. */
async function inParallel<One>(all: readonly One[], work: (one: One) => Promise<unknown>) {
  const left = [...all];
  const worker = async () => {
    for (let next = left.shift(); next; next = left.shift()) await work(next);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

test.each([
  ["v1.0", 300, 1, 2],
  ["v2", 300, 1, 2],
  ["users", 300, 1, 1],
  ["v2", 500, 1, 2],
] as const)(
  "a refresh on %s of %i people takes %i request, and %i once some have accepted",
  async (generation, people, all, some) => {
    await using scene = await startScene(generation);
    const { organization, connected, requests } = scene;
    const states = scene.invited(people);
    const refresh = async () => {
      const lifecycle = connected();
      return Promise.all(states.map((state) => lifecycle.read(state)));
    };
    expect((await refresh()).every((state) => state?.status === "PENDING")).toBe(true);
    expect(requests()).toHaveLength(all);
    for (const username of names(10)) organization.accept(username);
    expect((await refresh()).filter((state) => state?.status === "ACCEPTED")).toHaveLength(10);
    expect(requests()).toHaveLength(some);
  },
);

test.each(GENERATIONS)("50 new invitations on %s take 50 requests and the lists", async (generation) => {
  await using scene = await startScene(generation);
  const { organization, inputs, lifecycle, requests, atlas } = scene;
  for (const username of names(50)) await lifecycle.create(inputs({ username }));
  expect(organization.invitations).toHaveLength(50);
  const lists = generation === "users" ? ["GET users"] : ["GET invites", "GET users"];
  expect(requests().filter((request) => request.startsWith("GET"))).toEqual(lists);
  expect(atlas.mails).toHaveLength(50);
});

test.each(["v1.0", "v2"] as const)(
  "50 cancelled invitations on %s take 50 requests and one challenge",
  async (generation) => {
    await using scene = await startScene(generation);
    const { organization, connected, atlas } = scene;
    const states = scene.invited(50);
    const lifecycle = connected();
    await Promise.all(states.map((state) => lifecycle.delete(state)));
    expect(organization.users).toEqual([]);
    const [challenged, ...deletes] = atlas.requests.map(({ method, status }) => `${method} ${status}`);
    expect(challenged).toBe("DELETE 401");
    expect(deletes).toEqual(Array(50).fill("DELETE 204"));
  },
);

describe.each(GENERATIONS)(
  "destroying 200 people on %s who accepted since the last refresh",
  (generation) => {
    const lists = (requests: string[]) => requests.filter((request) => /^GET (invites|users)$/.test(request));

    test("removes those who are managed, and asks for a handful of lists", async () => {
      await using scene = await startScene(generation);
      const { organization, connected, requests } = scene;
      const states = scene.invited(200, "manage");
      for (const { username } of states) organization.accept(username);
      const lifecycle = connected();
      await inParallel(states, (state) => lifecycle.delete(state));
      expect(organization.users).toEqual([]);
      expect(lists(requests()).length).toBeLessThanOrEqual(4);
    });

    test("keeps those who are not, and asks for a handful of lists", async () => {
      await using scene = await startScene(generation);
      const { organization, connected, requests, notices } = scene;
      const states = scene.invited(200, "retain");
      for (const { username } of states) organization.accept(username);
      const lifecycle = connected();
      await inParallel(states, (state) => lifecycle.delete(state));
      expect(organization.users).toHaveLength(200);
      expect(notices).toHaveLength(200);
      expect(lists(requests()).length).toBeLessThanOrEqual(4);
    });
  },
);
