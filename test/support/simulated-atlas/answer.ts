import { STATUS_CODES } from "node:http";

/** The response of an endpoint. A string body is sent as it is, any other body as JSON. */
export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
}

export type ErrorParameter = string | number;

/** An error in the recorded form. */
export function errorAnswer(
  status: number,
  errorCode: string | null,
  detail: string,
  parameters: ErrorParameter[] = [],
): Answer {
  return {
    status,
    // Recorded: errors are plain JSON even where successes carry a versioned type.
    headers: { "Content-Type": "application/json", ...(errorCode && { "X-Error-Code": errorCode }) },
    body: { detail, error: status, errorCode, parameters, reason: STATUS_CODES[status] },
  };
}

/** Thrown by an endpoint to answer with an error. */
export class Refusal extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(`answered ${answer.status}`);
    this.answer = answer;
  }
}

/** An error answer to throw. */
export const refusal = (...error: Parameters<typeof errorAnswer>) => new Refusal(errorAnswer(...error));

/** The answer that a function returns, or throws as a refusal. */
export function answerOf(serve: () => Answer): Answer {
  try {
    return serve();
  } catch (error) {
    if (error instanceof Refusal) return error.answer;
    throw error;
  }
}

/** The error code in an answer's body, if it has one. */
export function errorCodeOf({ body }: Answer): string | undefined {
  const code = typeof body === "object" && body !== null && "errorCode" in body ? body.errorCode : undefined;
  return typeof code === "string" ? code : undefined;
}
