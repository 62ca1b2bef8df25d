import { inspect } from "node:util";
import * as v from "valibot";
import { afterEach, expect, test, vi } from "vitest";
import type { AtlasRequest } from "../../../../provider/atlas/client/atlas-client.ts";
import { Transport } from "../../../../provider/atlas/client/transport.ts";
import { ServiceAccountAuth } from "../../../../provider/atlas/credentials/service-account-auth.ts";
import type { SimulatedAtlasOptions } from "../../../support/simulated-atlas/simulated-atlas.ts";
import { bounds, clientFixture, rejection, source } from "../client/client-fixture.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const onToken = { path: /^\/api\/oauth\/token$/, authenticated: "either" as const };
const onRevoke = { path: /^\/api\/oauth\/revoke$/, authenticated: "either" as const };
const always = Number.POSITIVE_INFINITY;
const noToken = { name: "AtlasError", kind: "noToken" };

/** A simulated Atlas with a service account, and requests with it. */
async function tokenFixture(options?: SimulatedAtlasOptions) {
  const fixture = await clientFixture(options);
  const { atlas, organization, clock, connected } = fixture;
  const account = atlas.addServiceAccount({ organization });
  const authWith = (changes: Partial<typeof account> = {}) =>
    new ServiceAccountAuth({ ...account, ...changes }, (auth) => connected({ auth }), clock);
  const auth = authWith();
  const client = connected({ auth });
  const request: AtlasRequest = {
    method: "GET",
    path: `/api/atlas/v2/orgs/${organization.id}/invites`,
    mediaType: "application/vnd.atlas.2023-01-01+json",
    subject: "the list",
    bounds,
  };
  const list = (by = client) => by.fetch(request, v.array(v.unknown()));
  return {
    ...fixture,
    account,
    auth,
    list,
    /** A request of another client with the same account, but for the changes. */
    listWith: (changes: Partial<typeof account>) => list(connected({ auth: authWith(changes) })),
    lists: (count: number) => Promise.all(Array.from({ length: count }, () => list())),
    /** Closes the credentials while the next request is under way. */
    closeDuringRequest: () =>
      new Promise<void>((resolve) => fixture.onNext("arrived", () => resolve(auth.close()))),
    /** The requests since the last call: "token", "revoke" or the method, and the status or the fault. */
    log: () => {
      const log = atlas.log().map((line) => line.replace(/POST \/api\/oauth\/|(?<=[A-Z]) \/\S+/, ""));
      atlas.forget();
      return log;
    },
  };
}

test("the first request asks for a token, with a form and Basic credentials, and the next ones use it", async () => {
  await using fixture = await tokenFixture();
  const username = fixture.account.clientId;

  await fixture.list();
  await fixture.list();

  const contentType = "application/x-www-form-urlencoded";
  expect(fixture.atlas.requests).toMatchObject([
    { username, contentType, accept: "application/json", body: "grant_type=client_credentials" },
    { username },
    { username },
  ]);
  expect(fixture.log()).toEqual(["token 200", "GET 200", "GET 200"]);
});

test("concurrent requests share one token, and renew it once when Atlas rejects it", async () => {
  await using fixture = await tokenFixture();

  await fixture.lists(100);
  expect(fixture.log()).toEqual(["token 200", ...Array(100).fill("GET 200")]);
  fixture.atlas.expireTokens();
  await fixture.lists(100);

  expect(fixture.atlas.tokens).toHaveLength(2);
});

test.each([
  ["ten minutes before it expires", 3600, 50 * 60_000],
  ["in the last sixth of a short life", 60, 50_000],
])("a token is renewed %s, whatever the wall clock says", async (_, tokenLifetimeS, renewedAfterMs) => {
  await using fixture = await tokenFixture({ tokenLifetimeS });
  await fixture.list();

  fixture.clock.setBack(24 * 3_600_000);
  fixture.clock.pass(renewedAfterMs - 1);
  await fixture.lists(10);
  expect(fixture.atlas.tokens).toHaveLength(1);
  fixture.clock.pass(1);
  await fixture.lists(10);

  expect(fixture.atlas.tokens).toHaveLength(2);
  expect(fixture.log()).not.toContain("GET 401");
});

test("a request that learns late that its token was rejected uses the token that others have renewed", async () => {
  await using fixture = await tokenFixture();
  await fixture.list();
  fixture.atlas.expireTokens();
  fixture.onNext("handled", () => fixture.lists(2));

  await fixture.list();

  expect(fixture.atlas.tokens).toHaveLength(2);
});

test("a 401 that a new token does not cure costs one token, and an expired one is renewed as before", async () => {
  await using fixture = await tokenFixture();
  fixture.atlas.fail({ status: 401, times: 6 });

  for (const _ of Array(5)) {
    const error = await rejection(fixture.list());
    expect(error).toMatchObject({ kind: "api", status: 401, message: expect.stringContaining(source) });
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(fixture.account.clientSecret);
  }
  expect(fixture.log()).toEqual(["token 200", "GET 401", "token 200", ...Array(5).fill("GET 401")]);

  fixture.clock.pass(50 * 60_000);
  await fixture.list();
  fixture.atlas.expireTokens();
  await fixture.list();
  expect(fixture.log()).toEqual(["token 200", "GET 200", "GET 401", "token 200", "GET 200"]);
});

test("a wrong secret is an error that names the source, and no secret", async () => {
  await using fixture = await tokenFixture();
  const clientSecret = "mdb_sa_sk_that-is-wrong";

  const error = await rejection(fixture.listWith({ clientSecret }));

  expect(error).toMatchObject({ ...noToken, cause: { status: 401, errorCode: "invalid_client" } });
  expect(error.message).toContain(source);
  const basic = Buffer.from(`${fixture.account.clientId}:${clientSecret}`).toString("base64");
  const everything = inspect(error, { depth: null, showHidden: true });
  for (const secret of [clientSecret, basic]) expect(everything).not.toContain(secret);
  expect(fixture.log()).toEqual(["token 401"]);
});

// Their status would be taken for an answer about the person, or about the version of the API.
test.each([
  ["404", { status: 404 }, ["token 404"]],
  ["410", { status: 410 }, ["token 410"]],
  ["503 six times", { status: 503 }, Array(6).fill("token 503")],
  ["connections that are cut", { cut: "before" }, Array(6).fill("token cut")],
  ["a longer wait than allowed", { status: 429, headers: { "Retry-After": "7200" } }, ["token 429"]],
] as const)(
  "no token after %s is an error of its own, and nothing is retried again",
  async (_, fault, log) => {
    await using fixture = await tokenFixture();
    fixture.atlas.fail({ ...onToken, ...fault, times: always });

    const error = await rejection(fixture.list());

    expect(error).toMatchObject(noToken);
    expect(error.message).toContain("/api/oauth/token");
    expect(error.message.match(/Tried/g) ?? []).toHaveLength(log.length > 1 ? 1 : 0);
    expect(fixture.log()).toEqual(log);
  },
);

test("a programming error in the request for a token is raised as it is", async () => {
  await using fixture = await tokenFixture();
  const bug = new TypeError("undefined is not a function");
  vi.spyOn(Transport.prototype, "send").mockRejectedValueOnce(bug);

  expect(await rejection(fixture.list())).toBe(bug);
});

test("a token that Atlas does not issue fails all requests that wait for it, and the next request asks again", async () => {
  await using fixture = await tokenFixture();
  fixture.atlas.fail({ ...onToken, status: 403 });

  await rejection(fixture.lists(10));
  await fixture.list();

  expect(fixture.log()).toEqual(["token 403", "token 200", "GET 200"]);
});

test.each([
  "<html>canary</html>",
  { expires_in: 3600 },
  { access_token: "", expires_in: 3600 },
  { access_token: "canary" },
  { access_token: "canary", expires_in: "3600" },
  { access_token: "canary", expires_in: 0 },
])("the answer %j is no token, and is not quoted", async (body) => {
  await using fixture = await tokenFixture();
  fixture.atlas.fail({ ...onToken, status: 200, body });

  const error = await rejection(fixture.list());

  expect(error).toMatchObject({ ...noToken, cause: { kind: "api", status: 200 } });
  expect(inspect(error, { depth: null, showHidden: true })).not.toContain("canary");
});

test("a token lives from its arrival on", async () => {
  await using fixture = await tokenFixture({ tokenLifetimeS: 60 });
  fixture.atlas.fail({ ...onToken, status: 429, headers: { "Retry-After": "60" } });

  await fixture.lists(2);
  await fixture.list();

  expect(fixture.log()).toEqual(["token 429", "token 200", ...Array(3).fill("GET 200")]);
});

test("close revokes the token once, and the next request asks for another one", async () => {
  await using fixture = await tokenFixture();
  await fixture.auth.close();
  await fixture.list();

  await Promise.all([fixture.auth.close(), fixture.auth.close()]);

  expect(fixture.atlas.requests.at(-1)).toMatchObject({
    username: fixture.account.clientId,
    body: `token=${fixture.atlas.tokens[0]?.token}&token_type_hint=access_token`,
  });
  expect(fixture.atlas.tokens).toMatchObject([{ revoked: true }]);
  await fixture.list();
  expect(fixture.log()).toEqual(["token 200", "GET 200", "revoke 200", "token 200", "GET 200"]);
});

test("close revokes a token that is still requested, and nothing where none is issued", async () => {
  await using fixture = await tokenFixture();

  await Promise.all([fixture.list(), fixture.closeDuringRequest()]);
  expect(fixture.atlas.tokens).toMatchObject([{ revoked: true }]);
  fixture.log();
  fixture.atlas.fail({ ...onToken, status: 403 });
  const closed = fixture.closeDuringRequest();
  await Promise.all([rejection(fixture.list()), closed]);

  expect(fixture.log()).toEqual(["token 403"]);
});

test.each([{ status: 503 }, { cut: "before" }] as const)(
  "close ignores a failure, and does not retry: %j",
  async (fault) => {
    await using fixture = await tokenFixture();
    await fixture.list();
    fixture.atlas.fail({ ...onRevoke, ...fault, times: always });
    fixture.log();

    expect(await fixture.auth.close()).toBeUndefined();

    expect(fixture.notices).toEqual([]);
    expect(fixture.log()).toHaveLength(1);
  },
);
