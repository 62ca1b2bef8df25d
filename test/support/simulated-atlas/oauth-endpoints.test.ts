import { describe, expect, test } from "vitest";
import { startScene } from "./caller.ts";
import type { SimulatedAtlasOptions } from "./simulated-atlas.ts";

const tokenPath = "/api/oauth/token";
const revokePath = "/api/oauth/revoke";
const grant = "grant_type=client_credentials";
const versioned = "application/vnd.atlas.2025-03-12+json";

/** A scene with a service account, and what a client of it does. */
async function startOAuth(options?: SimulatedAtlasOptions) {
  const scene = await startScene(options);
  const account = scene.atlas.addServiceAccount({ organization: scene.organization });
  const basic = ({ clientId, clientSecret } = account) =>
    `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}`;
  const form = (path: string, body: string, headers: Record<string, string> = {}) =>
    scene.caller.plain("POST", path, {
      body,
      headers: { Authorization: basic(), "Content-Type": "application/x-www-form-urlencoded", ...headers },
    });
  const take = async (): Promise<string> => {
    const { status, body } = await form(tokenPath, grant);
    expect(status).toBe(200);
    return body.access_token;
  };
  const use = (token: string, path = `/api/atlas/v2${scene.invites}`, method = "GET", body?: unknown) =>
    scene.caller.plain(method, path, {
      body,
      headers: { Accept: versioned, Authorization: `Bearer ${token}` },
    });
  return { ...scene, account, basic, form, take, use };
}

test("a service account looks like Atlas's, or as told", async () => {
  await using scene = await startOAuth();
  const { organization, account } = scene;

  expect(account.clientId).toMatch(/^mdb_sa_id_[0-9a-f]{24}$/);
  expect(account.clientSecret).toMatch(/^mdb_sa_sk_[\w-]{40}$/);
  expect(
    scene.atlas.addServiceAccount({ organization, roles: ["ORG_MEMBER"], id: "a", secret: "b" }),
  ).toEqual({ organization, roles: ["ORG_MEMBER"], clientId: "a", clientSecret: "b" });
});

test("a token is handed out, used for both versioned families, and revoked", async () => {
  await using scene = await startOAuth({ now: () => 5000 });
  const { account, atlas, invites, users } = scene;

  const issued = await scene.form(tokenPath, grant);
  const token: string = issued.body.access_token;
  expect(issued.body).toEqual({ access_token: token, expires_in: 3600, token_type: "Bearer" });
  const create = { username: "ada@example.com", roles: ["ORG_MEMBER"] };
  expect((await scene.use(token, `/api/atlas/v2${invites}`, "POST", create)).status).toBe(200);
  expect((await scene.use(token, `/api/atlas/v2${users}`)).body.totalCount).toBe(1);
  const revoked = await scene.form(revokePath, `token=${token}&token_type_hint=access_token`);
  expect(revoked).toMatchObject({ status: 200, text: "" });
  expect((await scene.use(token)).status).toBe(401);

  expect(scene.organization.find("ada@example.com")?.inviterUsername).toBe(account.clientId);
  expect(atlas.tokens).toEqual([
    { token, clientId: account.clientId, issuedAt: 5000, expiresAt: 3_605_000, revoked: true },
  ]);
  const authenticated = { authenticated: true, username: account.clientId };
  expect(atlas.requests).toMatchObject([
    { path: tokenPath, contentType: "application/x-www-form-urlencoded", body: grant, ...authenticated },
    { method: "POST", ...authenticated },
    { method: "GET", ...authenticated },
    { path: revokePath, ...authenticated },
    { method: "GET", authenticated: false },
  ]);
  expect(atlas.log()).toEqual([
    `POST ${tokenPath} 200`,
    `POST /api/atlas/v2${invites} 200`,
    `GET /api/atlas/v2${users} 200`,
    `POST ${revokePath} 200`,
    `GET /api/atlas/v2${invites} 401`,
  ]);
});

test("an invalid token is refused without a body and without a challenge for a digest", async () => {
  await using scene = await startOAuth();

  const { status, headers, text } = await scene.use("invented");

  expect([status, text, headers.get("www-authenticate")]).toEqual([401, "", "Bearer"]);
});

test("the unversioned API does not take tokens", async () => {
  await using scene = await startOAuth();

  const answer = await scene.use(await scene.take(), `/api/atlas/v1.0${scene.invites}`);

  expect(answer.status).toBe(401);
  expect(scene.atlas.requests.at(-1)).toMatchObject({ authenticated: false, challenge: true });
});

test("a token runs out by the simulator's clock", async () => {
  let now = 0;
  await using scene = await startOAuth({ now: () => now, tokenLifetimeS: 60 });
  const { access_token, expires_in } = (await scene.form(tokenPath, grant)).body;

  expect(expires_in).toBe(60);
  now = 59_999;
  expect((await scene.use(access_token)).status).toBe(200);
  now = 60_000;
  expect((await scene.use(access_token)).status).toBe(401);
});

test("every token runs out when told, and a new one is valid", async () => {
  let now = 0;
  await using scene = await startOAuth({ now: () => now });
  const tokens = [await scene.take(), scene.atlas.addAccessToken({ organization: scene.organization })];
  now = 1000;
  scene.atlas.expireTokens();

  for (const token of tokens) expect((await scene.use(token)).status).toBe(401);
  expect((await scene.use(await scene.take())).status).toBe(200);
  expect(scene.atlas.tokens.map(({ expiresAt }) => expiresAt)).toEqual([1000, 1000, 3_601_000]);
});

test("a token given by hand needs no request, and has the roles told", async () => {
  await using scene = await startOAuth();
  const { organization } = scene;
  const owner = scene.atlas.addAccessToken({ organization });
  const member = scene.atlas.addAccessToken({ organization, roles: ["ORG_MEMBER"] });

  expect((await scene.use(owner)).status).toBe(200);
  expect(await scene.use(member)).toMatchObject({ status: 401, body: { errorCode: "NOT_ORG_OWNER" } });
  expect(scene.atlas.log()).toHaveLength(2);
});

test("an access list is for using a token, not for creating or revoking it", async () => {
  await using scene = await startOAuth();
  scene.organization.accessList = ["10.0.0.1"];

  const token = await scene.take();
  const used = await scene.use(token);
  const revoked = await scene.form(revokePath, `token=${token}`);

  expect(used).toMatchObject({ status: 403, body: { errorCode: "IP_ADDRESS_NOT_ON_ACCESS_LIST" } });
  expect([revoked.status, scene.atlas.tokens[0]?.revoked]).toEqual([200, true]);
});

test("a token of another organization has no access", async () => {
  await using scene = await startOAuth();
  const token = scene.atlas.addAccessToken({ organization: scene.atlas.addOrganization() });

  expect(await scene.use(token)).toMatchObject({
    status: 401,
    body: { errorCode: "USER_CANNOT_ACCESS_ORG" },
  });
});

describe.each([tokenPath, revokePath])("%s", (path) => {
  const whole = path === tokenPath ? grant : "token=x";
  const clientError = { error: "invalid_client", error_description: "Invalid credentials provided." };

  test("refuses credentials that are wrong, of another scheme, or not there", async () => {
    await using scene = await startOAuth();
    const other = scene.atlas.addServiceAccount({ organization: scene.organization });
    const mixed = { ...scene.account, clientSecret: other.clientSecret };

    for (const Authorization of [scene.basic(mixed), `Bearer ${await scene.take()}`, ""]) {
      const { status, headers, body } = await scene.form(path, whole, { Authorization });
      expect([status, headers.get("content-type"), body]).toEqual([401, "application/json", clientError]);
    }
    expect(scene.atlas.requests.map(({ authenticated }) => authenticated)).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(scene.atlas.tokens).toHaveLength(1);
  });

  test("refuses what is no form, and a form without its field", async () => {
    await using scene = await startOAuth();
    const refused = { status: 400, body: { error: "invalid_request" } };

    expect(await scene.form(path, whole, { "Content-Type": "application/json" })).toMatchObject(refused);
    expect(await scene.form(path, "other=1")).toMatchObject(refused);
  });

  test("takes no method but POST", async () => {
    await using scene = await startOAuth();

    expect(await scene.caller.plain("GET", path)).toMatchObject({ status: 405, text: "" });
  });
});

test("no other grant is supported, and there is nothing else", async () => {
  await using scene = await startOAuth();

  expect(await scene.form(tokenPath, "grant_type=password")).toMatchObject({
    status: 400,
    body: { error: "unsupported_grant_type" },
  });
  expect((await scene.form("/api/oauth/other", grant)).status).toBe(404);
  expect(scene.atlas.tokens).toEqual([]);
});

test("a service account revokes its own tokens only, and is not told of others", async () => {
  await using scene = await startOAuth();
  const foreign = scene.atlas.addAccessToken({ organization: scene.organization });

  for (const token of [foreign, "invented"]) {
    expect(await scene.form(revokePath, `token=${token}`)).toMatchObject({ status: 200, text: "" });
  }
  expect(scene.atlas.tokens.map(({ revoked }) => revoked)).toEqual([false]);
});

test("a service account has 100 valid tokens and no more", async () => {
  await using scene = await startOAuth({ tokenRequestsPerMinute: 1000 });
  await Promise.all(Array.from({ length: 100 }, scene.take));

  expect((await scene.form(tokenPath, grant)).status).toBe(403);
});

test("a token that is revoked or ran out makes room for another", async () => {
  let now = 0;
  await using scene = await startOAuth({ now: () => now, maxActiveTokens: 2 });
  scene.atlas.addAccessToken({ organization: scene.organization });
  const first = await scene.take();
  now = 1000;
  await scene.take();

  expect(await scene.form(tokenPath, grant)).toMatchObject({
    status: 403,
    body: { error: "access_denied", error_description: "Access Token limit reached." },
  });
  await scene.form(revokePath, `token=${first}`);
  expect((await scene.form(tokenPath, grant)).status).toBe(200);
  expect((await scene.form(tokenPath, grant)).status).toBe(403);
  now = 3_601_000;
  expect((await scene.form(tokenPath, grant)).status).toBe(200);
});

test("tokens are limited to so many requests in any minute, for each service account", async () => {
  let now = 0;
  await using scene = await startOAuth({ now: () => now });
  const ask = async (account?: typeof scene.account) =>
    (await scene.form(tokenPath, grant, { Authorization: scene.basic(account) })).status;
  scene.atlas.settings.maxActiveTokens = 1000;
  for (let count = 0; count < 49; count++) expect(await ask()).toBe(200);
  now = 20_500;
  // A wrong secret counts, too.
  expect(await ask({ ...scene.account, clientSecret: "wrong" })).toBe(401);

  now = 30_500;
  const { status, headers, body } = await scene.form(tokenPath, grant);
  expect([status, headers.get("retry-after")]).toEqual([429, "30"]);
  expect(body).toEqual({
    detail: "Resource /api/oauth/token is limited to 50 requests every 1 minutes.",
    error: 429,
    errorCode: "RATE_LIMITED",
    parameters: ["/api/oauth/token", 50, 1],
    reason: "Too Many Requests",
  });
  expect(await ask(scene.atlas.addServiceAccount({ organization: scene.organization }))).toBe(200);
  now = 59_999;
  expect(await ask()).toBe(429);
  now = 60_000;
  scene.atlas.settings.tokenRequestsPerMinute = 2;
  expect([await ask(), await ask()]).toEqual([200, 429]);
  scene.atlas.settings.tokenRequestsPerMinute = 1;
  expect((await scene.form(tokenPath, grant)).headers.get("retry-after")).toBe("60");
});

test("a fault strikes no request for a token unless its path is told", async () => {
  await using scene = await startOAuth();
  scene.atlas.fail({ authenticated: "either", status: 500 });
  scene.atlas.fail({ path: /oauth/, status: 503 });

  expect((await scene.form(tokenPath, grant)).status).toBe(503);
  expect((await scene.use(await scene.take())).status).toBe(500);
});
