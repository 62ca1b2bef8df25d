/** Time and randomness, which tests replace. */
export interface Clock {
  /** The wall clock, in ms since 1970: for dates. It may be set at any time, so it measures no durations. */
  now(): number;
  /** Ms since a fixed moment of the process: for durations. */
  monotonic(): number;
  /** Resolves after so long, or as soon as the signal is aborted. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
  /** From 0 up to, but not including, 1. */
  random(): number;
}

// A longer timer fires at once (Node.js, timers).
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  sleep: (durationMs, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(durationMs, LONGEST_TIMER_MS));
      signal?.addEventListener("abort", end);
    }),
  random: Math.random,
};

/** Formats a duration for messages: "48 s", "12 min". */
export function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds <= 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}
