import { describe, expect, test } from "vitest";
import { AtlasApiError, AtlasError, AtlasNetworkError } from "../../../../provider/atlas/errors.ts";
import {
  isConflict,
  isNotOwner,
  isUnreadableSuccess,
  StaleObservationError,
  unlessStale,
  unlessUnknown,
} from "../../../../provider/atlas/invitations/error-meaning.ts";

function apiError(status: number, errorCode?: string): AtlasApiError {
  return new AtlasApiError({ status, errorCode, detail: "No.", method: "DELETE", path: "/orgs/1/invites/2" });
}

/** As another copy of the package raises it. */
function foreignError(status: number, errorCode?: string): Error {
  return Object.assign(new Error("No."), { name: "AtlasApiError", status, errorCode });
}

const stale = new StaleObservationError("The person accepted.");
/** What is no answer of Atlas. */
const noAnswers = [
  new AtlasNetworkError("DELETE", "/orgs/1/invites/2", "no complete answer within 60 s"),
  new AtlasError("waitTooLong", "NOT_ORG_OWNER"),
  new TypeError("a bug"),
  { status: 404 },
  { status: 409 },
  "404",
  undefined,
];

describe("unlessUnknown", () => {
  test("returns the result of the request", async () => {
    expect(await unlessUnknown(Promise.resolve("result"))).toBe("result");
  });

  test.each([
    // 400 is documented, 404 was recorded.
    [400, "INVALID_INVITATION_ID"],
    [404, "INVALID_INVITATION_ID"],
    [400, "ALREADY_EXPIRED"],
    // Recorded 404s lack the code, or carry null or UNEXPECTED_ERROR.
    [404, undefined],
    [404, "UNEXPECTED_ERROR"],
    [404, "RESOURCE_NOT_FOUND"],
    [404, "USER_NOT_FOUND"],
    [404, "USERNAME_NOT_FOUND"],
    [404, "INVALID_USER_ID"],
    [404, "USER_NOT_IN_ORG"],
  ])("returns undefined for %i %s, of any copy of the package", async (status, errorCode) => {
    expect(await unlessUnknown(Promise.reject(apiError(status, errorCode)))).toBeUndefined();
    expect(await unlessUnknown(Promise.reject(foreignError(status, errorCode)))).toBeUndefined();
  });

  test.each<readonly [status: number, errorCode: string | undefined]>([
    ...["ORG_NOT_FOUND", "INVALID_ORG_ID", "NOT_ATLAS_ORG"].map((code) => [404, code] as const),
    ...["TEAM_NOT_FOUND", "INVALID_TEAM_ID", "TEAM_NOT_IN_ORG"].map((code) => [404, code] as const),
    ...["GROUP_NOT_FOUND", "INVALID_GROUP_ID"].map((code) => [404, code] as const),
    ...["A_CODE_OF_TOMORROW", "", "ALREADY_EXPIRED"].map((code) => [404, code] as const),
    ...[undefined, "UNEXPECTED_ERROR", "USER_NOT_FOUND"].map((code) => [400, code] as const),
    [400, "CANNOT_DELETE_GROUP_INVITATION"],
    ...[401, 403, 410, 500, 502, 200].map((status) => [status, undefined] as const),
    ...[401, 403, 500].map((status) => [status, "INVALID_INVITATION_ID"] as const),
    [409, "USER_ALREADY_EXISTS"],
    [429, "RATE_LIMITED"],
  ])("throws for %i %s", async (status, errorCode) => {
    const error = apiError(status, errorCode);
    await expect(unlessUnknown(Promise.reject(error))).rejects.toBe(error);
  });

  test("throws what is no answer of Atlas", async () => {
    for (const error of [...noAnswers, stale]) {
      await expect(unlessUnknown(Promise.reject(error))).rejects.toBe(error);
    }
  });
});

test("unlessStale returns the result, undefined for a stale observation, and throws any other error", async () => {
  expect(await unlessStale(Promise.resolve("result"))).toBe("result");
  expect(await unlessStale(Promise.reject(stale))).toBeUndefined();
  for (const error of [...noAnswers, apiError(404)]) {
    await expect(unlessStale(Promise.reject(error))).rejects.toBe(error);
  }
});

test.each([
  [409, undefined, true],
  [409, "USER_ALREADY_EXISTS", true],
  [400, "USER_ALREADY_IN_ORG", true],
  [400, "USER_ALREADY_IN_GROUP", true],
  [400, "DUPLICATE_INVITATION", true],
  [400, "DEFAULT_INVITATION_EXCEPTION", true],
  [400, undefined, false],
  [400, "INVALID_EMAIL_ADDRESS", false],
  [400, "MAX_USERS_PER_ORG_EXCEEDED", false],
  [400, "DEFAULT_INVITATION_EXCEPTION_OF_ANOTHER_KIND", false],
  [403, "USER_ALREADY_IN_ORG", false],
  [404, "USER_ALREADY_IN_ORG", false],
  [500, "DEFAULT_INVITATION_EXCEPTION", false],
])("%i %s is a conflict with another invitation: %s", (status, errorCode, expected) => {
  expect(isConflict(apiError(status, errorCode))).toBe(expected);
  expect(isConflict(foreignError(status, errorCode))).toBe(expected);
});

test.each([
  [401, "NOT_ORG_OWNER", true],
  [403, "NOT_ORG_OWNER", true],
  [401, "USER_UNAUTHORIZED", true],
  [403, "USER_UNAUTHORIZED", true],
  [401, "USER_CANNOT_ACCESS_ORG", false],
  [403, undefined, false],
  [404, "NOT_ORG_OWNER", false],
])("%i %s means that the credentials may only read: %s", (status, errorCode, expected) => {
  expect(isNotOwner(apiError(status, errorCode))).toBe(expected);
});

test.each([
  [200, true],
  [201, true],
  [302, false],
  [409, false],
])("an unusable answer of status %i means that Atlas carried out the request: %s", (status, expected) => {
  expect(isUnreadableSuccess(apiError(status))).toBe(expected);
});

test("what is no answer of Atlas has none of these meanings", () => {
  for (const error of noAnswers) {
    expect([isConflict(error), isNotOwner(error), isUnreadableSuccess(error)]).toEqual([false, false, false]);
  }
});
