import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AtlasError } from "../../../../provider/atlas/errors.ts";
import { Peers } from "../../../../provider/atlas/limits/peers.ts";
import { type LimitedRequest, RateLimiter } from "../../../../provider/atlas/limits/rate-limiter.ts";
import type { RequestQueueOptions } from "../../../../provider/atlas/limits/request-queue.ts";
import { SimulatedClock } from "../../../support/simulated-clock.ts";

const invitesOf = (orgId: string, version = "v2") => `/api/atlas/${version}/orgs/${orgId}/invites`;
const usersOf = (orgId: string) => `/api/atlas/v2/orgs/${orgId}/users`;
const read = (path: string, subject = path): LimitedRequest => ({ path, subject });
const invite = (subject: string, path = invitesOf("a")): LimitedRequest => ({ path, subject, invites: true });
const usersRequest = read(usersOf("a"), "the list");
const headers = (limit?: unknown, left?: unknown) =>
  ({ "ratelimit-limit": limit, "ratelimit-remaining": left }) as Record<string, string>;

/** Limits, and when requests passed them, in seconds. */
function limiterFixture(options?: RequestQueueOptions, clock = new SimulatedClock()) {
  const notices: string[] = [];
  const limiter = new RateLimiter(clock, ({ text }) => notices.push(text), options);
  const passed: [subject: string, at: number][] = [];
  const rejected: [subject: string, kind: string][] = [];
  const add = (request: LimitedRequest, maxWaitS = 3_600) =>
    void limiter.acquire(request, clock.monotonic() + maxWaitS * 1000).then(
      () => passed.push([request.subject, clock.monotonic() / 1000]),
      (error: AtlasError) => rejected.push([request.subject, error.kind]),
    );
  return {
    limiter,
    notices,
    passed,
    passedAt: () => passed.map(([, at]) => at),
    rejected,
    add,
    /** Adds so many requests for the users of an organization. */
    addMany: (count: number) => {
      for (let index = 0; index < count; index++) add(usersRequest);
    },
    advance: (durationS: number) => clock.advance(durationS * 1000),
    clock,
  };
}

const tenAMinute = { invitations: 10, windowMs: 60_000 };

test("after the throttle no invitation is sent for a window, then they are sent 4 % slower than it allows", async () => {
  const { limiter, notices, passedAt, add, advance } = limiterFixture();

  limiter.onInvitationThrottle(tenAMinute);
  for (const name of ["ada", "bob", "cyd", "dan"]) add(invite(name));
  await advance(70);
  expect(passedAt()).toEqual([60, 66.24]);
  expect(notices[0]).toContain("limit of 10 invitations in 60 s: ada and 3 more, about 78 s left");
  // Another rate applies after a window of its own.
  limiter.onInvitationThrottle({ invitations: 5, windowMs: 120_000 });
  await advance(300);

  expect(passedAt().slice(2)).toEqual([190, 190 + 24.96]);
});

test("an empty bucket blocks its requests for as long as Atlas says, then all of them pass", async () => {
  const { limiter, notices, passedAt, addMany, advance } = limiterFixture();

  limiter.onTooManyRequests(usersRequest, 55_000);
  addMany(2);
  await advance(55);

  expect(passedAt()).toEqual([55, 55]);
  expect(notices).toEqual([expect.stringContaining("limit of requests: the list and 1 more")]);
});

test("each organization has one bucket for invitations and one for users, and each other path has its own", async () => {
  const { limiter, passed, add, advance } = limiterFixture();
  const suffixes = ["", "/1", "?pretty=true"];
  const invites = [...suffixes.map((suffix) => invitesOf("a") + suffix), invitesOf("a", "v1.0")];
  const users = suffixes.map((suffix) => usersOf("a") + suffix);
  const single = [invitesOf("b"), usersOf("b"), "/api/oauth/token", "/api/oauth/revoke"];
  const paths = [...invites, ...users, ...single];
  const blockedWith = async (path: string) => {
    limiter.onTooManyRequests(read(path), 1_000);
    passed.length = 0;
    for (const path of paths) add(read(path));
    await advance(0);
    const free = passed.map(([path]) => path);
    await advance(1);
    return paths.filter((path) => !free.includes(path));
  };

  for (const path of invites) expect(await blockedWith(path)).toEqual(invites);
  for (const path of users) expect(await blockedWith(path)).toEqual(users);
  for (const path of single) expect(await blockedWith(path)).toEqual([path]);
});

test("in the last tenth of a bucket, requests are as slow as half of it is refilled in a minute", async () => {
  const { limiter, notices, passedAt, add, addMany, advance } = limiterFixture();

  limiter.updateFromHeaders(usersRequest, headers("500", "49"));
  addMany(5);
  add(read(invitesOf("a"), "another bucket"));
  await advance(0.24);
  expect(passedAt()).toEqual([0, 0, 0.24]);
  limiter.updateFromHeaders(usersRequest, headers("500", "50"));
  await advance(0.24);

  expect(passedAt()).toEqual([0, 0, 0.24, 0.48, 0.48, 0.48]);
  expect(notices).toEqual([]);
});

test("a bucket that was empty is slow until an answer reports more", async () => {
  const { limiter, passedAt, addMany, advance } = limiterFixture();

  limiter.updateFromHeaders(usersRequest, headers("10", "0"));
  limiter.updateFromHeaders(usersRequest, headers());
  limiter.onTooManyRequests(usersRequest, 30_000);
  addMany(2);
  await advance(42);

  expect(passedAt()).toEqual([30, 42]);
});

test("headers that name no part of a bucket slow nothing down", async () => {
  const { limiter, passedAt, addMany, advance } = limiterFixture();
  const others = [[], ["500"], [undefined, "0"], ["many", "few"], ["500", "-1"], ["0", "0"]];

  for (const [limit, left] of [...others, ["-500", "-600"], ["Infinity", "0"], ["0.5", "0"]]) {
    limiter.updateFromHeaders(usersRequest, headers(limit, left));
    addMany(2);
  }
  await advance(0);

  expect(passedAt()).toEqual(Array(18).fill(0));
});

test("a request that would wait too long is rejected, because of the bucket or of the throttle", async () => {
  const { limiter, passed, rejected, add, advance } = limiterFixture();

  limiter.onTooManyRequests(read(invitesOf("a")), 30_000);
  limiter.onInvitationThrottle(tenAMinute);
  add(read(invitesOf("a"), "the list"), 29.999);
  add(invite("ada"), 59.999);
  // Both waits pass at the same time.
  add(invite("bob"), 60);
  await advance(100);

  expect(rejected.flat()).toEqual(["the list", "waitTooLong", "ada", "waitTooLong"]);
  expect(passed).toEqual([["bob", 60]]);
});

test("when the run is cancelled, no request waits for a bucket", async () => {
  const run = new AbortController();
  const { limiter, rejected, addMany, advance } = limiterFixture({ signal: run.signal });

  limiter.onTooManyRequests(usersRequest, 30_000);
  addMany(1);
  await advance(1);
  run.abort();
  await advance(0);

  expect(rejected).toEqual([["the list", "cancelled"]]);
});

test("an invitation waits while another process of this machine waits for the throttle, and shares its rate", async () => {
  const folder = await mkdtemp(join(tmpdir(), "limits-"));
  const shared = () => ({ peers: new Peers(folder), topic: "atlas.example.com" });
  const one = limiterFixture({ shared: shared() });
  const two = limiterFixture({ shared: shared() }, one.clock);

  one.limiter.onInvitationThrottle(tenAMinute);
  for (const name of ["ada", "bob", "cyd"]) one.add(invite(name));
  await one.advance(61);
  for (const name of ["dan", "eve"]) two.add(invite(name));
  two.addMany(1);
  await one.advance(0);
  expect(two.passed).toEqual([["the list", 61]]);
  await one.advance(60);

  expect([...one.passed, ...two.passed]).toHaveLength(6);
  expect(two.notices).toEqual([expect.stringContaining("limit of 10 invitations in 60 s: dan and 1 more")]);
  await rm(folder, { recursive: true });
});
