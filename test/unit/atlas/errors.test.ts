import { inspect } from "node:util";
import { expect, test } from "vitest";
import {
  AtlasApiError,
  type AtlasApiFailure,
  AtlasConfigError,
  AtlasError,
  AtlasNetworkError,
  asSentence,
  isAtlasApiError,
} from "../../../provider/atlas/errors.ts";

const failure: AtlasApiFailure = {
  status: 404,
  errorCode: "ORG_NOT_FOUND",
  detail: "No organization with ID 1 exists.",
  method: "GET",
  path: "/orgs/1/invites",
};
const every = [
  new AtlasError("wrong"),
  new AtlasConfigError("wrong"),
  new AtlasNetworkError("GET", "/orgs/1/invites", "wrong"),
  new AtlasApiError(failure),
];

test.each(every)("$name is an AtlasError that names its own class", (error) => {
  expect(error).toBeInstanceOf(AtlasError);
  expect(error).toBeInstanceOf(Error);
  expect(error.name).toBe(error.constructor.name);
  expect(String(error)).toBe(`${error.name}: ${error.message}`);
});

// Pulumi's plugin host and grpc give each of these a meaning of their own.
test.each(every)("$name has no field that Pulumi would take for its own", (error) => {
  const forbidden = ["id", "properties", "reasons", "code", "details", "metadata"];

  expect(forbidden.filter((field) => field in error)).toEqual([]);
});

test("a network error says which request failed, and why", () => {
  const error = new AtlasNetworkError("DELETE", "/orgs/1/invites/2", "no complete answer within 60 s");

  expect(error.message).toBe("DELETE /orgs/1/invites/2: no complete answer within 60 s");
  expect({ ...error }).toEqual({
    name: "AtlasNetworkError",
    method: "DELETE",
    path: "/orgs/1/invites/2",
    sent: true,
  });
});

test("an API error says which request failed, with which status and code, and what to do", () => {
  const error = new AtlasApiError({ ...failure, advice: "Check orgId." });

  expect(error.message).toBe(
    "GET /orgs/1/invites answered 404 ORG_NOT_FOUND: No organization with ID 1 exists. Check orgId.",
  );
  const { detail, errorCode, method, path, status } = failure;
  expect({ ...error }).toEqual({ name: "AtlasApiError", detail, errorCode, method, path, status });
});

test("an API error without a code says only the status", () => {
  const error = new AtlasApiError({ ...failure, status: 502, errorCode: undefined, detail: "with HTML" });

  expect(error.message).toBe("GET /orgs/1/invites answered 502: with HTML");
  expect(error.errorCode).toBeUndefined();
});

test.each([
  ["No such thing", "No such thing. Check orgId."],
  ["No such thing.", "No such thing. Check orgId."],
  ["No such thing!", "No such thing! Check orgId."],
  ["Which thing?", "Which thing? Check orgId."],
])("advice follows the detail %j as a sentence of its own", (detail, sentences) => {
  const { message } = new AtlasApiError({ ...failure, detail, advice: "Check orgId." });

  expect(message).toBe(`GET /orgs/1/invites answered 404 ORG_NOT_FOUND: ${sentences}`);
});

test("an API error of another copy of the package is recognised by its name", () => {
  class AtlasApiErrorOfAnotherCopy extends Error {
    override readonly name = "AtlasApiError";
  }

  expect(isAtlasApiError(new AtlasApiError(failure))).toBe(true);
  expect(isAtlasApiError(new AtlasApiErrorOfAnotherCopy())).toBe(true);
});

test.each([
  new AtlasError("wrong"),
  new AtlasNetworkError("GET", "/", "wrong"),
  { name: "AtlasApiError", status: 404 },
  "AtlasApiError",
  null,
  undefined,
])("%o is no API error", (thrown) => {
  expect(isAtlasApiError(thrown)).toBe(false);
});

test("an API error keeps only what it was told to keep", () => {
  const told = { ...failure, headers: { authorization: "Digest secret" }, body: "secret" };
  const error = new AtlasApiError(told);

  expect(inspect(error, { depth: null, showHidden: true })).not.toContain("secret");
});

test("a request may have reached Atlas unless it is known that it did not", () => {
  expect(new AtlasNetworkError("POST", "/", "cut").sent).toBe(true);
  expect(new AtlasNetworkError("POST", "/", "refused", false).sent).toBe(false);
});

test.each([
  ["No such thing", "No such thing."],
  ["No such thing.", "No such thing."],
  ["No such thing!", "No such thing!"],
  ["Which thing?", "Which thing?"],
])("another sentence can follow the message %j", (message, expected) => {
  expect(asSentence(new Error(message))).toBe(expected);
});
