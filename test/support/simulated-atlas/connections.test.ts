import { request } from "node:http";
import { describe, expect, test, vi } from "vitest";
import type { Fault } from "./faults.ts";
import { ForwardProxy } from "./forward-proxy.ts";
import { logLine } from "./request-log.ts";
import { startAtlas } from "./test-client.ts";

/** A promise with the function that resolves it. */
function deferred() {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

async function start() {
  const fixture = await startAtlas();
  const { client, invites } = fixture;
  const invite = (username?: string) => client.invite(invites, username);
  return { ...fixture, path: `/api/atlas/v2${invites}`, invite, list: () => client.v2("GET", invites) };
}

describe("faults", () => {
  test.each<[Fault, string, number]>([
    [{ status: 503, body: "<html>", headers: { "Retry-After": "7" } }, "503 <html> 7", 0],
    [{ status: 500, body: { errorCode: null } }, '500 {"errorCode":null}', 0],
    [{ status: 504, when: "after" }, "504", 1],
    [{ cut: "before" }, "fetch failed", 0],
    [{ cut: "after" }, "fetch failed", 1],
  ])("%o replaces one response", async (fault, expected, mails) => {
    await using fixture = await start();
    fixture.atlas.fail(fault);

    const outcome = await fixture.invite().then(
      ({ status, text, headers }) => [status, text, headers.get("retry-after")].filter(Boolean).join(" "),
      (error: Error) => error.message,
    );

    expect([outcome, fixture.atlas.mails.length]).toEqual([expected, mails]);
    const logged = "cut" in fault ? "cut" : expected.slice(0, 3);
    expect(fixture.atlas.log()).toEqual([`POST ${fixture.path} ${logged}`]);
    expect((await fixture.invite()).status).toBe(200);
  });

  test.each(["before", "after"] as const)("a response is held or lost %s the work", async (when) => {
    await using fixture = await start();
    const { atlas, invite, list, path } = fixture;
    const { promise, resolve } = deferred();
    const held = atlas.fail({ method: "POST", until: promise, when });
    const lost = atlas.fail({ method: "POST", hang: when });

    const response = invite("ada@example.com");
    await held.struck;
    const failed = expect(invite("ben@example.com")).rejects.toThrow("fetch failed");
    await lost.struck;
    expect((await list()).body).toHaveLength(when === "after" ? 2 : 0);
    expect(atlas.log()).toEqual([`POST ${path} …`, `POST ${path} hang`, `GET ${path} 200`]);
    resolve();
    expect((await response).status).toBe(200);
    await atlas.stop();
    await failed;
  });

  test("Atlas goes on with the work after a fault during it", async () => {
    await using fixture = await start();
    const { promise, resolve } = deferred();
    fixture.atlas.fail({ status: 502, when: "during", until: promise });

    expect([(await fixture.invite()).status, fixture.atlas.mails.length]).toEqual([502, 0]);
    resolve();
    await vi.waitFor(() => expect(fixture.atlas.mails).toHaveLength(1));
  });

  test("a fault applies to the requests that it matches, after older faults, until it is lifted", async () => {
    await using fixture = await start();
    const { atlas, client, invites, path } = fixture;
    const get = async (query = "") => (await client.v2("GET", invites + query)).status;
    const post = async () => (await client.send("POST", "/api/oauth/token")).status;
    const unauthenticated = async () => (await client.send("GET", path)).status;
    atlas.fail({ method: "GET", path: /name=/, times: 2, status: 500 });
    atlas.fail({ method: "DELETE", status: 501 });
    const lasting = atlas.fail({ times: Number.POSITIVE_INFINITY, status: 502 });
    atlas.fail({ authenticated: false, status: 503 });
    atlas.fail({ path: /oauth/, authenticated: "either", status: 504 });

    expect([await get("?name=a"), await get(), await get("?name=a")]).toEqual([500, 502, 500]);
    expect(await get("?name=a")).toBe(502);
    expect([await post(), await post()]).toEqual([504, 400]);
    expect([await unauthenticated(), await unauthenticated()]).toEqual([503, 401]);
    lasting.lift();
    expect(await get()).toBe(200);
  });
});

describe("request listeners", () => {
  test("hold a request at each stage, until they are removed", async () => {
    await using fixture = await start();
    const { atlas, path, invite, list } = fixture;
    const seen: string[] = [];
    const last = deferred();
    const remove = atlas.onRequest(async (request, stage) => {
      if (request.method !== "POST") return;
      // A whole other request is answered meanwhile.
      await list();
      seen.push(`${stage}, ${atlas.mails.length} mails: ${logLine(request)}`);
      if (stage === "answered") last.resolve();
    });

    await invite();
    await last.promise;
    remove();
    await invite("ben@example.com");

    expect(seen).toEqual([
      `arrived, 0 mails: POST ${path} …`,
      `handled, 1 mails: POST ${path} 200`,
      `answered, 1 mails: POST ${path} 200`,
    ]);
  });

  test.each([
    ["arrived", 0, "cut"],
    ["handled", 1, "200 cut"],
  ] as const)("cut a request that has %s", async (when, mails, logged) => {
    await using fixture = await start();
    const stages: string[] = [];
    fixture.atlas.onRequest((_, stage) => (stage === when ? "cut" : undefined));
    fixture.atlas.onRequest((_, stage) => void stages.push(stage));

    await expect(fixture.invite()).rejects.toThrow("fetch failed");

    expect(fixture.atlas.mails).toHaveLength(mails);
    expect(fixture.atlas.log()).toEqual([`POST ${fixture.path} ${logged}`]);
    expect(stages).toEqual(["arrived", "handled"].slice(0, mails + 1));
  });
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
