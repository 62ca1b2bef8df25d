import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  AtlasApiError,
  AtlasConfigError,
  AtlasError,
  AtlasNetworkError,
} from "../../../provider/atlas/errors.ts";
import {
  backoffMs,
  classifyFailure,
  type FailureKind,
  parseInvitationRate,
  RECHECK_DELAY_MS,
  RETRY_POLICIES,
  retryAfterMs,
  retryDelayMs,
} from "../../../provider/atlas/retry.ts";

const apiError = (status: number, errorCode?: string, detail = "No.") =>
  new AtlasApiError({ status, errorCode, detail, method: "GET", path: "/" });

test.each<[FailureKind, unknown]>([
  ["throttled", apiError(400, "INVITATIONS_RATE_LIMITED_IP")],
  ["throttled", apiError(400, "RATE_LIMITED_IP")],
  ["limited", apiError(429)],
  ["limited", apiError(429, "RATE_LIMITED_TOKEN_BUCKET")],
  ["limited", apiError(429, "RATE_LIMITED")],
  ["limited", apiError(429, "INVITATIONS_RATE_LIMITED_IP")],
  ["unsent", new AtlasNetworkError("GET", "/", "refused", false)],
  ["lost", new AtlasNetworkError("GET", "/", "cut")],
  ["lost", new AtlasNetworkError("GET", "/", "cut", true)],
  ["unavailable", apiError(502)],
  ["unavailable", apiError(503, "SERVICE_UNAVAILABLE")],
  ["unavailable", apiError(504)],
  ["unavailable", apiError(500, "UNEXPECTED_ERROR")],
  ["unavailable", apiError(408)],
  ["unavailable", apiError(520)],
  ["unavailable", apiError(521)],
  ["unavailable", apiError(522)],
  ["unavailable", apiError(523)],
  ["unavailable", apiError(524)],
  ["final", apiError(400)],
  ["final", apiError(400, "RATE_LIMITED")],
  ["final", apiError(400, "INVALID_INVITATION_ID", "Rate limit of 10 invitations per 1 minutes exceeded")],
  ["final", apiError(404, "RATE_LIMITED_IP")],
  ["final", apiError(401)],
  ["final", apiError(403)],
  ["final", apiError(404)],
  ["final", apiError(409)],
  ["final", apiError(410)],
  ["final", apiError(501)],
  ["final", apiError(505)],
  ["final", apiError(519)],
  ["final", apiError(525)],
  ["final", apiError(302)],
  ["final", new AtlasConfigError("429")],
  ["final", new AtlasError("503")],
  ["final", new Error("ECONNREFUSED")],
  ["final", { status: 503, name: "AtlasApiError" }],
  ["final", undefined],
])("%s is how a request ends with %s", (ending, error) => {
  expect(classifyFailure(error)).toBe(ending);
});

test("an error of another copy of the package ends a request the same way", () => {
  const error = Object.assign(new Error("429"), { name: "AtlasApiError", status: 429 });

  expect(classifyFailure(error)).toBe("limited");
});

test("the policy says what is repeated, how often and after which wait", () => {
  expect(RETRY_POLICIES).toEqual({
    throttled: { repeat: "always", wait: "gate" },
    limited: { repeat: "always", wait: "backoff" },
    unsent: { repeat: "always", wait: "backoff", tries: 6 },
    unavailable: { repeat: "lookFirst", wait: "backoff", tries: 6 },
    lost: { repeat: "lookFirst", wait: "backoff", tries: 6 },
    final: { repeat: "never" },
  });
});

describe("the backoff", () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  test("doubles from half a second up to half a minute", () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((tries) => backoffMs(tries, 1));

    expect(longest).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  test("is anything from nothing up to that", () => {
    const tries = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1 }));

    fc.assert(
      fc.property(tries, chance, (tries, random) => {
        const waitMs = backoffMs(tries, random);
        expect(waitMs).toBeGreaterThanOrEqual(0);
        expect(waitMs).toBeLessThanOrEqual(Math.min(30_000, 500 * 2 ** (tries - 1)));
        expect(waitMs / backoffMs(tries, 1)).toBeCloseTo(random);
      }),
    );
  });
});

describe("the delay of a retry", () => {
  test("is the backoff where there is no floor", () => {
    expect(retryDelayMs({ attempts: 3, random: 0.5 })).toBe(backoffMs(3, 0.5));
  });

  test("is the floor and the backoff on top of it, so that retries that start together spread out", () => {
    expect(retryDelayMs({ attempts: 1, random: 0, floorMs: 2_000 })).toBe(2_000);
    expect(retryDelayMs({ attempts: 1, random: 0.5, floorMs: 2_000 })).toBe(2_250);
    expect(retryDelayMs({ attempts: 9, random: 1, floorMs: 2_000 })).toBe(32_000);
  });

  test("leaves Atlas several times as long to finish an invitation as it was recorded to take", () => {
    expect(RECHECK_DELAY_MS).toBeGreaterThan(5 * 358);
  });
});

describe("Retry-After", () => {
  const now = Date.UTC(2026, 7, 21, 12, 0, 0);

  test.each<[string | string[] | undefined, number | undefined]>([
    ["0", 0],
    ["55", 55_000],
    [" 55\t", 55_000],
    ["0055", 55_000],
    ["Fri, 21 Aug 2026 12:00:30 GMT", 30_000],
    ["Friday, 21-Aug-26 12:00:30 GMT", 30_000],
    ["Fri Aug 21 12:00:30 2026 GMT", 30_000],
    ["Fri, 21 Aug 2026 11:59:30 GMT", 0],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
    [["55", "60"], 55_000],
    [["soon", "60"], undefined],
    [[], undefined],
    [undefined, undefined],
    ["", undefined],
    [" ", undefined],
    ["-1", undefined],
    ["+1", undefined],
    ["1.5", undefined],
    ["1e3", undefined],
    ["0x10", undefined],
    ["1, 2", undefined],
    ["55 s", undefined],
    ["soon", undefined],
    ["Infinity", undefined],
    ["NaN", undefined],
    ["2026-08-21T12:00:30Z", undefined],
    ["Fri, 99 Aug 2026 12:00:30 GMT", undefined],
    ["Friday", undefined],
  ])("%j is a wait of %s ms", (header, waitMs) => {
    expect(retryAfterMs(header, now)).toBe(waitMs);
  });

  test.each(["99999999999", "9".repeat(400)])("of %s s is long, and still a number to say", (header) => {
    expect(retryAfterMs(header, now)).toBe(2 ** 31 * 1000);
  });

  test("is no wait, or one that can be waited, whatever a server sends", () => {
    const date = fc.date({ noInvalidDate: true }).map((date) => date.toUTCString());
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.stringMatching(/^[-+]?\d*\.?\d*(e\d+)?$/),
      fc.bigInt().map(String),
      date,
      fc.tuple(date, fc.nat(40), fc.string()).map(([text, at, noise]) => text.slice(0, at) + noise),
      fc.stringMatching(/^[A-Z][a-z]{2,8},? .*$/),
    );

    fc.assert(
      fc.property(fc.oneof(text, fc.array(text)), (header) => {
        const waitMs = retryAfterMs(header, now);
        if (waitMs === undefined) return;
        expect(Number.isFinite(waitMs)).toBe(true);
        expect(waitMs).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the pace of the throttle", () => {
  const tenAMinute = { invitations: 10, windowMs: 60_000 };

  test.each<[string, unknown[], string, [number, number]]>([
    ["its sentence", [], "Rate limit of 7 invitations per 2 minutes exceeded", [7, 2]],
    ["its sentence in the singular", [], "Rate limit of 12 invitations per 1 minute exceeded", [12, 1]],
    ["its sentence before its parameters", [5, 5], "Rate limit of 7 invitations per 2 minutes", [7, 2]],
    ["its parameters", [5, 3], "Too fast.", [5, 3]],
    ["parameters that are texts", ["5", "3"], "Too fast.", [5, 3]],
    ["parameters with more behind them", [5, 3, "192.0.2.1"], "", [5, 3]],
  ])("is read from %s", (_, parameters, detail, [invitations, minutes]) => {
    expect(parseInvitationRate(parameters, detail)).toEqual({ invitations, windowMs: minutes * 60_000 });
  });

  test.each<[string, unknown[], string]>([
    ["nothing", [], ""],
    ["one parameter", [5], ""],
    ["no numbers", ["fast", "slow"], "Rate limit of ten invitations per minute exceeded"],
    ["nothing in no time", [0, 0], "Rate limit of 0 invitations per 0 minutes exceeded"],
    ["negative numbers", [-5, -1], ""],
    ["fractions", [0.5, 0.5], ""],
    ["null", [null, null], ""],
    ["true", [true, true], ""],
    ["lists", [[5], [1]], ""],
    ["objects that are no text", [{ toString: 1, valueOf: 1 }, 1], ""],
    ["more than can be counted", [10, 1e308], ""],
    [
      "endless numbers",
      [Number.POSITIVE_INFINITY, 1],
      `Rate limit of ${"9".repeat(400)} invitations per 1 minutes`,
    ],
    ["blanks", [" ", ""], ""],
  ])("is ten a minute where it names %s", (_, parameters, detail) => {
    expect(parseInvitationRate(parameters, detail)).toEqual(tenAMinute);
  });

  test("is a pace that can be kept, whatever a server sends", () => {
    const number = fc.oneof(fc.bigInt({ min: 0n }).map(String), fc.stringMatching(/^\d{0,400}$/));
    const sentence = fc
      .tuple(fc.string(), number, number, fc.string())
      .map(([a, many, minutes, b]) => `${a}${many} invitations per ${minutes} minutes${b}`);
    const parameters = fc.oneof(fc.array(fc.jsonValue()), fc.array(fc.oneof(fc.double(), number)));

    fc.assert(
      fc.property(parameters, fc.oneof(fc.string(), sentence), (parameters, detail) => {
        const { invitations, windowMs } = parseInvitationRate(parameters, detail);
        expect(invitations).toBeGreaterThan(0);
        expect(Number.isFinite(windowMs)).toBe(true);
        expect(windowMs).toBeGreaterThanOrEqual(60_000);
        expect(Number.isFinite(windowMs / invitations)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});
