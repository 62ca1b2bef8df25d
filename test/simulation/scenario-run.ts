import { checkConverged } from "./convergence-check.ts";
import {
  type FailedOperation,
  InvariantViolation,
  type Outcome,
  ProcessKilledError,
} from "./engine-model.ts";
import { isRecoverable } from "./faults.ts";
import { isLifecycleError } from "./lifecycle-errors.ts";
import { PluginProcesses } from "./plugin-processes.ts";
import { resetStubs } from "./process-stubs.ts";
import type { Command, Scenario } from "./scenario.ts";
import { Simulation } from "./simulation.ts";
import { nameOf, organizationOf, Stack } from "./stack.ts";

// Enough to see an error, refresh, replace what expired, and find nothing left to change.
const MAX_CONVERGENCE_ROUNDS = 6;
// The provider sends a request six times.
const MAX_RECOVERABLE_FAULTS = 5;
const WITHOUT_FAULTS: Omit<Command, "command"> = {
  parallel: 8,
  continueOnError: true,
  plansFirst: true,
  replaced: [],
  targets: undefined,
  faults: [],
  externalChanges: [],
  killed: undefined,
};

/** One run of a scenario. */
export class ScenarioRun {
  readonly #simulation: Simulation;
  /** Two stacks that know nothing of each other. */
  readonly #stacks: readonly [Stack, Stack];
  #processes: PluginProcesses | undefined;

  constructor(scenario: Scenario) {
    this.#simulation = new Simulation(scenario);
    const processOf = (resource: string) => {
      return (this.#processes as PluginProcesses).processOf(organizationOf(resource, this.#simulation));
    };
    const stackOf = (name: string) => new Stack(this.#simulation, name, processOf);
    this.#stacks = [stackOf("dev"), stackOf("other")];
  }

  get history(): string[] {
    return this.#simulation.history;
  }

  /** @throws InvariantViolation, or any unexpected error. */
  async execute(): Promise<void> {
    const { scenario, clock, log } = this.#simulation;
    resetStubs((line) => log(`   > ${line}`));
    const [first] = this.#stacks;
    for (const [slot, declaration] of scenario.program.entries()) first.declare(slot, declaration);
    if (scenario.isUp) await this.#run(first, { ...WITHOUT_FAULTS, command: "up" });
    for (const step of scenario.steps) {
      for (const edit of step.edits) this.#stacks[step.stack].edit(edit);
      for (const change of step.externalChanges) {
        const minutes = change.change === "wait" ? change.minutes : 0.1;
        await clock.run(clock.sleep(minutes * 60_000));
        this.#simulation.apply(change);
      }
      await this.#run(this.#stacks[step.stack], step.command);
    }
    log("No more faults from here on.");
    await this.#converge();
  }

  /** Runs commands until they find nothing to change. */
  async #converge(): Promise<void> {
    const [first, other] = this.#stacks;
    // Two stacks that declare a person differently would never converge.
    other.removeDeclarationsOf(first);
    for (let round = 0; round < MAX_CONVERGENCE_ROUNDS; round++) {
      const otherErrors = await this.#recurringErrors(other);
      const firstErrors = await this.#recurringErrors(first);
      if (!otherErrors || !firstErrors) continue;
      checkConverged(this.#simulation, other, otherErrors);
      checkConverged(this.#simulation, first, firstErrors);
      return;
    }
    throw new Error("does not converge: each command finds something to change");
  }

  /** The errors of an `up`; undefined if it, or a refresh after it, found something to change. */
  async #recurringErrors(stack: Stack): Promise<FailedOperation[] | undefined> {
    const up = await this.#run(stack, { ...WITHOUT_FAULTS, command: "up" });
    const refresh = await this.#run(stack, { ...WITHOUT_FAULTS, command: "refresh" });
    if (!up || !refresh) throw new Error("a command was killed without a fault");
    const isUnchanged = up.changes === up.errors.length && refresh.changes + refresh.errors.length === 0;
    return isUnchanged ? up.errors : undefined;
  }

  /** Runs a command in new plugin processes; undefined if it was killed. */
  async #run(stack: Stack, command: Command): Promise<Outcome | undefined> {
    const { clock, log, invariants } = this.#simulation;
    log(`$ pulumi ${command.command}${stack === this.#stacks[1] ? " (the other stack)" : ""}`);
    const processes = new PluginProcesses(this.#simulation, command);
    this.#processes = processes;
    const run = async () => {
      const outcome = await this.#start(stack, command).catch((error) => {
        if (error instanceof ProcessKilledError) return undefined;
        throw error;
      });
      await processes.end();
      if (outcome) checkRecovery(command, outcome.errors);
      return outcome;
    };
    const outcome = await clock.run(run());
    invariants.throwViolation();
    return outcome;
  }

  #start(stack: Stack, command: Command): Promise<Outcome> {
    const [targets, replaced] = [command.targets?.map(nameOf), command.replaced.map(nameOf)];
    const isTarget = (name: string) => !targets || targets.includes(name);
    const isReplaced = (name: string) => replaced.includes(name);
    const program = stack.program();
    const isUp = command.command.startsWith("up");
    this.#simulation.invariants.onCommand(new Map([...program].filter(([name]) => isUp && isTarget(name))));
    return stack.engine.execute(program, { ...command, isTarget, isReplaced });
  }
}

/** Checks that the provider has recovered from the faults of the command, if it has to recover from all of them. */
function checkRecovery({ faults, externalChanges }: Command, errors: FailedOperation[]): void {
  const times = faults.reduce((sum, { fault }) => sum + fault.times, 0);
  const areRecoverable = times <= MAX_RECOVERABLE_FAULTS && faults.every(({ fault }) => isRecoverable(fault));
  const failed = errors.find((failed) => !isLifecycleError(failed));
  if (failed && areRecoverable && externalChanges.length === 0) {
    throw new InvariantViolation(`an operation did not recover from its faults: ${failed.error.message}`);
  }
}
