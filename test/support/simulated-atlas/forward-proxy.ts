import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";

export interface ForwardProxyOptions {
  /** The credentials that requests need, if any. */
  credentials?: { username: string; password: string };
  /** The hosts to connect to instead of others, both as "host:port". The proxy only connects to loopback. */
  routes?: Record<string, string>;
}

/** A request for a tunnel. */
interface ProxiedRequest {
  /** "host:port". */
  target: string;
  /** Absent before the response. */
  status?: number;
}

/** An HTTP proxy on a free loopback port that tunnels by CONNECT. */
export class ForwardProxy implements AsyncDisposable {
  /** The requests in the order of arrival. */
  readonly requests: ProxiedRequest[] = [];
  readonly #options: ForwardProxyOptions;
  readonly #sockets = new Set<Duplex>();
  readonly #server: Server;

  private constructor(options: ForwardProxyOptions) {
    this.#options = options;
    this.#server = createServer((_, response) => response.writeHead(405).end());
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
    return this.requests.map(({ target, status = "…" }) => `CONNECT ${target} ${status}`);
  }

  /** Stops the proxy and closes every connection through it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #tunnel(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const logged: ProxiedRequest = { target: request.url ?? "" };
    this.requests.push(logged);
    const answer = (status: number, headers = "") => {
      logged.status = status;
      socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers}\r\n`);
    };
    const refuse = (status: number) => {
      const challenge = status === 407 ? 'Proxy-Authenticate: Basic realm="proxy"\r\n' : "";
      answer(status, `${challenge}Connection: close\r\nContent-Length: 0\r\n`);
      socket.end();
    };
    socket.on("error", () => {});
    const { credentials, routes = {} } = this.#options;
    const { username, password } = credentials ?? {};
    const basic = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    const isAllowed = !credentials || request.headers["proxy-authorization"] === basic;
    const [hostname = "", port] = (routes[logged.target] ?? logged.target).split(":");
    // No request leaves the machine.
    const isLocal = /^(localhost|127\.0\.0\.1)$/.test(hostname);
    if (!isAllowed || !isLocal) {
      refuse(isAllowed ? 403 : 407);
      return;
    }
    const upstream = connect(Number(port), hostname);
    upstream.on("connect", () => {
      answer(200);
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
    });
    upstream.on("error", () => {
      if (logged.status === undefined) refuse(502);
    });
    upstream.on("close", () => socket.end());
    socket.on("close", () => upstream.destroy());
  }
}
