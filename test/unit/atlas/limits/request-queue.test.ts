import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { AtlasError } from "../../../../provider/atlas/errors.ts";
import { Peers } from "../../../../provider/atlas/limits/peers.ts";
import { RequestQueue, type RequestQueueOptions } from "../../../../provider/atlas/limits/request-queue.ts";
import { SimulatedClock } from "../../../support/simulated-clock.ts";

/** A gate, and who came through it after how many ms. */
function startScene(options?: RequestQueueOptions) {
  const clock = new SimulatedClock();
  const start = clock.monotonic();
  const lines: string[] = [];
  const notify = (line: string) => lines.push(`${(clock.monotonic() - start) / 1000} s: ${line}`);
  const gate = new RequestQueue(clock, notify, options);
  const passed: [who: string, at: number][] = [];
  const errors: [at: number, message: string][] = [];
  const come = (who: string, maxWaitMs = 3_600_000) =>
    gate.acquire(who, clock.monotonic() + maxWaitMs).then(
      () => passed.push([who, clock.monotonic() - start]),
      (error: AtlasError) => {
        expect(error).toBeInstanceOf(AtlasError);
        errors.push([clock.monotonic() - start, error.message]);
      },
    );
  const people = (count: number) => Array.from({ length: count }, (_, index) => `person ${index}`);
  return { clock, gate, lines, passed, errors, come, people };
}

test("an open gate lets everybody through at once, and says nothing", async () => {
  const { clock, lines, passed, come } = startScene();

  for (const who of ["ada", "bob", "cyd"]) void come(who);
  await clock.advance(0);

  expect(passed).toEqual([
    ["ada", 0],
    ["bob", 0],
    ["cyd", 0],
  ]);
  expect(clock.slept).toEqual([]);
  expect(lines).toEqual([]);
});

test("a closed gate holds everybody for so long, also who comes later, in their order", async () => {
  const { clock, gate, passed, come } = startScene();

  gate.blockFor(10_000, "a test");
  void come("ada");
  void come("bob");
  await clock.advance(9_999);
  void come("cyd");
  expect(passed).toEqual([]);
  await clock.advance(1);

  expect(passed).toEqual([
    ["ada", 10_000],
    ["bob", 10_000],
    ["cyd", 10_000],
  ]);
});

test("a hold ends to the millisecond", async () => {
  const { clock, gate, passed, come } = startScene();

  gate.blockFor(1_001, "a test");
  void come("ada");
  await clock.advance(2_000);

  expect(passed).toEqual([["ada", 1_001]]);
});

test("who comes in the moment when a hold ends goes after those who waited", async () => {
  const { clock, gate, passed, come } = startScene();
  void clock.sleep(10_000).then(() => come("bob"));

  gate.blockFor(10_000, "a test");
  gate.setInterval(6_000, "a test");
  void come("ada");
  await clock.advance(16_000);

  expect(passed).toEqual([
    ["ada", 10_000],
    ["bob", 16_000],
  ]);
});

test("a wall clock that is set back while somebody waits makes nobody wait longer", async () => {
  const { clock, gate, passed, errors, come } = startScene();

  gate.setInterval(6_000, "a test");
  gate.blockFor(10_000, "a test");
  void come("ada", 10_000);
  void come("bob", 16_000);
  await clock.advance(5_000);
  clock.setBack(3_600_000);
  await clock.advance(11_000);
  void come("cyd", 6_000);
  await clock.advance(6_000);

  expect(errors).toEqual([]);
  expect(passed).toEqual([
    ["ada", 10_000],
    ["bob", 16_000],
    ["cyd", 22_000],
  ]);
});

test("who comes after the hold is over goes at once", async () => {
  const { clock, gate, passed, come } = startScene();

  gate.blockFor(10_000, "a test");
  await clock.advance(10_000);
  void come("ada");
  await clock.advance(0);

  expect(passed).toEqual([["ada", 10_000]]);
});

test("a hold that is longer counts, also while somebody waits, and a shorter one does not", async () => {
  const { clock, gate, passed, come } = startScene();

  gate.blockFor(10_000, "a test");
  void come("ada");
  await clock.advance(5_000);
  gate.blockFor(20_000, "a test");
  gate.blockFor(1_000, "a test");
  await clock.advance(19_999);
  expect(passed).toEqual([]);
  await clock.advance(1);

  expect(passed).toEqual([["ada", 25_000]]);
});

test("a paced gate lets one through at each interval, whether they wait or come in time", async () => {
  const { clock, gate, passed, come } = startScene();

  gate.setInterval(6_000, "a test");
  void come("ada");
  void come("bob");
  void come("cyd");
  await clock.advance(12_000);
  expect(passed).toEqual([
    ["ada", 0],
    ["bob", 6_000],
    ["cyd", 12_000],
  ]);

  await clock.advance(3_000);
  void come("dan");
  await clock.advance(10_000);
  void come("eve");
  await clock.advance(0);
  expect(passed.slice(3)).toEqual([
    ["dan", 18_000],
    ["eve", 25_000],
  ]);
});

test("the pace holds after a hold, and at no interval everybody goes again", async () => {
  const { clock, gate, passed, come, people } = startScene();

  gate.setInterval(6_000, "a test");
  gate.blockFor(60_000, "a test");
  for (const who of people(5)) void come(who);
  await clock.advance(66_000);
  expect(passed.map(([, at]) => at)).toEqual([60_000, 66_000]);

  gate.setInterval(0, "a test");
  await clock.advance(6_000);
  expect(passed.map(([, at]) => at)).toEqual([60_000, 66_000, 72_000, 72_000, 72_000]);
});

test("a wait is said in one line, with all who came in its first second", async () => {
  const { clock, gate, lines, come } = startScene();

  gate.blockFor(60_000, "Atlas, which is slow");
  gate.setInterval(6_000, "Atlas, which is slow");
  void come("ada@example.com");
  await clock.advance(999);
  void come("bob@example.com");
  void come("cyd@example.com");
  await clock.advance(50_000);
  void come("dan@example.com");
  await clock.advance(8_000);

  expect(lines).toEqual(["1 s: ada@example.com and 2 more wait for Atlas, which is slow: about 71 s."]);
});

test("a wait of one is said of one", async () => {
  const { clock, gate, lines, come } = startScene();

  gate.blockFor(300_000, "Atlas, which is slow");
  void come("ada@example.com");
  await clock.advance(1_000);

  expect(lines).toEqual(["1 s: ada@example.com waits for Atlas, which is slow: about 5 min."]);
});

test("how long it will take is said again about once a minute, and only while somebody waits", async () => {
  const { clock, gate, lines, come, people } = startScene();

  gate.blockFor(60_000, "Atlas");
  gate.setInterval(6_000, "Atlas");
  for (const who of people(21)) void come(who);
  await clock.advance(400_000);

  expect(lines).toEqual([
    "1 s: person 0 and 20 more wait for Atlas: about 3 min.",
    "66 s: person 2 and 18 more wait for Atlas: about 114 s.",
    "126 s: person 12 and 8 more wait for Atlas: about 54 s.",
  ]);
});

test.each([
  ["a hold", 1_999],
  ["a pace", 0],
])("%s of less than two seconds is not worth a line", async (_, holdMs) => {
  const { clock, gate, lines, come } = startScene();

  gate.blockFor(holdMs, "a test");
  gate.setInterval(1_999, "a test");
  void come("ada");
  if (!holdMs) void come("bob");
  await clock.advance(10_000);

  expect(clock.slept).not.toEqual([]);
  expect(lines).toEqual([]);
});

test("a wait of two seconds is worth a line", async () => {
  const { clock, gate, lines, come } = startScene();

  gate.blockFor(3_000, "a test");
  void come("ada");
  await clock.advance(10_000);

  expect(lines).toEqual(["1 s: ada waits for a test: about 2 s."]);
});

test("the reason that is said is the last one", async () => {
  const { clock, gate, lines, come } = startScene();

  gate.blockFor(60_000, "one");
  gate.blockFor(10_000, "another");
  void come("ada");
  await clock.advance(1_000);

  expect(lines).toEqual(["1 s: ada waits for another: about 59 s."]);
});

test("whose turn would come too late is told so at once, and the others go on", async () => {
  const { clock, gate, passed, errors, come } = startScene();

  gate.blockFor(60_000, "Atlas, which is slow");
  void come("ada", 59_999);
  void come("bob", 60_000);
  void come("cyd", 1);
  await clock.advance(0);
  expect(errors).toEqual([
    [
      0,
      "ada would have to wait for Atlas, which is slow, and longer than mongodbatlas:maxWait allows; nothing more was sent. Run the command again later, or raise mongodbatlas:maxWait.",
    ],
    [0, expect.stringMatching(/^cyd would have to wait/)],
  ]);
  await clock.advance(60_000);

  expect(passed).toEqual([["bob", 60_000]]);
  expect(errors).toHaveLength(2);
});

test("whose turn in the queue cannot come in time is told so at once", async () => {
  const { clock, gate, passed, errors, come, people } = startScene();

  gate.setInterval(6_000, "Atlas");
  gate.blockFor(60_000, "Atlas");
  for (const who of people(10)) void come(who, 72_000);
  await clock.advance(0);
  expect(errors).toHaveLength(7);
  await clock.advance(100_000);

  expect(passed).toEqual([
    ["person 0", 60_000],
    ["person 1", 66_000],
    ["person 2", 72_000],
  ]);
  expect(errors.map(([at]) => at)).toEqual(Array(7).fill(0));
});

test("who waits is told so at once when a hold makes the wait too long", async () => {
  const { clock, gate, passed, errors, come } = startScene();

  gate.blockFor(60_000, "one");
  void come("ada", 100_000);
  void come("bob", 110_000);
  await clock.advance(50_000);
  gate.blockFor(60_000, "another");
  await clock.advance(0);
  expect(errors).toMatchObject([[50_000, expect.stringContaining("ada would have to wait for another")]]);
  await clock.advance(60_000);

  expect(passed).toEqual([["bob", 110_000]]);
});

test("who waits is told so at once when the pace makes the wait too long", async () => {
  const { clock, gate, passed, errors, come } = startScene();

  gate.blockFor(10_000, "one");
  for (const who of ["ada", "bob", "cyd"]) void come(who, 20_000);
  await clock.advance(5_000);
  gate.setInterval(8_000, "another");
  await clock.advance(0);
  expect(errors).toMatchObject([[5_000, expect.stringContaining("cyd would have to wait for another")]]);
  await clock.advance(20_000);

  expect(passed).toEqual([
    ["ada", 10_000],
    ["bob", 18_000],
  ]);
});

test("after those who would wait too long, the next ones move up", async () => {
  const { clock, gate, passed, errors, come } = startScene();

  gate.setInterval(6_000, "a test");
  gate.blockFor(10_000, "a test");
  void come("ada", 10_000);
  void come("bob", 15_999);
  void come("cyd", 16_000);
  await clock.advance(20_000);

  expect(passed).toEqual([
    ["ada", 10_000],
    ["cyd", 16_000],
  ]);
  expect(errors).toMatchObject([[0, expect.stringMatching(/^bob/)]]);
});

test("who gave up takes nobody's turn, and leaves no trace in the pace", async () => {
  const { clock, gate, passed, errors, come } = startScene();

  gate.setInterval(6_000, "a test");
  void come("ada");
  void come("bob", 5_999);
  void come("cyd", 6_000);
  await clock.advance(6_000);

  expect(passed).toEqual([
    ["ada", 0],
    ["cyd", 6_000],
  ]);
  expect(errors).toHaveLength(1);
});

test("when the run is cancelled, everybody who waits is told so at once", async () => {
  const run = new AbortController();
  const { clock, gate, passed, errors, come } = startScene({ signal: run.signal });

  gate.setInterval(6_000, "a test");
  gate.blockFor(10_000, "a test");
  for (const who of ["ada", "bob", "cyd"]) void come(who);
  await clock.advance(10_000);
  run.abort();
  await clock.advance(0);
  const cancelled = (who: string) =>
    `The run was cancelled before the request for ${who} was sent; nothing more was sent for it.`;
  expect(errors).toEqual([
    [10_000, cancelled("bob")],
    [10_000, cancelled("cyd")],
  ]);
  await clock.advance(100_000);

  expect(passed).toEqual([["ada", 10_000]]);
});

test.each([
  ["cancelled", false],
  ["cancelled before there was a gate", true],
])("who comes when the run is %s is told so, though nobody waits", async (_, isEarly) => {
  const run = new AbortController();
  if (isEarly) run.abort();
  const { clock, passed, errors, come } = startScene({ signal: run.signal });
  run.abort();

  void come("ada");
  await clock.advance(0);

  expect(passed).toEqual([]);
  expect(errors).toMatchObject([[0, expect.stringMatching(/^The run was cancelled/)]]);
});

const topic = "atlas.example.com";

/** Two gates that share their pace, and when somebody came through either of them. */
async function startSharedScene() {
  const folder = await mkdtemp(join(tmpdir(), "gate-"));
  const clock = new SimulatedClock();
  const lines: string[] = [];
  const passed: [who: string, at: number][] = [];
  const errors: [who: string, at: number][] = [];
  const gateOf = (name: string) => {
    const shared = { peers: new Peers(folder), topic };
    const gate = new RequestQueue(clock, (line) => lines.push(line), { shared });
    const come = (count: number, maxWaitMs = 3_600_000) => {
      for (let index = 0; index < count; index++) {
        void gate.acquire(`${name} ${index}`, clock.monotonic() + maxWaitMs).then(
          () => passed.push([name, clock.monotonic()]),
          () => errors.push([name, clock.monotonic()]),
        );
      }
    };
    return { gate, come };
  };
  const watcher = new Peers(folder);
  return {
    clock,
    lines,
    passed,
    errors,
    one: gateOf("one"),
    two: gateOf("two"),
    announced: () => watcher.others(topic),
    /** How long it took from one to the next, through whichever gate they came. */
    gaps: () => passed.slice(1).map(([, at], index) => at - (passed[index]?.[1] ?? 0)),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

test("gates that share their pace let one through at each interval together, and start one after the other", async () => {
  await using scene = await startSharedScene();

  for (const { gate, come } of [scene.one, scene.two]) {
    gate.setInterval(6_000, "a test");
    gate.blockFor(10_000, "a test");
    come(5);
  }
  await scene.clock.advance(64_000);

  expect(scene.passed.map(([, at]) => at)).toEqual(
    Array.from({ length: 10 }, (_, index) => 10_000 + index * 6_000),
  );
  expect(scene.passed.filter(([name]) => name === "one")).toHaveLength(5);
});

test("when one of them has nobody left, the other goes at the whole pace at once", async () => {
  await using scene = await startSharedScene();

  for (const { gate } of [scene.one, scene.two]) {
    gate.setInterval(6_000, "a test");
    gate.blockFor(10_000, "a test");
  }
  scene.one.come(2);
  scene.two.come(10);
  await scene.clock.advance(200_000);

  expect(scene.passed).toHaveLength(12);
  expect(Math.min(...scene.gaps())).toBe(6_000);
  // One interval more may pass until it is noticed.
  expect(scene.passed.at(-1)?.[1]).toBeLessThanOrEqual(10_000 + 12 * 6_000);
});

test("who comes to share the pace slows the others down", async () => {
  await using scene = await startSharedScene();

  scene.one.gate.setInterval(6_000, "a test");
  scene.one.come(10);
  await scene.clock.advance(20_000);
  scene.two.gate.setInterval(6_000, "a test");
  scene.two.gate.blockFor(6_000, "a test");
  scene.two.come(3);
  await scene.clock.advance(36_000);

  expect(scene.passed.filter(([name, at]) => name === "one" && at > 20_000)).toHaveLength(3);
  expect(scene.passed.filter(([name]) => name === "two")).toHaveLength(3);
});

test("a gate is announced while somebody waits, and for the interval after the last one", async () => {
  await using scene = await startSharedScene();
  const { gate, come } = scene.one;

  gate.setInterval(6_000, "a test");
  come(1);
  await scene.clock.advance(1_000);
  expect(scene.announced()).toBe(0);
  come(1);
  await scene.clock.advance(0);
  expect(scene.announced()).toBe(1);
  await scene.clock.advance(10_999);
  expect(scene.passed).toHaveLength(2);
  expect(scene.announced()).toBe(1);
  await scene.clock.advance(1);
  expect(scene.announced()).toBe(0);
});

test("who comes in the interval after the last one waits for its end", async () => {
  await using scene = await startSharedScene();
  const { gate, come } = scene.one;

  gate.setInterval(6_000, "a test");
  come(2);
  await scene.clock.advance(8_000);
  come(1);
  await scene.clock.advance(4_000);

  expect(scene.passed.map(([, at]) => at)).toEqual([0, 6_000, 12_000]);
});

test("nothing is said while a gate is announced and nobody waits", async () => {
  await using scene = await startSharedScene();
  const { gate, come } = scene.one;

  gate.setInterval(1_000, "a test");
  come(2);
  await scene.clock.advance(1_000);
  gate.blockFor(60_000, "a test");
  await scene.clock.advance(60_000);

  expect(scene.passed).toHaveLength(2);
  expect(scene.lines).toEqual([]);
});

test("a gate that shares no pace but a hold lets everybody through after it", async () => {
  await using scene = await startSharedScene();

  scene.one.gate.blockFor(10_000, "a test");
  scene.one.come(3);
  await scene.clock.advance(10_000);

  expect(scene.passed.map(([, at]) => at)).toEqual([10_000, 10_000, 10_000]);
  expect(scene.announced()).toBe(0);
});

test("who shares the pace makes nobody give up who may still come in time, and the others as soon as they cannot", async () => {
  await using scene = await startSharedScene();

  scene.one.gate.setInterval(6_000, "a test");
  scene.one.come(10, 54_000);
  await scene.clock.advance(1_000);
  scene.two.gate.setInterval(6_000, "a test");
  scene.two.gate.blockFor(5_000, "a test");
  scene.two.come(1);
  await scene.clock.advance(1_000);
  expect(scene.errors).toEqual([]);
  await scene.clock.advance(98_000);

  // The other one took a turn, and perhaps the interval in which it came.
  expect([1, 2]).toContain(scene.errors.length);
  for (const [name, at] of scene.errors) expect([name, at < 30_000]).toEqual(["one", true]);
  expect(scene.passed).toHaveLength(11 - scene.errors.length);
});
