import { afterEach, expect, test, vi } from "vitest";
import { duration, systemClock } from "../../../provider/atlas/clock.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test.each([
  [0, "0 s"],
  [1, "1 s"],
  [1001, "2 s"],
  [120_000, "120 s"],
  [120_001, "3 min"],
  [180_000, "3 min"],
])("%i ms are formatted as %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test("random numbers are from 0 up to 1, and dates are those of the system", () => {
  const drawn = Array.from({ length: 100 }, () => systemClock.random());

  expect(drawn.every((number) => number >= 0 && number < 1)).toBe(true);
  expect(new Set(drawn).size).toBeGreaterThan(1);
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(60_000);
});

test("setting the wall clock changes no duration", () => {
  const before = systemClock.monotonic();
  vi.spyOn(performance, "now").mockReturnValue(before + 1);
  vi.useFakeTimers({ now: 0, toFake: ["Date"] });

  expect(systemClock.monotonic()).toBe(before + 1);
});

test("a sleep ends after its time, or as soon as its signal is aborted, and leaves no timer and no listener", async () => {
  vi.useFakeTimers();
  const run = new AbortController();
  const removed = vi.spyOn(run.signal, "removeEventListener");
  const ends = [1_000, 2_000, 60_000].map(() => vi.fn());
  void systemClock.sleep(1_000).then(ends[0]);
  void systemClock.sleep(2_000, run.signal).then(ends[1]);
  void systemClock.sleep(60_000, run.signal).then(ends[2]);
  const ended = () => ends.map((end) => end.mock.calls.length);

  await vi.advanceTimersByTimeAsync(999);
  expect(ended()).toEqual([0, 0, 0]);
  await vi.advanceTimersByTimeAsync(1_001);
  expect(ended()).toEqual([1, 1, 0]);
  run.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(ended()).toEqual([1, 1, 1]);
  await systemClock.sleep(60_000, run.signal);

  expect(vi.getTimerCount()).toBe(0);
  expect(removed).toHaveBeenCalledTimes(2);
});

test("a sleep that is longer than a timer can be does not end at once", () => {
  const timer = vi.spyOn(globalThis, "setTimeout").mockReturnValue(undefined as never);

  void systemClock.sleep(1e12);

  expect(timer).toHaveBeenCalledWith(expect.any(Function), 2 ** 31 - 1);
});
