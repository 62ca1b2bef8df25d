import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { SimulatedAtlasOptions } from "./simulated-atlas.ts";
import { type DigestParameters, digestHeader, startAtlas } from "./test-client.ts";

describe("digest", () => {
  async function start(options?: SimulatedAtlasOptions) {
    const fixture = await startAtlas(options);
    const path = `/api/atlas/v1.0${fixture.invites}`;
    const { headers: challenge } = await fixture.client.send("GET", path);
    /** Answers a challenge. */
    const answer = (
      challenge: Headers,
      given: Partial<DigestParameters> = {},
      target = path,
      key = fixture.key,
    ) => {
      const Authorization = digestHeader(challenge, key, { method: "GET", uri: path, ...given });
      return fixture.client.send("GET", target, { headers: { Authorization } });
    };
    return { ...fixture, path, answer, challenge };
  }

  test("accepts curl, and logs both requests", async () => {
    await using fixture = await start();
    const { publicKey, privateKey } = fixture.key;
    const { invitationId } = fixture.organization.invite("ada@example.com");
    const path = `${fixture.path}/${invitationId}`;
    fixture.atlas.forget();

    const command = ["--silent", "--digest", "--user", `${publicKey}:${privateKey}`, "--request", "DELETE"];
    await promisify(execFile)("curl", [...command, fixture.atlas.url + path]);

    expect(fixture.organization.users).toEqual([]);
    const common = { method: "DELETE", path, accept: "*/*" };
    const refused = { authenticated: false, challenge: true, status: 401, errorCode: "UNEXPECTED_ERROR" };
    expect(fixture.atlas.requests).toEqual([
      { ...common, ...refused },
      { ...common, authenticated: true, challenge: false, username: publicKey, status: 204 },
    ]);
    expect(fixture.atlas.log()).toEqual([`DELETE ${path} 401 challenge`, `DELETE ${path} 204`]);
  });

  test("sends the recorded challenge, whichever credentials are wrong", async () => {
    await using fixture = await start();
    const { client, answer, path, challenge } = fixture;
    const unissued = new Headers({ "WWW-Authenticate": `Digest nonce="${"A".repeat(32)}"` });

    for (const response of [
      await client.send("GET", path),
      await client.send("GET", path, { headers: { Authorization: "Basic YTpi" } }),
      await answer(challenge, {}, path, { ...fixture.key, publicKey: "abcdefgh" }),
      await answer(unissued),
    ]) {
      expect(response.headers.get("www-authenticate")).toMatch(
        /^Digest realm="MMS Public API", domain="", nonce="[A-Za-z0-9+/]{32}", algorithm=MD5, qop="auth", stale=false$/,
      );
      expect(response.text).toBe(
        '{"error":401,"reason":"Unauthorized","detail":"You are not authorized for this resource.","errorCode":"UNEXPECTED_ERROR"}',
      );
    }
  });

  test.each<[string, Partial<DigestParameters>, target?: string]>([
    ["a count of zero", { nc: "00000000" }],
    ["a count that is not eight digits long", { nc: "1" }],
    ["a count that is not hexadecimal", { nc: "0000000g" }],
    ["the path of another request", { uri: "/api/atlas/v1.0/orgs/other/invites" }],
    ["a path without the query", {}, "?pretty=true"],
    ["the method of another request", { method: "DELETE" }],
    ["another realm", { realm: "Other" }],
    ["another quality of protection", { qop: "auth-int" }],
    ["an empty client nonce", { cnonce: "" }],
    ["a wrong response", { response: "0".repeat(32) }],
  ])("refuses %s, and does not use up the nonce", async (_, given, query = "") => {
    await using fixture = await start({ nonces: "once" });

    const { status, headers } = await fixture.answer(fixture.challenge, given, fixture.path + query);
    expect([status, headers.get("www-authenticate")?.includes("nonce=")]).toEqual([401, true]);
    expect((await fixture.answer(fixture.challenge)).status).toBe(200);
  });

  test.each<["reusable" | "once", string[], (number | string)[]]>([
    ["reusable", ["0000000B", "00000001", "0000000b", "00000002"], [200, 200, "stale=false", 200]],
    ["once", ["00000001", "00000002"], [200, "stale=false"]],
    // The clock advances by a minute after the first use, and by a millisecond after the second one.
    ["reusable", ["00000001", "00000002", "00000003"], [200, 200, "stale=true"]],
  ])("accepts each count of a nonce at most once, for 60 s (%s, %j)", async (nonces, counts, expected) => {
    const times = expected.includes("stale=true") ? [0, 60_000, 60_001] : [0];
    let now = 0;
    await using fixture = await start({ nonces, now: () => now });

    const seen = [];
    for (const nc of counts) {
      now = times[seen.length] ?? now;
      const { status, headers } = await fixture.answer(fixture.challenge, { nc });
      seen.push(status === 200 ? status : headers.get("www-authenticate")?.match(/stale=\w+/)?.[0]);
    }

    expect(seen).toEqual(expected);
  });
});

describe("OAuth", () => {
  const tokenPath = "/api/oauth/token";
  const revokePath = "/api/oauth/revoke";
  const grant = "grant_type=client_credentials";

  async function start() {
    const fixture = await startAtlas();
    const account = fixture.atlas.addServiceAccount({ organization: fixture.organization });
    const basic = Buffer.from(`${account.clientId}:${account.clientSecret}`).toString("base64");
    const own = { Authorization: `Basic ${basic}`, "Content-Type": "application/x-www-form-urlencoded" };
    const post = (path = tokenPath, body = grant, headers: Record<string, string> = {}) =>
      fixture.client.send("POST", path, { body, headers: { ...own, ...headers } });
    const use = (token: string) => fixture.client.v2("GET", fixture.invites, undefined, token);
    return { ...fixture, post, use };
  }

  test("accepts a token until it is revoked, for its organization, and not for the unversioned API", async () => {
    await using fixture = await start();
    const { atlas, client, invites, token, post, use } = fixture;
    const foreign = atlas.addAccessToken({ organization: atlas.addOrganization() });

    const { body } = await post();
    expect(body).toEqual({ access_token: expect.any(String), expires_in: 3600, token_type: "Bearer" });
    expect((await use(body.access_token)).status).toBe(200);
    expect((await use(foreign)).body.errorCode).toBe("USER_CANNOT_ACCESS_ORG");
    const headers = { Authorization: `Bearer ${body.access_token}` };
    expect((await client.send("GET", `/api/atlas/v1.0${invites}`, { headers })).status).toBe(401);
    expect(atlas.requests.at(-1)?.challenge).toBe(true);
    // A service account cannot revoke the tokens of another one, and gets no error.
    for (const revoked of [token, body.access_token]) {
      expect(await post(revokePath, `token=${revoked}`)).toMatchObject({ status: 200, text: "" });
    }
    expect((await use(token)).status).toBe(200);
    const refused = await use(body.access_token);
    expect(refused).toMatchObject({ status: 401, text: "" });
    expect(refused.headers.get("www-authenticate")).toBe("Bearer");
    expect(atlas.requests.at(-1)).toMatchObject({ authenticated: false, challenge: false });
  });

  test.each<[string, string, string, Record<string, string>?]>([
    ["401 invalid_client", tokenPath, grant, { Authorization: "Basic YTpi" }],
    ["401 invalid_client", revokePath, "token=x", { Authorization: "Bearer x" }],
    ["400 invalid_request", tokenPath, grant, { "Content-Type": "application/json" }],
    ["400 invalid_request", tokenPath, "other=1"],
    ["400 invalid_request", revokePath, "other=1"],
    ["400 unsupported_grant_type", tokenPath, "grant_type=password"],
    ["404 404", "/api/oauth/other", grant],
  ])("answers %s to %s %s %o", async (expected, path, body, headers = {}) => {
    await using fixture = await start();

    const response = await fixture.post(path, body, headers);

    expect(`${response.status} ${response.body.error}`).toBe(expected);
    expect(fixture.atlas.tokens).toHaveLength(1);
    expect((await fixture.client.send("GET", path)).status).toBe(405);
  });
});

test("the private key of a TLS server is no file, and its certificate is removed on stop", async () => {
  await using fixture = await startAtlas({ tls: true });
  const folder = dirname(fixture.atlas.caPath);

  expect(await readdir(folder)).toEqual(["ca.pem"]);
  await fixture.atlas.stop();
  await expect(readdir(folder)).rejects.toThrow("ENOENT");
});
