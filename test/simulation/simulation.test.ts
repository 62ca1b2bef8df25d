import * as fc from "fast-check";
import { afterAll, expect, test, vi } from "vitest";
import { InvariantViolation } from "./engine-model.ts";
import { installStubs } from "./process-stubs.ts";
import { type Scenario, scenario } from "./scenario.ts";
import { ScenarioRun } from "./scenario-run.ts";

vi.mock("undici", () => import("./process-stubs.ts"));
vi.mock("../../provider/atlas/limits/peers.ts", () => import("./process-stubs.ts"));
vi.mock("../../provider/atlas/clock.ts", async (original) => ({
  ...(await original<typeof import("../../provider/atlas/clock.ts")>()),
  systemClock: (await import("./virtual-clock.ts")).systemClock,
}));
afterAll(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** The number of runs; and the seed and the path of a run, to repeat it. */
const { SIMULATION_RUNS, SIMULATION_SEED, SIMULATION_PATH } = process.env;
// A constant seed: a failure is due to the change that is tested. A run with SIMULATION_RUNS takes a random one.
const DEFAULT = { numRuns: 300, seed: 20_260_105 };
const SHRINK_FOR_MS = 20_000;

interface Failure {
  scenario: Scenario;
  error: Error;
  history: string[];
}

/*
 * Generates programs, edits, external changes in Atlas, faults of the network and of Atlas, and killed processes, and
 * calls the lifecycle as the engine of Pulumi does. `InvariantChecker` checks each request and each operation. At the
 * end, commands without faults must converge: see `checkConverged`.
 */
test(
  "brings each person to what is declared, with one e-mail and no other change, whatever fails",
  async () => {
    await installStubs();
    let failure: Failure | undefined;
    let shrinkUntil = Number.POSITIVE_INFINITY;
    const property = fc.asyncProperty(scenario, async (scenario) => {
      if (Date.now() > shrinkUntil) return;
      const run = new ScenarioRun(scenario);
      try {
        await run.execute();
      } catch (error) {
        shrinkUntil = Math.min(shrinkUntil, Date.now() + SHRINK_FOR_MS);
        failure = { scenario, error: error as Error, history: run.history };
        throw error;
      }
    });
    const { failed, seed, counterexamplePath, numRuns } = await fc.check(property, {
      ...(SIMULATION_RUNS ? { numRuns: Number(SIMULATION_RUNS) } : DEFAULT),
      ...(SIMULATION_SEED && { seed: Number(SIMULATION_SEED) }),
      ...(SIMULATION_PATH && { path: SIMULATION_PATH }),
    });
    console.info(`${numRuns} runs from seed ${seed}`);
    if (failure) {
      throw new Error(report(failure, `SIMULATION_SEED=${seed} SIMULATION_PATH=${counterexamplePath}`));
    }
    expect(failed).toBe(false);
  },
  60_000 + Number(SIMULATION_RUNS ?? DEFAULT.numRuns) * 500,
);

/** Describes the shortest scenario that failed. */
function report({ scenario, error, history }: Failure, variables: string): string {
  const { program, steps, ...rest } = scenario;
  return [
    error instanceof InvariantViolation ? error.message : (error.stack ?? error.message),
    `Repeat: ${variables} npx vitest run --project unit test/simulation/simulation.test.ts`,
    "",
    "Scenario:",
    format(rest),
    ...program.map((declaration, slot) => `resource${slot}: ${format(declaration)}`),
    ...steps.map(format),
    "",
    "History:",
    ...history,
  ].join("\n");
}

function format(value: unknown): string {
  return JSON.stringify(value, (_, value) => (typeof value === "function" ? value.name : value));
}
