import { vi } from "vitest";
import type { ReceivedRequest } from "../support/simulated-atlas/api.ts";
import type { Provider } from "./engine-model.ts";

/*
 * Replaces what the provider takes from its process and from other modules: undici, so that thousands of runs need no
 * sockets; the module by which the processes of a command find one another; the console and the signals.
 */

export interface HttpResponse {
  status: number;
  headers: Record<string, string>;
  /** The whole body; undefined if the connection breaks while it is sent. */
  text: string | undefined;
}

/** Rejects with a connection error. */
type Listener = (request: ReceivedRequest) => Promise<HttpResponse>;

const listeners = new Map<string, Listener>();
let originCount = 0;

/** Handles the requests to a new loopback origin, and returns that origin. */
export function listen(listener: Listener): string {
  originCount += 1;
  const origin = `http://127.${(originCount >> 16) & 255}.${(originCount >> 8) & 255}.${originCount & 255}`;
  listeners.set(origin, listener);
  return origin;
}

/** A connection error in the form of undici: the message begins with the system call, if there was one. */
export function connectionError(code: string, message: string): Error {
  const [, syscall] = /^(connect|read) /.exec(message) ?? [];
  return Object.assign(new Error(message), { code, ...(syscall && { syscall }) });
}

/** Replaces the class of undici. */
export class EnvHttpProxyAgent {}

/** Replaces the function of undici. */
export async function request(
  url: string,
  { method, headers, body }: { method: string; headers: Record<string, string>; body: string | null },
) {
  const { origin, pathname, search } = new URL(url);
  // An earlier run may still send requests: they are never answered.
  const listener = listeners.get(origin) ?? (() => new Promise<never>(() => {}));
  const response = await listener({ method, target: pathname + search, headers, text: body ?? "" });
  const lowerCased = Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), value]);
  const text = async () => {
    if (response.text === undefined) throw connectionError("UND_ERR_SOCKET", "other side closed");
    return response.text;
  };
  return { statusCode: response.status, headers: Object.fromEntries(lowerCased), body: { text } };
}

const topics = new Map<string, Set<Peers>>();

/** Replaces the class of provider/atlas/limits/peers.ts, without its files. */
export class Peers {
  announce(topic: string): void {
    topics.set(topic, (topics.get(topic) ?? new Set()).add(this));
  }

  withdraw(topic: string): void {
    topics.get(topic)?.delete(this);
  }

  others(topic: string): number {
    return [...(topics.get(topic) ?? [])].filter((peer) => peer !== this).length;
  }

  place(topic: string): number {
    return Math.max(0, [...(topics.get(topic) ?? [])].indexOf(this));
  }
}

/** The processes of a command have ended. */
export function forgetPeers(): void {
  topics.clear();
}

let entryModules: typeof import("../../provider/dynamic/org-invitation-provider.ts")[];
let print: (line: string) => void;
let shutdownHandlers: (() => void)[] = [];
let exitCallbacks: (() => void)[] = [];

/** Loads the provider, and replaces the environment, the console and the signals of its process. */
export async function installStubs(): Promise<void> {
  for (const name of Object.keys(process.env).filter((name) => /^(MONGODB_ATLAS|MCLI)_/.test(name))) {
    vi.stubEnv(name, undefined);
  }
  // Two copies: each organization has its own provider, and so its own process.
  const path = "../../provider/dynamic/org-invitation-provider.ts";
  entryModules = [await import(path), await import(`${path}?second`)];
  await import("../../provider/lifecycle/connect.ts");
  vi.spyOn(console, "log").mockImplementation((line) => print(line));
  // A real timeout would count real seconds: see the fault `silence`.
  vi.spyOn(AbortSignal, "timeout").mockImplementation(() => new AbortController().signal);
  vi.spyOn(process, "exit").mockImplementation((() => exitCallbacks.shift()?.()) as never);
  vi.spyOn(process, "once").mockImplementation((signal, handler) => {
    if (signal === "SIGINT") shutdownHandlers.push(handler as () => void);
    return process;
  });
}

/** Begins a run. */
export function resetStubs(onPrint: (line: string) => void): void {
  print = onPrint;
  shutdownHandlers = [];
  exitCallbacks = [];
  listeners.clear();
  // The recorded calls would fill the memory.
  vi.clearAllMocks();
}

/** The provider in the process of an organization, by index, with this stack configuration. */
export function loadProvider(organization: number, config: Record<string, string>): Provider {
  const entryModule = entryModules[organization] as (typeof entryModules)[number];
  entryModule.configure({ config: { get: (name: string) => config[name] } as never });
  return entryModule;
}

/** Takes the handlers of SIGINT: each resolves when its process exits. */
export function takeShutdownHandlers(): (() => Promise<void>)[] {
  return shutdownHandlers.splice(0).map((handler) => () => {
    const exit = new Promise<void>((resolve) => exitCallbacks.push(resolve));
    handler();
    return exit;
  });
}
