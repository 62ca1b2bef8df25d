import * as fc from "fast-check";
import type { ReceivedRequest } from "../support/simulated-atlas/api.ts";
import { connectionError, type HttpResponse } from "./process-stubs.ts";

/** When a request fails: before Atlas carries it out, while Atlas does (which goes on), or after. */
export type When = "before" | "during" | "after";

// Recorded for an invitation: 326 to 358 ms.
export const WORK_MS = 358;

const when = fc.constantFrom<When[]>("before", "during", "after");
const kind = <Kind extends string>(kind: Kind) => fc.constant(kind);

const FAULTS = {
  throttle: fc.record({
    kind: kind("throttle"),
    errorCode: fc.constantFrom("INVITATIONS_RATE_LIMITED_IP", "RATE_LIMITED_IP"),
  }),
  limit: fc.record({ kind: kind("limit"), retryAfter: fc.constantFrom("seconds", "date", "absent") }),
  unavailable: fc.record({
    kind: kind("unavailable"),
    status: fc.constantFrom(408, 500, 502, 503, 504, 524),
    body: fc.constantFrom("", "<html>Bad gateway</html>", '{"error":503,"errorCode":null}'),
    when,
  }),
  refused: fc.constantFrom(
    { kind: "refused", status: 401, errorCode: "" } as const,
    { kind: "refused", status: 403, errorCode: "ORG_REQUIRES_ACCESS_LIST" } as const,
    { kind: "refused", status: 404, errorCode: "ORG_NOT_FOUND" } as const,
    { kind: "refused", status: 404, errorCode: "" } as const,
    { kind: "refused", status: 405, errorCode: "" } as const,
  ),
  // The connection is reset.
  cut: fc.record({ kind: kind("cut"), when }),
  // The response takes longer than the timeout of the client.
  silence: fc.record({ kind: kind("silence"), when }),
  // The connection is refused.
  unsent: fc.constant({ kind: "unsent" } as const),
  "half body": fc.constant({ kind: "half body" } as const),
  garbage: fc.constant({ kind: "garbage" } as const),
  // A captive portal answers in place of Atlas.
  portal: fc.constant({ kind: "portal" } as const),
  redirect: fc.constant({ kind: "redirect" } as const),
  slow: fc.record({ kind: kind("slow"), seconds: fc.constantFrom(2, 20, 59) }),
};

export type Generated<Arbitrary> = Arbitrary extends fc.Arbitrary<infer Value> ? Value : never;

export type FaultKind = keyof typeof FAULTS;
export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[];

/** A fault of one request, and of as many further ones as `times` says. */
export type Fault = { times: number } & Generated<(typeof FAULTS)[FaultKind]>;

export function faultOf(kinds: FaultKind[]): fc.Arbitrary<Fault> {
  const times = fc.constantFrom(1, 1, 1, 1, 1, 2, 3, 6, 7);
  const fault = fc.oneof(
    ...kinds.map((kind): fc.Arbitrary<Generated<(typeof FAULTS)[FaultKind]>> => FAULTS[kind]),
  );
  return fc.record({ times, fault }).map(({ times, fault }) => ({ times, ...fault }));
}

/** Whether the provider retries a request with this fault successfully, unless it occurs too often. */
export function isRecoverable({ kind }: Fault): boolean {
  return !["refused", "garbage", "portal", "redirect"].includes(kind);
}

/** Atlas throttles only invitations. */
export function appliesTo({ kind }: Fault, { method, target }: ReceivedRequest): boolean {
  return kind !== "throttle" || (method === "POST" && !target.startsWith("/api/oauth/"));
}

/** The effect of a fault on one request. */
export interface Effect {
  when: When;
  delayMs?: number;
  /** What the client receives; throws a connection error. Atlas has responded only if `when` is "after". */
  received(response: HttpResponse): HttpResponse;
}

const EFFECTS: { [Kind in FaultKind]: (fault: Extract<Fault, { kind: Kind }>, now: number) => Effect } = {
  throttle: ({ errorCode }) => refused(400, errorCode, "Rate limit of 10 invitations per 1 minutes exceeded"),
  limit: ({ retryAfter }, now) => {
    const value = retryAfter === "seconds" ? "55" : new Date(now + 55_000).toUTCString();
    const headers: Record<string, string> = retryAfter === "absent" ? {} : { "Retry-After": value };
    return refused(429, "RATE_LIMITED", "Too many requests.", headers);
  },
  unavailable: ({ when, status, body }) => replaced(when, status, body),
  refused: ({ status, errorCode }) =>
    errorCode ? refused(status, errorCode, "No.") : replaced("before", status, ""),
  cut: ({ when }) => failed(when, connectionError("ECONNRESET", "read ECONNRESET")),
  silence: ({ when }) => ({
    ...failed(when, new DOMException("The operation was aborted due to timeout", "TimeoutError")),
    delayMs: 60_000,
  }),
  unsent: () => failed("before", connectionError("ECONNREFUSED", "connect ECONNREFUSED")),
  "half body": () => ({ when: "after", received: (response) => ({ ...response, text: undefined }) }),
  garbage: () => ({ when: "after", received: (response) => ({ ...response, text: '{"id":12,' }) }),
  portal: () => replaced("before", 200, "<html>Please log in</html>"),
  redirect: () => replaced("before", 307, "", { Location: "https://elsewhere.example.com/" }),
  slow: ({ seconds }) => ({ when: "after", delayMs: seconds * 1000, received: (response) => response }),
};

export function effectOf(fault: Fault, now: number): Effect {
  return EFFECTS[fault.kind](fault as never, now);
}

function replaced(when: When, status: number, text: string, headers: Record<string, string> = {}): Effect {
  return { when, received: () => ({ status, text, headers }) };
}

function failed(when: When, error: Error): Effect {
  return {
    when,
    received: () => {
      throw error;
    },
  };
}

function refused(
  status: number,
  errorCode: string,
  detail: string,
  headers?: Record<string, string>,
): Effect {
  return replaced("before", status, JSON.stringify({ error: status, errorCode, detail }), headers);
}
