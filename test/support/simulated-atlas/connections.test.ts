import { request } from "node:http";
import { expect, test } from "vitest";
import { ForwardProxy } from "./forward-proxy.ts";
import { logLine } from "./request-log.ts";
import { startAtlas } from "./test-client.ts";

test("the oldest fault applies that matches the request", async () => {
  await using fixture = await startAtlas();
  const { atlas, client, invites } = fixture;
  const get = async (query = "") => (await client.v2("GET", invites + query)).status;
  const post = async () => (await client.send("POST", "/api/oauth/token")).status;
  const unauthenticated = async () => (await client.send("GET", `/api/atlas/v2${invites}`)).status;
  atlas.fail({ method: "GET", path: /name=/, times: 2, status: 500 });
  atlas.fail({ method: "DELETE", status: 501 });
  atlas.fail({ times: 3, status: 502 });
  atlas.fail({ authenticated: false, status: 503 });
  atlas.fail({ path: /oauth/, authenticated: "either", status: 504 });

  expect([await get("?name=a"), await get(), await get("?name=a")]).toEqual([500, 502, 500]);
  expect([await get("?name=a"), await get(), await get()]).toEqual([502, 502, 200]);
  expect([await post(), await post()]).toEqual([504, 400]);
  expect([await unauthenticated(), await unauthenticated()]).toEqual([503, 401]);
});

test.each([
  [undefined, ["arrived 0 …", "handled 1 200", "answered 1 200"]],
  ["arrived", ["arrived 0 …", "cut 0 cut"]],
  ["handled", ["arrived 0 …", "handled 1 200", "cut 1 200 cut"]],
])("listeners see a request at each stage, and cut it at the stage %s", async (cutAt, expected) => {
  await using fixture = await startAtlas();
  const { atlas, client, invites } = fixture;
  const seen: string[] = [];
  const see = (stage: string) => {
    const [request] = atlas.requests;
    if (request)
      seen.push(`${stage} ${atlas.mails.length} ${logLine(request).split(" ").slice(2).join(" ")}`);
  };
  const isAnswered = new Promise<void>((resolve) => {
    atlas.onRequest(async ({ method }, stage) => {
      if (method === "GET") return;
      // A whole other request is answered meanwhile.
      await client.v2("GET", invites);
      see(stage);
      if (stage === "answered") resolve();
      return stage === cutAt ? "cut" : undefined;
    });
  });

  await client.invite(invites).then(
    () => isAnswered,
    () => see("cut"),
  );

  expect(seen).toEqual(expected);
});

test.each([
  ["192.0.2.1:443", 403],
  ["127.0.0.1:1", 502],
])("the forward proxy refuses %s, as no request leaves the machine, with a %i", async (target, status) => {
  await using proxy = await ForwardProxy.start();
  const answered = new Promise((resolve) => {
    request(proxy.url, { method: "CONNECT", path: target }).on("connect", resolve).end();
  });

  expect(await answered).toMatchObject({ statusCode: status });
  expect(proxy.log()).toEqual([`CONNECT ${target} ${status}`]);
});
