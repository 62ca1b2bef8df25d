import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { processesOf } from "./kill-process-tree.ts";
import type { Engine } from "./provide-engine.ts";
import { Workspace } from "./workspace.ts";

// The real engine has its own tier; here a script that says how it was called takes its place.
let folder: string;
let engine: Engine;
let workspace: Workspace;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "workspace-test-"));
  const pulumi = join(folder, "pulumi");
  const lines = [
    "#!/bin/sh",
    'case " $* " in',
    '  *" env "*) env;;',
    '  *" fail "*) echo out; echo problem >&2; exit 3;;',
    '  *" hang "*) sleep 60 & wait;;',
    '  *) echo "$@";;',
    "esac",
  ];
  await writeFile(pulumi, lines.join("\n"));
  await chmod(pulumi, 0o755);
  await writeFile(join(folder, "Pulumi.yaml"), "name: people\nruntime: nodejs\n");
  engine = { bin: folder, pulumi, version: "3.259.0", source: "installed" };
  vi.stubEnv("PULUMI_ACCESS_TOKEN", "users own");
  vi.stubEnv("MONGODB_ATLAS_PUBLIC_KEY", "users own");
  vi.stubEnv("MCLI_PRIVATE_API_KEY", "users own");
  workspace = await Workspace.create(engine, { folder, env: { MONGODB_ATLAS_BASE_URL: "http://127.0.0.1" } });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await workspace.dispose();
  await rm(folder, { recursive: true, force: true });
});

it("hides the user's own Pulumi and Atlas settings", async () => {
  const { stdout } = await workspace.pulumi(["env"], { env: { MONGODB_ATLAS_CLIENT_ID: "of this command" } });
  const settings = stdout.split("\n").filter((line) => /^(PULUMI|MONGODB|MCLI)/.test(line));
  expect(settings.sort()).toEqual([
    "MONGODB_ATLAS_BASE_URL=http://127.0.0.1",
    "MONGODB_ATLAS_CLIENT_ID=of this command",
    `PULUMI_BACKEND_URL=file://${workspace.home}/state`,
    "PULUMI_CONFIG_PASSPHRASE=test",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
    `PULUMI_HOME=${workspace.home}/home`,
    "PULUMI_SKIP_UPDATE_CHECK=true",
    "PULUMI_STACK=dev",
  ]);
  expect(stdout).toContain(`\nPATH=${dirname(process.execPath)}:${folder}:`);
});

it("keeps the stack's configuration out of the project", async () => {
  expect((await workspace.pulumi(["up", "--yes"])).stdout).toBe(
    `-C ${folder} up --yes --config-file ${workspace.home}/stack/Pulumi.dev.yaml --non-interactive --color never\n`,
  );
  expect((await workspace.pulumi(["stack", "export"])).stdout).not.toContain("--config-file");
  expect((await readdir(folder)).sort()).toEqual(["Pulumi.yaml", "pulumi"]);
  expect(await readFile(join(workspace.home, "stack", "Pulumi.yaml"), "utf8")).toContain("name: people\n");
});

it("shows a failed command with what it printed, or returns it", async () => {
  await expect(workspace.pulumi(["fail"])).rejects.toThrow(/ended with 3:\n(out\nproblem|problem\nout)\n$/);
  expect(await workspace.pulumi(["fail"], { allowFailure: true })).toMatchObject({
    exitCode: 3,
    stdout: "out\n",
    stderr: "problem\n",
  });
});

it("passes output on as it comes", async () => {
  const parts: string[] = [];
  const onOutput = (text: string, stream: string) => parts.push(`${stream}: ${text}`);
  await workspace.pulumi(["fail"], { allowFailure: true, onOutput });
  expect(parts.sort()).toEqual(["stderr: problem\n", "stdout: out\n"]);
});

it("ends a command that takes too long, with all that it started", async () => {
  let session = 0;
  const hanging = workspace.pulumi(["hang"], {
    timeoutMs: 200,
    onStart: ({ pid }) => {
      session = pid;
    },
  });
  await expect(hanging).rejects.toThrow("took over 200 ms");
  expect(await processesOf(session)).toEqual([]);
});

it("ends what still runs when it is disposed of, and removes its home", async () => {
  const hanging = workspace.pulumi(["hang"], { allowFailure: true });
  await workspace.dispose();
  expect((await hanging).exitCode).toBeNull();
  await expect(readdir(workspace.home)).rejects.toThrow("ENOENT");
});

it("keeps a home that it was given", async () => {
  const home = join(folder, "kept");
  const other = await Workspace.create(engine, { folder, home, stack: "prod" });
  await other.dispose();
  expect((await readdir(home)).sort()).toEqual(["stack", "state", "tmp"]);
});
