import type { LoggedRequest } from "../support/simulated-atlas/request-log.ts";

/** What was asked and how it ended, one line each; requests that differ only in the id share the line of the first. */
export function requestLines(requests: readonly LoggedRequest[]): string[] {
  const kinds = new Map<string, LoggedRequest[]>();
  for (const request of requests) {
    const kind = line(request, "…");
    kinds.set(kind, [...(kinds.get(kind) ?? []), request]);
  }
  return [...kinds].map(([kind, [first, ...others]]) =>
    first && others.length === 0 ? line(first, "$1…$2") : `${kind}, ${others.length + 1} times`,
  );
}

/** @param id what is shown of the id at the end of the path: `$1` and `$2` are its ends */
function line({ method, path, body, status, errorCode, challenge }: LoggedRequest, id: string): string {
  const target = path
    // It is the same for every list.
    .replace(/\?.*/, "?…")
    .replace(/([0-9a-f]{4})[0-9a-f]{16}([0-9a-f]{4})$/, id)
    .replace(/([0-9a-f]{4})[0-9a-f]{16}([0-9a-f]{4})/, "$1…$2");
  const asked = body === undefined ? "" : JSON.stringify(body);
  const outcome = challenge ? "challenge" : errorCode;
  return [method, target, asked, "->", status, outcome].filter(Boolean).join(" ");
}
