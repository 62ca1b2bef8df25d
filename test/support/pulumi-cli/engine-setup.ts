import type { TestProject } from "vitest/node";
import { type Engine, provideEngine } from "./provide-engine.ts";

const LIMIT_MINUTES = 30;

declare module "vitest" {
  interface ProvidedContext {
    /** The engine for tests, or why there is none: the tests of other tiers run without it. */
    engine: Engine | { unavailable: string };
  }
}

/** Global setup of vitest: finds, downloads or builds the engine, and prints its progress. */
export default async function setup(project: TestProject): Promise<void> {
  const signal = AbortSignal.timeout(LIMIT_MINUTES * 60_000);
  const engine = await provideEngine({ log: console.log, signal }).catch((error: Error) => ({
    unavailable: signal.aborted
      ? `The Pulumi engine was not ready within ${LIMIT_MINUTES} minutes.`
      : error.message,
  }));
  project.provide("engine", engine);
}
