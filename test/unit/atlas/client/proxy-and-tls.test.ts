import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { inspect, promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Transport } from "../../../../provider/atlas/client/transport.ts";
import { ForwardProxy, type ForwardProxyOptions } from "../../../support/simulated-atlas/forward-proxy.ts";
import { SimulatedAtlas } from "../../../support/simulated-atlas/simulated-atlas.ts";
import { createTlsIdentity } from "../../../support/simulated-atlas/tls-identity.ts";
import { rejection } from "./client-fixture.ts";
import { failureAt, get, listening, silentServer, unusedHost } from "./transport-fixture.ts";

beforeEach(() => {
  vi.stubEnv("NO_PROXY", "");
});

afterEach(() => {
  vi.unstubAllEnvs();
});

const everythingIn = (error: Error) => inspect(error, { depth: null, showHidden: true });

describe("the proxy of the environment", () => {
  const credentials = { username: "ada", password: "p@ss word" };
  const withCredentials = (url: string) => url.replace("//", "//ada:p%40ss%20word@");

  test.each<[string, used: boolean, (url: string) => Record<string, string>, ForwardProxyOptions?]>([
    ["a URL", true, (url) => ({ HTTP_PROXY: url })],
    ["an address without a scheme", true, (url) => ({ HTTP_PROXY: url.slice("http://".length) })],
    ["a name without a scheme", true, (url) => ({ HTTP_PROXY: `localhost:${new URL(url).port}` })],
    ["the lower-case variable first", true, (url) => ({ http_proxy: url, HTTP_PROXY: "http://127.0.0.1:1" })],
    ["the other variable where that is empty", true, (url) => ({ http_proxy: "", HTTP_PROXY: url })],
    ["credentials in the URL", true, (url) => ({ HTTP_PROXY: withCredentials(url) }), { credentials }],
    ["a host that NO_PROXY names", false, (url) => ({ HTTP_PROXY: url, NO_PROXY: "127.0.0.1" })],
    ["a proxy for https only", false, (url) => ({ HTTPS_PROXY: url })],
    ["an invalid proxy for https only", false, () => ({ HTTPS_PROXY: "ftp://proxy.example.com" })],
  ])("%s: used is %j", async (_, used, environmentOf, options) => {
    await using atlas = await SimulatedAtlas.start();
    await using proxy = await ForwardProxy.start(options);
    for (const [name, value] of Object.entries(environmentOf(proxy.url))) vi.stubEnv(name, value);

    expect((await new Transport({ baseUrl: atlas.url }).send(get)).status).toBe(401);

    expect(atlas.requests.map(({ path }) => path)).toEqual([get.target]);
    expect(proxy.log()).toEqual(used ? [`CONNECT ${new URL(atlas.url).host} 200`] : []);
  });

  test("that rejects its credentials is an error that does not quote them", async () => {
    await using atlas = await SimulatedAtlas.start();
    await using proxy = await ForwardProxy.start({ credentials });
    vi.stubEnv("HTTP_PROXY", proxy.url.replace("//", "//ada:hunter2@"));

    const error = await failureAt(atlas.url);

    expect(error).toMatchObject({ kind: "network" });
    expect(error.message).toContain("Proxy response (407)");
    expect(everythingIn(error)).not.toContain("hunter2");
    expect(atlas.requests).toEqual([]);
  });

  test("or the server behind it that does not open its connection in time was sent nothing", async () => {
    await using server = await silentServer();
    await using proxy = await ForwardProxy.start();
    const notSent = { kind: "network", sent: false };
    const silentProxy = `https://${server.host.replace("127.0.0.1", "localhost")}`;

    vi.stubEnv("HTTP_PROXY", `http://${await unusedHost()}`);
    expect(await failureAt("http://127.0.0.1")).toMatchObject(notSent);
    vi.stubEnv("HTTPS_PROXY", silentProxy);
    expect(await failureAt("https://127.0.0.1", { connectTimeoutMs: 20 })).toMatchObject(notSent);
    vi.stubEnv("HTTPS_PROXY", proxy.url);
    expect(await failureAt(`https://${server.host}`, { connectTimeoutMs: 20 })).toMatchObject(notSent);
  });

  test.each([
    "ftp://user:hunter2@proxy.example.com",
    "http://user:hunter2@bad host:3128",
    "user:hunter2@proxy.example.com:port",
    "http://user:hunter2%zz@proxy.example.com",
    "http://",
    " ",
  ])("that is invalid, %s, is an error that does not quote it", async (value) => {
    vi.stubEnv("HTTPS_PROXY", value);
    const error = await rejection((async () => new Transport({ baseUrl: "https://cloud.mongodb.com" }))());

    expect(error).toMatchObject({ kind: "invalidProxy", message: expect.stringContaining("HTTPS_PROXY") });
    expect(everythingIn(error)).not.toContain("hunter2");
  });
});

test("a certificate that is not trusted is an error with the reason", async () => {
  await using atlas = await SimulatedAtlas.start({ tls: true });

  const error = await failureAt(atlas.url);

  expect(error).toMatchObject({ kind: "untrustedCertificate" });
  expect(error.message).toContain(`The certificate of ${atlas.url} is not trusted (self-signed certificate`);
});

/** Runs a program with the transport in a process, as Node.js reads some variables only when it starts. */
async function processFixture() {
  const folder = await mkdtemp(join(tmpdir(), "transport-"));
  const repository = join(import.meta.dirname, "../../../..");
  await symlink(join(repository, "node_modules"), join(folder, "node_modules"));
  await cp(join(repository, "provider/atlas"), folder, { recursive: true });
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  const run = async (program: string, url: string, env: Record<string, string>) => {
    await writeFile(join(folder, "program.ts"), program);
    const command = [join(folder, "program.ts"), url];
    return (await promisify(execFile)(process.execPath, command, { env })).stdout.trim();
  };
  const send = `
    import { Transport } from "./client/transport.ts";
    const print = ({ status, message }) => console.log(status ?? message);
    const transport = new Transport({ baseUrl: process.argv[2] });
    await transport.send({ method: "GET", target: "/", headers: {} }).then(print, print);
    process.exit();`;
  return {
    /** The status of a request of the transport, or the message of its error. */
    send: (url: string, env: Record<string, string>) => run(send, url, env),
    /** The status of a request of Node.js. */
    fetch: (url: string, env: Record<string, string>) =>
      run("console.log((await fetch(process.argv[2])).status);", url, env),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

const untrusted = /^The certificate of .* is not trusted \(/;
const trustAll = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
type Environment = (ca: { NODE_EXTRA_CA_CERTS: string }, proxy: string) => Record<string, string>;
const withHttpsProxy: Environment = (ca, proxy) => ({ ...ca, HTTPS_PROXY: proxy });

// Node.js runs programs in TypeScript since 22.18.
test
  .skipIf(!process.features.typescript)
  .each<[string, RegExp, proxied: boolean, Environment, host?: string]>([
    ["NODE_EXTRA_CA_CERTS adds a certificate authority", /^401$/, false, (ca) => ca],
    ["NODE_TLS_REJECT_UNAUTHORIZED trusts no server", untrusted, false, () => trustAll],
    ["nor one behind a proxy", untrusted, true, (_, proxy) => ({ ...trustAll, HTTPS_PROXY: proxy })],
    ["a proxy for http is not used", /^401$/, false, (ca, proxy) => ({ ...ca, HTTP_PROXY: proxy })],
    ["a proxy for https is used", /^401$/, true, withHttpsProxy, "cloud.mongodb.com"],
    ["NO_PROXY", /^401$/, false, (ca, proxy) => ({ ...ca, HTTPS_PROXY: proxy, NO_PROXY: "127.0.0.1" })],
    ["a certificate for another name", untrusted, true, withHttpsProxy, "atlas.example.com"],
  ])("over TLS: %s", async (_, expected, proxied, environmentOf, name) => {
  await using processes = await processFixture();
  await using atlas = await SimulatedAtlas.start({ tls: true });
  const { host } = new URL(atlas.url);
  const target = name ? `${name}:443` : host;
  await using proxy = await ForwardProxy.start({ routes: { [target]: host } });

  const environment = environmentOf({ NODE_EXTRA_CA_CERTS: atlas.caPath }, proxy.url);
  expect(await processes.send(`https://${name ?? host}`, environment)).toMatch(expected);

  expect(proxy.log()).toEqual(proxied ? [`CONNECT ${target} 200`] : []);
  expect(atlas.requests).toHaveLength(expected === untrusted ? 0 : 1);
});

test.skipIf(!process.features.typescript)(
  "over TLS: NODE_TLS_REJECT_UNAUTHORIZED, by which Node.js trusts all servers, trusts no proxy",
  async () => {
    await using processes = await processFixture();
    await using atlas = await SimulatedAtlas.start();
    await using proxy = await ForwardProxy.start();
    const { port } = new URL(proxy.url);
    const { remove, ...identity } = await createTlsIdentity();
    const tlsServer = createTlsServer(identity, (socket) => {
      socket.pipe(net.connect(Number(port), "127.0.0.1")).pipe(socket);
    });
    await using tlsProxy = await listening(tlsServer);
    await using tlsAtlas = await SimulatedAtlas.start({ tls: true });
    const send = (env: Record<string, string>) =>
      processes.send(atlas.url, { ...env, HTTP_PROXY: `https://${tlsProxy.host}` });

    expect(await processes.fetch(tlsAtlas.url, trustAll)).toBe("401");
    expect(await send({ NODE_EXTRA_CA_CERTS: identity.caPath })).toBe("401");
    expect(await send(trustAll)).toMatch(untrusted);
    expect(proxy.log()).toHaveLength(1);
    await remove();
  },
);
