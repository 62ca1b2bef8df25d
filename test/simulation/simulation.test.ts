import * as fc from "fast-check";
import { afterAll, expect, test, vi } from "vitest";
import { storyText } from "./format-scenario.ts";
import { Violation } from "./invariant-violation.ts";
import { Surroundings } from "./process-stubs.ts";
import { type Story, story } from "./scenario.ts";
import { Run } from "./scenario-run.ts";

vi.mock("undici", () => import("./fake-undici.ts"));
vi.mock("../../provider/atlas/limits/peers.ts", () => import("./peers.ts"));
vi.mock("../../provider/atlas/clock.ts", async (original) => ({
  ...(await original<typeof import("../../provider/atlas/clock.ts")>()),
  systemClock: (await import("./process-stubs.ts")).packageClock,
}));
afterAll(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** How many runs; and which one, to repeat what failed. */
const { CHAOS_RUNS, CHAOS_SEED, CHAOS_PATH } = process.env;
// The same stories each time, so that a failure is of what was changed; the long run has others each time.
const USUAL = { numRuns: 300, seed: 20_260_105 };
const SHRINK_FOR_MS = 20_000;

/** The last run that failed: the shortest story of those that were tried. */
interface Failure {
  story: Story;
  error: Error;
  history: string[];
}

/*
 * Random programs and edits, random acts of people in Atlas, random trouble with the network and with Atlas,
 * and processes killed at random, driven through the lifecycle as the engine of Pulumi would; in the end
 * all trouble is over. What is checked, on the way and then: see chaos/watch.ts and chaos/verdict.ts.
 */
test(
  "whatever happens, nothing is lost, nothing is sent twice and nobody else is touched",
  async () => {
    await using surroundings = await Surroundings.prepare();
    let failure: Failure | undefined;
    let shrinksUntil = Number.POSITIVE_INFINITY;
    const lives = fc.asyncProperty(story, async (story) => {
      if (Date.now() > shrinksUntil) return;
      const run = new Run(story, surroundings);
      try {
        await run.live();
      } catch (error) {
        shrinksUntil = Math.min(shrinksUntil, Date.now() + SHRINK_FOR_MS);
        failure = { story, error: error as Error, history: run.history };
        throw error;
      }
    });
    const { failed, seed, counterexamplePath, numRuns } = await fc.check(lives, {
      ...(CHAOS_RUNS ? { numRuns: Number(CHAOS_RUNS) } : USUAL),
      ...(CHAOS_SEED && { seed: Number(CHAOS_SEED) }),
      ...(CHAOS_PATH && { path: CHAOS_PATH }),
    });
    console.info(`${numRuns} runs from seed ${seed}`);
    if (failure) throw new Error(report(failure, `CHAOS_SEED=${seed} CHAOS_PATH=${counterexamplePath}`));
    expect(failed).toBe(false);
  },
  60_000 + Number(CHAOS_RUNS ?? USUAL.numRuns) * 500,
);

function report({ story, error, history }: Failure, variables: string): string {
  return [
    error instanceof Violation ? error.message : (error.stack ?? error.message),
    `Again: ${variables} npx vitest run --project unit test/simulation/simulation.test.ts`,
    "",
    "The story:",
    ...storyText(story),
    "",
    "What happened:",
    ...history,
  ].join("\n");
}
