import { EnvHttpProxyAgent, request as httpRequest } from "undici";
import { AtlasError, AtlasNetworkError } from "../errors.ts";
import { Semaphore } from "../limits/semaphore.ts";
import type { RequestLine, ResponseHead } from "./auth.ts";

export interface TransportOptions {
  /** The origin of Atlas. */
  baseUrl: string;
  /** How long a connection may take to open. @default 10000 */
  connectTimeoutMs?: number;
  /** How long one HTTP request may take as a whole, its answer included. @default 60000 */
  requestTimeoutMs?: number;
}

/** One HTTP request, as it is sent. */
export interface HttpRequest extends Omit<RequestLine, "bounds"> {
  headers: Record<string, string>;
  body?: string | undefined;
  /** Aborts a GET. Any other request completes, because its answer says whether Atlas made the change. */
  signal?: AbortSignal | undefined;
}

/** One complete HTTP answer. */
export interface HttpResponse extends ResponseHead {
  text: string;
}

// An organization holds 500 people, in less than a hundredth of this.
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

// At 0.35 s a request (recorded) these carry 90 requests a second, and Atlas allows 250 a minute (documented). Without
// a limit each concurrent request has a connection, and several hundred at once overload proxies.
const MAX_CONNECTIONS = 32;

/**
 * HTTP to one origin over one pool of connections, through the proxy of the environment (`HTTPS_PROXY` or `HTTP_PROXY`,
 * and `NO_PROXY`). Follows no redirect, so that credentials go to this origin only.
 */
export class Transport {
  readonly #baseUrl: string;
  readonly #requestTimeoutMs: number;
  readonly #pool: EnvHttpProxyAgent;
  // In the queue of the pool, a request would use up its time limit before it is sent.
  readonly #connections = new Semaphore(MAX_CONNECTIONS);

  /** @throws AtlasError "invalidProxy" when the proxy of the environment has no URL. */
  constructor({ baseUrl, connectTimeoutMs = 10_000, requestTimeoutMs = 60_000 }: TransportOptions) {
    this.#baseUrl = baseUrl;
    this.#requestTimeoutMs = requestTimeoutMs;
    // NODE_TLS_REJECT_UNAUTHORIZED=0, which may be set for another server, would expose the credentials.
    const connect = { timeout: connectTimeoutMs, rejectUnauthorized: true };
    const proxy = proxyFor(baseUrl);
    try {
      this.#pool = new EnvHttpProxyAgent({
        connections: MAX_CONNECTIONS,
        connect,
        requestTls: connect,
        proxyTls: connect,
        maxResponseSize: MAX_RESPONSE_BYTES,
        httpProxy: proxy,
        httpsProxy: proxy,
      });
    } catch {
      // The error of undici quotes the URL, and with it the password of the proxy.
      throw new AtlasError(
        "invalidProxy",
        "HTTPS_PROXY or HTTP_PROXY in the environment is not the URL of a proxy. Set it to one such as http://proxy.example.com:3128, or remove it.",
      );
    }
  }

  /**
   * @param isFirst - Whether the request takes the next free connection before other requests that wait for one.
   * @throws AtlasNetworkError when no complete answer came.
   * @throws AtlasError "untrustedCertificate".
   */
  send(request: HttpRequest, isFirst = false): Promise<HttpResponse> {
    return this.#connections.run(() => this.#send(request), isFirst);
  }

  async #send({ method, target, headers, body, signal }: HttpRequest): Promise<HttpResponse> {
    let status: number | undefined;
    const timeout = AbortSignal.timeout(this.#requestTimeoutMs);
    try {
      const response = await httpRequest(this.#baseUrl + target, {
        dispatcher: this.#pool,
        signal: signal && method === "GET" ? AbortSignal.any([timeout, signal]) : timeout,
        method: method as "GET",
        headers,
        body: body ?? null,
      });
      status = response.statusCode;
      return { status, headers: response.headers, text: await response.body.text() };
    } catch (error) {
      const { name, code = "", message } = error as NodeJS.ErrnoException;
      if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) throw this.#untrustedCertificate(message);
      const reason =
        name === "TimeoutError"
          ? `no complete answer within ${this.#requestTimeoutMs / 1000} s`
          : // Trying several addresses of a host fails with a code and no message.
            `the connection to ${this.#baseUrl} failed: ${message || code}`;
      throw new AtlasNetworkError(
        method,
        target,
        status === undefined ? reason : `the answer, status ${status}, broke off: ${reason}`,
        !isConnectError(error as NodeJS.ErrnoException),
      );
    }
  }

  #untrustedCertificate(reason: string): AtlasError {
    return new AtlasError(
      "untrustedCertificate",
      `The certificate of ${this.#baseUrl} is not trusted (${reason}). If a proxy of your company inspects the traffic, set NODE_EXTRA_CA_CERTS to its certificate authority.`,
    );
  }
}

/**
 * The proxy by the scheme of the origin, as curl, Go and the Pulumi CLI choose it: the lower-case variable first, and
 * http where the value has no scheme. EnvHttpProxyAgent would use the proxy for http for https, too.
 */
function proxyFor(baseUrl: string): string {
  const name = baseUrl.startsWith("https:") ? "https_proxy" : "http_proxy";
  const proxy = process.env[name] || process.env[name.toUpperCase()] || "";
  return proxy === "" || proxy.includes("://") ? proxy : `http://${proxy}`;
}

/** Whether the connection was never opened, so that nothing was sent. */
function isConnectError(error: NodeJS.ErrnoException): boolean {
  // Each address of a host with several addresses failed.
  if (error instanceof AggregateError) return error.errors.every(isConnectError);
  const { code = "", syscall = "" } = error;
  return (
    ["getaddrinfo", "connect"].includes(syscall) ||
    ["UND_ERR_CONNECT_TIMEOUT", "ERR_SOCKET_CONNECTION_TIMEOUT"].includes(code)
  );
}
