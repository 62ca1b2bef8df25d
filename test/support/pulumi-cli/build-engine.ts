import { chmod, copyFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { EngineUnavailableError, findExecutable, foldersOf } from "./engine-files.ts";
import { type ProduceOptions, runWithProgress } from "./run-with-progress.ts";

/** The Go modules that pin the sources; their files are part of the cache key. */
export const GO_MODULES = join(import.meta.dirname, "go");

// Current language hosts are not published as Go modules. The last published one works with the current SDK, but needs
// another version of Pulumi's Go SDK than the engine: hence two modules.
const PROGRAMS = [
  { module: "pulumi", name: "pulumi", source: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi" },
  {
    module: "language-host",
    name: "pulumi-language-nodejs",
    source: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
  },
];

/** The flags that decide what is built; `version` is what `pulumi version` prints. */
export function buildFlags(version: string): string[] {
  const stamp = `-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${version}`;
  return ["-trimpath", "-tags", "osusergo,grpcnotrace", "-ldflags", `-s -w ${stamp}`];
}

/** The launcher of dynamic providers, which is the same file in the SDK and in the engine's distribution. */
export function launcherFile(): string {
  const sdk = dirname(createRequire(import.meta.url).resolve("@pulumi/pulumi/package.json"));
  return join(sdk, "pulumi-resource-pulumi-nodejs");
}

/**
 * Builds the engine from Go modules into `folder`/bin.
 * @throws EngineUnavailableError when Go is missing, too old, or cannot fetch the modules
 */
export async function buildEngine(folder: string, version: string, options: ProduceOptions): Promise<void> {
  const go = await findExecutable("go", foldersOf(options.env.PATH));
  if (!go) throw new EngineUnavailableError("Go is not installed");
  options.log("Building the Pulumi engine from Go modules, once: about 5 minutes on 2 cores.");
  const env = { ...options.env, CGO_ENABLED: "0", GOWORK: "off" };
  for (const { module, name, source } of PROGRAMS) {
    const command = [go, "build", ...buildFlags(version), "-o", join(folder, "bin", name), source];
    const cwd = join(GO_MODULES, module);
    const { exitCode, stderr } = await runWithProgress(
      `Building ${name}`,
      command,
      { ...options, env },
      { cwd },
    );
    if (exitCode !== 0) throw new EngineUnavailableError(explain(stderr));
  }
  const launcher = join(folder, "bin", "pulumi-resource-pulumi-nodejs");
  await copyFile(launcherFile(), launcher);
  await chmod(launcher, 0o755);
}

const NETWORK = /dial tcp|lookup |proxyconnect|TLS handshake|module lookup disabled|timeout|40[34] |410 /;

function explain(lines: readonly string[]): string {
  const output = lines.join("\n");
  const required = /requires go >= ([\d.]+)/.exec(output)?.[1];
  if (required) return `the installed Go is older than ${required}`;
  if (NETWORK.test(output)) return "the Go modules cannot be downloaded";
  return `go build failed: ${lines.findLast((line) => !line.startsWith("go: downloading ")) ?? "no output"}`;
}
