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
  const start = clock.monotonic();
  const seconds = () => (clock.monotonic() - start) / 1000;
  const notices: (Notice & { at: number })[] = [];
  const queue = new RequestQueue(clock, (notice) => notices.push({ ...notice, at: seconds() }), options);
  const passed: [subject: string, at: number][] = [];
  const rejected: [subject: string, at: number, kind: string][] = [];
  let added = 0;
  /** Adds a request that may wait for so many seconds. */
  const add = (maxWaitS = 3_600, subject = `request ${++added}`) =>
    void queue.acquire({ subject, person: person(subject) }, clock.monotonic() + maxWaitS * 1000).then(
      () => passed.push([subject, seconds()]),
      (error: AtlasError) => rejected.push([subject, seconds(), error.kind]),
    );
  const addMany = (count: number, maxWaitS?: number) => {
    for (let index = 0; index < count; index++) add(maxWaitS);
  };
  const blockFor = (durationS: number) => queue.blockFor(durationS * 1000, "the limit");
  const setInterval = (intervalS: number) => queue.setInterval(intervalS * 1000, "the limit");
  const advanceTo = (at: number) => clock.advance((at - seconds()) * 1000);
  /** What a step of a script does. */
  const actions: Record<string, (...values: number[]) => void> = {
    add: (count = 1, maxWaitS?: number) => addMany(count, maxWaitS),
    "add late": () => void clock.sleep(10_000).then(() => add()),
    block: blockFor,
    interval: setInterval,
    "set back": () => clock.setBack(3_600_000),
  };
  return {
    clock,
    queue,
    notices,
    passed,
    rejected,
    passedAt: () => passed.map(([, at]) => at),
    add,
    addMany,
    blockFor,
    setInterval,
    advanceTo,
    /** Runs a script such as "0 block 10, 5 add 2 60": at 0 s, block for 10 s; at 5 s, add 2 requests that may wait 60 s. */
    run: async (script: string, untilS = 1_000) => {
      for (const [, at, action = "", values] of script.matchAll(/([\d.]+) ([a-z ]+[a-z])([\d. ]*)/g)) {
        await advanceTo(Number(at));
        actions[action]?.(...(values?.trim() ? values.trim().split(" ").map(Number) : []));
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
  const { notices, add, run } = queueFixture();

  await run("0 block 300", 0);
  add(3_600, "ada@example.com");
  await run("", 1);

  const text = "Waiting for the limit: ada@example.com, about 5 min left.";
  expect(notices).toEqual([{ at: 1, severity: "info", subject: person("ada@example.com"), text }]);
});

test("a notice of several requests has no subject, comes after a second, and is repeated after a minute", async () => {
  const { notices, run } = queueFixture();

  await run("0 block 60, 0 interval 6, 0 add, 0.999 add 20");

  const waiting = (at: number, subjects: string, left: string) => {
    const text = `Waiting for the limit: ${subjects}, about ${left} left.`;
    return { at, severity: "info", text, subject: undefined };
  };
  expect(notices).toEqual([
    waiting(1, "request 1 and 20 more", "3 min"),
    waiting(66, "request 3 and 18 more", "114 s"),
    waiting(126, "request 13 and 8 more", "54 s"),
  ]);
});

test.each([
  ["0 add 3", 0],
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

  const cancelled = [2, 3, 4].map((number) => [`request ${number}`, 10, "cancelled"]);
  expect(rejected.sort()).toEqual([...cancelled, ["request 5", 500, "cancelled"]]);
  expect(passedAt()).toEqual([10]);
  expect(clock.slept).toHaveLength(sleeps);
});

describe("queues that share a rate", () => {
  const topic = "atlas.example.com";

  /** Two queues that share a rate, and an observer of their announcements. */
  async function sharedFixture() {
    const folder = await mkdtemp(join(tmpdir(), "queues-"));
    const clock = new SimulatedClock();
    const run = new AbortController();
    const queueOf = () =>
      queueFixture({ shared: { peers: new Peers(folder), topic }, signal: run.signal }, clock);
    const observer = new Peers(folder);
    const [one, two] = [queueOf(), queueOf()];
    return {
      run,
      one,
      two,
      advanceTo: one.advanceTo,
      announced: () => observer.others(topic),
      /** When requests passed through either of the queues. */
      passedAt: () => [...one.passedAt(), ...two.passedAt()].sort((a, b) => a - b),
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
    };
  }

  test("let one request pass per interval together, and start one after the other", async () => {
    await using fixture = await sharedFixture();

    for (const queue of [fixture.one, fixture.two]) {
      queue.setInterval(6);
      queue.blockFor(10);
      queue.addMany(5);
    }
    await fixture.advanceTo(64);

    expect(fixture.passedAt()).toEqual(Array.from({ length: 10 }, (_, index) => 10 + index * 6));
    expect(fixture.one.passed).toHaveLength(5);
  });

  test("adapt to the other one when it ends and when it starts", async () => {
    await using fixture = await sharedFixture();
    const { one, two } = fixture;

    for (const queue of [one, two]) {
      queue.setInterval(6);
      queue.blockFor(10);
    }
    one.addMany(2);
    two.addMany(10);
    await fixture.advanceTo(90);
    const times = fixture.passedAt();
    expect(times).toHaveLength(12);
    expect(Math.min(...times.slice(1).map((at, index) => at - (times[index] ?? 0)))).toBe(6);
    // One interval more may pass until it is noticed.
    expect(times.at(-1)).toBeLessThanOrEqual(10 + 12 * 6);

    await fixture.advanceTo(200);
    one.addMany(10);
    await fixture.advanceTo(220);
    two.blockFor(6);
    two.addMany(3);
    await fixture.advanceTo(256);
    expect(one.passedAt().filter((at) => at > 220)).toHaveLength(3);
    expect(two.passedAt().filter((at) => at > 220)).toHaveLength(3);
  });

  test("reject a request only when it cannot pass even if the others end now", async () => {
    await using fixture = await sharedFixture();
    const { one, two } = fixture;

    one.setInterval(6);
    one.addMany(10, 54);
    await fixture.advanceTo(1);
    two.setInterval(6);
    two.blockFor(5);
    two.addMany(1);
    await fixture.advanceTo(2);
    expect(one.rejected).toEqual([]);
    await fixture.advanceTo(100);

    // The other request took one interval, and perhaps the interval in which it came.
    expect([1, 2]).toContain(one.rejected.length);
    expect(one.rejected.every(([, at]) => at < 30)).toBe(true);
    expect(fixture.passedAt()).toHaveLength(11 - one.rejected.length);
  });

  test("are announced while requests wait, and for the interval after the last one, without a notice then", async () => {
    await using fixture = await sharedFixture();
    const { add, blockFor, notices, passedAt, setInterval } = fixture.one;

    setInterval(1);
    add();
    await fixture.advanceTo(0.5);
    expect(fixture.announced()).toBe(0);
    add();
    await fixture.advanceTo(1.5);
    expect(fixture.announced()).toBe(1);
    // A new request waits for the end of the interval.
    add();
    await fixture.advanceTo(2.5);
    expect(passedAt()).toEqual([0, 1, 2]);
    blockFor(60);
    await fixture.advanceTo(2.999);
    expect(fixture.announced()).toBe(1);
    await fixture.advanceTo(100);

    expect(fixture.announced()).toBe(0);
    expect(notices).toEqual([]);
  });

  test("are not announced after a block without an interval, or when the run is cancelled", async () => {
    await using fixture = await sharedFixture();
    const { addMany, blockFor, passedAt, setInterval } = fixture.one;

    blockFor(10);
    addMany(3);
    await fixture.advanceTo(10);
    expect(passedAt()).toEqual([10, 10, 10]);
    expect(fixture.announced()).toBe(0);
    setInterval(60);
    addMany(2);
    await fixture.advanceTo(12);
    expect(fixture.announced()).toBe(1);
    fixture.run.abort();
    await fixture.advanceTo(12);

    expect(fixture.announced()).toBe(0);
  });
});
