import { defineConfig } from "vitest/config";
import type { Reporter } from "vitest/node";

/** One line for CI, over all tiers. */
const tally: Reporter = {
  onTestRunEnd(files, errors) {
    const tests = files.flatMap((file) => [...file.children.allTests()]);
    const failedFiles = files.filter((file) => file.state() === "failed" && file.children.size === 0);
    const count = (state: string) => tests.filter((test) => test.result().state === state).length;
    const failed = count("failed") + failedFiles.length + errors.length;
    const skipped = count("skipped");
    console.log(`\n${count("passed")} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);
  },
};

export default defineConfig({
  test: {
    reporters: ["default", tally],
    // Vitest keeps one processor free, which on two would run the tiers one after the other.
    maxWorkers: "100%",
    coverage: {
      provider: "v8",
      include: ["provider/**"],
      thresholds: { 100: true },
      reporter: [["text", { skipFull: true }]],
    },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/{host,engine}/**"],
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: "host",
          include: ["test/host/*.test.ts"],
          globalSetup: ["test/support/plugin-host/package-setup.ts"],
          testTimeout: 120_000,
          // One process of Node that starts keeps one core busy.
          maxConcurrency: 2,
        },
      },
      {
        extends: true,
        test: {
          name: "engine",
          include: ["test/engine/*.test.ts"],
          globalSetup: [
            "test/support/pulumi-cli/engine-setup.ts",
            "test/support/plugin-host/package-setup.ts",
          ],
          testTimeout: 300_000,
          // One command of Pulumi keeps more than one core busy.
          maxConcurrency: 2,
        },
      },
    ],
  },
});
