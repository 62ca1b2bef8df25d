import { describe, expect, test } from "vitest";
import type { OrgInvitationState } from "../../../provider/lifecycle/org-invitation-state.ts";
import {
  APIS,
  type Api,
  ada,
  type lifecycleFixture,
  timedFixture as setup,
  team,
} from "./lifecycle-fixture.ts";

type Fixture = Awaited<ReturnType<typeof lifecycleFixture>>;

const [, v2, users] = APIS as [Api, Api, Api];
const tooMany = (seconds: number) => ({ status: 429, headers: { "Retry-After": String(seconds) }, body: "" });
const token = { path: /oauth\/token/, authenticated: "either" } as const;

const hasAccepted = { kind: "refused", row: "ACTIVE, fail" };
const unchangedMember = { status: "ACTIVE", roles: ["ORG_MEMBER"] };

describe.each(["DELETE", "PATCH"])("a %s keeps a person who accepts", (method) => {
  const send = ({ lifecycle, inputs }: Fixture, state: OrgInvitationState): Promise<unknown> =>
    method === "DELETE" ? lifecycle.delete(state) : lifecycle.update(state, inputs({ roles: ["ORG_OWNER"] }));

  test.each(APIS)("while the request is throttled, on $apiVersion", async (api) => {
    const fixture = await setup(api);
    const { failAfter, organization, run, invited } = fixture;
    const state = await run(invited());
    failAfter(() => organization.accept(ada), { method, path: api.invitationPath, ...tooMany(55) });
    await expect(run(send(fixture, state))).rejects.toMatchObject(hasAccepted);
    expect(organization.find(ada)).toMatchObject(unchangedMember);
  });

  test("while the token is renewed", async () => {
    const fixture = await setup(users);
    const { atlas, failAfter, organization, run, inputs, connected, serviceAccount } = fixture;
    const lifecycle = connected({ credentials: serviceAccount() });
    const state = await run(lifecycle.create(inputs()));
    atlas.fail({ method, status: 401, body: "" });
    failAfter(() => organization.accept(ada), { method: "POST", ...token, ...tooMany(55) });
    await expect(run(send({ ...fixture, lifecycle }, state))).rejects.toMatchObject(hasAccepted);
    expect(organization.find(ada)).toMatchObject(unchangedMember);
  });
});

describe.each(APIS)("on $apiVersion", (api) => {
  const minuteMs = 60_000;
  const people = (count: number) => Array.from({ length: count }, (_, index) => `p${index}@example.com`);

  test("a throttled change of a member keeps a role that a colleague grants meanwhile", async () => {
    const { failAfter, organization, invited, run, update } = await setup(api, { onAccepted: "manage" });
    organization.addMember(ada);
    const adopted = await run(invited());
    const grant = () => organization.change(ada, { roles: ["ORG_MEMBER", "ORG_BILLING_ADMIN"] });
    failAfter(grant, { method: "PATCH", path: /users\//, ...tooMany(55) });
    await run(update(adopted, { roles: ["ORG_READ_ONLY"] }));
    expect(organization.find(ada)?.roles.toSorted()).toEqual(["ORG_BILLING_ADMIN", "ORG_READ_ONLY"]);
  });

  test("a throttled request restores what a change of a member reset", async () => {
    const options = { onAccepted: "manage", omittedOnUpdate: "reset" } as const;
    const { atlas, organization, inputs, lifecycle, run } = await setup(api, options);
    organization.addMember(ada, { teamIds: [team] });
    let patches = 0;
    atlas.onRequest(({ method, authenticated }, stage) => {
      if (method !== "PATCH" || !authenticated || stage !== "answered" || ++patches !== 1) return;
      atlas.fail({ method: "PATCH", path: /users\//, ...tooMany(55) });
    });
    await run(lifecycle.create(inputs({ roles: ["ORG_OWNER"], teamIds: undefined })));
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_OWNER"], teamIds: [team] });
    expect(patches).toBe(3);
  });

  test("maxWait bounds the lists, the invitation and the look-up before it is sent again together", async () => {
    const { atlas, inputs, connected, clock, run } = await setup(api);
    atlas.fail({ method: "GET", ...tooMany(25) });
    atlas.fail({ method: "POST", times: 2, ...tooMany(25) });
    const created = run(connected({ maxWaitMs: minuteMs }).create(inputs()));
    await expect(created).rejects.toMatchObject({ kind: "waitTooLong" });
    expect(clock.monotonic()).toBeGreaterThanOrEqual(50_000);
    expect(clock.monotonic()).toBeLessThanOrEqual(minuteMs);
    expect(atlas.mails).toEqual([]);
  });

  test("maxWait begins with each operation", async () => {
    const { atlas, organization, inputs, connected, clock, run } = await setup(api);
    const lifecycle = connected({ maxWaitMs: minuteMs });
    for (const username of people(4)) {
      atlas.fail({ method: "POST", ...tooMany(25) });
      await run(lifecycle.create(inputs({ username })));
    }
    expect(organization.invitations.map(({ username }) => username)).toEqual(people(4));
    expect(clock.monotonic()).toBeGreaterThanOrEqual(100_000);
  });

  test("a run that is cancelled under the throttle of invitations invites nobody after it", async () => {
    const { atlas, inputs, connected, clock, run } = await setup(api, { invitationThrottle: {} });
    const cancellation = new AbortController();
    const lifecycle = connected({ signal: cancellation.signal });
    const created = Promise.allSettled(people(15).map((username) => lifecycle.create(inputs({ username }))));
    await clock.advance(minuteMs / 2);
    expect(atlas.mails).toHaveLength(10);
    cancellation.abort();
    const outcomes = await run(created);
    await clock.advance(10 * minuteMs);
    expect(atlas.mails).toHaveLength(10);
    const rejected = outcomes.filter(({ status }) => status === "rejected");
    expect(rejected).toMatchObject(Array(5).fill({ reason: { kind: "cancelled" } }));
  });

  test("a run that is cancelled during a look-up aborts it, and starts no operation that waits for it", async () => {
    const { atlas, organization, invited, connected, run } = await setup(api);
    const state = await run(invited());
    const cancellation = new AbortController();
    const lifecycle = connected({ signal: cancellation.signal });
    const { struck } = atlas.fail({ method: "GET", hang: "before" });
    void struck.then(() => cancellation.abort());
    const outcomes = await run(Promise.allSettled([lifecycle.read(state), lifecycle.delete(state)]));
    const cancelled = { kind: "cancelled" };
    expect(outcomes).toMatchObject([{ reason: { cause: cancelled } }, { reason: cancelled }]);
    expect(organization.users).toMatchObject([{ status: "PENDING" }]);
  });
});

test.each([v2, users])("maxWait includes the wait for a token, on $apiVersion", async (api) => {
  const { atlas, organization, inputs, connected, serviceAccount, clock, run } = await setup(api);
  const lifecycle = connected({ credentials: serviceAccount(), maxWaitMs: 60_000 });
  for (const match of [token, { method: "GET" }, { method: "POST" }])
    atlas.fail({ ...match, ...tooMany(25) });
  await expect(run(lifecycle.create(inputs()))).rejects.toMatchObject({ kind: "waitTooLong" });
  expect(clock.monotonic()).toBeLessThanOrEqual(60_000);
  expect(organization.users).toEqual([]);
});
