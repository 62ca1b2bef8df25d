/*
 * Stands in for undici, so that thousands of runs need no sockets and can be repeated exactly. Whoever listens
 * at an origin answers; the shapes of its errors are undici's.
 */

export interface WireRequest {
  method: string;
  /** The path with its query. */
  target: string;
  headers: Record<string, string>;
  text: string;
}

export interface WireAnswer {
  status: number;
  headers: Record<string, string>;
  /** The whole body; undefined when the connection breaks in the middle of it. */
  text: string | undefined;
}

/** Answers a request; an error is one of the connection; what never answers is a process that died. */
export type Listener = (request: WireRequest) => Promise<WireAnswer>;

const listeners = new Map<string, Listener>();
let count = 0;

/** Takes the requests to an origin of its own, on loopback, and returns that origin. */
export function listen(listener: Listener): string {
  count += 1;
  const origin = `http://127.${(count >> 16) & 255}.${(count >> 8) & 255}.${count & 255}`;
  listeners.set(origin, listener);
  return origin;
}

/** Forgets every origin: what is still sent there is never answered. */
export function forgetOrigins(): void {
  listeners.clear();
}

/** A connection that failed, as undici says it: the message begins with the system call, if there was one. */
export function connectionError(code: string, message: string): Error {
  const [, syscall] = /^(connect|read) /.exec(message) ?? [];
  return Object.assign(new Error(message), { code, ...(syscall && { syscall }) });
}

export class EnvHttpProxyAgent {}

export async function request(
  url: string,
  { method, headers, body }: { method: string; headers: Record<string, string>; body: string | null },
) {
  const { origin, pathname, search } = new URL(url);
  const listener = listeners.get(origin) ?? (() => new Promise<never>(() => {}));
  const answer = await listener({ method, target: pathname + search, headers, text: body ?? "" });
  return {
    statusCode: answer.status,
    headers: Object.fromEntries(
      Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), value]),
    ),
    body: {
      text: async () => {
        if (answer.text === undefined) throw connectionError("UND_ERR_SOCKET", "other side closed");
        return answer.text;
      },
    },
  };
}
