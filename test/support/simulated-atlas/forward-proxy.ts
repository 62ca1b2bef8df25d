import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestUpstream,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";

export interface ForwardProxyOptions {
  /** The credentials that requests need, if any. */
  credentials?: { username: string; password: string };
  /** The hosts to connect to instead of others, both as "host:port". The proxy only connects to loopback. */
  routes?: Record<string, string>;
}

/** A request to the proxy. */
export interface ProxiedRequest {
  method: string;
  /** "host:port" for a tunnel, the whole URL for any other request. */
  target: string;
  headers: IncomingHttpHeaders;
  /** The status from the proxy or, outside a tunnel, from the server; absent before the response. */
  status?: number;
}

interface Upstream {
  hostname: string;
  port: string;
}

interface Refused {
  status: number;
  headers?: Record<string, string>;
}

/** An HTTP proxy on a free loopback port: forwards requests for http, and tunnels by CONNECT. */
export class ForwardProxy implements AsyncDisposable {
  /** The requests in the order of arrival. */
  readonly requests: ProxiedRequest[] = [];
  readonly #options: ForwardProxyOptions;
  readonly #sockets = new Set<Duplex>();
  readonly #server: Server;

  private constructor(options: ForwardProxyOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => this.#forward(request, response));
    this.#server.on("connect", (request, socket, head) => this.#tunnel(request, socket, head));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
    const proxy = new ForwardProxy(options);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  /** The URL for HTTPS_PROXY, without credentials. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The requests as one line each: method, target, status. */
  log(): string[] {
    return this.requests.map(({ method, target, status = "…" }) => `${method} ${target} ${status}`);
  }

  /** Stops the proxy and closes every connection through it. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    const logged = this.#log(request);
    const refuse = ({ status, headers }: Refused) => {
      logged.status = status;
      response.writeHead(status, headers).end();
    };
    const [, authority, path] = logged.target.match(/^http:\/\/([^/]+)(\/.*)$/) ?? [];
    const admission = this.#admit(request, authority?.includes(":") ? authority : `${authority}:80`);
    if ("status" in admission) {
      refuse(admission);
      return;
    }

    // Clients send these two of the headers that are for the proxy alone.
    const { "proxy-authorization": _, "proxy-connection": __, ...headers } = request.headers;
    const upstream = requestUpstream({ ...admission, method: logged.method, path, headers, agent: false });
    upstream.on("response", (received) => {
      logged.status = received.statusCode ?? 0;
      response.writeHead(logged.status, received.headers);
      // It destroys the response when the server destroys the connection.
      pipeline(received, response).catch(() => {});
    });
    upstream.on("error", () => {
      if (response.headersSent || response.destroyed) response.destroy();
      else refuse({ status: 502 });
    });
    response.on("close", () => upstream.destroy());
    request.pipe(upstream);
  }

  #tunnel(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const logged = this.#log(request);
    const answer = (status: number, headers: object = {}) => {
      logged.status = status;
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n`);
    };
    const refuse = ({ status, headers }: Refused) => {
      answer(status, { ...headers, Connection: "close", "Content-Length": 0 });
      socket.end();
    };
    socket.on("error", () => {});
    const admission = this.#admit(request, logged.target);
    if ("status" in admission) {
      refuse(admission);
      return;
    }
    const upstream = connect(Number(admission.port), admission.hostname);
    upstream.on("connect", () => {
      answer(200);
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
    });
    upstream.on("error", () => {
      if (logged.status === undefined) refuse({ status: 502 });
    });
    upstream.on("close", () => socket.end());
    socket.on("close", () => upstream.destroy());
  }

  #log({ method = "", url: target = "", headers }: IncomingMessage): ProxiedRequest {
    const logged = { method, target, headers };
    this.requests.push(logged);
    return logged;
  }

  /** The server to connect to, or the reason to refuse the request. */
  #admit({ headers }: IncomingMessage, authority: string): Upstream | Refused {
    const { credentials, routes = {} } = this.#options;
    if (credentials) {
      const { username, password } = credentials;
      const basic = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
      const challenge = { "Proxy-Authenticate": 'Basic realm="proxy"' };
      if (headers["proxy-authorization"] !== basic) return { status: 407, headers: challenge };
    }
    const [hostname = "", port = ""] = (routes[authority] ?? authority).split(":");
    // No request leaves the machine.
    return /^(localhost|127\.0\.0\.1)$/.test(hostname) ? { hostname, port } : { status: 403 };
  }
}
