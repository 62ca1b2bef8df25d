import { expect, test } from "vitest";
import {
  AtlasApiError,
  type AtlasApiFailure,
  AtlasError,
  AtlasNetworkError,
  asSentence,
  isAtlasApiError,
} from "../../../provider/atlas/errors.ts";

const failure: AtlasApiFailure = {
  status: 404,
  errorCode: "ORG_NOT_FOUND",
  detail: "No such organization",
  method: "GET",
  path: "/orgs/1/invites",
};
const apiError = (changes: Partial<AtlasApiFailure> = {}) => new AtlasApiError({ ...failure, ...changes });
const networkError = new AtlasNetworkError("GET", "/orgs/1", "cut");

// Pulumi's plugin host and gRPC give each of these fields a meaning of their own.
test.each([new AtlasError("cancelled", "wrong"), networkError, apiError()])(
  "$name is an AtlasError named after its class, without a field that Pulumi would interpret",
  (error) => {
    expect(error).toBeInstanceOf(AtlasError);
    expect(error.name).toBe(error.constructor.name);
    const reserved = ["id", "properties", "reasons", "code", "details", "metadata"];
    expect(reserved.filter((field) => field in error)).toEqual([]);
  },
);

const answered = "GET /orgs/1/invites answered 404";

test.each<[string, Partial<AtlasApiFailure>, string]>([
  ["code and detail", {}, `${answered} ORG_NOT_FOUND: No such organization`],
  ["no code", { errorCode: undefined }, `${answered}: No such organization`],
  ["a hint", { hint: "Check orgId." }, `${answered} ORG_NOT_FOUND: No such organization. Check orgId.`],
  ["a sentence and a hint", { detail: "No!", hint: "Wait." }, `${answered} ORG_NOT_FOUND: No! Wait.`],
])("an API error names its request, status and reason: %s", (_, changes, message) => {
  const { hint, ...fields } = { ...failure, ...changes };
  const error = apiError(changes);

  expect(error.message).toBe(message);
  // Nothing else is kept.
  expect({ ...error }).toEqual({ name: "AtlasApiError", kind: "api", ...fields });
});

test("an API error of another copy of the package is recognised by its name", () => {
  const foreign = Object.assign(new Error("404"), { name: "AtlasApiError" });

  expect([apiError(), foreign].map(isAtlasApiError)).toEqual([true, true]);
  expect([networkError, { ...foreign }, "AtlasApiError", null].map(isAtlasApiError)).not.toContain(true);
});

test("a message ends with one mark, so that another sentence can follow", () => {
  const messages = ["No such thing", "No such thing.", "No such thing!", "Which thing?"];

  const sentences = messages.map((message) => asSentence(new Error(message)));

  expect(sentences).toEqual(["No such thing.", "No such thing.", "No such thing!", "Which thing?"]);
});
