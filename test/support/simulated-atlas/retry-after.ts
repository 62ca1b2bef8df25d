/** The form of a Retry-After header. Documented: seconds, or no header. RFC 9110 allows a date. */
export type RetryAfter = "seconds" | "date" | "absent";

/** The Retry-After header, rounded up to whole seconds. */
export function retryAfterHeader(form: RetryAfter, waitMs: number, now: number): Record<string, string> {
  if (form === "absent") return {};
  const date = new Date(Math.ceil((now + waitMs) / 1000) * 1000).toUTCString();
  return { "Retry-After": form === "date" ? date : String(Math.ceil(waitMs / 1000)) };
}
