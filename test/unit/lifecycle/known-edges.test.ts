import { describe, expect, test } from "vitest";
import {
  APIS,
  type Api,
  ada,
  type FixtureOptions,
  newAddress,
  timedFixture,
  withoutTag,
} from "./lifecycle-fixture.ts";

/*
 * The harm that no client of these APIs can prevent. Each test shows the harm within its bound, and that there is none
 * beyond the bound. The simulation tolerates the same harm and no other: see test/simulation/known-edges.ts.
 */

const [, v2, users] = APIS as [Api, Api, Api];

async function setup(api: Api, options?: FixtureOptions) {
  const fixture = await timedFixture(api, options);
  return { ...fixture, mails: () => fixture.atlas.mails.filter(({ username }) => username === ada).length };
}

describe("users API: a person who accepts after the look-up, within 500 ms and one round trip", () => {
  const asOwner = { roles: ["ORG_OWNER"] };

  test.each([
    { outcome: "is removed by a cancellation", challengeMs: 500, operation: "delete", left: [] },
    { outcome: "is changed by an update", challengeMs: 500, operation: "update", left: [asOwner] },
    { outcome: "is kept by a cancellation", challengeMs: 501, operation: "delete" },
    { outcome: "is kept by an update", challengeMs: 501, operation: "update" },
  ])("$outcome whose challenge takes $challengeMs ms", async ({ challengeMs, operation, left }) => {
    const fixture = await setup(users, { nonces: "once" });
    const { atlas, organization, clock, run, lifecycle, inputs } = fixture;
    const state = await run(lifecycle.create(inputs()));
    let hasAccepted = false;
    atlas.onRequest(async ({ method, path, status }, stage) => {
      if (stage !== "handled" || !/users\/\w+$/.test(path)) return;
      if (method !== "GET" && status === 401 && hasAccepted) await clock.travel(challengeMs);
      if (method !== "GET" || status !== 200 || hasAccepted) return;
      hasAccepted = true;
      organization.accept(ada);
    });
    const isDelete = operation === "delete";
    const done = run<unknown>(isDelete ? lifecycle.delete(state) : lifecycle.update(state, inputs(asOwner)));
    if (left) await done;
    else await expect(done).rejects.toMatchObject({ kind: "refused" });
    expect(organization.users).toMatchObject(left ?? [{ status: "ACTIVE", roles: ["ORG_MEMBER"] }]);
  });
});

describe("invitations API: a colleague's invitation within 30 s of a cached list and 10 s without a recheck", () => {
  test.each([
    { outcome: "is replaced, with a second e-mail,", listAgeMs: 29_999, waitS: 10, mails: 2 },
    { outcome: "is adopted", listAgeMs: 30_000, waitS: 10, mails: 1 },
    { outcome: "is adopted", listAgeMs: 29_999, waitS: 11, mails: 1 },
  ])("$outcome after $listAgeMs ms and a wait of $waitS s", async ({ listAgeMs, waitS, mails }) => {
    const { run, lifecycle, inputs, organization, clock, atlas, ...fixture } = await setup(v2);
    await run(lifecycle.create(inputs({ username: "grace@example.com" })));
    const colleagues = organization.invite(ada);
    // The lists were requested at the time 0, as no answer takes any time.
    await clock.advance(listAgeMs);
    const headers = { "Retry-After": String(waitS) };
    atlas.fail({ method: "POST", path: /invites$/, status: 429, headers });
    const { invitationId } = await run(lifecycle.create(inputs()));
    expect(fixture.mails()).toBe(mails);
    expect(invitationId === colleagues.invitationId).toBe(mails === 1);
    if (mails === 1) expect(fixture.notices.at(-1)).toContain("the invitation that owner@example.com sent");
  });
});

describe("a person whom Atlas has under another address, without an id that shows it", () => {
  test.each([
    { does: "is invited again by the invitations API", api: v2, count: 2 },
    { does: "is refused by the users API", api: users, count: 1 },
  ])("$does where Atlas stores another form of the address", async ({ api, count }) => {
    const { run, lifecycle, inputs, organization, mails } = await setup(api, { storesUsername: withoutTag });
    organization.invite(ada);
    const created = run(lifecycle.create(inputs({ username: "ada+work@example.com" })));
    if (count === 2) await created;
    else await expect(created).rejects.toMatchObject({ errorCode: "USER_ALREADY_EXISTS" });
    expect(mails()).toBe(count);
  });

  test("counts as gone after an acceptance and a new address between two reads of the invitations API", async () => {
    const { run, lifecycle, inputs, organization } = await setup(v2);
    const state = await run(lifecycle.create(inputs()));
    organization.accept(ada);
    organization.changeAddress(ada, newAddress);
    expect(await run(lifecycle.read(state))).toBeUndefined();
  });

  test.each(APIS)("is invited under the old address by a renamed resource, on $apiVersion", async (api) => {
    const { run, lifecycle, inputs, organization, invited } = await setup(api, { onAccepted: "manage" });
    await run(lifecycle.create(inputs()));
    organization.accept(ada);
    organization.changeAddress(ada, newAddress);
    await run(invited());
    expect(organization.users).toMatchObject([
      { username: newAddress, status: "ACTIVE" },
      { username: ada, status: "PENDING" },
    ]);
  });
});

describe.each(APIS)("on $apiVersion", (api) => {
  test("the invitation whose run ends before its answer stays, unless it is declared again", async () => {
    const { run, connected, inputs, invited, organization, atlas, mails } = await setup(api);
    const cancellation = new AbortController();
    const { struck } = atlas.fail({ method: "POST", path: api.invitesPath, cut: "after" });
    void struck.then(() => cancellation.abort());
    const created = connected({ signal: cancellation.signal }).create(inputs());
    await expect(run(created)).rejects.toMatchObject({ kind: "cancelled" });
    expect(organization.invitations).toMatchObject([{ username: ada }]);

    expect(await run(invited())).toMatchObject({ status: "PENDING" });
    expect(mails()).toBe(1);
  });
});
