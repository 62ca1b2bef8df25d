import { expect, test } from "vitest";
import {
  AtlasApiError,
  AtlasError,
  AtlasNetworkError,
  asSentence,
  isAtlasApiError,
} from "../../../provider/atlas/errors.ts";

const failure = {
  status: 404,
  errorCode: "NO",
  detail: "No such organization",
  method: "GET",
  path: "/orgs/1",
};
const apiError = new AtlasApiError(failure);
const networkError = new AtlasNetworkError("GET", "/orgs/1", "cut");

// Pulumi's plugin host and gRPC give each of these fields a meaning of their own.
test.each([new AtlasError("cancelled", "wrong"), networkError, apiError])(
  "$name is an AtlasError named after its class, without a field that Pulumi would interpret",
  (error) => {
    expect(error).toBeInstanceOf(AtlasError);
    expect(error.name).toBe(error.constructor.name);
    const reserved = ["id", "properties", "reasons", "code", "details", "metadata"];
    expect(reserved.filter((field) => field in error)).toEqual([]);
  },
);

test.each([
  ["code and detail", {}, " NO: No such organization"],
  ["no code", { errorCode: undefined }, ": No such organization"],
  ["a hint", { hint: "Check orgId." }, " NO: No such organization. Check orgId."],
  ["a sentence and a hint", { detail: "No!", hint: "Wait." }, " NO: No! Wait."],
])("an API error names its request, status and reason, and keeps nothing else: %s", (_, changes, reason) => {
  const { hint, ...fields } = { hint: "", ...failure, ...changes };
  const error = new AtlasApiError({ ...failure, ...changes });

  expect(error.message).toBe(`GET /orgs/1 answered 404${reason}`);
  expect({ ...error }).toEqual({ name: "AtlasApiError", kind: "api", ...fields });
});

test("an API error of another copy of the package is recognised by its name", () => {
  const foreign = Object.assign(new Error("404"), { name: "AtlasApiError" });
  const errors = [apiError, foreign, networkError, { ...foreign }, "AtlasApiError", null];

  expect(errors.map(isAtlasApiError)).toEqual([true, true, false, false, false, false]);
});

test("a message ends with one mark, so that another sentence can follow", () => {
  const sentences = ["No", "No.", "No!", "No?"].map((message) => asSentence(new Error(message)));

  expect(sentences).toEqual(["No.", "No.", "No!", "No?"]);
});
