import { expect, test, vi } from "vitest";
import { AtlasNetworkError } from "../../../provider/atlas/errors.ts";
import type { Notice } from "../../../provider/atlas/notice.ts";
import { backoffMs, parseInvitationRate, retryAfterMs } from "../../../provider/atlas/retry.ts";
import { Transport } from "../../../provider/atlas/transport.ts";
import type { Fault, FaultMatch } from "../../support/simulated-atlas/faults.ts";
import { Created, Invitations, rejection, requestFixture } from "./client-fixture.ts";

const throttle = { status: 400, body: { errorCode: "INVITATIONS_RATE_LIMITED_IP" } };
/** A status with a Retry-After. */
const after = (value: string, status = 503) => ({ status, headers: { "Retry-After": value } });

test.each([408, 500, 502, 503, 504, 520, 521, 522, 523, 524])(
  "a request is retried after a %i, with a longer wait each time",
  async (status) => {
    await using fixture = await requestFixture();
    fixture.atlas.fail({ status, body: "<html>busy</html>", times: 3 });

    expect(await fixture.client.sendWithoutBody(fixture.remove)).toBe(true);

    expect(fixture.verified().map(({ status }) => status)).toEqual([status, status, status, 204]);
    expect(fixture.sleeps).toEqual([250, 500, 1000]);
    // Waits of less than two seconds are not shown.
    expect(fixture.notices).toEqual([]);
  },
);

test.each([
  [302, undefined],
  [400, undefined],
  [400, "RATE_LIMITED"],
  [403, undefined],
  [404, "RATE_LIMITED_IP"],
  [409, undefined],
  [410, undefined],
  [501, undefined],
  [505, undefined],
  [519, undefined],
  [525, undefined],
])("a request is not retried after %i %s", async (status, errorCode) => {
  await using fixture = await requestFixture();
  // An error is classified by its code, never by its text.
  fixture.atlas.fail({
    status,
    body: { errorCode, detail: "Rate limit of 10 invitations per 1 minutes exceeded" },
  });

  expect(await rejection(fixture.client.fetch(fixture.list, Invitations))).toMatchObject({ status });

  expect(fixture.verified()).toHaveLength(1);
  expect(fixture.sleeps).toEqual([]);
});

test.each([
  ["429", { status: 429 }],
  ["429 with any code", { ...throttle, status: 429 }],
  // The answer to a request that sends no e-mail.
  ["throttled", { status: 400, body: { errorCode: "RATE_LIMITED_IP" } }],
  ["throttled as an invitation", throttle],
])("a request is retried as often as its deadline allows: %s", async (_, fault) => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ ...fault, times: 8 });

  await fixture.client.fetch(fixture.list, Invitations);

  expect(fixture.verified()).toHaveLength(9);
  expect(fixture.slept()).toBe(250 + 500 + 1000 + 2000 + 4000 + 8000 + 15_000 + 15_000);
});

test("a request is sent six times at most, and long waits are shown with their reason", async () => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ status: 502, body: "<html>busy</html>", times: 6 });
  const notices: Notice[] = [];
  const client = fixture.connected({ notify: (notice) => notices.push(notice) });
  const person = { orgId: fixture.organization.id, username: "ada@example.com" };

  const error = await rejection(client.sendWithoutBody({ ...fixture.remove, person }));

  expect(error).toMatchObject({ kind: "api", status: 502 });
  expect(error.message).toMatch(/try again later\. Tried 6 times\.$/);
  const notice = (wait: string) => {
    const text = expect.stringMatching(`^Retrying .* ada@example.com in ${wait}: .* 502`);
    return { severity: "info", subject: person, text };
  };
  expect(notices).toEqual([notice("2 s"), notice("4 s")]);
});

/** The requests of the table: with the bounds of a minute, without a recheck, and with one. */
const requests = {
  list: ({ list }) => ({ ...list, bounds: { deadline: 60_000 } }),
  remove: ({ remove }) => remove,
  create: ({ create }) => create,
  rechecked: ({ create, rechecked }) => ({ ...create, recheck: rechecked().recheck }),
  invitation: ({ create, rechecked }) => ({ ...create, recheck: rechecked().recheck, invites: true }),
} satisfies Record<string, (fixture: Awaited<ReturnType<typeof requestFixture>>) => object>;

const sixTimes = [250, 500, 1000, 2000, 4000];
const cut = { kind: "network", sent: true };
const tooLong = { kind: "waitTooLong", cause: { status: 503 } };
const counted = { status: 503, message: expect.stringMatching(/Tried 16 times\.$/) };

test.each<[string, keyof typeof requests, (FaultMatch & Fault)[], string, number[], error?: object]>([
  ["waits as many seconds as Retry-After says", "list", [after("7")], "GET GET", [7000]],
  ["waits until Retry-After", "list", [after("Mon, 10 Aug 2026 00:00:07 GMT")], "GET GET", [7000]],
  ["has the usual wait for Retry-After: 0", "list", [after("0")], "GET GET", [250]],
  ["waits as long as its deadline allows", "list", [after("60")], "GET GET", [60_000]],
  ["fails before a longer wait", "list", [after("61")], "GET", [], tooLong],
  ["adds up its waits", "list", [after("40"), after("40")], "GET GET", [40_000], tooLong],
  ["adds up with a queue", "list", [after("40", 429), after("40")], "GET GET", [1_000, 39_000], tooLong],
  ["is sent six times", "list", [{ cut: "before", times: 6 }], "GET GET GET GET GET GET", sixTimes, cut],
  ["is sent again: a DELETE", "remove", [{ cut: "after" }], "DELETE DELETE", [250], { status: 400 }],
  ["is not sent again: a POST that was cut", "create", [{ cut: "after" }], "POST", [], cut],
  ["is not sent again: a 502", "create", [{ status: 502, when: "after" }], "POST", [], { status: 502 }],
  ["is not sent again: a broken answer", "create", [{ damage: "half body" }], "POST", [], cut],
  [
    "is rechecked",
    "rechecked",
    [{ cut: "before", times: 2, method: "POST" }],
    "POST GET POST GET POST",
    [250, 500],
  ],
  ["is rechecked after 2 s: an invitation", "invitation", [after("1")], "POST GET POST", [2_000]],
  ["is rechecked after Retry-After", "invitation", [after("3")], "POST GET POST", [3_000]],
])("a request %s", async (_, name, faults, methods, sleeps, expected) => {
  await using fixture = await requestFixture();
  for (const fault of faults) fixture.atlas.fail(fault);
  const request = requests[name](fixture);

  const sent =
    request.method === "DELETE"
      ? fixture.client.sendWithoutBody(request)
      : fixture.client.fetch(request, request.method === "GET" ? Invitations : Created);

  if (expected) await expect(sent).rejects.toMatchObject(expected);
  else await sent;
  expect(fixture.methods().join(" ")).toBe(methods);
  expect(fixture.sleeps).toEqual(sleeps);
  expect(fixture.atlas.mails).toHaveLength(methods.includes("POST") ? 1 : 0);
});

test("attempts that Atlas's limits delayed do not count", async () => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ status: 502, times: 3 });
  fixture.atlas.fail({ ...after("1", 429), times: 10 });
  fixture.atlas.fail({ status: 503, times: 3 });

  await expect(fixture.client.fetch(fixture.list, Invitations)).rejects.toMatchObject(counted);

  expect(fixture.verified()).toHaveLength(16);
});

// Atlas takes 326 to 358 ms for an invitation (recorded), and goes on when the connection breaks.
test.each([
  ["connection is cut", { cut: "during" }],
  ["answer comes from a proxy", { status: 502, when: "during" }],
] as const)("an invitation whose %s while Atlas works on it is seen by the recheck", async (_, fault) => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ ...fault, method: "POST", until: fixture.clock.after(358) });
  const recheck = async () => {
    const found = await fixture.client.fetch(fixture.list, Invitations);
    if (found.length > 1) throw new Error("Already invited.");
  };

  const sent = fixture.client.fetch({ ...fixture.create, invites: true, recheck }, Created);

  await expect(sent).rejects.toThrow("Already invited.");
  expect(fixture.methods()).toEqual(["POST", "GET"]);
  expect(fixture.atlas.mails).toHaveLength(1);
});

test("a POST that was never sent is sent again, without a recheck", async () => {
  await using fixture = await requestFixture();
  const failure = new AtlasNetworkError("POST", fixture.path, "no connection", false);
  vi.spyOn(Transport.prototype, "send").mockRejectedValueOnce(failure);

  await fixture.client.fetch(fixture.create, Created);
  vi.restoreAllMocks();

  expect(fixture.sleeps).toEqual([250]);
  expect(fixture.atlas.mails).toHaveLength(1);
});

test("an invitation that Atlas throttles is sent after a window, by the rate that Atlas names", async () => {
  await using fixture = await requestFixture();
  const body = { ...throttle.body, detail: "Too fast.", parameters: [10, 2] };
  fixture.atlas.fail({ method: "POST", status: 400, body });

  await fixture.client.fetch({ ...fixture.create, invites: true }, Created);

  expect(fixture.verified().map(({ status }) => status)).toEqual([400, 200]);
  expect(fixture.slept()).toBe(120_000);
  expect(fixture.atlas.mails).toHaveLength(1);
});

test("requests wait after a 429 as long as Atlas says, and slow down while their bucket is nearly empty", async () => {
  await using fixture = await requestFixture();
  fixture.atlas.fail(after("55", 429));
  const headers = { "RateLimit-Limit": "500", "RateLimit-Remaining": "49" };
  fixture.atlas.fail({ status: 200, body: [], headers, times: 3 });

  await fixture.client.fetch(fixture.list, Invitations);
  expect(fixture.slept()).toBe(55_000);
  for (const _ of Array(2)) await fixture.client.fetch(fixture.list, Invitations);

  expect(fixture.verified().map(({ status }) => status)).toEqual([429, 200, 200, 200]);
  expect(fixture.slept()).toBe(55_000 + 240);
});

test("the backoff doubles from half a second to half a minute, with full jitter", () => {
  const longest = [1, 2, 3, 4, 5, 6, 7, 8, 2_000].map((attempts) => backoffMs(attempts, 1));

  expect(longest).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  expect(backoffMs(3, 0)).toBe(0);
  expect(backoffMs(3, 0.25)).toBe(500);
});

const now = Date.UTC(2026, 7, 21, 12, 0, 0);

test.each<[string | string[] | undefined, number | undefined]>([
  ["0", 0],
  [" 055\t", 55_000],
  [["55", "60"], 55_000],
  ["Fri, 21 Aug 2026 12:00:30 GMT", 30_000],
  ["Friday, 21-Aug-26 12:00:30 GMT", 30_000],
  ["Fri Aug 21 12:00:30 2026 GMT", 30_000],
  ["Fri, 21 Aug 2026 11:59:30 GMT", 0],
  ["9".repeat(400), 2 ** 31 * 1000],
  ...[[], ["soon", "60"], undefined, "", " ", "-1", "+1", "1.5", "1e3", "0x10", "1, 2", "55 s"].map(
    (header): [string | string[] | undefined, undefined] => [header, undefined],
  ),
  ["Infinity", undefined],
  ["2026-08-21T12:00:30Z", undefined],
  ["Fri, 99 Aug 2026 12:00:30 GMT", undefined],
  ["Friday", undefined],
])("Retry-After %j is a wait of %s ms", (header, waitMs) => {
  expect(retryAfterMs(header, now)).toBe(waitMs);
});

const tenAMinute: [number, number] = [10, 1];

test.each<[unknown[], string, [invitations: number, minutes: number]]>([
  [[], "Rate limit of 7 invitations per 2 minutes exceeded", [7, 2]],
  [[], "Rate limit of 12 invitations per 1 minute exceeded", [12, 1]],
  [[5, 5], "Rate limit of 7 invitations per 2 minutes", [7, 2]],
  [[5, 3, "192.0.2.1"], "Too fast.", [5, 3]],
  [["5", "3"], "Too fast.", [5, 3]],
  [[], "", tenAMinute],
  [[5], "", tenAMinute],
  [["fast", "slow"], "Rate limit of ten invitations per minute exceeded", tenAMinute],
  [[0, 0], "Rate limit of 0 invitations per 0 minutes exceeded", tenAMinute],
  [[-5, -1], "", tenAMinute],
  [[0.5, 0.5], "", tenAMinute],
  [[null, true], "", tenAMinute],
  [[[5], [1]], "", tenAMinute],
  [[{ toString: 1, valueOf: 1 }, 1], "", tenAMinute],
  [[10, 1e308], "", tenAMinute],
  [[Number.POSITIVE_INFINITY, 1], `Rate limit of ${"9".repeat(400)} invitations per 1 minutes`, tenAMinute],
  [[" ", ""], "", tenAMinute],
])("the rate of the throttle with the parameters %j and the detail %j is %j", (parameters, detail, rate) => {
  const [invitations, minutes] = rate;
  expect(parseInvitationRate(parameters, detail)).toEqual({ invitations, windowMs: minutes * 60_000 });
});
