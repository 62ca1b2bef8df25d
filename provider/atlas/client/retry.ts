import { AtlasNetworkError, isAtlasApiError } from "../errors.ts";

/** How a request failed, which decides whether and how it is retried. */
export type FailureKind = "throttled" | "rateLimited" | "notSent" | "unavailable" | "lost" | "permanent";

/** Whether a request is retried, how often, and how long it waits before. */
export interface RetryPolicy {
  /** `afterRecheck`: Atlas may have carried the request out, so that an invitation is sent again only after a look-up. */
  retry: "always" | "afterRecheck" | "never";
  /** How often a request is sent at most. @default as often as its deadline allows */
  maxAttempts?: number;
  /** `queue`: all requests wait in the queue of the limit. `backoff`: as long as `Retry-After` says, or exponentially. */
  wait?: "queue" | "backoff";
}

/** Every failure that is retried, and how. */
export const RETRY_POLICIES: Record<FailureKind, RetryPolicy> = {
  // 400 with the code of the invitation throttle: about ten invitations a minute (recorded).
  throttled: { retry: "always", wait: "queue" },
  // 429: the token bucket of the organization, or of the token endpoint, is empty.
  rateLimited: { retry: "always", wait: "backoff" },
  // No connection was opened.
  notSent: { retry: "always", wait: "backoff", maxAttempts: 6 },
  // Atlas, or a proxy in front of it, failed, perhaps after Atlas had carried the request out.
  unavailable: { retry: "afterRecheck", wait: "backoff", maxAttempts: 6 },
  // The connection broke, or timed out, before the whole answer had arrived.
  lost: { retry: "afterRecheck", wait: "backoff", maxAttempts: 6 },
  permanent: { retry: "never" },
};

// A proxy answers 520 to 524 for a server behind it that failed or timed out (Cloudflare, "5xx errors").
const UNAVAILABLE = [408, 500, 502, 503, 504, 520, 521, 522, 523, 524];
const THROTTLE_CODES = ["INVITATIONS_RATE_LIMITED_IP", "RATE_LIMITED_IP"];

/** Classifies an error by its status, error code and class, never by the text of its message. */
export function classifyFailure(error: unknown): FailureKind {
  if (error instanceof AtlasNetworkError) return error.sent ? "lost" : "notSent";
  if (!isAtlasApiError(error)) return "permanent";
  const { status, errorCode = "" } = error;
  if (status === 429) return "rateLimited";
  if (status === 400 && THROTTLE_CODES.includes(errorCode)) return "throttled";
  return UNAVAILABLE.includes(status) ? "unavailable" : "permanent";
}

/** Exponential with full jitter: up to 0.5 s after the first attempt, doubled after each further one, at most 30 s. */
export function backoffMs(attempts: number, random: number): number {
  return random * Math.min(30_000, 500 * 2 ** (attempts - 1));
}

/**
 * How long to wait before the recheck of an invitation whose answer was lost. Atlas takes 326 to 358 ms for an invitation
 * (recorded), and goes on when the connection breaks: an earlier look-up misses the invitation, and a second e-mail is
 * sent.
 */
export const RECHECK_DELAY_MS = 2_000;

/** How long to wait before a retry: `floorMs`, and the backoff after so many attempts on top of it. */
export function retryDelayMs({
  attempts,
  random,
  floorMs = 0,
}: {
  attempts: number;
  random: number;
  floorMs?: number;
}): number {
  return floorMs + backoffMs(attempts, random);
}

/** The wait that a `Retry-After` header asks for, in seconds or as a date; `undefined` for anything else. */
export function retryAfterMs(header: string | string[] | undefined, now: number): number | undefined {
  const value = [header].flat()[0]?.trim() ?? "";
  // A larger number counts as 2^31 (RFC 9111, 1.2.2).
  if (/^\d+$/.test(value)) return Math.min(Number(value), 2 ** 31) * 1000;
  // A date begins with its weekday (RFC 9110, 5.6.7). Date.parse accepts more than that.
  const date = /^[A-Z][a-z]{2,8},? /.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
