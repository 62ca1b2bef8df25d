import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    coverage: { provider: "v8", include: ["provider/**"], thresholds: { 100: true }, reporter: ["text"] },
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["test/**/*.test.ts"], exclude: ["test/{host,engine}.test.ts"] },
      },
      { extends: true, test: { name: "host", include: ["test/host.test.ts"], testTimeout: 120_000, hookTimeout: 300_000 } },
      { extends: true, test: { name: "engine", include: ["test/engine.test.ts"], testTimeout: 300_000, hookTimeout: 1_800_000 } },
    ],
  },
});
