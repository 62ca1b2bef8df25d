import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import type { Clock } from "../../provider/atlas/clock.ts";
import type { Provider } from "./engine-model.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/*
 * Replaces what the provider takes from its process and from other modules: undici, so that thousands of runs need no
 * sockets; the module that tells the processes of a run from one another; and the clock.
 */

export interface HttpRequest {
  method: string;
  /** The path with its query. */
  target: string;
  headers: Record<string, string>;
  text: string;
}

export interface HttpResponse {
  status: number;
  headers: Record<string, string>;
  /** The whole body; undefined if the connection breaks while it is sent. */
  text: string | undefined;
}

/** Answers a request, or rejects with a connection error. */
export type Listener = (request: HttpRequest) => Promise<HttpResponse>;

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
  return {
    statusCode: response.status,
    headers: Object.fromEntries(lowerCased),
    body: {
      text: async () => {
        if (response.text === undefined) throw connectionError("UND_ERR_SOCKET", "other side closed");
        return response.text;
      },
    },
  };
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

let currentClock: VirtualClock;

/** Replaces the constant of provider/atlas/clock.ts. */
export const systemClock: Clock = {
  now: () => currentClock.now(),
  monotonic: () => currentClock.monotonic(),
  sleep: (durationMs) => currentClock.sleep(durationMs),
  random: () => currentClock.random(),
};

type EntryModule = typeof import("../../provider/dynamic/org-invitation-provider.ts");

/** The process in which the provider runs: its modules, environment, console and signals. */
export class ProcessStubs implements AsyncDisposable {
  /** Receives each line that the provider prints. */
  onPrint: (line: string) => void = () => {};
  readonly #entryModules: readonly EntryModule[];
  readonly #folder: string;
  #shutdownHandlers: (() => void)[] = [];
  #exitCallbacks: (() => void)[] = [];

  private constructor(entryModules: readonly EntryModule[], folder: string) {
    this.#entryModules = entryModules;
    this.#folder = folder;
    vi.spyOn(console, "log").mockImplementation((line) => this.onPrint(line));
    // A real timeout would count real seconds: see the fault `silence`.
    vi.spyOn(AbortSignal, "timeout").mockImplementation(() => new AbortController().signal);
    vi.spyOn(process, "exit").mockImplementation((() => this.#exitCallbacks.shift()?.()) as never);
    vi.spyOn(process, "once").mockImplementation((signal, handler) => {
      if (signal === "SIGINT") this.#shutdownHandlers.push(handler as () => void);
      return process;
    });
  }

  static async create(): Promise<ProcessStubs> {
    for (const name of Object.keys(process.env).filter((name) => /^(MONGODB_ATLAS|MCLI)_/.test(name))) {
      vi.stubEnv(name, undefined);
    }
    const folder = await mkdtemp(join(tmpdir(), "simulation-"));
    vi.stubEnv("TMPDIR", folder);
    // Two copies: each organization has its own provider, and so its own process.
    const path = "../../provider/dynamic/org-invitation-provider.ts";
    const entryModules = [await import(path), await import(`${path}?second`)];
    await import("../../provider/lifecycle/connect.ts");
    return new ProcessStubs(entryModules, folder);
  }

  /** Begins a run, with its own clock. */
  reset(clock: VirtualClock, onPrint: (line: string) => void): void {
    currentClock = clock;
    this.onPrint = onPrint;
    this.#shutdownHandlers = [];
    this.#exitCallbacks = [];
    listeners.clear();
    // The recorded calls would fill the memory.
    vi.clearAllMocks();
  }

  /** The provider in the process of an organization, by index, with this stack configuration. */
  load(organization: number, get: (name: string) => string | undefined): Provider {
    const entryModule = this.#entryModules[organization] as EntryModule;
    entryModule.configure({ config: { get } as never });
    return entryModule;
  }

  /** Takes the handlers of SIGINT: each resolves when its process exits. */
  takeShutdownHandlers(): (() => Promise<void>)[] {
    return this.#shutdownHandlers.splice(0).map((handler) => () => {
      const exit = new Promise<void>((resolve) => this.#exitCallbacks.push(resolve));
      handler();
      return exit;
    });
  }

  /** Forgets what the processes of a command have announced to one another. */
  forgetPeers(): void {
    topics.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#folder, { recursive: true });
  }
}
