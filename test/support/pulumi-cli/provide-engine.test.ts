import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ENGINE_FILES, EngineUnavailableError } from "./engine-files.ts";
import { type ProvideEngineOptions, provideEngine } from "./provide-engine.ts";

let folder: string;
let env: NodeJS.ProcessEnv;
let lines: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "provide-engine-test-"));
  env = { PATH: join(folder, "bin"), PULUMI_ATLAS_ENGINE_CACHE: join(folder, "cache") };
  lines = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const provide = (from: NonNullable<ProvideEngineOptions["from"]>, more: ProvideEngineOptions = {}) =>
  provideEngine({ env, from, log: (line) => lines.push(line), ...more });

async function script(name: string, ...commands: string[]): Promise<void> {
  const file = join(folder, "bin", name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, ["#!/bin/sh", "PATH=/usr/bin:/bin", ...commands].join("\n"));
  await chmod(file, 0o755);
}

describe("an installed Pulumi", () => {
  async function install(version: string, files: readonly string[] = ENGINE_FILES.slice(1)): Promise<void> {
    await script("pulumi", `echo ${version}`);
    for (const file of files) await script(file);
  }

  it.each(["3.259.0", "3.1000.0", "3.300.0-alpha.1"])("is used when it is %s", async (version) => {
    await install(`v${version}`);
    const bin = join(folder, "bin");
    const engine = { bin, pulumi: join(bin, "pulumi"), version, source: "installed" };
    expect(await provide(["installed"])).toEqual(engine);
  });

  it.each([
    ["v3.258.9", "is 3.258.9, older than 3.259.0."],
    ["v3.99.0", "is 3.99.0, older than 3.259.0."],
    ["v3.300.0", "has no pulumi-language-nodejs.", []],
    ["nothing", "does not print its version."],
  ])("is not used when it is %s and %s", async (version, reason, files?: string[]) => {
    await install(version, files);
    await expect(provide(["installed"])).rejects.toThrow(EngineUnavailableError);
    expect(lines).toEqual([`The Pulumi on PATH is not used: ${folder}/bin/pulumi ${reason}`]);
  });
});

describe("the build from Go modules", () => {
  // Instead of Go: logs its arguments and writes a program that prints a version.
  const fakeGo = (seconds = 0) =>
    script(
      "go",
      `echo "$*" >> "${folder}/go.log"`,
      `sleep ${seconds}`,
      'while [ $# -gt 0 ]; do if [ "$1" = -o ]; then out=$2; fi; shift; done',
      'mkdir -p "$(dirname "$out")"',
      'printf "#!/bin/sh\\necho v3.259.0\\n" > "$out"',
      'chmod +x "$out"',
    );
  const build = (more?: ProvideEngineOptions) => provide(["built"], more);
  const goCalls = async () => (await readFile(join(folder, "go.log"), "utf8")).trim().split("\n").length;

  it("creates all files of the engine, once, and again when the cache lost a file", async () => {
    await fakeGo();
    const engine = await build();
    expect(engine).toMatchObject({ version: "3.259.0", source: "built", bin: dirname(engine.pulumi) });
    expect((await readdir(engine.bin)).sort()).toEqual(ENGINE_FILES);
    expect(await build()).toEqual({ ...engine, source: "cached" });
    expect(await goCalls()).toBe(2);

    await rm(join(engine.bin, "pulumi-language-nodejs"));
    expect(await build()).toEqual(engine);
    expect(await goCalls()).toBe(4);
  });

  it("runs once for two processes, and the second logs that it waits", async () => {
    await fakeGo(0.2);
    const engines = await Promise.all([build(), build()]);
    expect(engines.map(({ source }) => source).sort()).toEqual(["built", "cached"]);
    expect(await goCalls()).toBe(2);
    expect(lines.join("\n")).toContain("Waiting for another process that prepares the Pulumi engine (0:00).");
  });

  it.each([
    ["go.mod requires go >= 1.25.11 (running go 1.22.1)", "the installed Go is older than 1.25.11"],
    ["dial tcp: lookup example.com: no such host", "the Go modules cannot be downloaded"],
    ["link: no space left on device", "go build failed: link: no space left on device"],
    [undefined, "Go is not installed"],
  ])("that fails with %j is explained in one line and leaves nothing", async (output, reason) => {
    if (output) await script("go", "echo 'go: downloading a v1' >&2", `echo '${output}' >&2`, "exit 1");
    const message = `No Pulumi engine: no pulumi 3.259.0 or newer on PATH; ${reason}. Install Pulumi, or Go 1.25 or newer to build it.`;
    await expect(build()).rejects.toThrow(new EngineUnavailableError(message));
    expect(await readdir(join(folder, "cache"))).toEqual([]);
  });

  it("is killed by the signal and leaves nothing", async () => {
    await script("go", "exec sleep 60");
    await expect(build({ signal: AbortSignal.timeout(300) })).rejects.toThrow(/timeout/);
    expect(await readdir(join(folder, "cache"))).toEqual([]);
  });

  it("needs a folder for the cache", async () => {
    await writeFile(join(folder, "file"), "");
    env.PULUMI_ATLAS_ENGINE_CACHE = join(folder, "file", "cache");
    await expect(build()).rejects.toThrow(/^No Pulumi engine: its cache cannot be created \(ENOTDIR: /);
  });
});
