import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Peers } from "../../../../provider/atlas/limits/peers.ts";
import {
  type LimitedRequest,
  RateLimiter,
  type RateLimiterOptions,
} from "../../../../provider/atlas/limits/rate-limiter.ts";
import { SimulatedClock } from "../../../support/simulated-clock.ts";

const invitesOf = (orgId: string, api = "v2") => `/api/atlas/${api}/orgs/${orgId}/invites`;
const usersOf = (orgId: string) => `/api/atlas/v2/orgs/${orgId}/users`;

/** Limits, and who came through them after how many ms. */
function startScene(options?: RateLimiterOptions, clock = new SimulatedClock()) {
  const start = clock.monotonic();
  const lines: string[] = [];
  const limits = new RateLimiter(clock, (line) => lines.push(line), options);
  const passed: [subject: string, at: number][] = [];
  const errors: string[] = [];
  const come = (request: LimitedRequest, maxWaitMs = 3_600_000) =>
    limits.acquire(request, clock.monotonic() + maxWaitMs).then(
      () => passed.push([request.subject, clock.monotonic() - start]),
      (error: Error) => errors.push(error.message),
    );
  return { clock, limits, lines, passed, errors, come };
}

const read = (path: string, subject = path): LimitedRequest => ({ path, subject });
const invite = (subject: string, path = invitesOf("a")): LimitedRequest => ({ path, subject, invites: true });
const headers = (limit?: unknown, left?: unknown) => ({
  status: 200,
  headers: { "ratelimit-limit": limit, "ratelimit-remaining": left } as Record<string, string>,
});

test("nobody waits as long as Atlas limits nothing", async () => {
  const { clock, passed, come } = startScene();

  for (const path of [invitesOf("a"), usersOf("a"), "/api/oauth/token"]) void come(read(path));
  for (const name of ["ada", "bob"]) void come(invite(name));
  await clock.advance(0);

  expect(passed).toHaveLength(5);
  expect(clock.slept).toEqual([]);
});

test("after the throttle no invitation goes for a window, then they go 4 % slower than it allows", async () => {
  const { clock, limits, lines, passed, come } = startScene();

  limits.onInvitationThrottle({ invitations: 10, windowMs: 60_000 });
  for (const name of ["ada", "bob", "cyd"]) void come(invite(name));
  await clock.advance(75_000);

  expect(passed).toEqual([
    ["ada", 60_000],
    ["bob", 66_240],
    ["cyd", 72_480],
  ]);
  expect(lines).toEqual([
    "ada and 2 more wait for Atlas, which takes 10 invitations in 60 s: about 72 s.",
    "cyd waits for Atlas, which takes 10 invitations in 60 s: about 7 s.",
  ]);
});

test("the throttle is of the source address: of all organizations and both families, but of invitations only", async () => {
  const { clock, limits, passed, come } = startScene();

  limits.onInvitationThrottle({ invitations: 1, windowMs: 60_000 });
  void come(invite("ada", invitesOf("a")));
  void come(invite("bob", invitesOf("b", "v1.0")));
  void come(invite("cyd", usersOf("c")));
  void come(read(invitesOf("a"), "the list"));
  await clock.advance(0);
  expect(passed).toEqual([["the list", 0]]);
  await clock.advance(200_000);

  expect(passed.slice(1)).toEqual([
    ["ada", 60_000],
    ["bob", 122_400],
    ["cyd", 184_800],
  ]);
});

test("a throttle that is met again is waited for again", async () => {
  const { clock, limits, passed, come } = startScene();

  limits.onInvitationThrottle({ invitations: 10, windowMs: 60_000 });
  void come(invite("ada"));
  void come(invite("bob"));
  await clock.advance(61_000);
  limits.onInvitationThrottle({ invitations: 5, windowMs: 120_000 });
  void come(invite("cyd"));
  await clock.advance(300_000);

  expect(passed).toEqual([
    ["ada", 60_000],
    ["bob", 181_000],
    ["cyd", 181_000 + 24_960],
  ]);
});

test("an empty bucket holds its requests, and then lets all of them go", async () => {
  const { clock, limits, lines, passed, come } = startScene();

  limits.onTooManyRequests(read(invitesOf("a")), 55_000);
  void come(read(invitesOf("a"), "the list"));
  void come(invite("ada"));
  await clock.advance(54_999);
  expect(passed).toEqual([]);
  await clock.advance(1);

  expect(passed).toEqual([
    ["the list", 55_000],
    ["ada", 55_000],
  ]);
  expect(lines).toEqual([
    "the list and 1 more wait for Atlas, which limits how many requests it takes: about 54 s.",
  ]);
});

test("each organization has a bucket of its own for invitations, and one for users", async () => {
  const { clock, limits, passed, come } = startScene();
  const paths = [
    invitesOf("a"),
    invitesOf("a", "v1.0"),
    `${invitesOf("a")}/1`,
    `${invitesOf("a")}?pretty=true`,
    usersOf("a"),
    `${usersOf("a")}?itemsPerPage=500`,
    invitesOf("b"),
    usersOf("b"),
    "/api/oauth/token",
    "/api/oauth/revoke",
  ];
  const heldWith = async (path: string) => {
    limits.onTooManyRequests(read(path), 1_000);
    passed.length = 0;
    for (const path of paths) void come(read(path));
    await clock.advance(0);
    const free = passed.map(([path]) => path);
    await clock.advance(1_000);
    return paths.filter((path) => !free.includes(path));
  };

  expect(await heldWith(invitesOf("a"))).toEqual(paths.slice(0, 4));
  expect(await heldWith(`${invitesOf("a", "v1.0")}/2`)).toEqual(paths.slice(0, 4));
  expect(await heldWith(`${usersOf("a")}/2?pretty=true`)).toEqual(paths.slice(4, 6));
  expect(await heldWith(invitesOf("b"))).toEqual([invitesOf("b")]);
  expect(await heldWith(usersOf("b"))).toEqual([usersOf("b")]);
  expect(await heldWith("/api/oauth/token")).toEqual(["/api/oauth/token"]);
  expect(await heldWith("/api/oauth/revoke")).toEqual(["/api/oauth/revoke"]);
});

test("in the last tenth of a bucket requests go as fast as half of it comes back in a minute", async () => {
  const { clock, limits, lines, passed, come } = startScene();

  limits.updateFromHeaders(read(invitesOf("a")), headers("500", "49"));
  for (const name of ["one", "two", "three"]) void come(read(invitesOf("a"), name));
  void come(read(usersOf("a"), "other"));
  await clock.advance(480);

  expect(passed).toEqual([
    ["one", 0],
    ["other", 0],
    ["two", 240],
    ["three", 480],
  ]);
  expect(lines).toEqual([]);
});

test("once more is left than a tenth, requests go as they come", async () => {
  const { clock, limits, passed, come } = startScene();

  limits.updateFromHeaders(read(invitesOf("a")), headers("500", "49"));
  for (const name of ["one", "two", "three", "four"]) void come(read(invitesOf("a"), name));
  await clock.advance(240);
  limits.updateFromHeaders(read(invitesOf("a", "v1.0")), headers("500", "50"));
  await clock.advance(240);

  expect(passed).toEqual([
    ["one", 0],
    ["two", 240],
    ["three", 480],
    ["four", 480],
  ]);
});

test("a bucket that was empty goes on slowly until an answer tells of more", async () => {
  const { clock, limits, passed, come } = startScene();

  limits.updateFromHeaders(read(usersOf("a")), headers("10", "0"));
  limits.onTooManyRequests(read(usersOf("a")), 30_000);
  for (const name of ["one", "two"]) void come(read(usersOf("a"), name));
  await clock.advance(42_000);

  expect(passed).toEqual([
    ["one", 30_000],
    ["two", 42_000],
  ]);
});

test.each([
  ["absent", undefined, undefined],
  ["half there", "500", undefined],
  ["half there", undefined, "0"],
  ["empty", "", ""],
  ["words", "many", "few"],
  ["negative", "500", "-1"],
  ["of nothing", "0", "0"],
  ["negative in all", "-500", "-600"],
  ["endless", "Infinity", "0"],
  ["next to nothing", "1e-320", "0"],
  ["a fraction", "0.5", "0"],
  ["several", ["500", "500"], ["0", "0"]],
])("headers that are %s slow nothing down", async (_, limit, left) => {
  const { clock, limits, passed, come } = startScene();

  limits.updateFromHeaders(read(usersOf("a")), headers(limit, left));
  for (const name of ["one", "two"]) void come(read(usersOf("a"), name));
  await clock.advance(0);

  expect(passed).toHaveLength(2);
});

test("headers that say nothing change nothing", async () => {
  const { clock, limits, passed, come } = startScene();

  limits.updateFromHeaders(read(usersOf("a")), headers("500", "0"));
  limits.updateFromHeaders(read(usersOf("a")), headers());
  for (const name of ["one", "two"]) void come(read(usersOf("a"), name));
  await clock.advance(0);

  expect(passed).toHaveLength(1);
});

test("whatever the headers say, one request goes at once and two in two minutes", async () => {
  const text = fc.oneof(
    fc.string(),
    fc.nat().map(String),
    fc.double().map(String),
    fc.stringMatching(/^\d{0,400}$/),
  );

  await fc.assert(
    fc.asyncProperty(fc.oneof(text, fc.array(text)), fc.oneof(text, fc.array(text)), async (limit, left) => {
      const { clock, limits, passed, come } = startScene();

      limits.updateFromHeaders(read(usersOf("a")), headers(limit, left));
      void come(read(usersOf("a"), "one"));
      void come(read(usersOf("a"), "two"));
      await clock.advance(120_000);

      expect(passed[0]).toEqual(["one", 0]);
      expect(passed).toHaveLength(2);
    }),
  );
});

test("a request that would wait too long is refused, by the bucket or by the throttle", async () => {
  const { clock, limits, passed, errors, come } = startScene();
  const tooLong = (why: string) =>
    `would have to wait for Atlas, which ${why}, and longer than mongodbatlas:maxWait allows; nothing more was sent. Run the command again later, or raise mongodbatlas:maxWait.`;

  limits.onTooManyRequests(read(usersOf("a")), 30_000);
  limits.onInvitationThrottle({ invitations: 10, windowMs: 60_000 });
  void come(read(usersOf("a"), "the list"), 29_999);
  void come(invite("ada"), 59_999);
  await clock.advance(100_000);

  expect(passed).toEqual([]);
  expect(errors).toEqual([
    `the list ${tooLong("limits how many requests it takes")}`,
    `ada ${tooLong("takes 10 invitations in 60 s")}`,
  ]);
});

test("the wait for the bucket counts for the wait for the throttle", async () => {
  const { clock, limits, passed, errors, come } = startScene();

  limits.onTooManyRequests(read(invitesOf("a")), 30_000);
  limits.onInvitationThrottle({ invitations: 10, windowMs: 60_000 });
  void come(invite("ada"), 60_000);
  void come(invite("bob"), 59_999);
  await clock.advance(100_000);

  expect(passed).toEqual([["ada", 60_000]]);
  expect(errors).toHaveLength(1);
});

test("when the run is cancelled, nobody waits for the throttle or for a bucket any more", async () => {
  const run = new AbortController();
  const { clock, limits, passed, errors, come } = startScene({ signal: run.signal });

  limits.onInvitationThrottle({ invitations: 10, windowMs: 60_000 });
  limits.onTooManyRequests(read(usersOf("a")), 30_000);
  void come(invite("ada"));
  void come(read(usersOf("a"), "the list"));
  await clock.advance(1_000);
  run.abort();
  void come(read(usersOf("b"), "another list"));
  await clock.advance(0);

  expect(passed).toEqual([]);
  expect(errors.sort()).toEqual([
    expect.stringMatching(/^The run was cancelled before the request for ada was sent/),
    expect.stringMatching(/^The run was cancelled before the request for another list was sent/),
    expect.stringMatching(/^The run was cancelled before the request for the list was sent/),
  ]);
});

test("an invitation is not tried where another process of the machine waits for the throttle, and takes turns with it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "limits-"));
  const shared = () => ({ peers: new Peers(folder), topic: "atlas.example.com" });
  const one = startScene({ shared: shared() });
  const two = startScene({ shared: shared() }, one.clock);

  one.limits.onInvitationThrottle({ invitations: 10, windowMs: 60_000 });
  for (const name of ["ada", "bob", "cyd"]) void one.come(invite(name));
  await one.clock.advance(61_000);
  for (const name of ["dan", "eve"]) void two.come(invite(name));
  void two.come(read(usersOf("a"), "the list"));
  await one.clock.advance(0);
  expect(two.passed).toEqual([["the list", 61_000]]);
  await one.clock.advance(60_000);

  expect(one.passed).toHaveLength(3);
  expect(two.passed).toHaveLength(3);
  expect(two.lines).toEqual([
    expect.stringMatching(
      /^dan and 1 more wait for Atlas, which takes 10 invitations in 60 s: about \d+ s\.$/,
    ),
  ]);
  await rm(folder, { recursive: true });
});
