import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { processesInSession } from "./kill-process-tree.ts";
import { Workspace } from "./workspace.ts";

// Instead of the engine, which the engine tier tests: prints how it was called.
const PULUMI = `#!/usr/bin/env bash
case " $* " in
  *" env "*) env;;
  *" init "*) touch "$2/Pulumi.dev.yaml";;
  *" hang "*) set -m; sleep 60 & echo $!; wait;;
  *) echo "$@";;
esac`;

let folder: string;
let workspace: Workspace;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "workspace-test-"));
  const pulumi = join(folder, "pulumi");
  await writeFile(pulumi, PULUMI);
  await chmod(pulumi, 0o755);
  await writeFile(join(folder, "Pulumi.yaml"), "name: people\nruntime: nodejs\n");
  for (const name of ["PULUMI_ACCESS_TOKEN", "MONGODB_ATLAS_PUBLIC_KEY", "MCLI_PRIVATE_API_KEY"]) {
    vi.stubEnv(name, "users own");
  }
  workspace = await Workspace.create(
    { bin: folder, pulumi, version: "3.259.0", source: "installed" },
    { folder, env: { MONGODB_ATLAS_BASE_URL: "http://127.0.0.1" } },
  );
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await workspace.dispose();
  await rm(folder, { recursive: true, force: true });
});

it("hides the user's own settings of Pulumi and Atlas", async () => {
  const { stdout } = await workspace.pulumi(["env"], { env: { MONGODB_ATLAS_CLIENT_ID: "of this command" } });
  expect(stdout).not.toContain("users own");
  expect(stdout).toContain("MONGODB_ATLAS_BASE_URL=http://127.0.0.1\n");
  expect(stdout).toContain("MONGODB_ATLAS_CLIENT_ID=of this command\n");
  expect(stdout).toContain(`PULUMI_HOME=${workspace.home}/home\n`);
  expect(stdout).toContain(`\nPATH=${dirname(process.execPath)}:${folder}:`);
});

it("writes the stack's configuration into its home, not into the project", async () => {
  const { stdout } = await workspace.pulumi(["up", "--yes"]);
  expect(stdout).toContain(`-C ${folder} up --yes --config-file ${workspace.home}/`);
  expect((await readdir(folder)).sort()).toEqual(["Pulumi.yaml", "pulumi"]);
});

it("kills a command that takes too long, with the processes in other groups that it started", async () => {
  let session = 0;
  let running: Promise<number[]> | undefined;
  const hanging = workspace.pulumi(["hang"], {
    timeoutMs: 500,
    onStart: ({ pid }) => {
      session = pid;
    },
    onOutput: () => {
      running = processesInSession(session);
    },
  });
  await expect(hanging).rejects.toThrow("took over 500 ms");
  expect(await running).toHaveLength(2);
  expect(await processesInSession(session)).toEqual([]);
});

it("kills what still runs when it is disposed, and removes its home", async () => {
  const hanging = workspace.pulumi(["hang"], { allowFailure: true });
  await workspace.dispose();
  expect((await hanging).exitCode).toBeNull();
  await expect(readdir(workspace.home)).rejects.toThrow("ENOENT");
});
