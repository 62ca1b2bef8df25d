import * as fc from "fast-check";
import type { Answer } from "../support/simulated-atlas/answer.ts";
import { connectionError, type WireAnswer, type WireRequest } from "./fake-undici.ts";

/** Before Atlas has done the work, after it, or while it is still at work, which it goes on with. */
export type When = "before" | "during" | "after";

// Recorded for an invitation: 326 to 358 ms.
export const WORK_MS = 358;

/** What goes wrong with a request, and with as many of the next ones as `times` says. */
export type Trouble = { times: number } & (
  | { kind: "throttle"; errorCode: string }
  | { kind: "limit"; retryAfter: "seconds" | "date" | "absent" }
  | { kind: "unavailable"; status: number; body: string; when: When }
  | { kind: "refused"; status: number; errorCode: string }
  | { kind: "cut"; when: When }
  | { kind: "silence"; when: When }
  | { kind: "unsent" | "half body" | "garbage" | "portal" | "redirect" }
  | { kind: "slow"; seconds: number }
);

const when = fc.constantFrom<When[]>("before", "during", "after");
const alone = <Kind extends string>(kind: Kind) => fc.constant({ kind });

const KINDS = {
  throttle: fc.record({
    kind: fc.constant("throttle" as const),
    errorCode: fc.constantFrom("INVITATIONS_RATE_LIMITED_IP", "RATE_LIMITED_IP"),
  }),
  limit: fc.record({
    kind: fc.constant("limit" as const),
    retryAfter: fc.constantFrom<("seconds" | "date" | "absent")[]>("seconds", "date", "absent"),
  }),
  unavailable: fc.record({
    kind: fc.constant("unavailable" as const),
    status: fc.constantFrom(408, 500, 502, 503, 504, 524),
    body: fc.constantFrom("", "<html>Bad gateway</html>", '{"error":503,"errorCode":null}'),
    when,
  }),
  refused: fc.constantFrom(
    { kind: "refused" as const, status: 401, errorCode: "" },
    { kind: "refused" as const, status: 403, errorCode: "ORG_REQUIRES_ACCESS_LIST" },
    { kind: "refused" as const, status: 404, errorCode: "ORG_NOT_FOUND" },
    { kind: "refused" as const, status: 404, errorCode: "" },
    { kind: "refused" as const, status: 405, errorCode: "" },
  ),
  cut: fc.record({ kind: fc.constant("cut" as const), when }),
  silence: fc.record({ kind: fc.constant("silence" as const), when }),
  unsent: alone("unsent"),
  "half body": alone("half body"),
  garbage: alone("garbage"),
  portal: alone("portal"),
  redirect: alone("redirect"),
  slow: fc.record({ kind: fc.constant("slow" as const), seconds: fc.constantFrom(2, 20, 59) }),
} satisfies { [Kind in Trouble["kind"]]: fc.Arbitrary<Omit<Trouble & { kind: Kind }, "times">> };

export type TroubleKind = keyof typeof KINDS;
export const TROUBLE_KINDS = Object.keys(KINDS) as TroubleKind[];

/** Trouble of these kinds. */
export function troubleOf(kinds: TroubleKind[]): fc.Arbitrary<Trouble> {
  const times = fc.constantFrom(1, 1, 1, 1, 1, 2, 3, 6, 7);
  const what = fc.oneof(...kinds.map((kind) => KINDS[kind]));
  return fc.record({ times, what }).map(({ times, what }) => ({ times, ...what }));
}

/** Whether a request gets over it by itself, if it does not come too often. */
export function isMildTrouble({ kind }: Trouble): boolean {
  switch (kind) {
    case "refused":
    case "garbage":
    case "portal":
    case "redirect":
      return false;
    default:
      return true;
  }
}

/** Only invitations are throttled. */
export function fits({ kind }: Trouble, { method, target }: WireRequest): boolean {
  return kind !== "throttle" || (method === "POST" && !target.startsWith("/api/oauth/"));
}

/** What came of a request in trouble: whether Atlas does the work, and what the client sees of it, and when. */
export interface Consequence {
  isDone: boolean;
  /** Whether Atlas does the work only after the client has seen what it sees. */
  isLate?: boolean;
  delayMs?: number;
  /** Throws for a connection that failed; the answer is Atlas's own where the work was done. */
  seen(answer: WireAnswer): WireAnswer;
}

export function consequenceOf(trouble: Trouble, now: number): Consequence {
  const instead = (when: When, answer: Partial<WireAnswer> & { status: number }): Consequence => ({
    ...workOf(when),
    seen: () => ({ headers: {}, text: "", ...answer }),
  });
  const broken = (when: When, code: string, message: string): Consequence => ({
    ...workOf(when),
    seen: () => {
      throw connectionError(code, message);
    },
  });
  switch (trouble.kind) {
    case "throttle":
      return instead(
        "before",
        error(400, trouble.errorCode, "Rate limit of 10 invitations per 1 minutes exceeded"),
      );
    case "limit":
      return instead("before", {
        ...error(429, "RATE_LIMITED", "Too many requests."),
        headers: retryAfter(trouble.retryAfter, now),
      });
    case "unavailable":
      return instead(trouble.when, { status: trouble.status, text: trouble.body });
    case "refused":
      return instead(
        "before",
        trouble.errorCode ? error(trouble.status, trouble.errorCode, "No.") : { status: trouble.status },
      );
    case "cut":
      return broken(trouble.when, "ECONNRESET", "read ECONNRESET");
    case "unsent":
      return broken("before", "ECONNREFUSED", "connect ECONNREFUSED");
    case "silence":
      return {
        ...workOf(trouble.when),
        delayMs: 60_000,
        seen: () => {
          throw new DOMException("The operation was aborted due to timeout", "TimeoutError");
        },
      };
    case "half body":
      return { isDone: true, seen: (answer) => ({ ...answer, text: undefined }) };
    case "garbage":
      return { isDone: true, seen: ({ status, headers }) => ({ status, headers, text: '{"id":12,' }) };
    case "portal":
      return instead("before", { status: 200, text: "<html>Please log in</html>" });
    case "redirect":
      return instead("before", { status: 307, headers: { Location: "https://elsewhere.example.com/" } });
    case "slow":
      return { isDone: true, delayMs: trouble.seconds * 1000, seen: (answer) => answer };
  }
}

function workOf(when: When): Pick<Consequence, "isDone" | "isLate"> {
  return { isDone: when !== "before", isLate: when === "during" };
}

function error(status: number, errorCode: string, detail: string) {
  return { status, text: JSON.stringify({ error: status, errorCode, detail }) };
}

function retryAfter(form: "seconds" | "date" | "absent", now: number): Record<string, string> {
  if (form === "absent") return {};
  return { "Retry-After": form === "seconds" ? "55" : new Date(now + 55_000).toUTCString() };
}

/** The trouble in a few words. */
export function troubleText({ times, ...trouble }: Trouble): string {
  const words = Object.values(trouble).filter((word) => word !== "");
  return times === 1 ? words.join(" ") : `${words.join(" ")}, ${times} times`;
}

/** An answer of Atlas as it goes over the wire. */
export function wireAnswer({ status, headers = {}, body }: Answer): WireAnswer {
  return {
    status,
    headers,
    text: body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body),
  };
}
