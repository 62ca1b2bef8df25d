import { AtlasNetworkError, isAtlasApiError } from "./errors.ts";

/** How a request ended that did not succeed, as far as repeating it goes. */
export type FailureKind = "throttled" | "limited" | "unsent" | "unavailable" | "lost" | "final";

/** Whether to repeat a request, how often, and how long to wait before. */
export interface RetryPolicy {
  /** `lookFirst`: Atlas may have done the work. What is not idempotent is repeated only after a look. */
  repeat: "always" | "lookFirst" | "never";
  /** How many times a request is sent at the most; without it, as often as the budget of waiting allows. */
  tries?: number;
  /** `gate`: everybody waits, and goes at Atlas's pace; `backoff`: as long as Atlas asks, or exponentially. */
  wait?: "gate" | "backoff";
}

/** Everything that is ever repeated, and how. */
export const RETRY_POLICIES: Record<FailureKind, RetryPolicy> = {
  // 400 with the code of the invitation throttle: about ten invitations a minute (recorded).
  throttled: { repeat: "always", wait: "gate" },
  // 429: the token bucket of the organization, or of the token endpoint, is empty.
  limited: { repeat: "always", wait: "backoff" },
  // No connection was opened.
  unsent: { repeat: "always", wait: "backoff", tries: 6 },
  // Atlas, or a proxy in front of it, failed, perhaps after Atlas had done the work.
  unavailable: { repeat: "lookFirst", wait: "backoff", tries: 6 },
  // The connection broke, or the time ran out, before the whole answer was there.
  lost: { repeat: "lookFirst", wait: "backoff", tries: 6 },
  final: { repeat: "never" },
};

// 520 to 524 are a proxy's words for a server behind it that failed or was late (Cloudflare, "5xx errors").
const UNAVAILABLE = [408, 500, 502, 503, 504, 520, 521, 522, 523, 524];
const THROTTLE_CODES = ["INVITATIONS_RATE_LIMITED_IP", "RATE_LIMITED_IP"];

/** By status, error code and class, never by the text of a message. */
export function classifyFailure(error: unknown): FailureKind {
  if (error instanceof AtlasNetworkError) return error.sent ? "lost" : "unsent";
  if (!isAtlasApiError(error)) return "final";
  const { status, errorCode = "" } = error;
  if (status === 429) return "limited";
  if (status === 400 && THROTTLE_CODES.includes(errorCode)) return "throttled";
  return UNAVAILABLE.includes(status) ? "unavailable" : "final";
}

/** Exponential with full jitter: up to 0.5 s after the first try, twice that after each further one, 30 s at most. */
export function backoffMs(tries: number, random: number): number {
  return random * Math.min(30_000, 500 * 2 ** (tries - 1));
}

/**
 * How long a POST that may have been carried out is left alone before Atlas is asked what became of it. Atlas takes
 * 326 to 358 ms for an invitation (recorded), and goes on when the connection breaks: a look that comes sooner
 * misses the invitation, and a second e-mail is sent.
 */
export const SETTLE_MS = 2_000;

/** How long to wait before a retry: at least `floorMs`, and the backoff after so many attempts on top of it. */
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
  // What is longer counts as so long (RFC 9111, 1.2.2).
  if (/^\d+$/.test(value)) return Math.min(Number(value), 2 ** 31) * 1000;
  // A date begins with its weekday (RFC 9110, 5.6.7): what else Date.parse takes is no date here.
  const date = /^[A-Z][a-z]{2,8},? /.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** So many invitations in so long a time. */
export interface InvitationRate {
  invitations: number;
  windowMs: number;
}

/** The pace that the throttle names, in its sentence or in its parameters; ten a minute where it names none. */
export function parseInvitationRate(parameters: readonly unknown[], detail: string): InvitationRate {
  const named = /(\d+) invitations per (\d+) minute/.exec(detail)?.slice(1) ?? parameters;
  // Recorded parameters are texts or numbers.
  const [invitations, minutes] = named.map((count) => (typeof count === "string" ? Number(count) : count));
  const known = isCount(invitations) && isCount(minutes);
  return known ? { invitations, windowMs: minutes * 60_000 } : { invitations: 10, windowMs: 60_000 };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
