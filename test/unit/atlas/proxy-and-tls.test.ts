import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { inspect, promisify } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Transport } from "../../../provider/atlas/transport.ts";
import { ForwardProxy, type ForwardProxyOptions } from "../../support/simulated-atlas/forward-proxy.ts";
import { SimulatedAtlas } from "../../support/simulated-atlas/simulated-atlas.ts";
import { createTlsIdentity } from "../../support/simulated-atlas/tls-identity.ts";
import { rejection } from "./client-fixture.ts";
import { failureAt, get, listening, silentServer, unusedHost } from "./transport-fixture.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("the proxy of the environment", () => {
  const withCredentials = (url: string) => url.replace("//", "//ada:p%40ss%20word@");
  const credentials = { username: "ada", password: "p@ss word" };

  test.each<[string, used: boolean, (url: string) => Record<string, string>, ForwardProxyOptions?]>([
    ["a URL", true, (url) => ({ HTTP_PROXY: url })],
    ["an address without a scheme", true, (url) => ({ HTTP_PROXY: url.replace("http://", "") })],
    [
      "a name without a scheme",
      true,
      (url) => ({ HTTP_PROXY: url.replace("http://127.0.0.1", "localhost") }),
    ],
    ["the lower-case variable first", true, (url) => ({ http_proxy: url, HTTP_PROXY: "http://127.0.0.1:1" })],
    ["the other variable where that is empty", true, (url) => ({ http_proxy: "", HTTP_PROXY: url })],
    ["credentials in the URL", true, (url) => ({ HTTP_PROXY: withCredentials(url) }), { credentials }],
    ["a host that NO_PROXY names", false, (url) => ({ HTTP_PROXY: url, NO_PROXY: "127.0.0.1" })],
    ["a proxy for https only", false, (url) => ({ HTTPS_PROXY: url })],
    ["an invalid proxy for https only", false, () => ({ HTTPS_PROXY: "ftp://proxy.example.com" })],
  ])("%s: used is %j", async (_, used, environmentOf, options) => {
    await using atlas = await SimulatedAtlas.start();
    await using proxy = await ForwardProxy.start(options);
    vi.stubEnv("NO_PROXY", "");
    for (const [name, value] of Object.entries(environmentOf(proxy.url))) vi.stubEnv(name, value);
    const transport = new Transport({ baseUrl: atlas.url });

    for (const _ of Array(5)) expect((await transport.send(get)).status).toBe(401);

    expect(atlas.requests.map(({ path }) => path)).toEqual(Array(5).fill(get.target));
    expect([...new Set(proxy.log())]).toEqual(used ? [`CONNECT ${new URL(atlas.url).host} 200`] : []);
    // Its connections are reused.
    expect(proxy.requests.length).toBeLessThanOrEqual(2);
  });

  test("that rejects its credentials is an error that does not quote them", async () => {
    await using atlas = await SimulatedAtlas.start();
    await using proxy = await ForwardProxy.start({ credentials });
    vi.stubEnv("NO_PROXY", "");
    vi.stubEnv("HTTP_PROXY", proxy.url.replace("//", "//ada:hunter2@"));

    const error = await failureAt(atlas.url);

    expect(error).toMatchObject({ kind: "network" });
    expect(error.message).toContain("Proxy response (407)");
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain("hunter2");
    expect(atlas.requests).toEqual([]);
  });

  test("that does not run means that nothing was sent", async () => {
    vi.stubEnv("NO_PROXY", "");
    vi.stubEnv("HTTP_PROXY", `http://${await unusedHost()}`);

    expect(await failureAt("http://127.0.0.1")).toMatchObject({ kind: "network", sent: false });
  });

  test("and the server behind it must open their connections in time", async () => {
    await using server = await silentServer();
    await using proxy = await ForwardProxy.start();
    vi.stubEnv("NO_PROXY", "");

    for (const [url, target] of [
      [`https://${server.host.replace("127.0.0.1", "localhost")}`, "https://127.0.0.1"],
      [proxy.url, `https://${server.host}`],
    ] as const) {
      vi.stubEnv("HTTPS_PROXY", url);
      const error = await failureAt(target, { connectTimeoutMs: 20 });
      expect(error).toMatchObject({ kind: "network", sent: false });
      expect(error.message).toContain("Connect Timeout Error");
    }
    expect(proxy.log()).toEqual([`CONNECT ${server.host} 200`]);
  });

  test.each([
    "ftp://user:hunter2@proxy.example.com",
    "http://user:hunter2@bad host:3128",
    "user:hunter2@bad host:3128",
    "user:hunter2@proxy.example.com:port",
    "http://user:hunter2%zz@proxy.example.com",
    "http://",
    " ",
  ])("that is invalid, %s, is an error that does not quote it", async (value) => {
    vi.stubEnv("HTTPS_PROXY", value);
    const error = await rejection((async () => new Transport({ baseUrl: "https://cloud.mongodb.com" }))());

    expect(error).toMatchObject({ kind: "invalidProxy", message: expect.stringContaining("HTTPS_PROXY") });
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain("hunter2");
  });
});

test("a certificate that is not trusted is an error, and nothing is sent", async () => {
  await using atlas = await SimulatedAtlas.start({ tls: true });

  const error = await failureAt(atlas.url);

  expect(error).toMatchObject({ kind: "untrustedCertificate" });
  expect(error.message).toContain(`The certificate of ${atlas.url} is not trusted (self-signed certificate`);
  expect(atlas.requests).toEqual([]);
});

/** Processes that use the transport, as Node.js reads some variables only when it starts. */
async function processFixture() {
  const folder = await mkdtemp(join(tmpdir(), "transport-"));
  const repository = join(import.meta.dirname, "../../..");
  await symlink(join(repository, "node_modules"), join(folder, "node_modules"));
  await cp(join(repository, "provider/atlas"), folder, { recursive: true });
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  const send = `
    import { Transport } from "./transport.ts";
    const transport = new Transport({ baseUrl: process.argv[2] });
    const print = ({ status, message }) => console.log(status ?? message);
    await transport.send({ method: "GET", target: "/", headers: {} }).then(print, print);
    process.exit();`;
  await writeFile(join(folder, "send.ts"), send);
  await writeFile(join(folder, "fetch.ts"), "console.log((await fetch(process.argv[2])).status);");
  const run = (program: string) => async (baseUrl: string, env: Record<string, string>) => {
    const command = [join(folder, program), baseUrl];
    return (await promisify(execFile)(process.execPath, command, { env })).stdout.trim();
  };
  return {
    /** The status of a request of the transport, or the message of its error. */
    send: run("send.ts"),
    /** The status of a request of Node.js. */
    fetch: run("fetch.ts"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

const untrusted = /^The certificate of .* is not trusted \(/;
const trustAll = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
const real = "https://cloud.mongodb.com";
const another = "https://atlas.example.com";
type Environment = (ca: { NODE_EXTRA_CA_CERTS: string }, proxy: string) => Record<string, string>;

test.each<[string, RegExp, proxied: boolean, Environment, url?: string]>([
  ["NODE_EXTRA_CA_CERTS adds a certificate authority", /^401$/, false, (ca) => ca],
  ["NODE_TLS_REJECT_UNAUTHORIZED trusts no server", untrusted, false, () => trustAll],
  ["nor one behind a proxy", untrusted, true, (_, proxy) => ({ ...trustAll, HTTPS_PROXY: proxy })],
  ["a proxy for http is not used", /^401$/, false, (ca, proxy) => ({ ...ca, HTTP_PROXY: proxy })],
  ["a proxy for https is used", /^401$/, true, (ca, proxy) => ({ ...ca, HTTPS_PROXY: proxy }), real],
  ["NO_PROXY", /^401$/, false, (ca, proxy) => ({ ...ca, HTTPS_PROXY: proxy, NO_PROXY: "127.0.0.1" })],
  [
    "a certificate for another name",
    untrusted,
    true,
    (ca, proxy) => ({ ...ca, HTTPS_PROXY: proxy }),
    another,
  ],
])("over TLS: %s", async (_, expected, proxied, environmentOf, url) => {
  await using processes = await processFixture();
  await using atlas = await SimulatedAtlas.start({ tls: true });
  const { host } = new URL(atlas.url);
  await using proxy = await ForwardProxy.start({
    routes: { "cloud.mongodb.com:443": host, "atlas.example.com:443": host },
  });

  const environment = environmentOf({ NODE_EXTRA_CA_CERTS: atlas.caPath }, proxy.url);
  expect(await processes.send(url ?? atlas.url, environment)).toMatch(expected);

  const target = url ? `${new URL(url).host}:443` : host;
  expect(proxy.log()).toEqual(proxied ? [`CONNECT ${target} 200`] : []);
  expect(atlas.requests).toHaveLength(expected === untrusted ? 0 : 1);
});

test("over TLS: NODE_TLS_REJECT_UNAUTHORIZED, by which Node.js trusts all servers, trusts no proxy", async () => {
  await using processes = await processFixture();
  await using atlas = await SimulatedAtlas.start();
  await using proxy = await ForwardProxy.start();
  const identity = await createTlsIdentity();
  const tlsServer = createTlsServer(identity, (socket) => {
    const { hostname, port } = new URL(proxy.url);
    socket.pipe(net.connect(Number(port), hostname)).pipe(socket);
  });
  await using tlsProxy = await listening(tlsServer);
  await using tlsAtlas = await SimulatedAtlas.start({ tls: true });
  const environment = { HTTP_PROXY: `https://${tlsProxy.host}` };

  expect(await processes.fetch(tlsAtlas.url, trustAll)).toBe("401");
  expect(await processes.send(atlas.url, { ...environment, NODE_EXTRA_CA_CERTS: identity.caPath })).toBe(
    "401",
  );
  expect(await processes.send(atlas.url, { ...environment, ...trustAll })).toMatch(untrusted);
  expect(proxy.log()).toHaveLength(1);
  expect(atlas.requests).toHaveLength(1);
  await identity.remove();
});
