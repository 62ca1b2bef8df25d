import { ExternalChanges } from "./external-changes.ts";
import { InvariantChecker } from "./invariants.ts";
import type { Scenario } from "./scenario.ts";
import { SimulatedEndpoints } from "./simulated-endpoints.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** Atlas, its clock and the checks of one run. */
export class Simulation {
  readonly scenario: Scenario;
  readonly clock: VirtualClock;
  readonly atlas: SimulatedEndpoints;
  readonly invariants: InvariantChecker;
  readonly externalChanges: ExternalChanges;
  readonly history: string[] = [];

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.clock = new VirtualClock(scenario.seed);
    this.atlas = new SimulatedEndpoints(scenario.settings, scenario.organizations, this.clock);
    this.invariants = new InvariantChecker(this.atlas, this.clock.now);
    this.externalChanges = new ExternalChanges(this.atlas, this.invariants, this.log);
  }

  /** Adds a line to the history. */
  log = (line: string): void => {
    const seconds = (this.clock.monotonic() / 1000).toFixed(1);
    this.history.push(`${seconds.padStart(8)} s  ${line}`);
  };
}
