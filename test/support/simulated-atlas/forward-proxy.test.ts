import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { startScene } from "./caller.ts";
import { ForwardProxy, type ForwardProxyOptions } from "./forward-proxy.ts";

/** A simulator, a proxy, and curl, which reads the list of invitations through it. */
async function startProxied(tls: boolean, options?: ForwardProxyOptions) {
  const scene = await startScene({ tls });
  const proxy = await ForwardProxy.start(options);
  scene.organization.invite("ada@example.com");
  const token = scene.atlas.addAccessToken({ organization: scene.organization });
  const path = `/api/atlas/v2${scene.invites}`;
  /** Resolves to the body and, at its end, the statuses of the proxy's tunnel and of the answer. */
  const curl = async (url: string, ...parameters: string[]) => {
    const command = ["--silent", "--proxy", proxy.url, "--write-out", " %{http_connect} %{http_code}"];
    command.push("--header", `Authorization: Bearer ${token}`);
    command.push("--header", "Accept: application/vnd.atlas.2023-01-01+json");
    if (tls) command.push("--cacert", scene.atlas.caPath);
    // Without the environment, because it may have proxies of its own.
    const { stdout } = await promisify(execFile)("curl", [...command, ...parameters, url], { env: {} });
    return stdout;
  };
  return {
    ...scene,
    proxy,
    path,
    url: scene.atlas.url + path,
    host: new URL(scene.atlas.url).host,
    curl,
    [Symbol.asyncDispose]: async () => {
      await proxy.stop();
      await scene.atlas.stop();
    },
  };
}

test("a request for http is forwarded", async () => {
  await using scene = await startProxied(false);

  expect(await scene.curl(scene.url)).toMatch(/^\[\{.*"username":"ada@example.com".* 000 200$/);
  const body = '{"username":"ben@example.com","roles":["ORG_MEMBER"]}';
  const posted = await scene.curl(scene.url, "--json", body, "--header", "Accept: application/json");
  expect(posted).toMatch(/ 000 200$/);

  expect(scene.proxy.log()).toEqual([`GET ${scene.url} 200`, `POST ${scene.url} 200`]);
  expect(scene.atlas.log()).toEqual([`GET ${scene.path} 200`, `POST ${scene.path} 200`]);
  expect(scene.atlas.requests[1]?.body).toEqual(JSON.parse(body));
});

test("a request for https goes through a tunnel, of which the proxy sees the place only", async () => {
  await using scene = await startProxied(true);

  expect(await scene.curl(scene.url)).toMatch(/^\[\{.*"username":"ada@example.com".* 200 200$/);

  expect(scene.proxy.log()).toEqual([`CONNECT ${scene.host} 200`]);
  expect(Object.keys(scene.proxy.requests[0]?.headers ?? {})).not.toContain("authorization");
  expect(scene.atlas.log()).toEqual([`GET ${scene.path} 200`]);
});

test("a tunnel leads to http as well", async () => {
  await using scene = await startProxied(false);

  expect(await scene.curl(scene.url, "--proxytunnel")).toMatch(/ 200 200$/);

  expect(scene.proxy.log()).toEqual([`CONNECT ${scene.host} 200`]);
  expect(scene.atlas.log()).toEqual([`GET ${scene.path} 200`]);
});

/** A server that is not Atlas, and its "host:port". */
async function startServer(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    place: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}

test("what is meant for the proxy is not forwarded, and all else is", async () => {
  await using scene = await startProxied(false);
  await using server = await startServer(({ headers, url }, response) => {
    response.end(JSON.stringify({ url, ...headers }));
  });
  const { place } = server;

  const parameters = ["--proxy-user", "ada:secret", "--header", "X-Own: 1"];
  const seen = await scene.curl(`http://${place}/a%2Fb?c=d`, ...parameters);

  const headers = JSON.parse(seen.replace(/ 000 200$/, ""));
  expect(headers).toMatchObject({ url: "/a%2Fb?c=d", host: place, "x-own": "1" });
  expect(Object.keys(headers).filter((name) => name.startsWith("proxy-"))).toEqual([]);
});

describe.each([
  ["forwarded", false],
  ["tunnelled", true],
] as const)("a request that is %s", (_, tls) => {
  /** What curl ends with: the proxy's own answer is the tunnel's or the request's. */
  const refusedWith = (status: number) => (tls ? `${status} 000` : `000 ${status}`);
  /** The end of what curl writes, also when it fails. */
  const written = (curling: Promise<string>): Promise<string> =>
    curling.catch(({ stdout }) => stdout).then((text: string) => text.trim());

  test("needs the right credentials, if the proxy asks for any", async () => {
    const credentials = { username: "ada", password: "secret" };
    await using scene = await startProxied(tls, { credentials });
    const target = tls ? `CONNECT ${scene.host}` : `GET ${scene.url}`;

    expect(await written(scene.curl(scene.url))).toBe(refusedWith(407));
    expect(await written(scene.curl(scene.url, "--proxy-user", "ada:wrong"))).toBe(refusedWith(407));
    expect(scene.atlas.log()).toEqual([]);
    expect(await written(scene.curl(scene.url, "--proxy-anyauth", "--proxy-user", "ada:secret"))).toMatch(
      / 200$/,
    );
    expect(scene.proxy.log()).toEqual([407, 407, 407, 200].map((status) => `${target} ${status}`));
  });

  test("is led to another place", async () => {
    const name = `cloud.mongodb.com:${tls ? 443 : 80}`;
    const routes: Record<string, string> = {};
    await using scene = await startProxied(tls, { routes });
    routes[name] = scene.host;
    const url = `${tls ? "https" : "http"}://cloud.mongodb.com${scene.path}`;

    expect(await written(scene.curl(url))).toMatch(/"ada@example.com".* 200$/);

    expect(scene.proxy.log()).toEqual([tls ? `CONNECT ${name} 200` : `GET ${url} 200`]);
    expect(scene.atlas.log()).toEqual([`GET ${scene.path} 200`]);
  });

  test("does not leave the machine", async () => {
    await using scene = await startProxied(tls);

    expect(await written(scene.curl(`${tls ? "https" : "http"}://192.0.2.1/`))).toBe(refusedWith(403));
  });

  test("finds nobody", async () => {
    await using scene = await startProxied(tls);
    await scene.atlas.stop();

    expect(await written(scene.curl(scene.url))).toBe(refusedWith(502));
  });

  test("is cut with its answer", async () => {
    await using scene = await startProxied(tls);
    scene.atlas.fail({ damage: "half body" });

    await expect(scene.curl(scene.url)).rejects.toThrow();

    expect(scene.atlas.log()).toEqual([`GET ${scene.path} 200 half body`]);
    expect(scene.proxy.requests).toMatchObject([{ status: 200 }]);
  });

  test.each(["client", "server"] as const)("is reset when the %s resets it", async (first) => {
    await using proxy = await ForwardProxy.start();
    const client = connect(Number(new URL(proxy.url).port), "127.0.0.1").on("error", () => {});
    const clientClosed = once(client, "close");
    let serverClosed: Promise<unknown> | undefined;
    await using server = await startServer(({ socket }) => {
      serverClosed = once(socket, "close");
      (first === "client" ? client : socket).resetAndDestroy();
    });
    const { place } = server;
    const asked = (target: string) => `GET ${target} HTTP/1.1\r\nHost: ${place}\r\nConnection: close\r\n\r\n`;

    // All at once: a request need not wait for its tunnel.
    client.write(
      tls ? `CONNECT ${place} HTTP/1.1\r\nHost: ${place}\r\n\r\n${asked("/")}` : asked(`http://${place}/`),
    );
    client.resume();

    await clientClosed;
    expect(serverClosed).toBeDefined();
    await serverClosed;
    const forwarded = `GET http://${place}/ ${first === "server" ? 502 : "…"}`;
    expect(proxy.log()).toEqual([tls ? `CONNECT ${place} 200` : forwarded]);
  });

  test("ends when the proxy stops", async () => {
    await using scene = await startProxied(tls);
    const { struck } = scene.atlas.fail({ hang: "after" });

    const failed = expect(scene.curl(scene.url)).rejects.toThrow();
    await struck;
    await scene.proxy.stop();

    await failed;
  });
});
