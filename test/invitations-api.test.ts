import { expect, test } from "vitest";
import { AtlasApiError, AtlasError, AtlasNetworkError } from "../provider/errors.ts";
import { isConflict, OutdatedError, unlessOutdated, unlessUnknown } from "../provider/invitations-api.ts";

function apiError(status: number, errorCode?: string): AtlasApiError {
  return new AtlasApiError({ status, errorCode, detail: "No.", method: "DELETE", path: "/orgs/1/invites/2" });
}

/** As another copy of the package raises it. */
function foreignError(status: number, errorCode?: string): Error {
  return Object.assign(new Error("No."), { name: "AtlasApiError", status, errorCode });
}

test("the result of a request is its result", async () => {
  expect(await unlessUnknown(Promise.resolve("result"))).toBe("result");
  expect(await unlessOutdated(Promise.resolve("result"))).toBe("result");
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
])("%i %s leaves it to a look-up whether the person is gone or has accepted", async (status, errorCode) => {
  expect(await unlessUnknown(Promise.reject(apiError(status, errorCode)))).toBeUndefined();
  expect(await unlessUnknown(Promise.reject(foreignError(status, errorCode)))).toBeUndefined();
});

test.each([
  [404, "ORG_NOT_FOUND"],
  [404, "INVALID_ORG_ID"],
  [404, "NOT_ATLAS_ORG"],
  [404, "TEAM_NOT_FOUND"],
  [404, "INVALID_TEAM_ID"],
  [404, "TEAM_NOT_IN_ORG"],
  [404, "GROUP_NOT_FOUND"],
  [404, "INVALID_GROUP_ID"],
  [404, "A_CODE_OF_TOMORROW"],
  [404, ""],
  [400, undefined],
  [400, "UNEXPECTED_ERROR"],
  [400, "USER_NOT_FOUND"],
  [404, "ALREADY_EXPIRED"],
  [400, "CANNOT_DELETE_GROUP_INVITATION"],
  [401, undefined],
  [401, "INVALID_INVITATION_ID"],
  [401, "NOT_ORG_OWNER"],
  [401, "USER_CANNOT_ACCESS_ORG"],
  [403, undefined],
  [403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"],
  [403, "INVALID_INVITATION_ID"],
  [409, "USER_ALREADY_EXISTS"],
  [410, undefined],
  [410, "VERSION_GONE"],
  [429, "RATE_LIMITED"],
  [500, undefined],
  [500, "INVALID_INVITATION_ID"],
  [502, undefined],
  [200, undefined],
])("%i %s is an error, and never taken for gone", async (status, errorCode) => {
  const error = apiError(status, errorCode);

  await expect(unlessUnknown(Promise.reject(error))).rejects.toBe(error);
});

test("what is no answer of Atlas is an error, and never taken for gone", async () => {
  const errors = [
    new AtlasNetworkError("DELETE", "/orgs/1/invites/2", "no complete answer within 60 s"),
    new OutdatedError("They accepted."),
    new TypeError("bug"),
    { status: 404 },
    "404",
    undefined,
  ];

  for (const error of errors) await expect(unlessUnknown(Promise.reject(error))).rejects.toBe(error);
});

test("a request that was based on what is no longer so has no result", async () => {
  expect(await unlessOutdated(Promise.reject(new OutdatedError("They accepted.")))).toBeUndefined();
});

test("every other error of such a request is an error", async () => {
  for (const error of [new AtlasError("They accepted."), apiError(404), new TypeError("bug"), undefined]) {
    await expect(unlessOutdated(Promise.reject(error))).rejects.toBe(error);
  }
});

test("an outdated request is an error of ours that names its class", () => {
  const error = new OutdatedError("They accepted.");

  expect(error).toBeInstanceOf(AtlasError);
  expect(String(error)).toBe("OutdatedError: They accepted.");
});

test.each([
  [409, undefined],
  [409, "USER_ALREADY_EXISTS"],
  [400, "USER_ALREADY_IN_ORG"],
  [400, "USER_ALREADY_IN_GROUP"],
  [400, "DUPLICATE_INVITATION"],
  [400, "DEFAULT_INVITATION_EXCEPTION"],
])("%i %s may mean that somebody else was faster", (status, errorCode) => {
  expect(isConflict(apiError(status, errorCode))).toBe(true);
  expect(isConflict(foreignError(status, errorCode))).toBe(true);
});

test.each([
  [400, undefined],
  [400, "INVALID_EMAIL_ADDRESS"],
  [400, "MAX_USERS_PER_ORG_EXCEEDED"],
  [400, "DEFAULT_INVITATION_EXCEPTION_OF_ANOTHER_KIND"],
  [403, "USER_ALREADY_IN_ORG"],
  [404, "USER_ALREADY_IN_ORG"],
  [500, "DEFAULT_INVITATION_EXCEPTION"],
])("%i %s does not mean that somebody else was faster", (status, errorCode) => {
  expect(isConflict(apiError(status, errorCode))).toBe(false);
});

test("what is no answer of Atlas is no conflict", () => {
  expect(isConflict(new AtlasNetworkError("POST", "/orgs/1/invites", "cut"))).toBe(false);
  expect(isConflict({ status: 409 })).toBe(false);
  expect(isConflict(undefined)).toBe(false);
});
