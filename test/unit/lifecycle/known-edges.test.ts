import { describe, expect, test } from "vitest";
import type { InvitationsApiVersion } from "../../../provider/settings/settings.ts";
import type { SimulatedAtlasOptions } from "../../support/simulated-atlas/simulated-atlas.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { ada, GENERATIONS, lifecycleFixture } from "./lifecycle-fixture.ts";

/*
 * What nobody can win against the API: each test shows the harm within its bound, and that there is none beyond it.
 * The model-based test tolerates the same, and nothing else: see test/simulation/known-edges.ts.
 */

const grace = "grace@example.com";

async function startScene(generation: InvitationsApiVersion, settings: SimulatedAtlasOptions = {}) {
  const clock = new SimulatedClock();
  const scene = await lifecycleFixture(generation, { now: clock.now, ...settings }, clock);
  const { atlas } = scene;
  return {
    ...scene,
    clock,
    mailsTo: (username: string) => atlas.mails.filter((mail) => mail.username === username).length,
    [Symbol.asyncDispose]: () => atlas.stop(),
  };
}

describe("users API: somebody who accepts after the look, and within 500 ms and one round trip", () => {
  /** Ada accepts as soon as the look at her is answered; the challenge of the request after it takes so long. */
  async function withChallengeOf(durationMs: number) {
    const scene = await startScene("users", { nonces: "once" });
    const { atlas, organization, clock } = scene;
    const state = await clock.run(scene.lifecycle.create(scene.inputs()));
    let hasAccepted = false;
    atlas.onRequest(async ({ method, path, status }, stage) => {
      if (stage !== "handled" || !/users\/\w+$/.test(path)) return;
      if (method !== "GET" && status === 401 && hasAccepted) await clock.travel(durationMs);
      if (method !== "GET" || status !== 200 || hasAccepted) return;
      hasAccepted = true;
      organization.accept(ada);
    });
    return { ...scene, state };
  }

  test("is removed by a cancellation", async () => {
    await using scene = await withChallengeOf(500);
    await scene.clock.run(scene.lifecycle.delete(scene.state));
    expect(scene.organization.users).toEqual([]);
  });

  test("is changed by a change of the invitation", async () => {
    await using scene = await withChallengeOf(500);
    await scene.clock.run(scene.lifecycle.update(scene.state, scene.inputs({ roles: ["ORG_OWNER"] })));
    expect(scene.organization.find(ada)).toMatchObject({ status: "ACTIVE", roles: ["ORG_OWNER"] });
  });

  test("is left alone a millisecond later, as there is another look", async () => {
    await using scene = await withChallengeOf(501);
    const { clock, lifecycle, state } = scene;
    await expect(clock.run(lifecycle.delete(state))).rejects.toThrow("has accepted");
    expect(scene.organization.find(ada)).toMatchObject({ status: "ACTIVE", roles: ["ORG_MEMBER"] });
  });
});

describe("invitations API: a colleague's invitation within 30 s of a shared list and 10 s without a look", () => {
  /** The colleague invites as soon as the list is answered; Ada's own invitation comes so much later. */
  async function invitedAfter(listAgeMs: number, waitS: number) {
    const scene = await startScene("v2");
    const { atlas, organization, clock, lifecycle, inputs } = scene;
    await clock.run(lifecycle.create(inputs({ username: grace })));
    const colleagues = organization.invite(ada);
    // The lists were asked for at the time 0, as no answer takes any time.
    await clock.advance(listAgeMs);
    const headers = { "Retry-After": String(waitS) };
    atlas.fail({ method: "POST", path: /invites$/, status: 429, headers });
    const state = await clock.run(lifecycle.create(inputs()));
    return { ...scene, colleagues, state };
  }

  test("is replaced, with a second e-mail", async () => {
    await using scene = await invitedAfter(29_999, 10);
    expect(scene.mailsTo(ada)).toBe(2);
    expect(scene.state.invitationId).not.toBe(scene.colleagues.invitationId);
  });

  test.each([
    { listAgeMs: 30_000, waitS: 10 },
    { listAgeMs: 29_999, waitS: 11 },
  ])("is adopted after $listAgeMs ms and a wait of $waitS s", async ({ listAgeMs, waitS }) => {
    await using scene = await invitedAfter(listAgeMs, waitS);
    expect(scene.mailsTo(ada)).toBe(1);
    expect(scene.state.invitationId).toBe(scene.colleagues.invitationId);
  });
});

describe("a person whom Atlas has under another address, and no id tells", () => {
  const storesUsername = (username: string) => username.replace("+work", "");

  test("is invited again where Atlas stores another spelling, or refused", async () => {
    await using invites = await startScene("v2", { storesUsername });
    invites.organization.invite(ada);
    await invites.clock.run(invites.lifecycle.create(invites.inputs({ username: "ada+work@example.com" })));
    expect(invites.mailsTo(ada)).toBe(2);

    await using users = await startScene("users", { storesUsername });
    users.organization.invite(ada);
    const created = users.lifecycle.create(users.inputs({ username: "ada+work@example.com" }));
    await expect(users.clock.run(created)).rejects.toThrow("USER_ALREADY_EXISTS");
    expect(users.mailsTo(ada)).toBe(1);
  });

  test("counts as gone who accepts and changes the address between two looks of the invitations API", async () => {
    await using scene = await startScene("v2");
    const { organization, clock, lifecycle, inputs } = scene;
    const state = await clock.run(lifecycle.create(inputs()));
    organization.accept(ada);
    organization.changeAddress(ada, "countess@example.com");
    expect(await clock.run(lifecycle.read(state))).toBeUndefined();
  });

  test.each(GENERATIONS)(
    "is invited under the old address by a renamed resource, on %s",
    async (generation) => {
      await using scene = await startScene(generation);
      const { organization, clock, lifecycle, inputs } = scene;
      await clock.run(lifecycle.create(inputs({ onAccepted: "manage" })));
      organization.accept(ada);
      organization.changeAddress(ada, "countess@example.com");
      await clock.run(scene.connected().create(inputs({ onAccepted: "manage" })));
      expect(organization.users).toMatchObject([
        { username: "countess@example.com", status: "ACTIVE" },
        { username: ada, status: "PENDING" },
      ]);
    },
  );
});

test.each(GENERATIONS)(
  "what another stack, or an untargeted resource, declares is cancelled, on %s",
  async (generation) => {
    await using scene = await startScene(generation);
    const { organization, clock, inputs } = scene;
    const state = await clock.run(scene.lifecycle.create(inputs(), "one"));
    const other = await clock.run(scene.connected().create(inputs(), "other"));
    expect(other).toMatchObject({ status: "PENDING" });
    await clock.run(scene.connected().delete(state));
    expect(organization.users).toEqual([]);
  },
);

test.each(GENERATIONS)(
  "an invitation whose run ends before its answer stays unless it is declared again, on %s",
  async (generation) => {
    await using scene = await startScene(generation);
    const { atlas, organization, clock, inputs } = scene;
    const run = new AbortController();
    const { struck } = atlas.fail({ method: "POST", path: /(invites|users)$/, cut: "after" });
    void struck.then(() => run.abort());
    const created = scene.connected(generation, { signal: run.signal }).create(inputs());
    await expect(clock.run(created)).rejects.toThrow("cancelled");
    expect(organization.invitations).toMatchObject([{ username: ada }]);

    expect(await clock.run(scene.connected().create(inputs()))).toMatchObject({ status: "PENDING" });
    expect(scene.mailsTo(ada)).toBe(1);
  },
);
