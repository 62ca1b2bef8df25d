import { expect, test, vi } from "vitest";
import { retryAfterMs } from "../../../../provider/atlas/client/retry.ts";
import { Transport } from "../../../../provider/atlas/client/transport.ts";
import { AtlasNetworkError } from "../../../../provider/atlas/errors.ts";
import { parseInvitationRate } from "../../../../provider/atlas/limits/invitation-rate.ts";
import type { Notice } from "../../../../provider/atlas/notice.ts";
import type { Fault, FaultMatch } from "../../../support/simulated-atlas/faults.ts";
import { rejection, requestFixture } from "./client-fixture.ts";

const throttle = { status: 400, body: { errorCode: "INVITATIONS_RATE_LIMITED_IP", parameters: [10, 2] } };
/** A status with a Retry-After. */
const after = (value: string, status = 503) => ({ status, headers: { "Retry-After": value } });

test.each([408, 500, 502, 503, 504, 520, 521, 522, 523, 524])(
  "a request is retried after a %i, with a longer wait each time",
  async (status) => {
    await using fixture = await requestFixture();
    fixture.atlas.fail({ status, times: 3 });

    await fixture.send(fixture.remove);

    expect(fixture.log().slice(1)).toEqual([...Array(3).fill(`DELETE ${status}`), "DELETE 204"]);
    expect(fixture.sleeps).toEqual([250, 500, 1000]);
    // Waits of less than two seconds are not shown.
    expect(fixture.notices).toEqual([]);
  },
);

test.each([302, 400, 403, 404, 409, 410, 501, 505, 519, 525])(
  "a request is not retried after a %i, whatever the text says",
  async (status) => {
    await using fixture = await requestFixture();
    const errorCode = status === 400 ? "RATE_LIMITED" : "RATE_LIMITED_IP";
    fixture.atlas.fail({ status, body: { errorCode, detail: "Rate limit of 10 invitations per 1 minutes" } });

    await expect(fixture.send()).rejects.toMatchObject({
      status,
      errorCode,
    });

    expect(fixture.methods()).toEqual(["GET"]);
  },
);

test.each([
  { status: 429 },
  // Atlas also answers it to a request that sends no e-mail.
  throttle,
  { status: 400, body: { errorCode: "RATE_LIMITED_IP" } },
])("a request is retried as often as its deadline allows: %j", async (fault) => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ ...fault, times: 8 });

  await fixture.send();

  expect(fixture.methods()).toHaveLength(9);
  expect(fixture.slept()).toBe(250 + 500 + 1000 + 2000 + 4000 + 8000 + 15_000 + 15_000);
});

test("waits of two seconds or more are shown with the person and the reason, and attempts are counted", async () => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ status: 502, times: 6 });
  const notices: Notice[] = [];
  const client = fixture.connected({ notify: (notice) => notices.push(notice) });
  const subject = { orgId: fixture.organization.id, username: "ada@example.com" };

  const error = await rejection(fixture.send({ ...fixture.remove, person: subject }, client));

  expect(error.message).toMatch(/try again later\. Tried 6 times\.$/);
  expect(notices).toEqual(
    ["2 s", "4 s"].map((wait) => {
      const text = expect.stringMatching(`^Retrying .* ada@example.com in ${wait}: .* 502`);
      return { severity: "info", subject, text };
    }),
  );
});

/** The requests of the table: with the bounds of a minute, without a recheck, and with one. */
const requests = {
  list: ({ list }) => ({ ...list, bounds: { deadline: 60_000 } }),
  remove: ({ remove }) => remove,
  create: ({ create }) => create,
  rechecked: ({ create, rechecked }) => ({ ...create, recheck: rechecked().recheck }),
  invitation: ({ create, rechecked }) => ({ ...create, recheck: rechecked().recheck, invites: true }),
} satisfies Record<string, (fixture: Awaited<ReturnType<typeof requestFixture>>) => object>;

const cutPost = { cut: "before", method: "POST" } as const;
const sixTimes = [250, 500, 1000, 2000, 4000];
const cut = { kind: "network", sent: true };
const tooLong = { kind: "waitTooLong", cause: { status: 503 } };
const throttled = { ...throttle, method: "POST" };

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
  ["is rechecked", "rechecked", [{ ...cutPost, times: 2 }], "POST GET POST GET POST", [250, 500]],
  ["is rechecked after 2 s: an invitation", "invitation", [after("1")], "POST GET POST", [2_000]],
  ["is rechecked after Retry-After", "invitation", [after("3")], "POST GET POST", [3_000]],
  ["is throttled for a window", "invitation", [throttled], "POST GET POST", [1_000, 119_000]],
])("a request %s", async (_, name, faults, methods, sleeps, expected) => {
  await using fixture = await requestFixture();
  for (const fault of faults) fixture.atlas.fail(fault);
  const sent = fixture.send(requests[name](fixture));

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

  await expect(fixture.send()).rejects.toMatchObject({
    status: 503,
    message: expect.stringMatching(/Tried 16 times\.$/),
  });

  expect(fixture.methods()).toHaveLength(16);
});

// Atlas takes 326 to 358 ms for an invitation (recorded), and goes on when the connection breaks.
test("an invitation whose answer is lost while Atlas works on it is seen by the recheck", async () => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ cut: "during", method: "POST", until: fixture.clock.after(358) });
  const recheck = async () => {
    if (fixture.organization.invitations.length > 1) throw new Error("Already invited.");
  };

  const sent = fixture.send({ ...fixture.create, invites: true, recheck });

  await expect(sent).rejects.toThrow("Already invited.");
  expect(fixture.methods()).toEqual(["POST"]);
});

test("a POST that was never sent is sent again, without a recheck", async () => {
  await using fixture = await requestFixture();
  const failure = new AtlasNetworkError("POST", fixture.path, "no connection", false);
  vi.spyOn(Transport.prototype, "send").mockRejectedValueOnce(failure);

  await fixture.send(fixture.create);
  vi.restoreAllMocks();

  expect(fixture.sleeps).toEqual([250]);
  expect(fixture.atlas.mails).toHaveLength(1);
});

test("requests slow down while their bucket is nearly empty", async () => {
  await using fixture = await requestFixture();
  const headers = { "RateLimit-Limit": "500", "RateLimit-Remaining": "49" };
  fixture.atlas.fail({ status: 200, body: [], headers, times: 3 });

  for (const _ of Array(3)) await fixture.send();

  expect(fixture.slept()).toBe(240);
});

test.each<[string | string[], number]>([
  ["0", 0],
  [" 055\t", 55_000],
  [["55", "60"], 55_000],
  ["Fri, 21 Aug 2026 12:00:30 GMT", 30_000],
  ["Friday, 21-Aug-26 12:00:30 GMT", 30_000],
  ["Fri Aug 21 12:00:30 2026 GMT", 30_000],
  ["Fri, 21 Aug 2026 11:59:30 GMT", 0],
  ["9".repeat(400), 2 ** 31 * 1000],
])("Retry-After %j is a wait of %i ms", (header, waitMs) => {
  expect(retryAfterMs(header, Date.UTC(2026, 7, 21, 12))).toBe(waitMs);
});

test("any other Retry-After is ignored", () => {
  const numbers = ["-1", "+1", "1.5", "1e3", "0x10", "1, 2", "55 s", "Infinity"];
  const dates = ["2026-08-21T12:00:30Z", "Fri, 99 Aug 2026 12:00:30 GMT", "Friday", "soon"];
  const others = [undefined, "", " ", [], ["soon", "60"]];

  const waits = [...numbers, ...dates, ...others].map((header) => retryAfterMs(header, 0));

  expect(new Set(waits)).toEqual(new Set([undefined]));
});

test.each([
  [[], "Rate limit of 7 invitations per 2 minutes exceeded", 7, 2],
  [[], "Rate limit of 12 invitations per 1 minute exceeded", 12, 1],
  [[5, 5], "Rate limit of 7 invitations per 2 minutes", 7, 2],
  [[5, 3, "192.0.2.1"], "Too fast.", 5, 3],
  [["5", "3"], "Too fast.", 5, 3],
])("parameters %j with the detail %j are %i invitations in %i minutes", (...row) => {
  const [parameters, detail, invitations, minutes] = row;
  expect(parseInvitationRate(parameters, detail)).toEqual({ invitations, windowMs: minutes * 60_000 });
});

test("a throttle that names no rate counts as ten invitations a minute", () => {
  const parameters = [[], [5], [0, 0], [0.5, 0.5], [10, 1e308], [null, true], [[5], [1]], ["fast", "slow"]];
  const details = ["ten invitations per minute", "0 invitations per 0 minutes"];
  const rates = [
    ...parameters.map((parameters) => parseInvitationRate(parameters, "")),
    ...details.map((detail) => parseInvitationRate([], detail)),
  ];

  expect(rates).toEqual(Array(10).fill({ invitations: 10, windowMs: 60_000 }));
});
