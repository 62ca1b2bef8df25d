import { afterEach, expect, test, vi } from "vitest";
import { duration, systemClock } from "../../../provider/atlas/clock.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test.each([
  [0, "0 s"],
  [1, "1 s"],
  [1000, "1 s"],
  [1001, "2 s"],
  [47_500, "48 s"],
  [60_000, "60 s"],
  [120_000, "120 s"],
  [120_001, "3 min"],
  [180_000, "3 min"],
  [180_001, "4 min"],
  [3_600_000, "60 min"],
])("%i ms are said as %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test("the clock of the system tells its time, and sleeps", async () => {
  const before = Date.now();

  await systemClock.sleep(2);

  // Timers may be early by a part of a millisecond.
  expect(systemClock.now()).toBeGreaterThan(before);
  expect(systemClock.now()).toBeLessThanOrEqual(Date.now());
});

test("the time of durations never goes back, whatever the wall clock does", () => {
  const before = systemClock.monotonic();
  vi.spyOn(Date, "now").mockReturnValue(0);

  expect(systemClock.monotonic()).toBeGreaterThanOrEqual(before);
  expect(systemClock.monotonic()).toBeLessThanOrEqual(performance.now());
});

test("a sleep longer than a timer can hold does not end at once", () => {
  const timer = vi.spyOn(globalThis, "setTimeout").mockReturnValue(undefined as never);

  void systemClock.sleep(1e12);

  // A longer one fires after 1 ms (Node.js, timers).
  expect(timer).toHaveBeenCalledWith(expect.any(Function), 2 ** 31 - 1);
});

test("chance is from 0 up to 1", () => {
  const drawn = Array.from({ length: 100 }, () => systemClock.random());

  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...drawn)).toBeLessThan(1);
  expect(new Set(drawn).size).toBeGreaterThan(1);
});
