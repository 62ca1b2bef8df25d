import { describe, expect, test } from "vitest";
import { connect } from "../../../provider/lifecycle/connect.ts";
import type { InvitationsApiVersion } from "../../../provider/settings/settings.ts";
import type { SimulatedAtlasOptions } from "../../support/simulated-atlas/simulated-atlas.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { ada, GENERATIONS, lifecycleFixture, team } from "./lifecycle-fixture.ts";

const tooMany = { status: 429, headers: { "Retry-After": "55" }, body: "" };

async function startScene(generation: InvitationsApiVersion, settings: SimulatedAtlasOptions = {}) {
  const clock = new SimulatedClock();
  const scene = await lifecycleFixture(generation, { now: clock.now, ...settings }, clock);
  const { atlas, organization, notices } = scene;
  /** A connection with a service account. */
  const withServiceAccount = ({
    maxWaitMs = 3_600_000,
    signal,
  }: {
    maxWaitMs?: number;
    signal?: AbortSignal;
  } = {}) => {
    const { clientId, clientSecret } = atlas.addServiceAccount({ organization });
    const credentials = { kind: "serviceAccount" as const, clientId, clientSecret, source: "the test" };
    const settings = { baseUrl: atlas.url, credentials, invitationsApi: generation, maxWaitMs, debug: false };
    return connect(settings, { notify: (line) => notices.push(line), clock, signal }).lifecycle;
  };
  return { ...scene, clock, withServiceAccount, [Symbol.asyncDispose]: () => atlas.stop() };
}

describe.each(GENERATIONS)("what people do while a request waits, on %s", (generation) => {
  const one = generation === "users" ? /users\/[^?]+$/ : /invites\//;

  test("is not lost on a DELETE: who accepts meanwhile stays a member", async () => {
    await using scene = await startScene(generation);
    const { atlas, organization, inputs, lifecycle, clock } = scene;
    const state = await clock.run(lifecycle.create(inputs()));
    const refused = atlas.fail({ method: "DELETE", path: one, ...tooMany });
    const deleted = clock.run(lifecycle.delete(state));
    await Promise.all([
      refused.struck.then(() => organization.accept(ada)),
      expect(deleted).rejects.toThrow("has accepted"),
    ]);
    expect(organization.find(ada)).toMatchObject({ status: "ACTIVE" });
  });

  test("is not lost on a PATCH: who accepts meanwhile keeps what they may do", async () => {
    await using scene = await startScene(generation);
    const { atlas, organization, inputs, lifecycle, clock } = scene;
    const state = await clock.run(lifecycle.create(inputs()));
    const refused = atlas.fail({ method: "PATCH", path: one, ...tooMany });
    const updated = clock.run(lifecycle.update(state, inputs({ roles: ["ORG_OWNER"] })));
    await Promise.all([
      refused.struck.then(() => organization.accept(ada)),
      expect(updated).rejects.toThrow("has accepted"),
    ]);
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_MEMBER"] });
  });

  test("is not lost on a member's PATCH: who was given a role meanwhile keeps it", async () => {
    await using scene = await startScene(generation);
    const { atlas, organization, inputs, lifecycle, clock, connected } = scene;
    organization.addMember(ada);
    const adopted = await clock.run(lifecycle.create(inputs({ onAccepted: "manage" })));
    const refused = atlas.fail({ method: "PATCH", path: /users\//, ...tooMany });
    const updated = clock.run(
      connected().update(adopted, inputs({ onAccepted: "manage", roles: ["ORG_READ_ONLY"] })),
    );
    await refused.struck;
    organization.change(ada, { roles: ["ORG_MEMBER", "ORG_BILLING_ADMIN"] });
    await updated;
    expect(organization.find(ada)?.roles.toSorted()).toEqual(["ORG_BILLING_ADMIN", "ORG_READ_ONLY"]);
  });

  test("loses nothing that Atlas reset of a member and that is given back after it", async () => {
    const clock = new SimulatedClock();
    const options = { now: clock.now, omittedOnUpdate: "reset" as const };
    await using scene = await lifecycleFixture(generation, options, clock);
    const { atlas, organization, inputs, lifecycle } = scene;
    organization.addMember(ada, { teamIds: [team] });
    let patches = 0;
    atlas.onRequest(({ method, authenticated }, stage) => {
      if (method !== "PATCH" || !authenticated || stage !== "answered" || ++patches !== 1) return;
      atlas.fail({ method: "PATCH", path: /users\//, ...tooMany });
    });
    const declared = inputs({ onAccepted: "manage", roles: ["ORG_OWNER"], teamIds: undefined });
    await clock.run(lifecycle.create(declared));
    expect(organization.find(ada)).toMatchObject({ roles: ["ORG_OWNER"], teamIds: [team] });
    expect(patches).toBe(3);
  });

  test("costs no request where nobody waits", async () => {
    await using scene = await startScene(generation);
    const { inputs, lifecycle, clock, requests } = scene;
    const state = await clock.run(lifecycle.create(inputs()));
    requests();
    await clock.run(lifecycle.delete(state));
    expect(requests()).toEqual(
      generation === "users" ? ["GET users/id", "DELETE users/id"] : ["DELETE invites/id"],
    );
  });
});

test.each(["delete", "update"] as const)(
  "a token that is long in coming does not make %s touch who accepted meanwhile",
  async (operation) => {
    await using scene = await startScene("users");
    const { atlas, organization, inputs, clock } = scene;
    const lifecycle = scene.withServiceAccount();
    const state = await clock.run(lifecycle.create(inputs()));

    const method = operation === "delete" ? "DELETE" : "PATCH";
    atlas.fail({ method, status: 401, body: "" });
    const limited = atlas.fail({ method: "POST", path: /oauth\/token/, authenticated: "either", ...tooMany });
    const done = clock.run<unknown>(
      operation === "delete"
        ? lifecycle.delete(state)
        : lifecycle.update(state, inputs({ roles: ["ORG_OWNER"] })),
    );
    await Promise.all([
      limited.struck.then(() => organization.accept(ada)),
      expect(done).rejects.toThrow("has accepted"),
    ]);
    expect(organization.find(ada)).toMatchObject({ status: "ACTIVE", roles: ["ORG_MEMBER"] });
  },
);

test.each(["delete", "update"] as const)(
  "a nonce that is refused slowly does not make %s touch who accepted meanwhile",
  async (operation) => {
    await using scene = await startScene("users", { nonces: "once" });
    const { atlas, organization, inputs, lifecycle, clock } = scene;
    const state = await clock.run(lifecycle.create(inputs()));
    const method = operation === "delete" ? "DELETE" : "PATCH";
    const challenges: string[] = [];
    atlas.onRequest(async (request, stage) => {
      if (request.method !== method || request.authenticated || stage !== "handled") return;
      challenges.push(request.method);
      organization.accept(ada);
      await clock.travel(5_000);
    });
    const done =
      operation === "delete"
        ? lifecycle.delete(state)
        : lifecycle.update(state, inputs({ roles: ["ORG_OWNER"] }));
    await expect(clock.run<unknown>(done)).rejects.toThrow("has accepted");
    expect(challenges).toEqual([method]);
    expect(organization.find(ada)).toMatchObject({ status: "ACTIVE", roles: ["ORG_MEMBER"] });
  },
);

const late = { status: 429, headers: { "Retry-After": "25" }, body: "" };
const maxWaitMs = 60_000;

describe.each(GENERATIONS)("maxWait on %s", (generation) => {
  test("is one budget for the lists, the invitation and the look before it is sent again", async () => {
    await using scene = await startScene(generation);
    const { atlas, inputs, connected, clock } = scene;
    atlas.fail({ method: "GET", ...late });
    atlas.fail({ method: "POST", times: 2, ...late });
    const start = clock.monotonic();
    const created = clock.run(connected(generation, { maxWaitMs }).create(inputs()));
    await expect(created).rejects.toThrow("longer than mongodbatlas:maxWait allows");
    expect(clock.monotonic() - start).toBeGreaterThanOrEqual(50_000);
    expect(clock.monotonic() - start).toBeLessThanOrEqual(maxWaitMs);
    expect(atlas.mails).toEqual([]);
  });

  test("begins anew with each operation", async () => {
    await using scene = await startScene(generation);
    const { atlas, organization, inputs, connected, clock } = scene;
    const lifecycle = connected(generation, { maxWaitMs });
    const people = ["a@example.com", "b@example.com", "c@example.com", "d@example.com"];
    for (const username of people) {
      atlas.fail({ method: "POST", ...late });
      await clock.run(lifecycle.create(inputs({ username })));
    }
    expect(organization.invitations.map(({ username }) => username)).toEqual(people);
    expect(clock.monotonic()).toBeGreaterThanOrEqual(100_000);
  });
});

test.each(["v2", "users"] as const)("maxWait on %s includes the wait for a token", async (generation) => {
  await using scene = await startScene(generation);
  const { atlas, organization, inputs, clock } = scene;
  const lifecycle = scene.withServiceAccount({ maxWaitMs });
  atlas.fail({ path: /oauth/, authenticated: "either", ...late });
  atlas.fail({ method: "GET", ...late });
  atlas.fail({ method: "POST", ...late });
  const start = clock.monotonic();
  await expect(clock.run(lifecycle.create(inputs()))).rejects.toThrow("maxWait");
  expect(clock.monotonic() - start).toBeLessThanOrEqual(maxWaitMs);
  expect(organization.users).toEqual([]);
});

describe.each(GENERATIONS)("a run on %s that is cancelled", (generation) => {
  const people = Array.from({ length: 15 }, (_, index) => `p${index}@example.com`);
  const minuteMs = 60_000;

  test("while creates wait for the throttle invites nobody after it", async () => {
    await using scene = await startScene(generation, { invitationThrottle: {} });
    const { atlas, inputs, connected, clock } = scene;
    const cancellation = new AbortController();
    const lifecycle = connected(generation, { signal: cancellation.signal });
    const created = Promise.allSettled(people.map((username) => lifecycle.create(inputs({ username }))));
    await clock.advance(minuteMs / 2);
    expect(atlas.mails).toHaveLength(10);
    cancellation.abort();
    const outcomes = await clock.run(created);
    await clock.advance(10 * minuteMs);
    expect(atlas.mails).toHaveLength(10);
    const refused = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(refused).toHaveLength(5);
    for (const { reason } of refused) expect(reason.message).toContain("The run was cancelled before");
  });

  test("while an operation waits for another try, or for another operation, sends nothing more", async () => {
    await using scene = await startScene(generation);
    const { atlas, organization, inputs, connected, clock } = scene;
    const state = await clock.run(connected().create(inputs()));
    const cancellation = new AbortController();
    const lifecycle = connected(generation, { signal: cancellation.signal });
    const fault = { status: 503, headers: { "Retry-After": "30" }, body: "" };
    const failed = atlas.fail({ method: "DELETE", ...fault });
    const operations = Promise.allSettled([
      lifecycle.delete(state),
      lifecycle.update(state, inputs({ roles: ["ORG_OWNER"] })),
    ]);
    await clock.advance(10_000);
    await failed.struck;
    atlas.forget();
    cancellation.abort();
    const outcomes = await clock.run(operations);
    await clock.advance(minuteMs);
    expect(atlas.requests).toEqual([]);
    expect(organization.users).toMatchObject([{ status: "PENDING", roles: ["ORG_MEMBER"] }]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });
});

test.each(["v2", "users"] as const)(
  "a run on %s that is cancelled while an operation waits for a token sends nothing more",
  async (generation) => {
    await using scene = await startScene(generation);
    const { atlas, inputs, clock } = scene;
    const cancellation = new AbortController();
    const lifecycle = scene.withServiceAccount(cancellation);
    const token = { path: /oauth\/token/, authenticated: "either" } as const;
    const limited = atlas.fail({ ...token, ...late });
    const created = Promise.allSettled([lifecycle.create(inputs())]);
    await clock.advance(10_000);
    await limited.struck;
    atlas.forget();
    cancellation.abort();
    const [outcome] = await clock.run(created);
    expect(outcome).toMatchObject({ reason: { message: expect.stringContaining("The run was cancelled") } });
    expect(atlas.requests).toEqual([]);
  },
);

test.each(["v2", "users"] as const)(
  "a run on %s that is cancelled while a token is on its way sends nothing with it",
  async (generation) => {
    await using scene = await startScene(generation);
    const { atlas, inputs, clock } = scene;
    const cancellation = new AbortController();
    const lifecycle = scene.withServiceAccount(cancellation);
    atlas.onRequest(({ path }, stage) => {
      if (path.startsWith("/api/oauth") && stage === "handled") cancellation.abort();
    });
    await expect(clock.run(lifecycle.create(inputs()))).rejects.toThrow("The run was cancelled");
    expect(atlas.log()).toEqual(["POST /api/oauth/token 200"]);
  },
);
