/** Time and chance, so that tests can have their own. */
export interface Clock {
  /** The wall clock, in ms since 1970: for dates. It may be set at any time, so that no duration can be taken from it. */
  now(): number;
  /** Ms since a moment that stays the same while the process runs: for durations. */
  monotonic(): number;
  sleep(durationMs: number): Promise<void>;
  /** From 0 up to, but not including, 1. */
  random(): number;
}

// A longer timer fires at once (Node.js, timers).
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  sleep: (durationMs) =>
    new Promise((resolve) => setTimeout(resolve, Math.min(durationMs, LONGEST_TIMER_MS))),
  random: Math.random,
};

/** For people: "48 s", "12 min". */
export function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds <= 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}
