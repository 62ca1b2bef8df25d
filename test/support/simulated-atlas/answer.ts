import { STATUS_CODES } from "node:http";

/** The response of an endpoint. A string body is sent as it is, any other body as JSON. */
export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
}

export type ErrorParameter = string | number;

/** An answer that an endpoint throws. */
export class Refusal extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(`answered ${answer.status}`);
    this.answer = answer;
  }
}

/** An error in the recorded form, to throw. */
export function refusal(
  status: number,
  errorCode: string | null,
  detail: string,
  parameters: ErrorParameter[] = [],
  headers: Record<string, string> = {},
): Refusal {
  return new Refusal({
    status,
    // Recorded: errors are plain JSON even where successes carry a versioned type.
    headers: {
      "Content-Type": "application/json",
      ...(errorCode && { "X-Error-Code": errorCode }),
      ...headers,
    },
    body: { detail, error: status, errorCode, parameters, reason: STATUS_CODES[status] },
  });
}

/** The answer that a function returns, or throws as a refusal. */
export function answerOf(serve: () => Answer): Answer {
  try {
    return serve();
  } catch (error) {
    if (error instanceof Refusal) return error.answer;
    throw error;
  }
}

/** The text of a body. */
export function bodyText(body: unknown = ""): string {
  return typeof body === "string" ? body : JSON.stringify(body);
}
