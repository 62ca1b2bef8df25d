import { type Answer, answerOf, refusal } from "./answer.ts";
import type { Context } from "./settings.ts";

/** The size of a bucket, and how many requests it gains at the end of every interval. */
export interface RateLimit {
  capacity: number;
  refill: number;
  perSeconds: number;
}

/** The form of a Retry-After header. Documented: seconds, or no header. RFC 9110 allows a date. */
export type RetryAfter = "seconds" | "date" | "absent";

/** The Retry-After header, rounded up to whole seconds. */
export function retryAfterHeader(form: RetryAfter, waitMs: number, now: number): Record<string, string> {
  if (form === "absent") return {};
  const date = new Date(Math.ceil((now + waitMs) / 1000) * 1000).toUTCString();
  return { "Retry-After": form === "date" ? date : String(Math.ceil(waitMs / 1000)) };
}

// Documented for the invitations and for the users of an organization alike.
const documentedLimit: RateLimit = { capacity: 500, refill: 250, perSeconds: 60 };

interface Bucket {
  limit: RateLimit;
  left: number;
  filledAt: number;
}

/** The token buckets of the documented rate limits. */
export class TokenBuckets {
  readonly #buckets = new Map<string, Bucket>();
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Takes one from a bucket and serves the request, or answers 429 if the bucket is empty. */
  spend(name: string, path: string, serve: () => Answer): Answer {
    const bucket = this.#refilled(name);
    const isEmpty = bucket.left === 0;
    bucket.left = Math.max(0, bucket.left - 1);
    const answer = answerOf(() => {
      if (isEmpty && this.#context.settings.rateLimit) throw this.#tooMany(bucket, path);
      return serve();
    });
    // Recorded: successes have them, too, and they count down across methods.
    const headers = {
      "RateLimit-Limit": String(bucket.limit.capacity),
      "RateLimit-Remaining": String(bucket.left),
    };
    return { ...answer, headers: { ...headers, ...answer.headers } };
  }

  #refilled(name: string): Bucket {
    const now = this.#context.now();
    const limit = this.#context.settings.rateLimit ?? documentedLimit;
    const known = this.#buckets.get(name);
    // Another limit starts with full buckets.
    const bucket = known?.limit === limit ? known : { limit, left: limit.capacity, filledAt: now };
    // Inferred, because a wait of 55 s at 5 per 60 s was documented: all at once after an interval.
    const intervals = Math.floor((now - bucket.filledAt) / (limit.perSeconds * 1000));
    bucket.left = Math.min(limit.capacity, bucket.left + intervals * limit.refill);
    bucket.filledAt += intervals * limit.perSeconds * 1000;
    this.#buckets.set(name, bucket);
    return bucket;
  }

  #tooMany({ limit: { capacity, refill, perSeconds }, filledAt }: Bucket, path: string) {
    const now = this.#context.now();
    const waitMs = filledAt + perSeconds * 1000 - now;
    const seconds = Math.ceil(waitMs / 1000);
    const detail =
      `Rate limit exceeded for ${path}. Please retry after ${seconds} seconds. ` +
      `Request capacity: ${capacity}. Refill rate: ${refill} per ${perSeconds} seconds.`;
    const parameters = [path, seconds, capacity, refill, perSeconds];
    const headers = retryAfterHeader(this.#context.settings.retryAfter, waitMs, now);
    return refusal(429, "RATE_LIMITED_TOKEN_BUCKET", detail, parameters, headers);
  }
}
