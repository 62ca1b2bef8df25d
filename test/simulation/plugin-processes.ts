import type { ReceivedRequest } from "../support/simulated-atlas/api.ts";
import { type PluginProcess, ProcessKilledError } from "./engine-model.ts";
import { appliesTo, effectOf, type Fault, WORK_MS } from "./faults.ts";
import {
  forgetPeers,
  type HttpResponse,
  listen,
  loadProvider,
  takeShutdownHandlers,
} from "./process-stubs.ts";
import type { Command } from "./scenario.ts";
import { usernameIn } from "./simulated-endpoints.ts";
import type { Simulation } from "./simulation.ts";

const LATENCY_MS = 120;
// A longer pause in the requests means that the provider has waited.
const MAX_PAUSE_MS = 1_000;
const NEVER = new Promise<never>(() => {});

/**
 * The plugin processes that one command of Pulumi starts, one for each organization, and the network between them
 * and Atlas. Killing the engine kills all of them.
 */
export class PluginProcesses {
  readonly #simulation: Simulation;
  readonly #command: Command;
  readonly #processes: PluginProcess[];
  #requestCount = 0;
  #lastArrivedAt = Number.POSITIVE_INFINITY;
  #isAlive = true;
  #rejectKilled: (error: Error) => void = () => {};

  constructor(simulation: Simulation, command: Command) {
    this.#simulation = simulation;
    // Faults and external changes are removed from it once they have happened.
    this.#command = structuredClone(command);
    const killed = new Promise<never>((_, reject) => {
      this.#rejectKilled = reject;
    });
    killed.catch(() => {});
    const { atlas, scenario } = simulation;
    this.#processes = atlas.organizations.map((_, index) => {
      // The new origin gives each command new connections: a process knows nothing of those before it.
      const provider = loadProvider(index, {
        "mongodbatlas:baseUrl": listen((request) => this.#exchange(request)),
        "mongodbatlas:invitationsApi": scenario.invitationsApi,
        ...atlas.configuration(index, scenario.credentials),
      });
      return { provider, killed };
    });
  }

  /** The process for an organization, by index. */
  processOf(organization: number): PluginProcess {
    return this.#processes[organization] as PluginProcess;
  }

  /** After the command: stops the processes, unless they were killed. */
  async end(): Promise<void> {
    const { clock, invariants } = this.#simulation;
    const shutdownHandlers = takeShutdownHandlers();
    if (this.#isAlive) await Promise.all(shutdownHandlers.map((shutDown) => shutDown()));
    this.#isAlive = false;
    // Requests in flight reach Atlas before the next command.
    await clock.sleep(10_000);
    invariants.onProcessEnd();
    forgetPeers();
  }

  async #exchange(request: ReceivedRequest): Promise<HttpResponse> {
    const { clock, invariants, atlas, log } = this.#simulation;
    const sentAt = clock.now();
    if (!this.#isAlive) return NEVER;
    const number = this.#requestCount++;
    const fault = this.#takeFault(number, request);
    await clock.sleep(clock.random() * LATENCY_MS);
    // Half of the requests in flight are lost with the process.
    if (!this.#isAlive && clock.random() < 0.5) return NEVER;

    this.#applyExternalChanges(number, request);
    const { killed } = this.#command;
    const isKilled = this.#isAlive && killed?.at === number;
    if (isKilled && killed.when === "before") return this.#kill(request);

    const effect = fault && effectOf(fault, clock.now());
    const when = effect?.when ?? "after";
    const note = fault ? ` (${formatFault(fault)})` : "";
    const carryOut = (note: string) => {
      const response = invariants.checkEffects(sentAt, () => atlas.answer(request));
      log(`   ${formatRequest(request)} ${response.status}${note}`);
      return response;
    };
    const response = when === "after" ? carryOut(note) : undefined;
    if (!response) log(`   ${formatRequest(request)} not done${when === "during" ? " yet" : ""}${note}`);
    if (when === "during") void clock.sleep(WORK_MS).then(() => carryOut(" (late)"));
    const onReceived = invariants.knownEdges.onAnswer(request);
    if (isKilled) return this.#kill(request);

    await clock.sleep(clock.random() * LATENCY_MS + (effect?.delayMs ?? 0));
    if (!this.#isAlive) return NEVER;
    onReceived();
    const received = effect ? effect.received(response as HttpResponse) : (response as HttpResponse);
    if (received === response) invariants.onResponse(request, received);
    return received;
  }

  /** Applies the external changes that are due; of those for a wait, one after each wait. */
  #applyExternalChanges(number: number, request: ReceivedRequest): void {
    const { clock, atlas } = this.#simulation;
    const hasWaited = clock.now() - this.#lastArrivedAt > MAX_PAUSE_MS;
    this.#lastArrivedAt = clock.now();
    const afterWait = hasWaited && this.#command.externalChanges.find(({ at }) => at === "a wait");
    const due = this.#command.externalChanges.filter(
      (change) => change === afterWait || (change.at !== "a wait" && change.at <= number),
    );
    this.#command.externalChanges = this.#command.externalChanges.filter((change) => !due.includes(change));
    for (const { external } of due) this.#simulation.apply(external, atlas.subjectOf(request));
  }

  #kill(request: ReceivedRequest): Promise<never> {
    const { killed } = this.#command;
    this.#simulation.log(`!! the process is killed ${killed?.when} ${formatRequest(request)} is done`);
    this.#isAlive = false;
    this.#rejectKilled(new ProcessKilledError("killed"));
    return NEVER;
  }

  /** The first fault that is due and applies to the request. */
  #takeFault(number: number, request: ReceivedRequest): Fault | undefined {
    const due = this.#command.faults.find(
      ({ at, spares, fault }) => at <= number && spares !== request.method && appliesTo(fault, request),
    );
    if (!due) return undefined;
    due.fault.times -= 1;
    this.#command.faults = this.#command.faults.filter(({ fault }) => fault.times > 0);
    return due.fault;
  }
}

function formatFault({ times, ...fault }: Fault): string {
  return Object.values(fault).join(" ");
}

function formatRequest({ method, target, text }: ReceivedRequest): string {
  const username = usernameIn(text);
  const path = target
    .replace(/^\/api\/(atlas\/)?/, "")
    .replace(/\?.*/, "?…")
    .replace(/0{16,}/g, "…");
  return `${method} ${path}${username ? ` for ${username}` : ""}:`;
}
