import type { Delivery } from "./faults.ts";

/** A received request. Fields that are not known yet, or never become known, are absent. */
export interface LoggedRequest {
  method: string;
  /** The request target as sent, with its query. */
  path: string;
  /** Whether the credentials were valid; false for the first request of a digest exchange. */
  authenticated: boolean;
  /** Whether the answer was a digest challenge. */
  challenge: boolean;
  /** The public key of the API key, or the client id of the service account. */
  username?: string;
  accept?: string;
  contentType?: string;
  /** The body: parsed if it is JSON, otherwise as text. */
  body?: unknown;
  /** The status that was sent, or that the lost answer has. */
  status?: number;
  errorCode?: string;
  /** The fault that replaced or damaged the answer: "cut", "hang", or the name of the damage. */
  fault?: string;
}

/** The request as one line: method, path, status and fault, or "…" before the answer. */
export function logLine({ method, path, status, challenge, fault }: LoggedRequest): string {
  const outcome = [status, challenge && "challenge", fault].filter(Boolean).join(" ");
  return `${method} ${path} ${outcome || "…"}`;
}

/** The fields of the log that describe a delivery. */
export function outcomeOf(delivery: Delivery): Partial<LoggedRequest> {
  if ("nothing" in delivery) return { fault: delivery.nothing };
  const { answer, damage } = delivery;
  const errorCode: unknown = Object(answer.body).errorCode;
  return {
    status: answer.status,
    challenge: answer.headers?.["WWW-Authenticate"]?.startsWith("Digest ") ?? false,
    ...(typeof errorCode === "string" && { errorCode }),
    ...(damage && { fault: damage }),
  };
}
