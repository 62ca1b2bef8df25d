import { describe, expect, test } from "vitest";
import type { Bounds } from "../../../provider/atlas/bounds.ts";
import { RateLimiter } from "../../../provider/atlas/limits/rate-limiter.ts";
import type { LoggedRequest } from "../../support/simulated-atlas/request-log.ts";
import { bounds, Created, Invitations, rejection, requestFixture } from "./client-fixture.ts";

const isChallenge = ({ challenge }: LoggedRequest) => challenge;
const rechecked = ["GET 401 challenge", "GET 200"];
const challenged = "DELETE 401 challenge";

interface Setup {
  isAuthenticated?: boolean;
  nonces?: "once";
  isUnchecked?: boolean;
  challengeMs?: number;
}

test.each<[string, Setup, steps: string[]]>([
  ["not rechecked without a wait", { challengeMs: 500 }, [challenged]],
  ["rechecked after a slow challenge", { challengeMs: 501 }, [challenged, ...rechecked]],
  ["rechecked after a slow 401", { challengeMs: 501, isAuthenticated: true }, [challenged, ...rechecked]],
  ["rechecked once where it is unchecked", { isUnchecked: true }, rechecked],
  [
    "rechecked twice where both apply",
    { challengeMs: 501, isUnchecked: true, nonces: "once" },
    [...rechecked, challenged, ...rechecked],
  ],
])("a request is %s, immediately before it is sent", async (_, setup, steps) => {
  const { isAuthenticated, nonces, isUnchecked = false, challengeMs } = setup;
  await using fixture = await requestFixture(nonces && { nonces });
  if (isAuthenticated) await fixture.client.fetch(fixture.list, Invitations);
  fixture.clock.pass(61_000);
  fixture.atlas.forget();
  if (challengeMs) fixture.delay("DELETE", challengeMs, isChallenge);
  const { recheck } = fixture.rechecked();

  await fixture.client.sendWithoutBody({ ...fixture.remove, recheck, isUnchecked });

  expect(fixture.log()).toEqual([...steps, "DELETE 204"]);
});

test.each([
  [false, 500, 0],
  [false, 501, 1],
  [true, 10_000, 0],
  [true, 10_001, 1],
])(
  "a request (invites: %j) that waited %i ms in a queue is rechecked %i times",
  async (invites, ms, count) => {
    await using fixture = await requestFixture();
    const rateLimiter = new RateLimiter(fixture.clock, () => {});
    const client = fixture.connected({ rateLimiter });
    const request = { ...(invites ? fixture.create : fixture.remove), invites };
    rateLimiter.onTooManyRequests(request, ms);
    const { recheck } = fixture.rechecked();

    if (invites) await client.fetch({ ...request, recheck }, Created);
    else await client.sendWithoutBody({ ...request, recheck });

    expect(fixture.slept()).toBe(ms);
    expect(fixture.methods()).toEqual([...Array(count).fill("GET"), request.method]);
  },
);

test.each([
  ["after a slow challenge", "DELETE", {}, []],
  ["after a lost answer", "POST", { cut: "after" }, ["POST"]],
] as const)("a recheck that fails ends the request: %s", async (_, method, fault, methods) => {
  await using fixture = await requestFixture();
  if ("cut" in fault) fixture.atlas.fail(fault);
  else fixture.delay(method, 5_000, isChallenge);
  const request = { ...(method === "POST" ? fixture.create : fixture.remove), body: undefined };
  const recheck = () => Promise.reject(new Error("No longer pending."));

  await expect(fixture.client.sendWithoutBody({ ...request, recheck })).rejects.toThrow("No longer pending.");

  expect(fixture.methods()).toEqual(methods);
  expect(fixture.organization.invitations).toHaveLength(1);
});

test("the attempts of a recheck that fails are not repeated", async () => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ method: "GET", status: 503, times: Number.POSITIVE_INFINITY });
  const { recheck } = fixture.rechecked();

  const error = await rejection(
    fixture.client.sendWithoutBody({ ...fixture.remove, recheck, isUnchecked: true }),
  );

  expect(error).toMatchObject({ status: 503, method: "GET" });
  expect(error.message.match(/Tried 6 times\./g)).toHaveLength(1);
  expect(fixture.methods()).toEqual(Array(6).fill("GET"));
});

test("a recheck is bounded by the deadline of its request", async () => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ status: 503, headers: { "Retry-After": "40" }, times: 2 });
  const { calls, recheck } = fixture.rechecked();
  const aMinute = { deadline: 60_000 };

  const sent = fixture.client.sendWithoutBody({ ...fixture.remove, bounds: aMinute, recheck });

  await expect(sent).rejects.toMatchObject({ kind: "waitTooLong", cause: { method: "GET", status: 503 } });
  expect(calls).toEqual([aMinute]);
  expect(fixture.methods()).toEqual(["DELETE", "GET"]);
});

test("a recheck for the first request of a burst does not wait for the burst", async () => {
  await using fixture = await requestFixture();
  fixture.delay("DELETE", 5_000, isChallenge);
  const { calls, recheck } = fixture.rechecked();

  const removal = fixture.client.sendWithoutBody({ ...fixture.remove, recheck });
  const others = Array.from({ length: 5 }, () => fixture.client.fetch(fixture.list, Invitations));

  expect(await removal).toBe(true);
  await Promise.all(others);
  expect(calls).toEqual([{ ...bounds, isRecheck: true }]);
});

test("a request that was just rechecked does not wait behind others for a connection", async () => {
  await using fixture = await requestFixture();
  await fixture.client.fetch(fixture.list, Invitations);
  let release = () => {};
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  const lists = (count: number, name: string) =>
    Array.from({ length: count }, () =>
      fixture.client.fetch({ ...fixture.list, path: `${fixture.path}?username=${name}` }, Invitations),
    );
  // All connections but one.
  fixture.atlas.fail({ path: /slow/, until, times: 31 });
  const slow = lists(31, "slow");
  const others: Promise<unknown>[] = [];
  const removeListener = fixture.atlas.onRequest(({ path }, stage) => {
    if (path !== fixture.path || stage !== "arrived") return;
    removeListener();
    others.push(...lists(20, "other"));
  });
  const { recheck } = fixture.rechecked();

  await fixture.client.sendWithoutBody({ ...fixture.remove, recheck, isUnchecked: true });
  await Promise.all(others);
  release();
  await Promise.all(slow);

  const sent = fixture.verified().filter(({ path }) => !path.includes("slow"));
  // The first of the others takes the connection that the recheck frees.
  expect(sent.map(({ method }) => method).slice(0, 4)).toEqual(["GET", "GET", "GET", "DELETE"]);
  expect(sent).toHaveLength(23);
});

const aMinuteLater = { "Retry-After": "60" };

describe("with a service account,", () => {
  /** A client that has a token, for the versioned API. */
  async function tokenFixture() {
    const fixture = await requestFixture();
    const versioned = (path: string) => ({
      path: path.replace("v1.0", "v2"),
      mediaType: "application/vnd.atlas.2023-01-01+json",
    });
    const client = fixture.withServiceAccount();
    const list = { ...fixture.list, ...versioned(fixture.path) };
    await client.fetch(list, Invitations);
    fixture.atlas.forget();
    const recheck = async (bounds: Bounds) => {
      const found = await client.fetch({ ...list, bounds }, Invitations);
      if (found.length === 0) throw new Error("No longer pending.");
    };
    return {
      ...fixture,
      client,
      remove: { ...fixture.remove, ...versioned(fixture.remove.path), recheck },
      /** The next token comes after a minute. */
      delayToken: () =>
        fixture.atlas.fail({ path: /oauth/, authenticated: "either", status: 429, headers: aMinuteLater }),
    };
  }

  test.each([
    ["was rejected", ["DELETE 401"]],
    ["was due for renewal", []],
  ])("a request is rechecked after its token %s and the next one came late", async (reason, steps) => {
    await using fixture = await tokenFixture();
    fixture.delayToken();
    const removeListener = fixture.atlas.onRequest((_, stage) => {
      if (stage !== "handled") return;
      removeListener();
      if (reason === "was rejected") fixture.atlas.expireTokens();
      else fixture.clock.pass(50 * 60_000);
    });

    await fixture.client.sendWithoutBody({ ...fixture.remove, isUnchecked: true });

    expect(fixture.slept()).toBe(60_000);
    expect(fixture.log()).toEqual(["GET 200", ...steps, "token 429", "token 200", "GET 200", "DELETE 204"]);
  });

  test("a person who accepts during the wait for a token is not removed", async () => {
    await using fixture = await tokenFixture();
    fixture.delayToken();
    fixture.atlas.expireTokens();
    fixture.atlas.onRequest(({ method, status }, stage) => {
      if (method === "DELETE" && status === 401 && stage === "answered") {
        fixture.organization.accept("ada@example.com");
      }
    });

    await expect(fixture.client.sendWithoutBody(fixture.remove)).rejects.toThrow("No longer pending.");

    expect(fixture.log()).toEqual(["DELETE 401", "token 429", "token 200", "GET 200"]);
    expect(fixture.organization.users).toMatchObject([{ status: "ACTIVE" }]);
  });
});
