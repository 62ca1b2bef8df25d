import { expect, test } from "vitest";
import { AtlasApiError, AtlasError, AtlasNetworkError } from "../../../../provider/atlas/errors.ts";
import {
  isConflict,
  isNotOwner,
  isUnreadableSuccess,
  StaleObservationError,
  unlessStale,
  unlessUnknown,
} from "../../../../provider/atlas/invitations/error-meaning.ts";

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

/** Everything that the error means. */
async function meaningsOf(error: unknown): Promise<string[]> {
  const isUnknown = await unlessUnknown(Promise.reject(error)).then(
    (result) => result === undefined,
    (thrown) => {
      expect(thrown).toBe(error);
      return false;
    },
  );
  const meanings = {
    "unknown person": isUnknown,
    conflict: isConflict(error),
    "not owner": isNotOwner(error),
    "carried out": isUnreadableSuccess(error),
  };
  return Object.entries(meanings).flatMap(([meaning, isMeant]) => (isMeant ? [meaning] : []));
}

test.each<[meaning: string, status: number, errorCodes: (string | undefined)[]]>([
  // Of INVALID_INVITATION_ID, 400 is documented, and 404 was recorded.
  ["unknown person", 400, ["INVALID_INVITATION_ID"]],
  // Recorded 404s lack the code, or carry null or UNEXPECTED_ERROR.
  ["unknown person", 404, [undefined, "UNEXPECTED_ERROR", "INVALID_INVITATION_ID", "RESOURCE_NOT_FOUND"]],
  ["unknown person", 404, ["USER_NOT_FOUND", "USERNAME_NOT_FOUND", "INVALID_USER_ID", "USER_NOT_IN_ORG"]],
  ["conflict", 409, [undefined, "USER_ALREADY_EXISTS"]],
  ["conflict", 400, ["USER_ALREADY_IN_ORG", "DUPLICATE_INVITATION", "DEFAULT_INVITATION_EXCEPTION"]],
  ["not owner", 401, ["NOT_ORG_OWNER", "USER_UNAUTHORIZED"]],
  ["not owner", 403, ["NOT_ORG_OWNER", "USER_UNAUTHORIZED"]],
  ["carried out", 200, [undefined]],
  ["carried out", 201, [undefined]],
  ["", 302, [undefined]],
  ["", 400, [undefined, "UNEXPECTED_ERROR", "USER_NOT_FOUND", "CANNOT_DELETE_GROUP_INVITATION"]],
  ["", 400, ["INVALID_EMAIL_ADDRESS", "MAX_USERS_PER_ORG_EXCEEDED", "DEFAULT_INVITATION_EXCEPTION_TOO"]],
  ["", 401, [undefined, "INVALID_INVITATION_ID", "USER_CANNOT_ACCESS_ORG"]],
  ["", 403, [undefined, "INVALID_INVITATION_ID", "USER_ALREADY_IN_ORG"]],
  ["", 404, ["ORG_NOT_FOUND", "INVALID_ORG_ID", "NOT_ATLAS_ORG", "TEAM_NOT_FOUND", "INVALID_TEAM_ID"]],
  ["", 404, ["TEAM_NOT_IN_ORG", "GROUP_NOT_FOUND", "INVALID_GROUP_ID", "A_CODE_OF_TOMORROW", ""]],
  ["", 404, ["ALREADY_EXPIRED", "NOT_ORG_OWNER", "USER_ALREADY_IN_ORG"]],
  ["", 410, [undefined]],
  ["", 429, ["RATE_LIMITED"]],
  ["", 500, [undefined, "INVALID_INVITATION_ID", "DEFAULT_INVITATION_EXCEPTION"]],
])('means "%s": %i with any of %j, of any copy of the package', async (meaning, status, errorCodes) => {
  for (const errorCode of errorCodes) {
    const own = new AtlasApiError({ status, errorCode, detail: "No.", method: "DELETE", path: "/orgs/1" });
    const foreign = Object.assign(new Error("No."), { name: "AtlasApiError", status, errorCode });
    for (const error of [own, foreign]) {
      expect(await meaningsOf(error), errorCode).toEqual(meaning ? [meaning] : []);
    }
  }
});

test("what is no answer of Atlas has none of these meanings", async () => {
  for (const error of [...noAnswers, stale]) expect(await meaningsOf(error)).toEqual([]);
});

test("a result is returned, and a stale observation is undefined, but no other error", async () => {
  expect(await unlessUnknown(Promise.resolve("result"))).toBe("result");
  expect(await unlessStale(Promise.resolve("result"))).toBe("result");
  expect(await unlessStale(Promise.reject(stale))).toBeUndefined();
  for (const error of noAnswers) {
    await expect(unlessStale(Promise.reject(error))).rejects.toBe(error);
  }
});
