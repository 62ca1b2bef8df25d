import type { LoggedRequest } from "../support/simulated-atlas/request-log.ts";

/** One line for each request; requests that differ only in the id at the end of the path share a line. */
export function requestLines(requests: readonly LoggedRequest[]): string[] {
  const kinds = new Map<string, LoggedRequest[]>();
  for (const request of requests) {
    const kind = describe(request, "…");
    kinds.set(kind, [...(kinds.get(kind) ?? []), request]);
  }
  return [...kinds].map(([kind, [first, ...others]]) =>
    first && others.length === 0 ? describe(first, "$1…$2") : `${kind}, ${others.length + 1} times`,
  );
}

/** @param id replaces the id at the end of the path; `$1` and `$2` are its first and last four digits */
function describe({ method, path, body, status, errorCode, challenge }: LoggedRequest, id: string): string {
  const target = path
    .replace(/\?.*/, "?…")
    .replace(/([0-9a-f]{4})[0-9a-f]{16}([0-9a-f]{4})$/, id)
    .replace(/([0-9a-f]{4})[0-9a-f]{16}([0-9a-f]{4})/, "$1…$2");
  const sent = body === undefined ? "" : JSON.stringify(body);
  const outcome = challenge ? "challenge" : errorCode;
  return [method, target, sent, "->", status, outcome].filter(Boolean).join(" ");
}
