import { subscribe, unsubscribe } from "node:diagnostics_channel";
import dns from "node:dns";
import net, { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Transport } from "../../../../provider/atlas/client/transport.ts";
import { deferred } from "../../../support/deferred.ts";
import { ForwardProxy } from "../../../support/simulated-atlas/forward-proxy.ts";
import { rejection } from "./client-fixture.ts";
import { failureAt, get, silentServer, target, transportFixture, unusedHost } from "./transport-fixture.ts";

/** The connections that were opened directly to a server. */
const opened: unknown[] = [];
const onConnected = (connection: unknown) => opened.push(connection);

beforeEach(() => {
  opened.length = 0;
  subscribe("undici:client:connected", onConnected);
});

afterEach(() => {
  unsubscribe("undici:client:connected", onConnected);
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

test.each(["directly", "through a proxy"])(
  "300 requests share 32 connections %s, and the time limit of each starts when it has one",
  async (way) => {
    await using fixture = await transportFixture();
    await using proxy = await ForwardProxy.start();
    vi.stubEnv("NO_PROXY", "");
    if (way === "through a proxy") vi.stubEnv("HTTP_PROXY", proxy.url);
    const transport = new Transport({ baseUrl: fixture.atlas.url });
    const release = deferred();
    fixture.atlas.fail({ until: release.promise, authenticated: false, times: 32 });
    const timeouts = vi.spyOn(AbortSignal, "timeout");

    const answers = Promise.all(Array.from({ length: 300 }, () => transport.send(get)));
    await vi.waitFor(() => expect(fixture.atlas.requests).toHaveLength(32));
    expect(timeouts).toHaveBeenCalledTimes(32);
    release.resolve();

    expect((await answers).map(({ status }) => status)).toEqual(Array(300).fill(401));
    const connections = way === "directly" ? opened : proxy.requests;
    expect(connections.length).toBeLessThanOrEqual(32);
  },
);

describe("nothing was sent when", () => {
  const notSent = { name: "AtlasNetworkError", kind: "network", sent: false };

  test("all addresses of the host refuse", async () => {
    const [, port] = (await unusedHost()).split(":");
    const addresses = ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 }));
    const lookup = (_: string, _options: object, found: (error: null, all: object[]) => void) =>
      found(null, addresses);
    vi.spyOn(dns, "lookup").mockImplementation(lookup as never);

    const error = await failureAt(`http://atlas.test:${port}`);

    expect(error).toMatchObject({ ...notSent, method: "GET", path: target });
    expect(error.message).toContain(`the connection to http://atlas.test:${port} failed: ECONNREFUSED`);
  });

  test("the connection does not open in time", async () => {
    // A TLS connection is open when the handshake is done.
    await using server = await silentServer();

    expect(await failureAt(`https://${server.host}`, { connectTimeoutMs: 20 })).toMatchObject(notSent);
  });
});

/** An error of a socket, in this system call. */
const socketError = (code: string, syscall = "") =>
  Object.assign(new Error(`${syscall} ${code}`), { code, syscall });

/** The error of a host with several addresses. */
const addressesError = (...syscalls: string[]) =>
  new AggregateError(syscalls.map((syscall) => socketError("ETIMEDOUT", syscall)));

test.each<[boolean, string, Error]>([
  [false, "connect ETIMEDOUT", socketError("ETIMEDOUT", "connect")],
  [false, "getaddrinfo ENOTFOUND", socketError("ENOTFOUND", "getaddrinfo")],
  [false, "ERR_SOCKET_CONNECTION_TIMEOUT", socketError("ERR_SOCKET_CONNECTION_TIMEOUT")],
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
] as const)(
  "the request may have been carried out when %s, and is not repeated",
  async (_, fault, reason) => {
    await using fixture = await transportFixture({ requestTimeoutMs: reason.includes(late) ? 500 : 60_000 });
    fixture.atlas.fail({ ...fault, authenticated: false });

    const error = await rejection(fixture.transport.send(get));

    expect(error).toMatchObject({ name: "AtlasNetworkError", kind: "network", sent: true });
    expect(error.message).toContain(reason);
    expect(fixture.atlas.requests.length).toBeLessThanOrEqual(1);
    expect((await fixture.transport.send(get)).status).toBe(401);
  },
);
