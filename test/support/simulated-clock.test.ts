import { expect, test } from "vitest";
import { Transport } from "../../provider/atlas/transport.ts";
import { clientFixture } from "../unit/atlas/client-fixture.ts";
import { SimulatedClock } from "./simulated-clock.ts";

/** Notes the time at which each sleeper wakes, in ms since the start. */
function sleepers(clock: SimulatedClock) {
  const start = clock.now();
  const woken: [string, number][] = [];
  const sleep = async (name: string, durationMs: number) => {
    await clock.sleep(durationMs);
    woken.push([name, clock.now() - start]);
  };
  return { woken, sleep };
}

test("time stands still until it is advanced, and then wakes each sleeper at its moment", async () => {
  const clock = new SimulatedClock();
  const { woken, sleep } = sleepers(clock);
  void sleep("late", 300);
  void sleep("early", 100).then(() => sleep("again", 100));
  void sleep("too late", 301);

  await clock.advance(99);
  expect(woken).toEqual([]);
  await clock.advance(201);

  expect(woken).toEqual([
    ["early", 100],
    ["again", 200],
    ["late", 300],
  ]);
  expect(clock.slept).toEqual([300, 100, 301, 100]);
});

test("a wall clock that is set back changes neither durations nor sleeps", async () => {
  const clock = new SimulatedClock();
  const wall = clock.now();
  const start = clock.monotonic();
  let isAwake = false;
  void clock.sleep(300).then(() => {
    isAwake = true;
  });

  await clock.advance(100);
  clock.setBack(3_600_000);
  expect(clock.now() - wall).toBe(100 - 3_600_000);
  expect(clock.monotonic() - start).toBe(100);
  await clock.advance(199);
  expect(isAwake).toBe(false);
  await clock.advance(1);

  expect(isAwake).toBe(true);
});

test("sleepers of one moment wake in the order in which they lay down", async () => {
  const clock = new SimulatedClock();
  const { woken, sleep } = sleepers(clock);

  await clock.run(Promise.all(["a", "b", "c"].map((name) => sleep(name, 0))));

  expect(woken.map(([name]) => name)).toEqual(["a", "b", "c"]);
});

test("work runs in no time, and what it is rejected with comes out", async () => {
  const clock = new SimulatedClock();
  const start = clock.now();
  const day = async () => {
    for (let hours = 0; hours < 24; hours++) await clock.sleep(3_600_000);
    throw new Error("over");
  };

  await expect(clock.run(day())).rejects.toThrow("over");

  expect(clock.now() - start).toBe(86_400_000);
});

test("no time passes while an HTTP request is under way, unless it travels", async () => {
  await using scene = await clientFixture();
  const clock = new SimulatedClock();
  const start = clock.now();
  const transport = new Transport({ baseUrl: scene.atlas.url });
  const events: [string, number][] = [];
  const note = (event: string) => events.push([event, clock.now() - start]);
  const asked = transport.send({ method: "GET", target: "/", headers: {} }).then(() => note("answered"));
  scene.atlas.onRequest(async (_, stage) => {
    if (stage !== "arrived") return;
    for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
    note("arrived");
    await clock.travel(250);
  });

  const slept = clock.sleep(100).then(() => note("slept"));
  await clock.run(Promise.all([asked, slept]));

  expect(events).toEqual([
    ["arrived", 0],
    ["slept", 100],
    ["answered", 250],
  ]);
});
