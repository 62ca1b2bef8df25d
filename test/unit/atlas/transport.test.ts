import { execFile } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import dns from "node:dns";
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import net, { type AddressInfo, createServer, type Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { inspect, promisify } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import { AtlasConfigError, AtlasNetworkError } from "../../../provider/atlas/errors.ts";
import { type HttpRequest, Transport, type TransportOptions } from "../../../provider/atlas/transport.ts";
import { ForwardProxy, type ForwardProxyOptions } from "../../support/simulated-atlas/forward-proxy.ts";
import { SimulatedAtlas } from "../../support/simulated-atlas/simulated-atlas.ts";
import { createTlsIdentity } from "../../support/simulated-atlas/tls-identity.ts";
import { rejection } from "./client-fixture.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const target = "/api/atlas/v1.0/orgs/32b6e34b3d91647abb20e7b8/invites?pretty=true";
const get: HttpRequest = { method: "GET", target, headers: { accept: "application/json" } };

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
  rejection(new Transport({ baseUrl, ...options }).send(get));

test("a request is sent as it is, and its answer comes back whole", async () => {
  await using scene = await startScene();
  const body = '{"username":"ada@example.com"}';
  const headers = { accept: "application/json", "content-type": "application/vnd.atlas.2023-01-01+json" };

  const answer = await scene.transport.send({ method: "POST", target, headers, body });

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

  expect((await scene.transport.send({ ...get, method })).status).toBe(401);

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
  expect((await scene.transport.send(message)).status).toBe(status);

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
  for (const _ of Array(12)) await scene.transport.send(get);
  unsubscribe("undici:client:connected", connected);

  expect(scene.atlas.requests).toHaveLength(12);
  // A request that is sent in the same moment as an answer ends does not find its connection free yet.
  expect(opened.filter((host) => scene.atlas.url.endsWith(host)).length).toBeLessThanOrEqual(2);
});

/** A server that counts its open connections, and answers a request only when no other one comes. */
async function startCounting() {
  const waiting: (() => void)[] = [];
  const counts = { open: 0, most: 0 };
  const server = createHttpServer((_, response) => {
    waiting.push(() => response.end());
    const count = waiting.length;
    setImmediate(() => {
      if (waiting.length === count) for (const answer of waiting.splice(0)) answer();
    });
  });
  server.on("connection", (socket: Socket) => {
    counts.most = Math.max(counts.most, ++counts.open);
    socket.on("close", () => counts.open--);
  });
  return Object.assign(await listening(server), { counts });
}

test("hundreds of requests at once share 32 connections", async () => {
  await using server = await startCounting();
  const transport = new Transport({ baseUrl: `http://${server.host}` });

  const answers = await Promise.all(Array.from({ length: 300 }, () => transport.send(get)));

  expect(answers.map(({ status }) => status)).toEqual(Array(300).fill(200));
  expect(server.counts.most).toBeLessThanOrEqual(32);
});

test("hundreds of requests at once share 32 connections through a proxy, too", async () => {
  await using server = await startCounting();
  await using proxy = await ForwardProxy.start();
  vi.stubEnv("NO_PROXY", "");
  vi.stubEnv("HTTP_PROXY", proxy.url);
  const transport = new Transport({ baseUrl: `http://${server.host}` });

  const answers = await Promise.all(Array.from({ length: 300 }, () => transport.send(get)));

  expect(answers.map(({ status }) => status)).toEqual(Array(300).fill(200));
  expect(server.counts.most).toBeLessThanOrEqual(32);
  expect(proxy.requests.length).toBeLessThanOrEqual(32);
});

test("the time limit of a request starts when it has a connection", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ hang: "before", authenticated: false, times: 32 });
  const limits: AbortController[] = [];
  vi.spyOn(AbortSignal, "timeout").mockImplementation(() => {
    const limit = new AbortController();
    limits.push(limit);
    return limit.signal;
  });

  const exchanged = Promise.allSettled(Array.from({ length: 40 }, () => scene.transport.send(get)));
  await vi.waitFor(() => expect(scene.atlas.requests).toHaveLength(32));
  expect(limits).toHaveLength(32);
  for (const limit of limits.slice()) limit.abort(new DOMException("It took too long.", "TimeoutError"));

  const failed = (await exchanged).filter(({ status }) => status === "rejected");
  expect(failed).toHaveLength(32);
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

test.each(["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL"])(
  "a name that is not found, %s, means that nothing was sent",
  async (code) => {
    resolveNames(
      Object.assign(new Error(`getaddrinfo ${code} atlas.test`), { code, syscall: "getaddrinfo" }),
    );

    const error = await exchangeAt("http://atlas.test");

    expect(error).toMatchObject({ name: "AtlasNetworkError", sent: false });
    expect(error.message).toContain(`the connection to http://atlas.test failed: getaddrinfo ${code}`);
  },
);

test("a server of two address families that cannot be reached by either means that nothing was sent", async () => {
  const [, port] = (await unusedHost()).split(":");
  // Nobody has this link-local address: connecting to it takes too long, or fails at once where there is no IPv6.
  resolveNames(null, "fe80::1", "127.0.0.1");

  const error = await exchangeAt(`http://atlas.test:${port}`);

  expect(error).toMatchObject({ name: "AtlasNetworkError", sent: false });
});

/** An error of Node.js, as it is thrown for a socket. */
const socketError = (code: string, syscall?: string) =>
  Object.assign(new Error(`${syscall} ${code}`), { code, ...(syscall && { syscall }) });

/** The error of a host all of whose addresses failed. */
const addressesError = (...errors: NodeJS.ErrnoException[]) =>
  Object.assign(new AggregateError(errors), { code: errors[0]?.code });

test.each<[boolean, string, Error]>([
  [false, "that times out", socketError("ETIMEDOUT", "connect")],
  [false, "without a free local address", socketError("EADDRNOTAVAIL", "connect")],
  [false, "without a route", socketError("ENETUNREACH", "connect")],
  [false, "without a file descriptor", socketError("EMFILE", "connect")],
  [false, "to a host that is not found", socketError("ESERVFAIL", "getaddrinfo")],
  [false, "to addresses that all time out", socketError("ERR_SOCKET_CONNECTION_TIMEOUT")],
  [
    false,
    "to addresses that fail in different ways",
    addressesError(socketError("ETIMEDOUT", "connect"), socketError("EADDRNOTAVAIL", "connect")),
  ],
  [
    true,
    "to addresses one of which failed while it was read",
    addressesError(socketError("ETIMEDOUT", "connect"), socketError("ECONNRESET", "read")),
  ],
  [true, "that breaks while it is read", socketError("ETIMEDOUT", "read")],
  [true, "that breaks while it is written", socketError("ECONNREFUSED", "write")],
  [true, "that breaks for an unknown reason", new Error("It broke.")],
])("sent is %s after a connection %s", async (sent, _, failure) => {
  vi.spyOn(net, "connect").mockImplementation(() => {
    const socket = new Socket();
    process.nextTick(() => socket.destroy(failure));
    return socket;
  });

  expect(await exchangeAt("http://127.0.0.1")).toMatchObject({ name: "AtlasNetworkError", sent });
});

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

  const error = await rejection(scene.transport.send(get));

  expect(error).toMatchObject({ name: "AtlasNetworkError", method: "GET", path: target, sent: true });
  expect(error.message).toBe(`GET ${target}: no complete answer within 0.1 s`);
});

test("an answer that does not end in time says so", async () => {
  await using scene = await startScene({ requestTimeoutMs: 100 });
  scene.atlas.fail({ damage: "long length", authenticated: false });

  const error = await rejection(scene.transport.send(get));

  expect(error).toMatchObject({ name: "AtlasNetworkError", sent: true });
  expect(error.message).toMatch(/no complete answer within 0\.1 s$/);
});

test.each(["half body", "all but a byte", "head alone", "no last chunk"] as const)(
  "an answer of which there is no more than %s says how far it came",
  async (damage) => {
    await using scene = await startScene();
    scene.atlas.fail({ damage, authenticated: false });

    const error = await rejection(scene.transport.send(get));

    expect(error).toMatchObject({ name: "AtlasNetworkError", sent: true });
    expect(error.message).toContain(
      `GET ${target}: the answer, status 401, broke off: the connection to ${scene.atlas.url} failed: `,
    );
    expect((await scene.transport.send(get)).status).toBe(401);
  },
);

test.each(["before", "after"] as const)("a connection that is cut %s the work says so", async (cut) => {
  await using scene = await startScene();
  scene.atlas.fail({ cut, authenticated: false });

  const error = await rejection(scene.transport.send(get));

  expect(error).toMatchObject({ name: "AtlasNetworkError", sent: true });
  expect(error.message).toContain(`GET ${target}: the connection to ${scene.atlas.url} failed: `);
  // It is for others to say whether a request may be sent again.
  expect(scene.atlas.requests).toHaveLength(1);
});

test("an answer that its length cuts short is the answer", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ damage: "short length", authenticated: false });

  const { status, text } = await scene.transport.send(get);

  expect(status).toBe(401);
  expect(text).toMatch(/^\{"error":401.*[^}]$/);
});

test("an answer that never ends is cut off", async () => {
  await using scene = await startScene();
  scene.atlas.fail({ huge: 65 * 1024 * 1024, authenticated: false });

  const error = await rejection(scene.transport.send(get));

  expect(error).toBeInstanceOf(AtlasNetworkError);
  expect(error.message).toContain("the answer, status 401, broke off");
});

test("what failed is named without the headers and the body that were sent", async () => {
  const headers = { ...get.headers, authorization: "Digest secret" };
  const transport = new Transport({ baseUrl: `http://${await unusedHost()}` });

  const error = await rejection(transport.send({ method: "POST", target, headers, body: "secret" }));

  expect(error.cause).toBeUndefined();
  expect(Object.keys(error).sort()).toEqual(["method", "name", "path", "sent"]);
  expect(error.stack).not.toContain("secret");
});

test("a connection that is lost once the request is on its way says so, whatever its code", async () => {
  await using scene = await startScene();
  const { struck } = scene.atlas.fail({ hang: "before", authenticated: "either" });
  const sockets: Socket[] = [];
  const opened = (message: unknown) => void sockets.push((message as { socket: Socket }).socket);
  subscribe("undici:client:connected", opened);

  const failed = rejection(scene.transport.send(get));
  await struck;
  unsubscribe("undici:client:connected", opened);
  const lost = { code: "EHOSTUNREACH", syscall: "read" };
  for (const socket of sockets) socket.destroy(Object.assign(new Error("read EHOSTUNREACH"), lost));

  expect(await failed).toMatchObject({ name: "AtlasNetworkError", sent: true });
});

/** A transport to the simulator through a proxy that the environment names. */
async function startProxied(options: ForwardProxyOptions = {}) {
  const proxy = await ForwardProxy.start(options);
  vi.stubEnv("NO_PROXY", "");
  vi.stubEnv("HTTP_PROXY", proxy.url);
  const scene = await startScene();
  return {
    ...scene,
    proxy,
    host: new URL(scene.atlas.url).host,
    [Symbol.asyncDispose]: async () => {
      await proxy.stop();
      await scene.atlas.stop();
    },
  };
}

test("requests go through the proxy of the environment, over kept connections", async () => {
  await using scene = await startProxied();

  for (const _ of Array(5)) expect((await scene.transport.send(get)).status).toBe(401);

  expect(scene.atlas.requests.map(({ path }) => path)).toEqual(Array(5).fill(target));
  expect(new Set(scene.proxy.log())).toEqual(new Set([`CONNECT ${scene.host} 200`]));
  expect(scene.proxy.requests.length).toBeLessThanOrEqual(2);
});

test("requests to a server that NO_PROXY names go straight to it", async () => {
  await using scene = await startProxied();
  vi.stubEnv("NO_PROXY", "127.0.0.1");

  expect((await scene.transport.send(get)).status).toBe(401);

  expect(scene.proxy.log()).toEqual([]);
});

test.each(["127.0.0.1", "localhost"])(
  "a proxy at %s that is given without a scheme is one for http",
  async (name) => {
    await using scene = await startProxied();
    vi.stubEnv("HTTP_PROXY", scene.proxy.url.replace("http://127.0.0.1", name));
    const transport = new Transport({ baseUrl: scene.atlas.url });

    expect((await transport.send(get)).status).toBe(401);

    expect(scene.proxy.log()).toEqual([`CONNECT ${scene.host} 200`]);
  },
);

test.each([
  ["the lower case name", { http_proxy: "the proxy", HTTP_PROXY: "another" }],
  ["the upper case name, where the other is empty", { http_proxy: "", HTTP_PROXY: "the proxy" }],
])("the proxy is read from %s", async (_, environment) => {
  await using scene = await startProxied();
  const another = `http://${await unusedHost()}`;
  for (const [name, value] of Object.entries(environment)) {
    vi.stubEnv(name, value.replace("the proxy", scene.proxy.url).replace("another", another));
  }
  const transport = new Transport({ baseUrl: scene.atlas.url });

  expect((await transport.send(get)).status).toBe(401);

  expect(scene.proxy.log()).toEqual([`CONNECT ${scene.host} 200`]);
});

test("a proxy for https is not used for http, and need not be a URL then", async () => {
  await using scene = await startProxied();
  vi.stubEnv("HTTP_PROXY", undefined);

  for (const value of [scene.proxy.url, "ftp://proxy.example.com"]) {
    vi.stubEnv("HTTPS_PROXY", value);
    const transport = new Transport({ baseUrl: scene.atlas.url });
    expect((await transport.send(get)).status).toBe(401);
  }

  expect(scene.proxy.log()).toEqual([]);
});

test("a proxy that wants credentials gets those of its URL", async () => {
  const credentials = { username: "ada", password: "p@ss word" };
  await using scene = await startProxied({ credentials });
  vi.stubEnv("HTTP_PROXY", scene.proxy.url.replace("//", "//ada:p%40ss%20word@"));
  const transport = new Transport({ baseUrl: scene.atlas.url });

  expect((await transport.send(get)).status).toBe(401);

  expect(scene.proxy.log()).toEqual([`CONNECT ${scene.host} 200`]);
});

test("a proxy that refuses says so, and its credentials are not told", async () => {
  await using scene = await startProxied({ credentials: { username: "ada", password: "another" } });
  vi.stubEnv("HTTP_PROXY", scene.proxy.url.replace("//", "//ada:hunter2@"));

  const error = await exchangeAt(scene.atlas.url);

  expect(error).toBeInstanceOf(AtlasNetworkError);
  expect(error.message).toMatch(/failed: Proxy response \(407\)/);
  expect(inspect(error, { depth: null, showHidden: true })).not.toContain("hunter2");
  expect(scene.atlas.requests).toEqual([]);
});

test("a proxy that is not there is a connection that never opened", async () => {
  vi.stubEnv("NO_PROXY", "");
  vi.stubEnv("HTTP_PROXY", `http://${await unusedHost()}`);

  const error = await exchangeAt(`http://${await unusedHost()}`);

  expect(error).toMatchObject({ name: "AtlasNetworkError", sent: false });
});

test("neither a proxy nor a server behind it may take longer than that to open a connection", async () => {
  await using silence = await startSilence();
  await using proxy = await ForwardProxy.start();
  vi.stubEnv("NO_PROXY", "");

  vi.stubEnv("HTTPS_PROXY", `https://${silence.host.replace("127.0.0.1", "localhost")}`);
  const proxied = exchangeAt("https://127.0.0.1", { connectTimeoutMs: 20 });
  vi.stubEnv("HTTPS_PROXY", proxy.url);
  const tunnelled = exchangeAt(`https://${silence.host}`, { connectTimeoutMs: 20 });

  for (const error of [await proxied, await tunnelled]) {
    expect(error).toMatchObject({ name: "AtlasNetworkError", sent: false });
    expect(error.message).toContain("Connect Timeout Error");
  }
  expect(proxy.log()).toEqual([`CONNECT ${silence.host} 200`]);
});

test.each([
  "ftp://user:hunter2@proxy.example.com",
  "http://user:hunter2@bad host:3128",
  "user:hunter2@bad host:3128",
  "user:hunter2@proxy.example.com:port",
  "http://user:hunter2%zz@proxy.example.com",
  "http://",
  " ",
])("a proxy given as %s is an error that says where, and does not quote it", (value) => {
  vi.stubEnv("HTTPS_PROXY", value);
  let error: unknown;
  try {
    new Transport({ baseUrl: "https://cloud.mongodb.com" });
  } catch (thrown) {
    error = thrown;
  }

  expect(error).toBeInstanceOf(AtlasConfigError);
  expect((error as Error).message).toBe(
    "HTTPS_PROXY or HTTP_PROXY in the environment is not the URL of a proxy. Set it to one such as http://proxy.example.com:3128, or remove it.",
  );
  expect(inspect(error, { depth: null, showHidden: true })).not.toContain("hunter2");
});

/** A folder in which another process of Node.js finds the transport: Node reads some variables only at its start. */
async function startProcesses() {
  const folder = await mkdtemp(join(tmpdir(), "transport-"));
  const repository = join(import.meta.dirname, "../../..");
  await symlink(join(repository, "node_modules"), join(folder, "node_modules"));
  await cp(join(repository, "provider/atlas"), folder, { recursive: true });
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  const exchange = `
    import { Transport } from "./transport.ts";
    const transport = new Transport({ baseUrl: process.argv[2] });
    const said = ({ status, sent, message }) => console.log(status ?? message, sent ?? "");
    await transport.send({ method: "GET", target: "/", headers: {} }).then(said, said);
    process.exit();`;
  await writeFile(join(folder, "exchange.ts"), exchange);
  await writeFile(join(folder, "fetch.ts"), "console.log((await fetch(process.argv[2])).status);");
  const run = (program: string) => async (baseUrl: string, environment: Record<string, string>) => {
    const command = [join(folder, program), baseUrl];
    const { stdout } = await promisify(execFile)(process.execPath, command, { env: environment });
    return stdout.trim();
  };
  return {
    /** What the transport says of a request. */
    exchange: run("exchange.ts"),
    /** What Node.js says of it. */
    fetch: run("fetch.ts"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

test("a certificate that nobody vouches for is a matter of the settings, and nothing is sent", async () => {
  await using atlas = await SimulatedAtlas.start({ tls: true });
  const sent = new Transport({ baseUrl: atlas.url }).send({ method: "GET", target: "/", headers: {} });

  await expect(sent).rejects.toBeInstanceOf(AtlasConfigError);
  await expect(sent).rejects.toThrow(
    `The certificate of ${atlas.url} is not trusted (self-signed certificate`,
  );
  expect(atlas.requests).toEqual([]);
});

test("a server whose certificate nobody vouches for is refused, unless NODE_EXTRA_CA_CERTS does", async () => {
  await using processes = await startProcesses();
  await using atlas = await SimulatedAtlas.start({ tls: true });

  const refused = await processes.exchange(atlas.url, {});
  expect(refused).toMatch(
    new RegExp(
      `^The certificate of ${atlas.url} is not trusted \\(self-signed certificate.*NODE_EXTRA_CA_CERTS\\.$`,
    ),
  );
  expect(atlas.requests).toEqual([]);

  expect(await processes.exchange(atlas.url, { NODE_EXTRA_CA_CERTS: atlas.caPath })).toBe("401");
});

describe("NODE_TLS_REJECT_UNAUTHORIZED, which makes Node.js trust any certificate,", () => {
  const trusting = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };

  test("does not make the transport trust one", async () => {
    await using processes = await startProcesses();
    await using atlas = await SimulatedAtlas.start({ tls: true });

    expect(await processes.fetch(atlas.url, trusting)).toBe("401");
    atlas.forget();

    expect(await processes.exchange(atlas.url, trusting)).toMatch(/^The certificate of .* is not trusted/);
    expect(atlas.requests).toEqual([]);
  });

  test("does not make it trust one behind a proxy", async () => {
    await using processes = await startProcesses();
    await using atlas = await SimulatedAtlas.start({ tls: true });
    await using proxy = await ForwardProxy.start();
    const environment = { ...trusting, HTTPS_PROXY: proxy.url };

    expect(await processes.exchange(atlas.url, environment)).toMatch(/^The certificate of .* is not trusted/);
    expect(proxy.log()).toEqual([`CONNECT ${new URL(atlas.url).host} 200`]);
    expect(atlas.requests).toEqual([]);
  });

  test("does not make it trust that of a proxy", async () => {
    await using processes = await startProcesses();
    await using atlas = await SimulatedAtlas.start();
    await using proxy = await ForwardProxy.start();
    const identity = await createTlsIdentity();
    const tlsServer = createTlsServer(identity, (socket) => {
      const { hostname, port } = new URL(proxy.url);
      socket.pipe(net.connect(Number(port), hostname)).pipe(socket);
    });
    await using tlsProxy = await listening(tlsServer);
    const environment = { HTTP_PROXY: `https://${tlsProxy.host}` };

    const trusted = { ...environment, NODE_EXTRA_CA_CERTS: identity.caPath };
    expect(await processes.exchange(atlas.url, trusted)).toBe("401");
    atlas.forget();
    proxy.requests.length = 0;

    const refused = await processes.exchange(atlas.url, { ...environment, ...trusting });
    expect(refused).toMatch(/^The certificate of .* is not trusted/);
    expect(proxy.log()).toEqual([]);
    expect(atlas.requests).toEqual([]);
    await identity.remove();
  });
});

test("a proxy for http is not used for https", async () => {
  await using processes = await startProcesses();
  await using atlas = await SimulatedAtlas.start({ tls: true });
  await using proxy = await ForwardProxy.start();
  const environment = { HTTP_PROXY: proxy.url, http_proxy: proxy.url, NODE_EXTRA_CA_CERTS: atlas.caPath };

  expect(await processes.exchange(atlas.url, environment)).toBe("401");

  expect(proxy.log()).toEqual([]);
});

test("the real Atlas is reached by TLS through a proxy, by its name, and not where NO_PROXY names it", async () => {
  await using processes = await startProcesses();
  await using atlas = await SimulatedAtlas.start({ tls: true });
  const { host } = new URL(atlas.url);
  await using proxy = await ForwardProxy.start({ routes: { "cloud.mongodb.com:443": host } });
  const environment = { HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: atlas.caPath };

  expect(await processes.exchange("https://cloud.mongodb.com", environment)).toBe("401");
  expect(proxy.log()).toEqual(["CONNECT cloud.mongodb.com:443 200"]);
  expect(atlas.requests).toHaveLength(1);

  expect(await processes.exchange(atlas.url, { ...environment, NO_PROXY: "127.0.0.1" })).toBe("401");
  expect(proxy.log()).toHaveLength(1);
});

test("a certificate for another name is refused, through a proxy as well", async () => {
  await using processes = await startProcesses();
  await using atlas = await SimulatedAtlas.start({ tls: true });
  const { host } = new URL(atlas.url);
  await using proxy = await ForwardProxy.start({ routes: { "atlas.example.com:443": host } });
  const environment = { https_proxy: proxy.url, NODE_EXTRA_CA_CERTS: atlas.caPath };

  expect(await processes.exchange("https://atlas.example.com", environment)).toMatch(/ is not trusted \(/);

  expect(proxy.log()).toEqual(["CONNECT atlas.example.com:443 200"]);
  expect(atlas.requests).toEqual([]);
});
