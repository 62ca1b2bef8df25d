import { execFile } from "node:child_process";
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EngineUnavailableError } from "./engine-unavailable-error.ts";
import { provideEngine } from "./provide-engine.ts";

let folder: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "provide-engine-test-"));
  env = { PATH: join(folder, "bin"), PULUMI_ATLAS_ENGINE_CACHE: join(folder, "cache") };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function script(name: string, ...lines: string[]): Promise<void> {
  const file = join(folder, "bin", name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, ["#!/bin/sh", "PATH=/usr/bin:/bin", ...lines].join("\n"));
  await chmod(file, 0o755);
}

async function installPulumi(version: string): Promise<void> {
  await script("pulumi", `echo ${version}`);
  await script("pulumi-language-nodejs");
  await script("pulumi-resource-pulumi-nodejs");
}

describe("a pulumi on PATH", () => {
  it.each(["v3.216.0", "v3.1000.0", "v4.0.0", "v3.300.0-alpha.1"])(
    "is used when it is %s",
    async (version) => {
      await installPulumi(version);
      expect(await provideEngine({ env })).toEqual({
        bin: join(folder, "bin"),
        pulumi: join(folder, "bin", "pulumi"),
        version: version.slice(1),
        source: "installed",
      });
    },
  );

  it.each(["v3.215.9", "v3.99.0", "v2.300.0"])("is passed over when it is %s", async (version) => {
    await installPulumi(version);
    const lines: string[] = [];
    await expect(
      provideEngine({ env, from: ["installed"], log: (line) => lines.push(line) }),
    ).rejects.toThrow(EngineUnavailableError);
    expect(lines).toEqual([
      `The Pulumi on PATH is not used: ${folder}/bin/pulumi is ${version.slice(1)}, older than 3.216.0.`,
    ]);
  });

  it("is passed over without its language host", async () => {
    await installPulumi("v3.300.0");
    await rm(join(folder, "bin", "pulumi-language-nodejs"));
    const lines: string[] = [];
    await provideEngine({ env, from: ["installed"], log: (line) => lines.push(line) }).catch(() => {});
    expect(lines).toEqual([
      `The Pulumi on PATH is not used: ${folder}/bin/pulumi has no pulumi-language-nodejs.`,
    ]);
  });

  it("is named by the command", async () => {
    await installPulumi("v3.300.0");
    const command = join(import.meta.dirname, "provide-engine.ts");
    const { stdout } = await promisify(execFile)(process.execPath, [command], { env });
    expect(stdout).toBe(`${folder}/bin\n`);
  });
});

describe("the build from Go modules", () => {
  const from = ["built"] as const;

  // Stands in for a Go that builds: notes its call and writes what was asked for.
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
  const goCalls = async () => (await readFile(join(folder, "go.log"), "utf8")).trim().split("\n").length;

  it("makes the three programs, with one call of Go for each that is written in Go", async () => {
    await fakeGo();
    const engine = await provideEngine({ env, from });
    expect(engine).toMatchObject({ version: "3.259.0", source: "built", bin: dirname(engine.pulumi) });
    expect((await readdir(engine.bin)).sort()).toEqual([
      "pulumi",
      "pulumi-language-nodejs",
      "pulumi-resource-pulumi-nodejs",
    ]);
    await access(join(engine.bin, "pulumi-resource-pulumi-nodejs"), 1);
    expect(await goCalls()).toBe(2);
  });

  it("is done once", async () => {
    await fakeGo();
    const built = await provideEngine({ env, from });
    expect(await provideEngine({ env, from })).toEqual({ ...built, source: "cached" });
    expect(await goCalls()).toBe(2);
  });

  it("is done once by two runs that start together, and the second says that it waits", async () => {
    await fakeGo(0.2);
    const lines: string[] = [];
    const run = () => provideEngine({ env, from, log: (line) => lines.push(line) });
    const sources = (await Promise.all([run(), run()])).map(({ source }) => source);
    expect(sources.sort()).toEqual(["built", "cached"]);
    expect(await goCalls()).toBe(2);
    expect(lines).toContain("Another run is preparing the Pulumi engine; waiting for it (0:00).");
  });

  it("is done again when the cache lost a file", async () => {
    await fakeGo();
    const { bin } = await provideEngine({ env, from });
    await rm(join(bin, "pulumi-language-nodejs"));
    expect((await provideEngine({ env, from })).source).toBe("built");
  });

  it.each([
    [
      "go: go.mod requires go >= 1.25.11 (running go 1.22.1)",
      "the Go that is installed is older than 1.25.11",
    ],
    [
      'example.com/a@v1.0.0: Get "https://example.com": dial tcp: lookup example.com: no such host',
      "the Go modules it is built from are out of reach",
    ],
    ["link: no space left on device", "go build failed: link: no space left on device"],
  ])("that fails with '%s' is explained in one line and leaves nothing", async (output, reason) => {
    await script("go", "echo 'go: downloading example.com/a v1.0.0' >&2", `echo '${output}' >&2`, "exit 1");
    await expect(provideEngine({ env, from })).rejects.toThrow(
      new EngineUnavailableError(
        `No Pulumi engine: no pulumi 3.216.0 or newer on PATH; ${reason}. Install Pulumi, or Go 1.25 or newer to build it.`,
      ),
    );
    expect(await readdir(join(folder, "cache"))).toEqual([]);
  });

  it("needs a folder for the cache", async () => {
    await writeFile(join(folder, "file"), "");
    const occupied = { ...env, PULUMI_ATLAS_ENGINE_CACHE: join(folder, "file", "cache") };
    await expect(provideEngine({ env: occupied, from })).rejects.toThrow(
      `No Pulumi engine: its cache cannot be made (ENOTDIR: not a directory, mkdir '${folder}/file/cache').`,
    );
  });

  it("needs Go", async () => {
    await expect(
      provideEngine({ env: { ...env, PATH: ["", folder].join(delimiter) }, from }),
    ).rejects.toThrow("No Pulumi engine: no pulumi 3.216.0 or newer on PATH; Go is not installed.");
  });
});
