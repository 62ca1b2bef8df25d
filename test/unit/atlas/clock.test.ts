import { afterEach, expect, test, vi } from "vitest";
import { duration, systemClock } from "../../../provider/atlas/clock.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test("durations are formatted in seconds up to two minutes, then in minutes, and are rounded up", () => {
  const formatted = [0, 1, 1001, 120_000, 120_001, 180_000].map(duration);

  expect(formatted).toEqual(["0 s", "1 s", "2 s", "120 s", "3 min", "3 min"]);
});

test("durations do not depend on the wall clock, and random numbers differ", () => {
  vi.spyOn(performance, "now").mockReturnValue(4_711);

  expect(systemClock.monotonic()).toBe(4_711);
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(60_000);
  expect(new Set(Array.from({ length: 10 }, systemClock.random)).size).toBe(10);
});

test("a sleep ends after its time, or as soon as its signal is aborted, and leaves no timer and no listener", async () => {
  vi.useFakeTimers();
  const run = new AbortController();
  const removed = vi.spyOn(run.signal, "removeEventListener");
  const ended: string[] = [];
  void systemClock.sleep(1_000).then(() => ended.push("a"));
  void systemClock.sleep(2_000, run.signal).then(() => ended.push("b"));
  void systemClock.sleep(60_000, run.signal).then(() => ended.push("c"));

  await vi.advanceTimersByTimeAsync(999);
  expect(ended).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_001);
  expect(ended).toEqual(["a", "b"]);
  run.abort();
  await systemClock.sleep(60_000, run.signal);

  expect(ended).toEqual(["a", "b", "c"]);
  expect(vi.getTimerCount()).toBe(0);
  expect(removed).toHaveBeenCalledTimes(2);
});

test("a sleep that is longer than a timer can be does not end at once", () => {
  const timer = vi.spyOn(globalThis, "setTimeout").mockReturnValue(undefined as never);

  void systemClock.sleep(1e12);

  expect(timer).toHaveBeenCalledWith(expect.any(Function), 2 ** 31 - 1);
});
