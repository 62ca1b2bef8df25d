import { subscribe, unsubscribe } from "node:diagnostics_channel";
import dns from "node:dns";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { AtlasNetworkError } from "../provider/errors.ts";
import { type Message, Transport, type TransportOptions } from "../provider/transport.ts";
import { SimulatedAtlas } from "./atlas/simulated-atlas.ts";
import { rejection } from "./client-scene.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const target = "/api/atlas/v1.0/orgs/32b6e34b3d91647abb20e7b8/invites?pretty=true";
const get: Message = { method: "GET", target, headers: { accept: "application/json" } };

/** A simulated Atlas, whose first answer is a challenge of 115 bytes, and a transport to it. */
async function startScene(options: Partial<TransportOptions> = {}) {
  const atlas = await SimulatedAtlas.start();
  return {
    atlas,
    transport: new Transport({ baseUrl: atlas.url, ...options }),
    [Symbol.asyncDispose]: () => atlas.stop(),
  };
}

/** A server of another kind, on a free loopback port; its connections end with it. */
async function listening(server: Server) {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A server that accepts connections and does nothing else. */
const startSilence = () => listening(createServer());

/** An address at which nothing listens. */
async function unusedHost(): Promise<string> {
  await using silence = await startSilence();
  return silence.host;
}

/** Looks every name up as told, and says which were asked for. */
function resolveNames(error: Error | null, ...addresses: string[]) {
  const found = addresses.map((address) => ({ address, family: 4 }));
  type Found = (error: Error | null, all: typeof found) => void;
  const lookup = (_host: string, _options: object, callback: Found) => callback(error, found);
  vi.spyOn(dns, "lookup").mockImplementation(lookup as never);
}

const exchangeAt = (baseUrl: string, options: Partial<TransportOptions> = {}) =>
  rejection(new Transport({ baseUrl, ...options }).exchange(get));

test("a request is sent as it is, and its answer comes back whole", async () => {
  await using scene = await startScene();
  const body = '{"username":"ada@example.com"}';
  const headers = { accept: "application/json", "content-type": "application/vnd.atlas.2023-01-01+json" };

  const answer = await scene.transport.exchange({ method: "POST", target, headers, body });

  expect(scene.atlas.requests).toMatchObject([
    {
      method: "POST",
      path: target,
      accept: headers.accept,
      contentType: headers["content-type"],
      body: JSON.parse(body),
    },
  ]);
  expect(answer.status).toBe(401);
  expect(answer.headers["www-authenticate"]).toMatch(/^Digest /);
  expect(JSON.parse(answer.text)).toMatchObject({ error: 401 });
});

test.each(["GET", "POST", "PATCH", "DELETE"])("a %s needs no body", async (method) => {
  await using scene = await startScene();

  expect((await scene.transport.exchange({ ...get, method })).status).toBe(401);

  const [request] = scene.atlas.requests;
  expect(request).toMatchObject({ method });
  expect(request).not.toHaveProperty("body");
  expect(request).not.toHaveProperty("contentType");
});

test.each([301, 302, 303, 307, 308])("a redirect, %i, is an answer like any other", async (status) => {
  await using scene = await startScene();
  await using elsewhere = await SimulatedAtlas.start();
  const headers = { Location: `${elsewhere.url}${target}` };
  scene.atlas.fail({ status, headers, authenticated: false });

  const message = { ...get, headers: { ...get.headers, authorization: "Bearer secret" } };
  expect((await scene.transport.exchange(message)).status).toBe(status);

  expect(elsewhere.requests).toEqual([]);
  expect(scene.atlas.requests).toHaveLength(1);
});

test("connections are kept and used again, also after answers without a body", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ status: 204, authenticated: false, times: 3 });
  const opened: string[] = [];
  const connected = (message: unknown) => {
    opened.push((message as { connectParams: { host: string } }).connectParams.host);
  };

  subscribe("undici:client:connected", connected);
  for (const _ of Array(12)) await scene.transport.exchange(get);
  unsubscribe("undici:client:connected", connected);

  expect(scene.atlas.requests).toHaveLength(12);
  // A request that is sent in the same moment as an answer ends does not find its connection free yet.
  expect(opened.filter((host) => scene.atlas.url.endsWith(host)).length).toBeLessThanOrEqual(2);
});

test("a refused connection names the server, and nothing was sent", async () => {
  const host = await unusedHost();

  const error = await exchangeAt(`http://${host}`);

  expect(error).toBeInstanceOf(AtlasNetworkError);
  expect(error).toMatchObject({ method: "GET", path: target, sent: false });
  expect(error.message).toBe(
    `GET ${target}: the connection to http://${host} failed: connect ECONNREFUSED ${host}`,
  );
});

test("a server all of whose addresses refuse says why, and nothing was sent", async () => {
  const [, port] = (await unusedHost()).split(":");
  resolveNames(null, "127.0.0.1", "127.0.0.2");

  const error = await exchangeAt(`http://atlas.test:${port}`);

  expect(error).toMatchObject({ name: "AtlasNetworkError", sent: false });
  expect(error.message).toBe(
    `GET ${target}: the connection to http://atlas.test:${port} failed: ECONNREFUSED`,
  );
});

test.each(["ENOTFOUND", "EAI_AGAIN"])(
  "a name that is not found, %s, means that nothing was sent",
  async (code) => {
    resolveNames(Object.assign(new Error(`getaddrinfo ${code} atlas.test`), { code }));

    const error = await exchangeAt("http://atlas.test");

    expect(error).toMatchObject({ name: "AtlasNetworkError", sent: false });
    expect(error.message).toContain(`the connection to http://atlas.test failed: getaddrinfo ${code}`);
  },
);

test("a connection that does not open in time says so, and nothing was sent", async () => {
  // A connection over TLS is open only when both sides have shaken hands.
  await using silence = await startSilence();

  const error = await exchangeAt(`https://${silence.host}`, { connectTimeoutMs: 20 });

  expect(error).toMatchObject({ name: "AtlasNetworkError", sent: false });
  expect(error.message).toContain(`the connection to https://${silence.host} failed: Connect Timeout Error`);
});

test("an answer that does not come in time says so, and may have been acted on", async () => {
  await using scene = await startScene({ requestTimeoutMs: 100 });
  scene.atlas.fail({ hang: "before", authenticated: false });

  const error = await rejection(scene.transport.exchange(get));

  expect(error).toMatchObject({ name: "AtlasNetworkError", method: "GET", path: target, sent: true });
  expect(error.message).toBe(`GET ${target}: no complete answer within 0.1 s`);
});

test("an answer that does not end in time says so", async () => {
  await using scene = await startScene({ requestTimeoutMs: 100 });
  scene.atlas.fail({ damage: "long length", authenticated: false });

  const error = await rejection(scene.transport.exchange(get));

  expect(error).toMatchObject({ name: "AtlasNetworkError", sent: true });
  expect(error.message).toMatch(/no complete answer within 0\.1 s$/);
});

test.each(["half body", "all but a byte", "head alone", "no last chunk"] as const)(
  "an answer of which there is no more than %s says how far it came",
  async (damage) => {
    await using scene = await startScene();
    scene.atlas.fail({ damage, authenticated: false });

    const error = await rejection(scene.transport.exchange(get));

    expect(error).toMatchObject({ name: "AtlasNetworkError", sent: true });
    expect(error.message).toContain(
      `GET ${target}: the answer, status 401, broke off: the connection to ${scene.atlas.url} failed: `,
    );
    expect((await scene.transport.exchange(get)).status).toBe(401);
  },
);

test.each(["before", "after"] as const)("a connection that is cut %s the work says so", async (cut) => {
  await using scene = await startScene();
  scene.atlas.fail({ cut, authenticated: false });

  const error = await rejection(scene.transport.exchange(get));

  expect(error).toMatchObject({ name: "AtlasNetworkError", sent: true });
  expect(error.message).toContain(`GET ${target}: the connection to ${scene.atlas.url} failed: `);
  // It is for others to say whether a request may be sent again.
  expect(scene.atlas.requests).toHaveLength(1);
});

test("an answer that its length cuts short is the answer", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ damage: "short length", authenticated: false });

  const { status, text } = await scene.transport.exchange(get);

  expect(status).toBe(401);
  expect(text).toMatch(/^\{"error":401.*[^}]$/);
});

test("an answer that never ends is cut off", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ huge: 65 * 1024 * 1024, authenticated: false });

  const error = await rejection(scene.transport.exchange(get));

  expect(error).toBeInstanceOf(AtlasNetworkError);
  expect(error.message).toContain("the answer, status 401, broke off");
});

test("what failed is named without the headers and the body that were sent", async () => {
  const headers = { ...get.headers, authorization: "Digest secret" };
  const transport = new Transport({ baseUrl: `http://${await unusedHost()}` });

  const error = await rejection(transport.exchange({ method: "POST", target, headers, body: "secret" }));

  expect(error.cause).toBeUndefined();
  expect(Object.keys(error).sort()).toEqual(["method", "name", "path", "sent"]);
  expect(error.stack).not.toContain("secret");
});

/** A proxy that tunnels to wherever it is asked, and says where to. */
async function startProxy() {
  const tunnels: string[] = [];
  const server = createHttpServer();
  server.on("connect", ({ url = "" }, client: Socket) => {
    tunnels.push(url);
    const [host, port] = url.split(":");
    const upstream = connect(Number(port), host);
    upstream.on("connect", () => client.write("HTTP/1.1 200 Connection established\r\n\r\n"));
    upstream.pipe(client).pipe(upstream);
    for (const socket of [upstream, client]) socket.on("error", () => undefined);
  });
  return { tunnels, ...(await listening(server)) };
}

test("requests go through the proxy of the environment, over kept connections", async () => {
  await using proxy = await startProxy();
  vi.stubEnv("NO_PROXY", "");
  vi.stubEnv("HTTP_PROXY", `http://${proxy.host}`);
  await using scene = await startScene();

  for (const _ of Array(5)) expect((await scene.transport.exchange(get)).status).toBe(401);

  expect(scene.atlas.requests.map(({ path }) => path)).toEqual(Array(5).fill(target));
  expect(new Set(proxy.tunnels)).toEqual(new Set([scene.atlas.url.replace("http://", "")]));
  expect(proxy.tunnels.length).toBeLessThanOrEqual(2);
});

test("requests to a server that NO_PROXY names go straight to it", async () => {
  await using proxy = await startProxy();
  vi.stubEnv("HTTP_PROXY", `http://${proxy.host}`);
  vi.stubEnv("NO_PROXY", "127.0.0.1");
  await using scene = await startScene();

  expect((await scene.transport.exchange(get)).status).toBe(401);

  expect(proxy.tunnels).toEqual([]);
});
