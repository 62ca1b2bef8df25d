import { inspect } from "node:util";
import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, test, vi } from "vitest";
import { AtlasApiError } from "../../../provider/atlas/errors.ts";
import type { Notice } from "../../../provider/atlas/notice.ts";
import { Transport } from "../../../provider/atlas/transport.ts";
import { Created, Invitations, rejection, requestFixture, source, username } from "./client-fixture.ts";

test("fetch sends the path, with its query, and returns the parsed document", async () => {
  await using fixture = await requestFixture();
  fixture.organization.invite("bob@example.com");
  const path = `${fixture.path}?username=bob%40example.com&pretty=true`;

  const found = await fixture.client.fetch({ ...fixture.list, path }, Invitations);

  expect(found).toEqual([{ id: expect.any(String), username: "bob@example.com" }]);
  expect(fixture.verified()).toEqual([
    {
      method: "GET",
      path,
      authenticated: true,
      challenge: false,
      username: fixture.key.publicKey,
      accept: "application/json",
      status: 200,
    },
  ]);
});

test("a body is sent as JSON of the media type that names the version of the API", async () => {
  await using fixture = await requestFixture();
  const mediaType = "application/vnd.atlas.2023-01-01+json";
  const path = fixture.path.replace("v1.0", "v2");

  await fixture.client.fetch({ ...fixture.create, path, mediaType }, Created);

  expect(fixture.verified()).toMatchObject([
    { method: "POST", accept: mediaType, contentType: mediaType, body: fixture.create.body, status: 200 },
  ]);
  expect(fixture.atlas.mails).toHaveLength(1);
});

test("sendWithoutBody accepts a 204", async () => {
  await using fixture = await requestFixture();

  expect(await fixture.client.sendWithoutBody(fixture.remove)).toBe(true);

  expect(fixture.organization.users).toEqual([]);
  expect(fixture.verified()).toMatchObject([{ method: "DELETE", status: 204 }]);
});

// The v1.0 page says that a DELETE returns an empty JSON document.
test.each(["{}", " {\n}\n", "", "\n"])("sendWithoutBody accepts a 200 with the body %j", async (body) => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ status: 200, body });

  expect(await fixture.client.sendWithoutBody(fixture.remove)).toBe(true);
});

const aMember = '{"id":"1","username":"a"}';

test.each([
  ["fetch", "", "an empty body"],
  ["fetch", " \r\n ", "an empty body"],
  ["fetch", "\n <!doctype html>", "HTML"],
  ["fetch", "OK", "invalid or truncated JSON"],
  ["fetch", '[{"id":', "invalid or truncated JSON"],
  ["fetch", "null", "unexpected JSON"],
  ["fetch", '[{"id":"1"}]', "its property 0.username is missing or of another type"],
  ["fetch", `[${aMember},{"id":2,"username":"b"}]`, "its property 1.id is missing or of another type"],
  ["sendWithoutBody", "<html>Sign in</html>", "HTML"],
  ["sendWithoutBody", '{"id":', "invalid or truncated JSON"],
  ["sendWithoutBody", '{"login":"required"}', "unexpected JSON"],
  ["sendWithoutBody", '"removed"', "unexpected JSON"],
])("%s rejects a 200 with a body that does not match the API: %j", async (method, body, reason) => {
  await using fixture = await requestFixture();
  const { client, list, path } = fixture;
  fixture.atlas.fail({ status: 200, body });

  const error = await rejection(
    method === "fetch" ? client.fetch(list, Invitations) : client.sendWithoutBody(list),
  );

  expect(error).toBeInstanceOf(AtlasApiError);
  expect(error).toMatchObject({ status: 200, errorCode: undefined, method: "GET", path });
  expect(error.message).toContain(reason);
});

// Recorded errors lack the code, carry null, or are empty or HTML.
test.each<[unknown, errorCode: string | undefined, detail: string]>([
  [{ errorCode: "INVALID_USER", detail: "No.", reason: "Bad Request" }, "INVALID_USER", "No."],
  [{ errorCode: null, detail: "No.", parameters: null }, undefined, "No."],
  [{ error: 400, errorCode: 17, detail: "No." }, undefined, "No."],
  [{ errorCode: "INVALID_USER", detail: null, reason: "Bad Request" }, "INVALID_USER", "Bad Request"],
  [{ errorCode: "INVALID_USER", detail: "", reason: "Bad Request" }, "INVALID_USER", "Bad Request"],
  [{ error: "invalid_client", error_description: "No." }, "invalid_client", "No."],
  [{}, undefined, "no reason given"],
  ['{"__proto__":{"errorCode":"ORG_NOT_FOUND"},"constructor":1}', undefined, "no reason given"],
  ["<html>connection closed</html>", undefined, "HTML"],
  ["no healthy upstream", undefined, "invalid or truncated JSON"],
  ['"broken"', undefined, "unexpected JSON"],
  ["", undefined, "an empty body"],
])("an error with the body %j has its code and its detail", async (body, errorCode, detail) => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ status: 400, body });

  const error = await rejection(fixture.client.sendWithoutBody(fixture.remove));

  expect(error).toBeInstanceOf(AtlasApiError);
  expect(error).toMatchObject({ errorCode, status: 400, method: "DELETE", path: fixture.remove.path });
  expect((error as AtlasApiError).detail).toContain(detail);
  expect(error.message).toContain(detail);
});

test.each([301, 302, 307, 308])("a redirect, %i, is an error and is not followed", async (status) => {
  await using fixture = await requestFixture();
  await using other = await requestFixture();
  fixture.atlas.fail({ status, headers: { Location: `${other.atlas.url}/token=secret` } });

  expect(await rejection(fixture.client.fetch(fixture.list, Invitations))).toMatchObject({ status });
  expect(other.atlas.requests).toEqual([]);
});

describe("an error names what to check:", () => {
  const role = "the role Organization Owner";
  const accessList = "to the access list of the API key or service account";
  type Fixture = Awaited<ReturnType<typeof requestFixture>>;
  const withKey = ({ connectedBy, atlas }: Fixture, key: Parameters<Fixture["atlas"]["addApiKey"]>[0]) =>
    connectedBy(atlas.addApiKey(key));
  const anotherOrganization = ({ atlas }: Fixture) => ({ organization: atlas.addOrganization() });
  const withAccessList = ({ client, organization }: Fixture, accessList: string[]) => {
    organization.accessList = accessList;
    return client;
  };

  test.each<[errorCode: string, hint: string, clientOf: (fixture: Fixture) => Fixture["client"]]>([
    ["UNEXPECTED_ERROR", source, ({ connectedBy, key }) => connectedBy({ ...key, privateKey: "wrong" })],
    ["NOT_ORG_OWNER", role, (fixture) => withKey(fixture, { ...fixture, roles: ["ORG_MEMBER"] })],
    ["USER_CANNOT_ACCESS_ORG", "check orgId", (fixture) => withKey(fixture, anotherOrganization(fixture))],
    ["ORG_REQUIRES_ACCESS_LIST", accessList, (fixture) => withAccessList(fixture, [])],
    ["IP_ADDRESS_NOT_ON_ACCESS_LIST", accessList, (fixture) => withAccessList(fixture, ["192.0.2.1"])],
  ])("for %s, as Atlas answers it: %s", async (errorCode, hint, clientOf) => {
    await using fixture = await requestFixture();

    const error = await rejection(clientOf(fixture).fetch(fixture.list, Invitations));

    expect(error).toMatchObject({ errorCode });
    expect(error.message).toContain(hint);
  });

  const busy = "try again later";
  const origin = "Check the base URL";

  // What the simulated Atlas has no reason to answer. The names with WHITELIST are those that Atlas's error page prints.
  test.each<[status: number, errorCodes: (string | undefined)[], hint: string]>([
    [401, [undefined], `the credentials read from ${source}`],
    [403, [undefined, "ACCESS_FORBIDDEN"], `the credentials read from ${source}`],
    [
      403,
      ["ORG_REQUIRES_WHITELIST", "RESOURCE_REQUIRES_WHITELIST", "IP_ADDRESS_NOT_ON_WHITELIST"],
      accessList,
    ],
    [401, ["USER_UNAUTHORIZED", "NOT_USER_ADMIN", "NOT_ORG_USER_ADMIN"], role],
    [404, ["ORG_NOT_FOUND", "INVALID_ORG_ID", "NOT_ATLAS_ORG"], "Check orgId"],
    [404, ["GROUP_NOT_FOUND", "INVALID_GROUP_ID"], "Check groupRoleAssignments"],
    [401, ["USER_CANNOT_ACCESS_GROUP", "NOT_IN_GROUP"], "Check groupRoleAssignments"],
    [404, ["TEAM_NOT_FOUND", "INVALID_TEAM_ID", "TEAM_NOT_IN_ORG"], "Check teamIds"],
    [403, ["CANNOT_DEMOTE_LAST_ORG_OWNER", "CANNOT_DELETE_LAST_ADMIN"], "make another member an owner"],
    [400, ["FEDERATED_USER_ATTRIBUTES_CANNOT_BE_UPDATED"], 'set onAccepted to "retain"'],
    [403, ["access_denied"], "until some of its tokens expire"],
    [400, ["DOMAIN_NOT_IN_ALLOW_LIST", "USER_ORGS_RESTRICTED"], "federation settings"],
    [400, ["MAX_USERS_PER_ORG_EXCEEDED"], "organization is full"],
    // A 405 is documented for an upgrade of Atlas.
    [405, [undefined], busy],
    [501, [undefined, "UNEXPECTED_ERROR"], busy],
    [302, [undefined], origin],
    [404, [undefined], origin],
    [200, [undefined], origin],
  ])("after %i %j: %s", async (status, errorCodes, hint) => {
    await using fixture = await requestFixture();

    for (const errorCode of errorCodes) {
      fixture.atlas.fail({ status, body: { errorCode } });
      const error = await rejection(fixture.client.fetch(fixture.list, Invitations));
      expect(error).toMatchObject({ status, errorCode });
      expect(error.message.toLowerCase(), errorCode).toContain(hint.toLowerCase());
    }
  });

  test.each([
    [400, "INVALID_EMAIL_ADDRESS"],
    [400, "constructor"],
    [400, undefined],
    [404, "INVALID_INVITATION_ID"],
    [409, "USER_ALREADY_EXISTS"],
  ])("nothing, where Atlas itself says what is wrong: %i %s", async (status, errorCode) => {
    await using fixture = await requestFixture();
    fixture.atlas.fail({ status, body: { errorCode, detail: "Atlas's own words." } });

    const { message } = await rejection(fixture.client.fetch(fixture.list, Invitations));

    expect(message).toMatch(/Atlas's own words\.$/);
  });
});

test("any answer with an error status is an AtlasError", async () => {
  await using fixture = await requestFixture();
  const member = fc.oneof(fc.jsonValue(), fc.string());
  const error = { errorCode: member, detail: member, reason: member, parameters: member, error: member };
  const body = fc.oneof(
    fc.string(),
    fc.json(),
    fc.record(error, { requiredKeys: [] }).map((error) => JSON.stringify(error)),
  );
  const status = fc.constantFrom(300, 302, 400, 401, 402, 403, 404, 405, 409, 410, 429, 500, 502, 503, 504);
  const header = fc.option(fc.oneof(fc.string(), fc.nat().map(String)), { nil: undefined });

  await fc.assert(
    fc.asyncProperty(status, body, header, header, async (status, text, retryAfter, left) => {
      const headers = { "retry-after": retryAfter, "ratelimit-limit": "500", "ratelimit-remaining": left };
      const client = fixture.connected();
      vi.spyOn(Transport.prototype, "send").mockResolvedValue({ status, headers, text });
      const deadline = fixture.clock.monotonic() + 60_000;
      const sent = client.fetch({ ...fixture.list, invites: true, bounds: { deadline } }, v.any());
      expect((await rejection(sent)).name).toMatch(/^Atlas(Api)?Error$/);
    }),
    { numRuns: 1_000 },
  );
  vi.restoreAllMocks();
});

test("with debug, each attempt has a notice, without headers and bodies", async () => {
  await using fixture = await requestFixture();
  fixture.atlas.fail({ status: 502 });
  fixture.atlas.fail({ cut: "before" });
  const notices: Notice[] = [];
  const client = fixture.connected({ debug: true, notify: (notice) => notices.push(notice) });
  // Each request takes 20 ms, the challenge, too.
  fixture.atlas.onRequest((_, stage) => {
    if (stage === "arrived") fixture.clock.pass(20);
  });

  await client.fetch(fixture.list, Invitations);
  await rejection(client.sendWithoutBody({ ...fixture.remove, path: `${fixture.path}/1` }));

  expect(notices).toEqual(
    [
      `GET ${fixture.path} 502 40 ms, attempt 1`,
      `GET ${fixture.path} no answer 20 ms, attempt 2`,
      `GET ${fixture.path} 200 20 ms, attempt 3`,
      `DELETE ${fixture.path}/1 400 20 ms, attempt 1`,
    ].map((text) => ({ severity: "debug", text })),
  );
});

test("no error holds a header, a body or a credential", async () => {
  await using fixture = await requestFixture();
  const secrets: [what: string, text: string][] = [
    ["the private key", fixture.key.privateKey],
    ["the body of the request", username],
    ["the body of the answer", "canary-of-the-answer"],
    ["a header of the answer", "canary-of-a-header"],
    ["a header of the request", "cnonce"],
    ["a header of the request", "Digest username"],
  ];
  const headers = {
    "X-Canary": "canary-of-a-header",
    "WWW-Authenticate": 'Digest nonce="canary-of-a-header"',
  };
  const answer = (status: number, body: unknown) => () =>
    fixture.atlas.fail({ status, body, headers, times: 2 });
  const failures = [
    answer(200, { id: 1, canary: "canary-of-the-answer" }),
    answer(200, '"canary-of-the-answer"'),
    answer(200, "canary-of-the-answer"),
    answer(200, '["canary-of-the-answer"'),
    answer(302, "canary-of-the-answer"),
    answer(401, { errorCode: null, body: "canary-of-the-answer" }),
    answer(403, { detail: "No.", body: "canary-of-the-answer" }),
    answer(500, "<html>canary-of-the-answer</html>"),
    () => fixture.atlas.fail({ cut: "before", times: 6 }),
    () => fixture.atlas.fail({ damage: "half body", times: 6 }),
    () => fixture.atlas.fail({ hang: "before", times: 6 }),
  ];

  for (const fail of failures) {
    const fault = fail();
    const client = fixture.connected({ transport: { requestTimeoutMs: 300 } });
    const error = await rejection(client.fetch(fixture.create, Created));
    fault.lift();

    const everything = [
      inspect(error, { depth: null, showHidden: true, getters: true }),
      JSON.stringify(error),
      JSON.stringify(Object.getOwnPropertyDescriptors(error)),
      error.stack,
      String(error),
    ].join("\n");
    expect(["AtlasApiError", "AtlasNetworkError"]).toContain(error.name);
    expect(error.cause).toBeUndefined();
    for (const [what, secret] of secrets) expect(everything, what).not.toContain(secret);
  }
});
