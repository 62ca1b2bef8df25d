import { subscribe, unsubscribe } from "node:diagnostics_channel";
import dns from "node:dns";
import { createServer } from "node:http";
import net, { Socket } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { AtlasNetworkError } from "../../../provider/atlas/errors.ts";
import { Transport } from "../../../provider/atlas/transport.ts";
import { ForwardProxy } from "../../support/simulated-atlas/forward-proxy.ts";
import { rejection } from "./client-fixture.ts";
import {
  failureAt,
  get,
  listening,
  silentServer,
  target,
  transportFixture,
  unusedHost,
} from "./transport-fixture.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

test("connections are reused, also after answers without a body", async () => {
  await using fixture = await transportFixture();
  fixture.atlas.fail({ status: 204, authenticated: false, times: 3 });
  const opened: string[] = [];
  const onConnected = (message: unknown) => {
    opened.push((message as { connectParams: { host: string } }).connectParams.host);
  };

  subscribe("undici:client:connected", onConnected);
  for (const _ of Array(12)) await fixture.transport.send(get);
  unsubscribe("undici:client:connected", onConnected);

  expect(fixture.atlas.requests).toHaveLength(12);
  // A connection is not free yet for a request that is sent at the very end of an answer.
  expect(opened.filter((host) => fixture.atlas.url.endsWith(host)).length).toBeLessThanOrEqual(2);
});

/** A server that counts its open connections, and answers when no further request comes. */
async function countingServer() {
  const waiting: (() => void)[] = [];
  const connections = { open: 0, most: 0 };
  const server = createServer((_, response) => {
    waiting.push(() => response.end());
    const count = waiting.length;
    setImmediate(() => {
      if (waiting.length === count) for (const answer of waiting.splice(0)) answer();
    });
  });
  server.on("connection", (socket: Socket) => {
    connections.most = Math.max(connections.most, ++connections.open);
    socket.on("close", () => connections.open--);
  });
  return Object.assign(await listening(server), { connections });
}

test.each(["directly", "through a proxy"])("300 concurrent requests share 32 connections %s", async (way) => {
  await using server = await countingServer();
  await using proxy = await ForwardProxy.start();
  vi.stubEnv("NO_PROXY", "");
  if (way === "through a proxy") vi.stubEnv("HTTP_PROXY", proxy.url);
  const transport = new Transport({ baseUrl: `http://${server.host}` });

  const answers = await Promise.all(Array.from({ length: 300 }, () => transport.send(get)));

  expect(answers.map(({ status }) => status)).toEqual(Array(300).fill(200));
  expect(server.connections.most).toBeLessThanOrEqual(32);
  expect(proxy.requests.length).toBeLessThanOrEqual(way === "directly" ? 0 : 32);
});

test("the time limit of a request starts when it has a connection", async () => {
  await using fixture = await transportFixture();
  fixture.atlas.fail({ hang: "before", authenticated: false, times: 32 });
  const timeouts: AbortController[] = [];
  vi.spyOn(AbortSignal, "timeout").mockImplementation(() => {
    const timeout = new AbortController();
    timeouts.push(timeout);
    return timeout.signal;
  });

  const results = Promise.allSettled(Array.from({ length: 40 }, () => fixture.transport.send(get)));
  await vi.waitFor(() => expect(fixture.atlas.requests).toHaveLength(32));
  expect(timeouts).toHaveLength(32);
  for (const timeout of timeouts.slice()) timeout.abort(new DOMException("Too late.", "TimeoutError"));

  expect((await results).filter(({ status }) => status === "rejected")).toHaveLength(32);
});

describe("nothing was sent when", () => {
  const notSent = { name: "AtlasNetworkError", kind: "network", sent: false };

  test("the connection is refused", async () => {
    const host = await unusedHost();

    const error = await failureAt(`http://${host}`);

    expect(error).toMatchObject({ ...notSent, method: "GET", path: target });
    expect(error.message).toContain(`the connection to http://${host} failed: connect ECONNREFUSED ${host}`);
  });

  test("all addresses of the host refuse", async () => {
    const [, port] = (await unusedHost()).split(":");
    const addresses = ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 }));
    type Found = (error: Error | null, all: typeof addresses) => void;
    const lookup = (_host: string, _options: object, found: Found) => found(null, addresses);
    vi.spyOn(dns, "lookup").mockImplementation(lookup as never);

    const error = await failureAt(`http://atlas.test:${port}`);

    expect(error).toMatchObject(notSent);
    expect(error.message).toContain(`the connection to http://atlas.test:${port} failed: ECONNREFUSED`);
  });

  test("the connection does not open in time", async () => {
    // A TLS connection is open when the handshake is done.
    await using server = await silentServer();

    const error = await failureAt(`https://${server.host}`, { connectTimeoutMs: 20 });

    expect(error).toMatchObject(notSent);
    expect(error.message).toContain("Connect Timeout Error");
  });
});

/** An error of a socket. */
const socketError = (code: string, syscall?: string) =>
  Object.assign(new Error(`${syscall} ${code}`), { code, ...(syscall && { syscall }) });

/** The error of a host with several addresses. */
const addressesError = (...syscalls: string[]) =>
  Object.assign(new AggregateError(syscalls.map((syscall) => socketError("ETIMEDOUT", syscall))), {
    code: "ETIMEDOUT",
  });

test.each<[boolean, string, Error]>([
  [false, "connect ETIMEDOUT", socketError("ETIMEDOUT", "connect")],
  [false, "connect EMFILE", socketError("EMFILE", "connect")],
  [false, "getaddrinfo ENOTFOUND", socketError("ENOTFOUND", "getaddrinfo")],
  [false, "ERR_SOCKET_CONNECTION_TIMEOUT", socketError("ERR_SOCKET_CONNECTION_TIMEOUT")],
  [false, "connect errors of all addresses", addressesError("connect", "connect")],
  [true, "a connect and a read error of two addresses", addressesError("connect", "read")],
  [true, "read ETIMEDOUT", socketError("ETIMEDOUT", "read")],
  [true, "write ECONNREFUSED", socketError("ECONNREFUSED", "write")],
  [true, "an unknown error", new Error("It broke.")],
])("sent is %s after %s", async (sent, _, failure) => {
  vi.spyOn(net, "connect").mockImplementation(() => {
    const socket = new Socket();
    process.nextTick(() => socket.destroy(failure));
    return socket;
  });

  expect(await failureAt("http://127.0.0.1")).toMatchObject({ kind: "network", sent });
});

describe("the request may have been carried out when", () => {
  const maybeDone = { name: "AtlasNetworkError", kind: "network", method: "GET", path: target, sent: true };
  const late = "no complete answer within 0.5 s";
  const brokeOff = "the answer, status 401, broke off";

  test.each([
    ["no answer comes in time", { hang: "before" }, late],
    ["the answer does not end in time", { damage: "long length" }, `${brokeOff}: ${late}`],
    ["the connection is cut before the work", { cut: "before" }, "the connection to "],
    ["the connection is cut after the work", { cut: "after" }, "the connection to "],
    ["half of the body is missing", { damage: "half body" }, brokeOff],
    ["a byte of the body is missing", { damage: "all but a byte" }, brokeOff],
    ["the body is missing", { damage: "head alone" }, brokeOff],
    ["the last chunk is missing", { damage: "no last chunk" }, brokeOff],
    ["the answer does not end within 64 MB", { huge: 65 * 1024 * 1024 }, brokeOff],
  ] as const)("%s", async (_, fault, reason) => {
    await using fixture = await transportFixture({ requestTimeoutMs: reason.includes(late) ? 500 : 60_000 });
    fixture.atlas.fail({ ...fault, authenticated: false });

    const error = await rejection(fixture.transport.send(get));

    expect(error).toBeInstanceOf(AtlasNetworkError);
    expect(error).toMatchObject(maybeDone);
    expect(error.message).toContain(reason);
    if (reason.includes(late)) return;
    // The transport itself retries nothing, and its pool still works.
    expect(fixture.atlas.requests).toHaveLength(1);
    expect((await fixture.transport.send(get)).status).toBe(401);
  });
});
