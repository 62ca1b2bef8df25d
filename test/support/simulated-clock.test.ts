import { expect, test } from "vitest";
import { startAtlas } from "./simulated-atlas/test-client.ts";
import { SimulatedClock } from "./simulated-clock.ts";

/** A clock, and a function that notes the names of sleepers with the time at which they wake, in ms. */
function start() {
  const clock = new SimulatedClock();
  const woken: [name: string, elapsed: number][] = [];
  const sleep = async (name: string, durationMs: number) => {
    await clock.sleep(durationMs);
    woken.push([name, clock.monotonic()]);
  };
  return { clock, woken, sleep };
}

test("advance wakes each sleeper at its time, whatever happens to the wall clock", async () => {
  const { clock, woken, sleep } = start();
  const wall = clock.now();
  void sleep("late", 300);
  void sleep("early", 100).then(() => sleep("again", 100));
  void sleep("never", 301);

  await clock.advance(99);
  expect(woken).toEqual([]);
  clock.setBack(3_600_000);
  await clock.advance(201);

  expect(woken).toEqual([
    ["early", 100],
    ["again", 200],
    ["late", 300],
  ]);
  expect(clock.slept).toEqual([300, 100, 301, 100]);
  expect(clock.now() - wall).toBe(300 - 3_600_000);
});

test("run lets time pass until the work is done, and wakes sleepers of one time in their order", async () => {
  const { clock, woken, sleep } = start();
  const work = async () => {
    await Promise.all(["a", "b", "c"].map((name) => sleep(name, 0)));
    for (let hours = 0; hours < 24; hours++) await clock.sleep(3_600_000);
    throw new Error("over");
  };

  await expect(clock.run(work())).rejects.toThrow("over");

  expect(woken.map(([name]) => name)).toEqual(["a", "b", "c"]);
  expect(clock.monotonic()).toBe(86_400_000);
});

test("no time passes during an HTTP request, except while the server delays it by travel", async () => {
  await using fixture = await startAtlas();
  const { clock, woken, sleep } = start();
  fixture.atlas.onRequest(async (_, stage) => {
    if (stage !== "arrived") return;
    for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
    woken.push(["arrived", clock.monotonic()]);
    await clock.travel(250);
  });

  const answered = fixture.client.send("GET", "/").then(() => woken.push(["answered", clock.monotonic()]));
  await clock.run(Promise.all([answered, sleep("slept", 100)]));

  expect(woken).toEqual([
    ["arrived", 0],
    ["slept", 100],
    ["answered", 250],
  ]);
});
