import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { authorization, Caller, type DigestParameters, nonceOf, startScene } from "./caller.ts";

/** Runs a client that is not ours. */
async function curl(...parameters: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("curl", ["--silent", "--show-error", ...parameters]);
  return stdout;
}

test("curl reads the list of invitations by digest", async () => {
  await using scene = await startScene();
  scene.organization.invite("ada@example.com");

  const { publicKey, privateKey } = scene.key;
  const path = `/api/atlas/v1.0${scene.invites}`;
  const output = await curl("--user", `${publicKey}:${privateKey}`, "--digest", scene.atlas.url + path);

  expect(JSON.parse(output)).toMatchObject([{ username: "ada@example.com" }]);
  expect(scene.atlas.log()).toEqual([`GET ${path} 401 challenge`, `GET ${path} 200`]);
});

test("curl cancels an invitation with the command of the seed's page", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");

  const { publicKey, privateKey } = scene.key;
  const path = `/api/atlas/v1.0${scene.invites}/${invitationId}`;
  const command = ["--user", `${publicKey}:${privateKey}`, "--digest", "--include"];
  command.push("--header", "Accept: application/json", "--request", "DELETE", scene.atlas.url + path);
  const output = await curl(...command);

  expect(output).toMatch(/^HTTP\/1.1 401 Unauthorized\r\n[\s\S]*HTTP\/1.1 204 No Content\r\n/);
  expect(output).toMatch(/\r\n\r\n$/);
  expect(scene.organization.users).toEqual([]);
  expect(scene.atlas.log()).toEqual([`DELETE ${path} 401 challenge`, `DELETE ${path} 204`]);
});

test("curl with a wrong private key gets nothing but challenges", async () => {
  await using scene = await startScene();
  const { invitationId } = scene.organization.invite("ada@example.com");

  const url = `${scene.atlas.url}/api/atlas/v1.0${scene.invites}/${invitationId}`;
  await curl("--user", `${scene.key.publicKey}:wrong`, "--digest", "--request", "DELETE", url);

  expect(scene.organization.invitations).toHaveLength(1);
  expect(new Set(scene.atlas.requests.map(({ status, challenge }) => `${status} ${challenge}`))).toEqual(
    new Set(["401 true"]),
  );
});

test("the challenge has the recorded format", async () => {
  await using scene = await startScene();

  const { status, headers, text } = await scene.caller.plain("GET", `/api/atlas/v1.0${scene.invites}`);

  expect(status).toBe(401);
  expect(headers.get("www-authenticate")).toMatch(
    /^Digest realm="MMS Public API", domain="", nonce="[A-Za-z0-9+/]{32}", algorithm=MD5, qop="auth", stale=false$/,
  );
  expect(text).toBe(
    '{"error":401,"reason":"Unauthorized","detail":"You are not authorized for this resource.","errorCode":"UNEXPECTED_ERROR"}',
  );
});

test("a wrong public key, a wrong private key and no key get the same body", async () => {
  await using scene = await startScene();
  const path = `/api/atlas/v1.0${scene.invites}`;

  const none = await scene.caller.plain("GET", path);
  const wrongPublic = await new Caller(scene.atlas, { ...scene.key, publicKey: "nobodyxx" }).call(
    "GET",
    path,
  );
  const wrongPrivate = await new Caller(scene.atlas, { ...scene.key, privateKey: "wrong" }).call("GET", path);

  expect([wrongPublic.status, wrongPublic.text]).toEqual([401, none.text]);
  expect([wrongPrivate.status, wrongPrivate.text]).toEqual([401, none.text]);
});

/** Asks for challenges, and answers them in whatever way a test wants. */
async function startDigest(options?: Parameters<typeof startScene>[0]) {
  const started = await startScene(options);
  const path = `/api/atlas/v1.0${started.invites}`;
  const challenge = async () => (await started.caller.plain("GET", path)).headers;
  const answer = (challenged: Headers, given: Partial<DigestParameters> = {}) => {
    const Authorization = authorization(challenged, started.key, { method: "GET", uri: path, ...given });
    return started.caller.plain("GET", path, { headers: { Authorization } });
  };
  return { ...started, path, challenge, answer };
}

test.each([
  ["a count of zero", { nc: "00000000" }],
  ["a count that is not eight digits long", { nc: "1" }],
  ["a count that is not hexadecimal", { nc: "0000000g" }],
  ["the path of another request", { uri: "/api/atlas/v1.0/orgs/other/invites" }],
  ["the method of another request", { method: "DELETE" }],
  ["another realm", { realm: "Other" }],
  ["another quality of protection", { qop: "auth-int" }],
  ["an empty nonce of the client", { cnonce: "" }],
  ["a wrong response", { response: "0".repeat(32) }],
])("refuses %s", async (_, given) => {
  await using scene = await startDigest();

  const { status, headers } = await scene.answer(await scene.challenge(), given);

  expect(status).toBe(401);
  expect(headers.get("www-authenticate")).toContain("nonce=");
});

test("takes a count in letters of either case", async () => {
  await using scene = await startDigest();
  const challenged = await scene.challenge();

  expect((await scene.answer(challenged, { nc: "0000000a" })).status).toBe(200);
  expect((await scene.answer(challenged, { nc: "0000000B" })).status).toBe(200);
});

test("refuses a path without the query of the request", async () => {
  await using scene = await startDigest();
  const Authorization = authorization(await scene.challenge(), scene.key, { method: "GET", uri: scene.path });

  const { status } = await scene.caller.plain("GET", `${scene.path}?pretty=true`, {
    headers: { Authorization },
  });

  expect(status).toBe(401);
});

test("refuses a nonce that it did not issue", async () => {
  await using scene = await startDigest();
  const invented = new Headers({ "WWW-Authenticate": `Digest nonce="${"A".repeat(32)}"` });

  expect((await scene.answer(invented)).status).toBe(401);
});

test("a reusable nonce takes each count once, in any order", async () => {
  await using scene = await startDigest();
  const challenged = await scene.challenge();

  expect((await scene.answer(challenged, { nc: "00000002" })).status).toBe(200);
  expect((await scene.answer(challenged, { nc: "00000001" })).status).toBe(200);
  expect((await scene.answer(challenged, { nc: "00000002" })).status).toBe(401);
  expect((await scene.answer(challenged, { nc: "00000003" })).status).toBe(200);
});

test("a refused answer does not use up its count", async () => {
  await using scene = await startDigest();
  const challenged = await scene.challenge();

  expect((await scene.answer(challenged, { response: "0".repeat(32) })).status).toBe(401);
  expect((await scene.answer(challenged)).status).toBe(200);
});

test("a reusable nonce is stale after 60 s", async () => {
  let now = 0;
  await using scene = await startDigest({ now: () => now });
  const challenged = await scene.challenge();

  now = 60_000;
  expect((await scene.answer(challenged)).status).toBe(200);
  now = 60_001;
  const { status, headers } = await scene.answer(challenged, { nc: "00000002" });
  expect(status).toBe(401);
  expect(headers.get("www-authenticate")).toContain("stale=true");
  expect((await scene.answer(headers)).status).toBe(200);
});

test("a nonce for one use is refused at the second, with a fresh challenge that is not stale", async () => {
  await using scene = await startDigest({ nonces: "once" });
  const challenged = await scene.challenge();

  expect((await scene.answer(challenged)).status).toBe(200);
  const { status, headers } = await scene.answer(challenged, { nc: "00000002" });

  expect(status).toBe(401);
  expect(headers.get("www-authenticate")).toContain("stale=false");
  expect(nonceOf(headers)).not.toBe(nonceOf(challenged));
  expect((await scene.answer(headers)).status).toBe(200);
});
