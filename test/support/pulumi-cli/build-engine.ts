import { spawn } from "node:child_process";
import { chmod, copyFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { findExecutable, foldersOf } from "./engine-files.ts";
import { EngineUnavailableError } from "./engine-unavailable-error.ts";
import { withProgress } from "./progress.ts";

/** The Go modules that pin the sources; their files are part of the cache key. */
export const GO_MODULES = join(import.meta.dirname, "go");

// Today's language host is not published as a Go module; the last one that was runs today's SDK as well, but
// needs another version of Pulumi's Go SDK than the engine, hence two modules.
const PROGRAMS = [
  { module: "pulumi", name: "pulumi", source: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi" },
  {
    module: "language-host",
    name: "pulumi-language-nodejs",
    source: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
  },
];

/** The flags that decide what is built; `version` is what `pulumi version` will print. */
export function buildFlags(version: string): string[] {
  const stamp = `-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${version}`;
  return ["-trimpath", "-tags", "osusergo,grpcnotrace", "-ldflags", `-s -w ${stamp}`];
}

/** The launcher of dynamic providers, which the engine's distribution shares with the SDK. */
export function launcherFile(): string {
  const sdk = dirname(createRequire(import.meta.url).resolve("@pulumi/pulumi/package.json"));
  return join(sdk, "pulumi-resource-pulumi-nodejs");
}

/**
 * Builds the engine from Go modules into `bin`.
 * @throws EngineUnavailableError when there is no Go, Go is too old, or the modules are out of reach
 */
export async function buildEngine(
  bin: string,
  version: string,
  options: { env: NodeJS.ProcessEnv; log: (line: string) => void },
): Promise<void> {
  const go = await findExecutable("go", foldersOf(options.env.PATH));
  if (!go) throw new EngineUnavailableError("Go is not installed");
  const env = { ...options.env, CGO_ENABLED: "0", GOWORK: "off" };

  options.log("Building the Pulumi engine from Go modules, once: about 5 minutes on 2 cores.");
  for (const { module, name, source } of PROGRAMS) {
    await goBuild(go, ["-o", join(bin, name), source], join(GO_MODULES, module), version, {
      ...options,
      env,
      name,
    });
  }
  const launcher = join(bin, "pulumi-resource-pulumi-nodejs");
  await copyFile(launcherFile(), launcher);
  await chmod(launcher, 0o755);
}

async function goBuild(
  go: string,
  args: string[],
  cwd: string,
  version: string,
  options: { env: NodeJS.ProcessEnv; log: (line: string) => void; name: string },
): Promise<void> {
  const child = spawn(go, ["build", "-v", ...buildFlags(version), ...args], {
    cwd,
    env: options.env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const lines: string[] = [];
  const count = (pattern: RegExp) => lines.filter((line) => pattern.test(line)).length;
  createInterface(child.stderr).on("line", (line) => lines.push(line));

  const exitCode = await withProgress(
    options.log,
    () => `Building ${options.name}: ${count(DOWNLOAD)} modules fetched, ${count(PACKAGE)} packages compiled`,
    () =>
      new Promise((resolve, reject) => {
        child.on("error", reject).on("close", resolve);
      }),
  );
  if (exitCode !== 0) throw new EngineUnavailableError(explain(lines));
}

const DOWNLOAD = /^go: downloading /;
const PACKAGE = /^[\w./-]+$/;

function explain(lines: readonly string[]): string {
  const output = lines.join("\n");
  const required = /requires go >= ([\d.]+)/.exec(output)?.[1];
  if (required) return `the Go that is installed is older than ${required}`;
  if (
    /dial tcp|lookup |proxyconnect|TLS handshake|module lookup disabled|timeout|40[34] |410 /.test(output)
  ) {
    return "the Go modules it is built from are out of reach";
  }
  return `go build failed: ${lines.findLast((line) => !PACKAGE.test(line) && !DOWNLOAD.test(line)) ?? "no output"}`;
}
