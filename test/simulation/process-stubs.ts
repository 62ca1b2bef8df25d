import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import type { Clock } from "../../provider/atlas/clock.ts";
import type { Provider } from "./engine-model.ts";
import type { VirtualClock } from "./virtual-clock.ts";

type Entry = typeof import("../../provider/dynamic/org-invitation-provider.ts");

let time: VirtualClock;

/** Stands in for the system's clock. */
export const packageClock: Clock = {
  now: () => time.now(),
  monotonic: () => time.monotonic(),
  sleep: (durationMs) => time.sleep(durationMs),
  random: () => time.random(),
};

/** What the package takes from its modules and from its process, and a run has to give it. */
export class Surroundings implements AsyncDisposable {
  /** Takes what the package prints. */
  onPrint: (line: string) => void = () => {};
  readonly #entries: readonly Entry[];
  readonly #folder: string;
  #farewells: (() => void)[] = [];
  #exits: (() => void)[] = [];

  private constructor(entries: readonly Entry[], folder: string) {
    this.#entries = entries;
    this.#folder = folder;
  }

  static async prepare(): Promise<Surroundings> {
    for (const name of Object.keys(process.env).filter((name) => /^(MONGODB_ATLAS|MCLI)_/.test(name))) {
      vi.stubEnv(name, undefined);
    }
    // A second copy, as every organization has a provider, and so a process, of its own.
    const path = "../../provider/dynamic/org-invitation-provider.ts";
    // What a run tells other processes of the machine is not for those of another run.
    const folder = await mkdtemp(join(tmpdir(), "chaos-"));
    vi.stubEnv("TMPDIR", folder);
    const surroundings = new Surroundings([await import(path), await import(`${path}?second`)], folder);
    await import("../../provider/lifecycle/connect.ts");
    surroundings.#spy();
    return surroundings;
  }

  /** Makes this the time of the package. */
  useClock(clock: VirtualClock): void {
    time = clock;
    this.#farewells = [];
    this.#exits = [];
    // Nobody asks for what was called, and it would be a lot.
    vi.clearAllMocks();
  }

  /** The lifecycle entry of a process for an organization, by number, with this stack configuration. */
  load(organization: number, get: (name: string) => string | undefined): Provider {
    const entry = this.#entries[organization] as Entry;
    entry.configure({ config: { get } as never });
    return entry;
  }

  /** What the processes have promised to do when they are stopped. */
  takeFarewells(): (() => Promise<void>)[] {
    return this.#farewells.splice(0).map((farewell) => () => {
      const exit = new Promise<void>((resolve) => this.#exits.push(resolve));
      farewell();
      return exit;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#folder, { recursive: true });
  }

  #spy(): void {
    vi.spyOn(console, "log").mockImplementation((line) => this.onPrint(line));
    // It would count real seconds: see the silence in trouble.ts.
    vi.spyOn(AbortSignal, "timeout").mockImplementation(() => new AbortController().signal);
    vi.spyOn(process, "exit").mockImplementation((() => this.#exits.shift()?.()) as never);
    vi.spyOn(process, "once").mockImplementation((signal, farewell) => {
      if (signal === "SIGINT") this.#farewells.push(farewell as () => void);
      return process;
    });
  }
}
