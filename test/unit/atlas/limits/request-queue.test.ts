import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { AtlasError } from "../../../../provider/atlas/errors.ts";
import { Peers } from "../../../../provider/atlas/limits/peers.ts";
import { RequestQueue, type RequestQueueOptions } from "../../../../provider/atlas/limits/request-queue.ts";
import type { Notice } from "../../../../provider/atlas/notice.ts";
import { SimulatedClock } from "../../../support/simulated-clock.ts";

const person = (username: string) => ({ orgId: "32b6e34b3d91647abb20e7b8", username });

/** A queue, and when its requests passed or were rejected, in seconds. */
function queueFixture(options?: RequestQueueOptions, clock = new SimulatedClock()) {
  const seconds = () => clock.monotonic() / 1000;
  const notices: (Notice & { at: number })[] = [];
  const queue = new RequestQueue(clock, (notice) => notices.push({ ...notice, at: seconds() }), options);
  const passed: [subject: string, at: number][] = [];
  const rejected: [subject: string, at: number, kind: string][] = [];
  let added = 0;
  /** What a step of a script does. */
  const actions: Record<string, (...values: number[]) => void> = {
    add: (count = 1, maxWaitS = 3_600) => {
      for (const _ of Array(count)) {
        const subject = `request ${++added}`;
        void queue.acquire({ subject, person: person(subject) }, clock.monotonic() + maxWaitS * 1000).then(
          () => passed.push([subject, seconds()]),
          (error: AtlasError) => rejected.push([subject, seconds(), error.kind]),
        );
      }
    },
    "add late": () => void clock.sleep(10_000).then(() => actions.add?.()),
    block: (durationS = 0) => queue.blockFor(durationS * 1000, "the limit"),
    interval: (intervalS = 0) => queue.setInterval(intervalS * 1000, "the limit"),
    "set back": () => clock.setBack(3_600_000),
  };
  const advanceTo = (at: number) => clock.advance((at - seconds()) * 1000);
  return {
    clock,
    queue,
    notices,
    passed,
    rejected,
    passedAt: () => passed.map(([, at]) => at),
    /** Runs a script such as "0 block 10, 5 add 2 60": at 0 s, block for 10 s; at 5 s, add 2 requests that may wait 60 s. */
    run: async (script: string, untilS = 1_000) => {
      for (const [, at, action = "", values = ""] of script.matchAll(/([\d.]+) ([a-z ]+[a-z])([\d. ]*)/g)) {
        await advanceTo(Number(at));
        actions[action]?.(...values.split(" ").filter(Boolean).map(Number));
      }
      await advanceTo(untilS);
    },
  };
}

test.each<[string, script: string, passedAt: number[]]>([
  ["no limit", "0 add 3", [0, 0, 0]],
  ["a block stops all requests", "0 block 10.001, 0 add 2, 10 add, 11 add", [10.001, 10.001, 10.001, 11]],
  ["a longer block extends a block", "0 block 10, 0 add, 5 block 20, 5 block 1", [25]],
  ["an interval applies to all requests", "0 interval 6, 0 add 3, 15 add, 25 add", [0, 6, 12, 18, 25]],
  ["an interval ends at 0", "0 interval 6, 0 block 60, 0 add 5, 66 interval 0", [60, 66, 72, 72, 72]],
  ["a late request passes after the others", "0 add late, 0 block 10, 0 interval 6, 0 add", [10, 16]],
  [
    "the wall clock is set back",
    "0 interval 6, 0 block 10, 0 add 2 16, 5 set back, 16 add 1 6",
    [10, 16, 22],
  ],
])("%s: %s", async (_, script, passedAt) => {
  const fixture = queueFixture();

  await fixture.run(script);

  expect(fixture.rejected).toEqual([]);
  // In the order in which they came.
  expect(fixture.passed).toEqual(passedAt.map((at, index) => [`request ${index + 1}`, at]));
});

test("a notice of one request names its person as the subject", async () => {
  const { notices, run } = queueFixture();

  await run("0 block 300, 0 add", 1);

  const text = "Waiting for the limit: request 1, about 5 min left.";
  expect(notices).toEqual([{ at: 1, severity: "info", subject: person("request 1"), text }]);
});

test("a notice of several requests has no subject, comes after a second, and is repeated after a minute", async () => {
  const { notices, run } = queueFixture();

  await run("0 block 60, 0 interval 6, 0 add, 0.999 add 20");

  expect(
    notices.map(({ at, subject, text }) => [at, subject, text.replace("Waiting for the limit: ", "")]),
  ).toEqual([
    [1, undefined, "request 1 and 20 more, about 3 min left."],
    [66, undefined, "request 3 and 18 more, about 114 s left."],
    [126, undefined, "request 13 and 8 more, about 54 s left."],
  ]);
});

test.each([
  ["0 block 1.999, 0 add", 0],
  ["0 interval 1.999, 0 add 2", 0],
  // 2 s are left after the first second.
  ["0 block 3, 0 add", 1],
])("a wait of less than 2 s has no notice: %s: %i notices", async (script, count) => {
  const { notices, run } = queueFixture();

  await run(script);

  expect(notices).toHaveLength(count);
});

test.each<[string, script: string, rejected: string[], rejectedAt: number, passedAt: number[]]>([
  ["a block", "0 block 60, 0 add 1 59.999, 0 add 1 60", ["1"], 0, [60]],
  ["others", "0 block 60, 0 interval 6, 0 add 1 60, 0 add 1 65, 0 add 3 72", ["2", "5"], 0, [60, 66, 72]],
  ["a later block", "0 block 60, 0 add 1 100, 0 add 1 110, 50 block 60", ["1"], 50, [110]],
  ["a later interval", "0 block 10, 0 add 3 20, 5 interval 8", ["3"], 5, [10, 18]],
])("a request that %s would delay too long is rejected at once: %s", async (...row) => {
  const [, script, rejected, rejectedAt, passedAt] = row;
  const fixture = queueFixture();

  await fixture.run(script);

  expect(fixture.rejected).toEqual(
    rejected.map((number) => [`request ${number}`, rejectedAt, "waitTooLong"]),
  );
  expect(fixture.passedAt()).toEqual(passedAt);
});

test("when the run is cancelled, all requests are rejected at once, and the queue sleeps no more", async () => {
  const controller = new AbortController();
  const { clock, queue, rejected, passedAt, run } = queueFixture({ signal: controller.signal });

  await run("0 interval 6, 0 block 10, 0 add 3", 10);
  controller.abort();
  await run("10 add", 10);
  expect(queue.isDraining).toBe(false);
  const sleeps = clock.slept.length;
  await run("500 add");

  expect(rejected.map(([, at, kind]) => `${kind} ${at}`)).toEqual([
    ...Array(3).fill("cancelled 10"),
    "cancelled 500",
  ]);
  expect(passedAt()).toEqual([10]);
  expect(clock.slept).toHaveLength(sleeps);
});

describe("queues that share a rate", () => {
  const topic = "atlas.example.com";

  /** Two queues that share a rate, and an observer of their announcements. */
  async function sharedFixture() {
    const folder = await mkdtemp(join(tmpdir(), "queues-"));
    const clock = new SimulatedClock();
    const cancellation = new AbortController();
    const queueOf = () =>
      queueFixture({ shared: { peers: new Peers(folder), topic }, signal: cancellation.signal }, clock);
    const observer = new Peers(folder);
    const [one, two] = [queueOf(), queueOf()];
    return {
      cancellation,
      one,
      two,
      announced: () => observer.others(topic),
      /** When requests passed through either of the queues. */
      passedAt: () => [...one.passedAt(), ...two.passedAt()].sort((a, b) => a - b),
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
    };
  }

  test("let one request pass per interval together, and start one after the other", async () => {
    await using fixture = await sharedFixture();

    for (const { run } of [fixture.one, fixture.two]) await run("0 interval 6, 0 block 10, 0 add 5", 0);
    await fixture.one.run("", 64);

    expect(fixture.passedAt()).toEqual(Array.from({ length: 10 }, (_, index) => 10 + index * 6));
    expect(fixture.one.passed).toHaveLength(5);
  });

  test("reject a request only when it cannot pass even if the others end now", async () => {
    await using fixture = await sharedFixture();
    const { one, two } = fixture;

    await one.run("0 interval 6, 0 add 10 54", 1);
    await two.run("1 interval 6, 1 block 5, 1 add", 2);
    expect(one.rejected).toEqual([]);
    await one.run("", 100);

    // The other request took one interval, and perhaps the interval in which it came.
    expect([1, 2]).toContain(one.rejected.length);
    expect(one.rejected.every(([, at]) => at < 30)).toBe(true);
    expect(fixture.passedAt()).toHaveLength(11 - one.rejected.length);
  });

  test("are announced while requests wait, and for the interval after the last one, without a notice then", async () => {
    await using fixture = await sharedFixture();
    const { notices, passedAt, run } = fixture.one;

    await run("0 interval 1, 0 add", 0.5);
    expect(fixture.announced()).toBe(0);
    // The last request waits for the end of the interval.
    await run("0.5 add, 1.5 add, 2.5 block 60", 2.999);
    expect(fixture.announced()).toBe(1);
    await run("", 100);

    expect(passedAt()).toEqual([0, 1, 2]);
    expect(fixture.announced()).toBe(0);
    expect(notices).toEqual([]);
  });

  test("are not announced after a block without an interval, or when the run is cancelled", async () => {
    await using fixture = await sharedFixture();
    const { run } = fixture.one;

    await run("0 block 10, 0 add 3", 10);
    expect(fixture.announced()).toBe(0);
    await run("10 interval 60, 10 add 2", 12);
    expect(fixture.announced()).toBe(1);
    fixture.cancellation.abort();
    await run("", 12);

    expect(fixture.announced()).toBe(0);
  });
});
