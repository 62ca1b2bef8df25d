import { expect, it } from "vitest";
import type { LoggedRequest } from "../support/simulated-atlas/request-log.ts";
import { requestLines } from "./request-lines.ts";

const INVITES = "/api/atlas/v2/orgs/32b6e34b3d91647abb20e7b8/invites";
const seen = (method: string, path: string, more: Partial<LoggedRequest>): LoggedRequest => ({
  method,
  path,
  authenticated: true,
  challenge: false,
  ...more,
});

it("shows each request with what it asked for and how it ended, ids by their ends", () => {
  const requests = [
    seen("GET", `${INVITES}?pageNum=1`, { status: 401, challenge: true, errorCode: "UNEXPECTED_ERROR" }),
    seen("POST", INVITES, { status: 200, body: { username: "ada@example.com" } }),
    seen("DELETE", `${INVITES}/5f0000000000000000000001`, {
      status: 400,
      errorCode: "INVALID_INVITATION_ID",
    }),
  ];
  expect(requestLines(requests)).toEqual([
    "GET /api/atlas/v2/orgs/32b6…e7b8/invites?… -> 401 challenge",
    'POST /api/atlas/v2/orgs/32b6…e7b8/invites {"username":"ada@example.com"} -> 200',
    "DELETE /api/atlas/v2/orgs/32b6…e7b8/invites/5f00…0001 -> 400 INVALID_INVITATION_ID",
  ]);
});

it("shows requests that differ only in the id as one line", () => {
  const requests = [1, 2, 3].map((id) =>
    seen("DELETE", `${INVITES}/5f000000000000000000000${id}`, { status: 204 }),
  );
  expect(requestLines(requests)).toEqual(["DELETE /api/atlas/v2/orgs/32b6…e7b8/invites/… -> 204, 3 times"]);
});
