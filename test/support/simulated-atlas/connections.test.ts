import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test, vi } from "vitest";
import type { Fault } from "./faults.ts";
import { ForwardProxy } from "./forward-proxy.ts";
import { logLine } from "./request-log.ts";
import type { SimulatedAtlasOptions } from "./simulated-atlas.ts";
import { startAtlas } from "./test-client.ts";

const html = "<html>Bad gateway</html>";

/** A promise with the function that resolves it. */
function deferred() {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** A simulator and requests with an access token, so that each is a single request. */
async function start(options?: SimulatedAtlasOptions) {
  const fixture = await startAtlas(options);
  const { client, token, invites } = fixture;
  const path = `/api/atlas/v2${invites}`;
  const headers = { Accept: "application/vnd.atlas.2023-01-01+json", Authorization: `Bearer ${token}` };
  const invite = (username = "ada@example.com") =>
    client.send("POST", path, { body: { username, roles: ["ORG_MEMBER"] }, headers });
  const list = () => client.send("GET", path, { headers });
  return { ...fixture, path, headers, invite, list };
}

describe("faults", () => {
  test.each<[Fault, string, number]>([
    [{ status: 503, body: html, headers: { "Retry-After": "7" } }, `503 ${html} 7`, 0],
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

  test("Atlas finishes the work after a time, unless the simulator stops", async () => {
    await using fixture = await start();
    const { promise, resolve } = deferred();
    fixture.atlas.fail({ status: 502, when: "during", afterMs: 1 });
    fixture.atlas.fail({ status: 502, when: "during", afterMs: 60_000 });
    fixture.atlas.fail({ status: 502, when: "during", until: promise });
    await fixture.invite();
    await vi.waitFor(() => expect(fixture.atlas.mails).toHaveLength(1));
    await fixture.invite("ben@example.com");
    await fixture.invite("cleo@example.com");

    await fixture.atlas.stop();
    resolve();
    await promise;

    expect(fixture.atlas.mails).toHaveLength(1);
  });

  test("a body drips byte by byte", async () => {
    await using fixture = await start();
    const sent: number[] = [];
    fixture.atlas.fail({ drip: (count) => void sent.push(count) });

    expect((await fixture.list()).text).toBe("[]");
    expect(sent).toEqual([0, 1]);
    expect(fixture.atlas.log()).toEqual([`GET ${fixture.path} 200 drip`]);
  });

  test("a fault applies to the requests that it matches, after older faults, until it is lifted", async () => {
    await using fixture = await start();
    const { atlas, client, headers, path } = fixture;
    const token = "/api/oauth/token";
    const get = async (query = "", own: Record<string, string> = headers) =>
      (await client.send("GET", path + query, { headers: own })).status;
    atlas.fail({ method: "GET", path: /username=/, times: 2, status: 500 });
    atlas.fail({ method: "DELETE", status: 501 });
    const lasting = atlas.fail({ times: Number.POSITIVE_INFINITY, status: 502 });
    atlas.fail({ authenticated: false, status: 503 });
    atlas.fail({ authenticated: "either", path: /oauth/, status: 504 });

    expect([
      await get("?username=a"),
      await get(),
      await get("?username=a"),
      await get("?username=a"),
    ]).toEqual([500, 502, 500, 502]);
    expect((await client.send("POST", token)).status).toBe(504);
    expect((await client.send("POST", token)).status).toBe(400);
    expect([await get("", {}), await get("", {})]).toEqual([503, 401]);
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

describe.each([
  ["forwards http", false],
  ["tunnels https", true],
])("a forward proxy that %s", (_, tls) => {
  test("passes on the requests of curl without its own headers, if the credentials are right", async () => {
    await using fixture = await start({ tls });
    await using proxy = await ForwardProxy.start({ credentials: { username: "ada", password: "secret" } });
    const { atlas, path, headers } = fixture;
    const { host } = new URL(atlas.url);
    /** The body with the statuses of the tunnel and of the response, also when curl fails. */
    const curl = async (password: string, url = atlas.url + path): Promise<string> => {
      const command = ["--silent", "--proxy", proxy.url, "--proxy-user", `ada:${password}`];
      for (const [name, value] of Object.entries(headers)) command.push("--header", `${name}: ${value}`);
      if (tls) command.push("--cacert", atlas.caPath);
      command.push("--write-out", "%{http_connect} %{http_code}", url);
      // The environment may name another proxy.
      const run = promisify(execFile)("curl", command, { env: {} });
      return (await run.catch((error: { stdout: string }) => error)).stdout;
    };
    const failure = (status: number) => (tls ? `${status} 000` : `000 ${status}`);

    expect(await curl("wrong")).toBe(failure(407));
    expect(await curl("secret")).toBe(tls ? "[]200 200" : "[]000 200");
    const target = tls ? `CONNECT ${host}` : `GET ${atlas.url}${path}`;
    expect(proxy.log()).toEqual([`${target} 407`, `${target} 200`]);
    expect("authorization" in (proxy.requests[1]?.headers ?? {})).toBe(!tls);
    expect(atlas.log()).toEqual([`GET ${path} 200`]);

    atlas.fail({ cut: "before" });
    expect(await curl("secret")).toBe(tls ? "200 000" : failure(502));
    // No request leaves the machine.
    expect(await curl("secret", `${tls ? "https" : "http"}://192.0.2.1/`)).toBe(failure(403));
    const { struck } = atlas.fail({ hang: "after" });
    const hanging = curl("secret");
    await struck;
    await proxy.stop();
    expect(await hanging).toMatch(/ 000$/);
  });
});
