import { inspect } from "node:util";
import fc from "fast-check";
import * as v from "valibot";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Transport } from "../../../../provider/atlas/client/transport.ts";
import { AtlasApiError } from "../../../../provider/atlas/errors.ts";
import type { Notice } from "../../../../provider/atlas/notice.ts";
import type { Fault } from "../../../support/simulated-atlas/faults.ts";
import { rejection, requestFixture, source, username } from "./client-fixture.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test("a request is sent with its path, its query and its media type, and the parsed answer is returned", async () => {
  await using fixture = await requestFixture();
  const request = { ...fixture.list, path: `${fixture.path}?username=ada%40example.com&pretty=true` };
  const mediaType = "application/vnd.atlas.2023-01-01+json";

  const found = await fixture.send(request);
  await fixture.send({ ...fixture.create, path: fixture.path.replace("v1.0", "v2"), mediaType });

  expect(found).toEqual([{ id: expect.any(String), username: "ada@example.com" }]);
  const [list, create] = fixture.verified();
  expect(list).toMatchObject({ method: "GET", path: request.path, accept: "application/json" });
  expect(list?.contentType).toBeUndefined();
  expect(create).toMatchObject({ accept: mediaType, contentType: mediaType, body: fixture.create.body });
});

// The v1.0 page says that a DELETE returns an empty JSON document.
test.each(["{}", " {\n}\n", "", "\n"])("a DELETE accepts a 200 with the body %j", async (body) => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ status: 200, body });

  expect(await fixture.send(fixture.remove)).toBe(true);
});

test.each([
  ["GET", " \n ", "an empty body"],
  ["GET", "\n <!doctype html>", "HTML"],
  ["GET", "OK", "invalid or truncated JSON"],
  ["GET", "null", "unexpected JSON"],
  ["GET", '[{"id":"1"}]', "0.username is missing or of another type"],
  ["GET", '[{"id":"1","username":"a"},{"id":2,"username":"b"}]', "1.id is missing or of another type"],
  ["DELETE", "<html>Sign in</html>", "HTML"],
  ["DELETE", '{"id":', "invalid or truncated JSON"],
  ["DELETE", '{"login":"required"}', "unexpected JSON"],
  ["DELETE", '"removed"', "unexpected JSON"],
])("a %s rejects a 200 with a body that does not match the API: %j", async (method, body, reason) => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ status: 200, body });

  const error = await rejection(fixture.send(method === "GET" ? fixture.list : fixture.remove));

  expect(error).toMatchObject({ name: "AtlasApiError", status: 200, method });
  expect(error.message).toContain(reason);
});

// Recorded errors lack the code, carry null, or are empty or HTML.
test.each<[unknown, errorCode: string | undefined, detail: string]>([
  [{ errorCode: "INVALID_USER", detail: "No.", reason: "Bad Request" }, "INVALID_USER", "No."],
  [{ errorCode: null, detail: "No.", parameters: null }, undefined, "No."],
  [{ error: 400, errorCode: 17, detail: "No." }, undefined, "No."],
  [{ detail: null, reason: "Bad Request" }, undefined, "Bad Request"],
  [{ detail: "", reason: "Bad Request" }, undefined, "Bad Request"],
  [{ error: "invalid_client", error_description: "No." }, "invalid_client", "No."],
  [{}, undefined, "no reason given"],
  ['{"__proto__":{"errorCode":"ORG_NOT_FOUND"},"constructor":1}', undefined, "no reason given"],
  ["<html>connection closed</html>", undefined, "HTML"],
  ["no healthy upstream", undefined, "invalid or truncated JSON"],
  ["", undefined, "an empty body"],
])("an error with the body %j has its code and its detail", async (body, errorCode, detail) => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ status: 400, body });

  const error = await rejection(fixture.send(fixture.remove));

  expect(error).toBeInstanceOf(AtlasApiError);
  expect(error).toMatchObject({ errorCode, status: 400, path: fixture.remove.path });
  expect((error as AtlasApiError).detail).toContain(detail);
});

test.each([301, 302, 307, 308])("a redirect, %i, is an error and is not followed", async (status) => {
  await using fixture = await requestFixture();
  await using other = await requestFixture();
  fixture.atlas.fail({ status, headers: { Location: `${other.atlas.url}/token=secret` } });

  expect(await rejection(fixture.send())).toMatchObject({ status });
  expect(other.atlas.requests).toEqual([]);
});

describe("an error names what to check", () => {
  const role = "the role Organization Owner";
  const accessList = "to the access list of the API key or service account";
  const busy = "try again later";
  const origin = "Check the base URL";

  // The names with WHITELIST are those that Atlas's error page prints. A 405 is documented for an upgrade of Atlas.
  test.each<[status: number, errorCodes: string, hint: string]>([
    [401, " UNEXPECTED_ERROR", `credentials read from ${source}`],
    [403, " ACCESS_FORBIDDEN", `credentials read from ${source}`],
    [403, "ORG_REQUIRES_ACCESS_LIST IP_ADDRESS_NOT_ON_ACCESS_LIST", accessList],
    [403, "ORG_REQUIRES_WHITELIST RESOURCE_REQUIRES_WHITELIST IP_ADDRESS_NOT_ON_WHITELIST", accessList],
    [401, "NOT_ORG_OWNER USER_UNAUTHORIZED NOT_USER_ADMIN NOT_ORG_USER_ADMIN", role],
    [401, "USER_CANNOT_ACCESS_ORG", "check orgId"],
    [404, "ORG_NOT_FOUND INVALID_ORG_ID NOT_ATLAS_ORG", "Check orgId"],
    [404, "GROUP_NOT_FOUND INVALID_GROUP_ID", "Check groupRoleAssignments"],
    [401, "USER_CANNOT_ACCESS_GROUP NOT_IN_GROUP", "Check groupRoleAssignments"],
    [404, "TEAM_NOT_FOUND INVALID_TEAM_ID TEAM_NOT_IN_ORG", "Check teamIds"],
    [403, "CANNOT_DEMOTE_LAST_ORG_OWNER CANNOT_DELETE_LAST_ADMIN", "make another member an owner"],
    [400, "FEDERATED_USER_ATTRIBUTES_CANNOT_BE_UPDATED", 'set onAccepted to "retain"'],
    [403, "access_denied", "until some of its tokens expire"],
    [400, "DOMAIN_NOT_IN_ALLOW_LIST USER_ORGS_RESTRICTED", "federation settings"],
    [400, "MAX_USERS_PER_ORG_EXCEEDED", "organization is full"],
    [405, "", busy],
    [501, " UNEXPECTED_ERROR", busy],
    [302, "", origin],
    [404, "", origin],
    [200, "", origin],
  ])("after %i %s: %s", async (status, errorCodes, hint) => {
    await using fixture = await requestFixture();

    for (const errorCode of errorCodes.split(" ")) {
      fixture.atlas.fail({ status, body: errorCode ? { errorCode } : {} });
      const error = await rejection(fixture.send());
      expect(error).toMatchObject({ status, errorCode: errorCode || undefined });
      expect(error.message, errorCode).toContain(hint);
    }
  });

  test.each([
    [400, "INVALID_EMAIL_ADDRESS"],
    [400, "constructor"],
    [400, undefined],
    [409, "USER_ALREADY_EXISTS"],
  ])("unless Atlas itself says what is wrong: %i %s", async (status, errorCode) => {
    await using fixture = await requestFixture();
    fixture.atlas.fail({ status, body: { errorCode, detail: "Atlas's own words." } });

    expect((await rejection(fixture.send())).message).toMatch(/Atlas's own words\.$/);
  });
});

test("any answer with an error status is an AtlasError", async () => {
  await using fixture = await requestFixture();
  const member = fc.oneof(fc.jsonValue(), fc.string());
  const error = { errorCode: member, detail: member, reason: member, parameters: member, error: member };
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.record(error, { requiredKeys: [] }).map((error) => JSON.stringify(error)),
  );
  const status = fc.constantFrom(300, 302, 400, 401, 402, 403, 404, 405, 409, 410, 429, 500, 502, 503, 504);
  const header = fc.option(fc.oneof(fc.string(), fc.nat().map(String)), { nil: undefined });

  await fc.assert(
    fc.asyncProperty(status, text, header, header, async (status, text, retryAfter, left) => {
      const headers = { "retry-after": retryAfter, "ratelimit-limit": "500", "ratelimit-remaining": left };
      vi.spyOn(Transport.prototype, "send").mockResolvedValue({ status, headers, text });
      const bounds = { deadline: fixture.clock.monotonic() + 60_000 };
      const sent = fixture.connected().fetch({ ...fixture.list, invites: true, bounds }, v.any());
      expect((await rejection(sent)).name).toMatch(/^Atlas(Api)?Error$/);
    }),
    { numRuns: 1_000 },
  );
});

test("with debug, each attempt has a notice, without headers and bodies", async () => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ status: 502 });
  fixture.atlas.fail({ cut: "before" });
  const notices: Notice[] = [];
  // Each request takes 20 ms, the challenge, too.
  fixture.atlas.onRequest((_, stage) => {
    if (stage === "arrived") fixture.clock.pass(20);
  });

  await fixture.send(
    fixture.list,
    fixture.connected({ debug: true, notify: (notice) => notices.push(notice) }),
  );

  expect(notices).toEqual(
    ["502 40 ms, attempt 1", "no answer 20 ms, attempt 2", "200 20 ms, attempt 3"].map((outcome) => ({
      severity: "debug",
      text: `GET ${fixture.path} ${outcome}`,
    })),
  );
});

test("no error holds a header, a body or a credential", async () => {
  await using fixture = await requestFixture();
  const canary = "canary-of-the-answer";
  const headers = { "X-Canary": canary, "WWW-Authenticate": `Digest nonce="${canary}"` };
  const answer = (status: number, body: unknown) => ({ status, body, headers });
  const faults: Fault[] = [
    answer(200, { id: 1, canary }),
    answer(200, canary),
    answer(302, canary),
    answer(401, { errorCode: null, canary }),
    answer(403, { detail: "No.", canary }),
    answer(500, `<html>${canary}</html>`),
    { cut: "before" },
    { damage: "half body" },
  ];

  for (const fault of faults) {
    const { lift } = fixture.atlas.fail({ ...fault, times: 6 });
    const error = await rejection(fixture.send(fixture.create));
    lift();

    const everything =
      inspect(error, { depth: null, showHidden: true, getters: true }) + JSON.stringify(error);
    expect(error.name).toMatch(/^Atlas(Api|Network)Error$/);
    expect(error.cause).toBeUndefined();
    for (const secret of [fixture.key.privateKey, username, canary, "cnonce", "Digest username"]) {
      expect(everything).not.toContain(secret);
    }
  }
});
