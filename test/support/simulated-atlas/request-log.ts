import { errorCodeOf } from "./answer.ts";
import type { Delivery } from "./faults.ts";

/** One request, in the order of arrival. What is not known yet, or never will be, is absent. */
export interface LoggedRequest {
  method: string;
  /** The request target as sent, with its query. */
  path: string;
  /** Whether the credentials were verified; false for the first leg of a digest. */
  authenticated: boolean;
  /** Whether the answer was a digest challenge. */
  challenge: boolean;
  /** The public key, or the client id of the service account, that was verified. */
  username?: string;
  accept?: string;
  contentType?: string;
  /** The body: parsed if it is JSON, otherwise as text. */
  body?: unknown;
  /** The status that was sent, or was to be when the answer was lost. */
  status?: number;
  errorCode?: string;
  /** What happened instead of a whole answer: "cut", "hang", or the name of the damage done. */
  fault?: string;
}

/** One line a request: method, path, then the status and what was unusual; "…" while there is no answer yet. */
export function logLine({ method, path, status, challenge, fault }: LoggedRequest): string {
  const outcome = [status, challenge && "challenge", fault].filter(Boolean).join(" ");
  return `${method} ${path} ${outcome || "…"}`;
}

/** What the log says of a delivery. */
export function outcomeOf(delivery: Delivery): Partial<LoggedRequest> {
  if ("nothing" in delivery) return { fault: delivery.nothing };
  const { answer, damage } = delivery;
  const errorCode = answer.headers?.["X-Error-Code"] ?? errorCodeOf(answer);
  return {
    status: answer.status,
    challenge: answer.headers?.["WWW-Authenticate"]?.startsWith("Digest ") ?? false,
    ...(errorCode !== undefined && { errorCode }),
    ...(damage && { fault: typeof damage === "string" ? damage : Object.keys(damage).join() }),
  };
}
