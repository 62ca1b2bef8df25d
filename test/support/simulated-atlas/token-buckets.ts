import { type Answer, errorAnswer } from "./answer.ts";
import { retryAfterHeader } from "./retry-after.ts";
import type { Settings } from "./settings.ts";

/** The size of a bucket, and how many requests it gains at the end of every interval. */
export interface RateLimit {
  capacity: number;
  refill: number;
  perSeconds: number;
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
  readonly #settings: Settings;
  readonly #now: () => number;

  constructor(settings: Settings, now: () => number) {
    this.#settings = settings;
    this.#now = now;
  }

  /** Takes one from a bucket and serves the request, or answers 429 if the bucket is empty. */
  spend(name: string, path: string, serve: () => Answer): Answer {
    const bucket = this.#refilled(name);
    const isEmpty = bucket.left === 0;
    bucket.left = Math.max(0, bucket.left - 1);
    // Recorded: successes have them, too, and they count down across methods.
    const headers = {
      "RateLimit-Limit": String(bucket.limit.capacity),
      "RateLimit-Remaining": String(bucket.left),
    };
    const answer = isEmpty && this.#settings.rateLimit ? this.#tooMany(bucket, path) : serve();
    return { ...answer, headers: { ...headers, ...answer.headers } };
  }

  #refilled(name: string): Bucket {
    const now = this.#now();
    const limit = this.#settings.rateLimit ?? documentedLimit;
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

  #tooMany({ limit: { capacity, refill, perSeconds }, filledAt }: Bucket, path: string): Answer {
    const now = this.#now();
    const waitMs = filledAt + perSeconds * 1000 - now;
    const seconds = Math.ceil(waitMs / 1000);
    const answer = errorAnswer(
      429,
      "RATE_LIMITED_TOKEN_BUCKET",
      `Rate limit exceeded for ${path}. Please retry after ${seconds} seconds. ` +
        `Request capacity: ${capacity}. Refill rate: ${refill} per ${perSeconds} seconds.`,
      [path, seconds, capacity, refill, perSeconds],
    );
    return {
      ...answer,
      headers: { ...answer.headers, ...retryAfterHeader(this.#settings.retryAfter, waitMs, now) },
    };
  }
}
