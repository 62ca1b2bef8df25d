import { describe, expect, test } from "vitest";
import type { Bounds } from "../../../../provider/atlas/bounds.ts";
import type { AtlasRequest } from "../../../../provider/atlas/client/atlas-client.ts";
import { RateLimiter } from "../../../../provider/atlas/limits/rate-limiter.ts";
import type { LoggedRequest } from "../../../support/simulated-atlas/request-log.ts";
import { bounds, rejection, requestFixture } from "./client-fixture.ts";

const isDelete = ({ method }: LoggedRequest) => method === "DELETE";
const isChallenge = (request: LoggedRequest) => request.challenge && isDelete(request);
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
  const { isAuthenticated, nonces, isUnchecked = false, challengeMs = 0 } = setup;
  await using fixture = await requestFixture(nonces && { nonces });
  if (isAuthenticated) await fixture.send();
  fixture.clock.pass(61_000);
  fixture.atlas.forget();
  fixture.onNext("handled", () => fixture.clock.pass(challengeMs), isChallenge);
  const { recheck } = fixture.rechecked();

  await fixture.send({ ...fixture.remove, recheck, isUnchecked });

  expect(fixture.log()).toEqual([...steps, "DELETE 204"]);
});

test.each([
  ["remove", 500, 0],
  ["remove", 501, 1],
  ["create", 10_000, 0],
  ["create", 10_001, 1],
] as const)("%s: a request that waited %i ms in a queue is rechecked %i times", async (name, ms, count) => {
  await using fixture = await requestFixture();
  const rateLimiter = new RateLimiter(fixture.clock, () => {});
  const { recheck } = fixture.rechecked();
  const request = { ...fixture[name], invites: name === "create", recheck };
  rateLimiter.onTooManyRequests(request, ms);

  await fixture.send(request, fixture.connected({ rateLimiter }));

  expect(fixture.slept()).toBe(ms);
  expect(fixture.methods()).toEqual([...Array(count).fill("GET"), request.method]);
});

test.each([
  ["a slow challenge", "remove", []],
  ["a lost answer", "create", ["POST"]],
] as const)("a recheck that fails after %s ends the request", async (_, name, methods) => {
  await using fixture = await requestFixture();
  if (name === "create") fixture.atlas.fail({ cut: "after" });
  fixture.onNext("handled", () => fixture.clock.pass(5_000), isChallenge);
  const recheck = () => Promise.reject(new Error("No longer pending."));

  await expect(fixture.send({ ...fixture[name], recheck })).rejects.toThrow("No longer pending.");

  expect(fixture.methods()).toEqual(methods);
});

test("the attempts of a recheck that fails are not repeated", async () => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ method: "GET", status: 503, times: Number.POSITIVE_INFINITY });
  const { recheck } = fixture.rechecked();

  const error = await rejection(fixture.send({ ...fixture.remove, recheck, isUnchecked: true }));

  expect(error).toMatchObject({ status: 503, method: "GET" });
  expect(error.message.match(/Tried 6 times\./g)).toHaveLength(1);
  expect(fixture.methods()).toEqual(Array(6).fill("GET"));
});

test("a recheck is bounded by the deadline of its request", async () => {
  await using fixture = await requestFixture();
  const { calls, recheck } = fixture.rechecked();

  await fixture.send({ ...fixture.remove, bounds: { deadline: 60_000 }, recheck, isUnchecked: true });

  expect(calls).toEqual([{ deadline: 60_000 }]);
});

test("a recheck for the first request of a burst does not wait for the burst", async () => {
  await using fixture = await requestFixture();
  fixture.onNext("handled", () => fixture.clock.pass(5_000), isChallenge);
  const { calls, recheck } = fixture.rechecked();

  await Promise.all([fixture.send({ ...fixture.remove, recheck }), fixture.send(), fixture.send()]);

  expect(calls).toEqual([{ ...bounds, isRecheck: true }]);
});

test("a request that was just rechecked does not wait behind others for a connection", async () => {
  await using fixture = await requestFixture();
  await fixture.send();
  const until = new Promise<void>((resolve) => fixture.onNext("answered", resolve, isDelete));
  const lists = (count: number, query: string) =>
    Array.from({ length: count }, () => fixture.send({ ...fixture.list, path: `${fixture.path}?${query}` }));
  // All connections but one.
  fixture.atlas.fail({ path: /slow/, until, times: 31 });
  const others = lists(31, "slow");
  const isRecheck = ({ path }: LoggedRequest) => path === fixture.path;
  fixture.onNext("arrived", () => others.push(...lists(20, "other")), isRecheck);
  const { recheck } = fixture.rechecked();

  await fixture.send({ ...fixture.remove, recheck, isUnchecked: true });
  await Promise.all(others);

  // The first of the others takes the connection that the recheck frees.
  const sent = fixture.verified().filter(({ path }) => !path.includes("slow"));
  expect(sent.map(({ method }) => method).slice(0, 4)).toEqual(["GET", "GET", "GET", "DELETE"]);
});

describe("with a service account,", () => {
  /** A client that has a token, and gets the next one after a minute. */
  async function tokenFixture() {
    const fixture = await requestFixture();
    const client = fixture.withServiceAccount();
    const onV2 = <Request extends AtlasRequest>(request: Request) => ({
      ...request,
      path: request.path.replace("v1.0", "v2"),
      mediaType: "application/vnd.atlas.2023-01-01+json",
    });
    const list = onV2(fixture.list);
    await fixture.send(list, client);
    fixture.atlas.forget();
    const late = { status: 429, headers: { "Retry-After": "60" } };
    fixture.atlas.fail({ path: /oauth/, authenticated: "either", ...late });
    const recheck = async (bounds: Bounds) => void (await fixture.send({ ...list, bounds }, client));
    return {
      ...fixture,
      removed: () => fixture.send({ ...onV2(fixture.remove), recheck, isUnchecked: true }, client),
    };
  }

  test.each([
    ["was rejected", ["DELETE 401"]],
    ["was due for renewal", []],
  ])("a request is rechecked after its token %s and the next one came late", async (reason, steps) => {
    await using fixture = await tokenFixture();
    fixture.onNext("handled", () => {
      if (reason === "was rejected") fixture.atlas.expireTokens();
      else fixture.clock.pass(50 * 60_000);
    });

    await fixture.removed();

    expect(fixture.slept()).toBe(60_000);
    expect(fixture.log()).toEqual(["GET 200", ...steps, "token 429", "token 200", "GET 200", "DELETE 204"]);
  });
});
