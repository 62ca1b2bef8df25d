import * as v from "valibot";

/** What the body of an error says. */
export interface ApiFailure {
  errorCode?: string | undefined;
  detail: string;
  parameters: unknown[];
}

/** Recorded errors lack the code, carry null, or are empty or HTML, so every field is optional. */
const ErrorBody = v.object({
  errorCode: v.fallback(v.optional(v.string()), undefined),
  detail: v.fallback(v.optional(v.string()), undefined),
  reason: v.fallback(v.optional(v.string()), undefined),
  parameters: v.fallback(v.array(v.unknown()), []),
  // The token endpoint's code, by OAuth 2.0 (RFC 6749, 5.2). Other endpoints put the status there.
  error: v.fallback(v.optional(v.string()), undefined),
  error_description: v.fallback(v.optional(v.string()), undefined),
});

export function parseFailure(body: string): ApiFailure {
  const parsed = v.safeParse(ErrorBody, parseJson(body));
  if (!parsed.success) return { detail: `${describeBody(body)} instead of Atlas's JSON`, parameters: [] };
  const { errorCode, error, detail, error_description, reason, parameters } = parsed.output;
  return {
    errorCode: errorCode ?? error,
    detail: detail || error_description || reason || "no reason given",
    parameters,
  };
}

/** `undefined` for what is not JSON. */
export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** Describes a body without quoting it. */
export function describeBody(body: string): string {
  if (body.trim() === "") return "an empty body";
  if (parseJson(body) !== undefined) return "unexpected JSON";
  return body.trimStart().startsWith("<") ? "HTML" : "invalid or truncated JSON";
}
