import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { buildEngine, buildFlags, GO_MODULES, launcherFile } from "./build-engine.ts";
import { withBuildLock } from "./build-lock.ts";
import { downloadEngine } from "./download-engine.ts";
import { ENGINE_FILES, EngineUnavailableError, findExecutable } from "./engine-files.ts";
import { engineVersion, findInstalledEngine, MINIMUM_ENGINE_VERSION } from "./installed-engine.ts";
import { minutes, type ProduceOptions } from "./run-with-progress.ts";

export interface Engine {
  /** The folder to put first on PATH. */
  bin: string;
  /** The CLI. */
  pulumi: string;
  /** Without a `v`. */
  version: string;
  source: "installed" | "downloaded" | "built" | "cached";
}

export interface ProvideEngineOptions extends Partial<ProduceOptions> {
  /** Where the engine may come from, tried in the order of the default. */
  from?: readonly ("installed" | "downloaded" | "built")[];
}

/**
 * The engine for tests and the demo: a recent `pulumi` on PATH, else one from the cache, else the official download,
 * else a build from Go modules. The cache keeps what was downloaded or built, in a folder whose name depends on
 * everything that decides its content, below `PULUMI_ATLAS_ENGINE_CACHE`, else below `pulumi-atlas-invitations` in
 * `XDG_CACHE_HOME` or `~/.cache`.
 * @throws EngineUnavailableError
 */
export async function provideEngine(options: ProvideEngineOptions = {}): Promise<Engine> {
  const { log = () => {}, env = process.env, from = ["installed", "downloaded", "built"], signal } = options;
  if (from.includes("installed")) {
    const found = await findInstalledEngine(env);
    if ("pulumi" in found) return { bin: dirname(found.pulumi), ...found, source: "installed" };
    if (found.unusable) log(`The Pulumi on PATH is not used: ${found.unusable}.`);
  }

  // The download has the version of the build, so that all machines test the same engine.
  const version = await findInGoMod(/pulumi\/pkg\/v3 v(\S+)/);
  const folder = join(cacheFolder(env), `engine-${await cacheKey(version)}`);
  const cached = async () =>
    (await isComplete(join(folder, "bin"))) ? engineIn(folder, version, "cached") : undefined;
  const engine = await cached();
  if (engine) return engine;

  await mkdir(dirname(folder), { recursive: true }).catch((error: Error) => {
    throw new EngineUnavailableError(`No Pulumi engine: its cache cannot be created (${error.message}).`);
  });
  const building = `${folder}.building`;
  let loggedMs = -Infinity;
  const onWait = (waitedMs: number) => {
    if (waitedMs - loggedMs < 15_000) return;
    loggedMs = waitedMs;
    log(`Waiting for another process that prepares the Pulumi engine (${minutes(waitedMs)}).`);
  };
  return withBuildLock(building, async () => (await cached()) ?? produce(), { onWait, signal });

  async function produce(): Promise<Engine> {
    const reasons: string[] = [`no pulumi ${MINIMUM_ENGINE_VERSION} or newer on PATH`];
    for (const [source, create] of SOURCES.filter(([source]) => from.includes(source))) {
      const made = join(building, source);
      try {
        await create(made, version, { env, log, signal });
        const { bin, pulumi } = engineIn(made, version, source);
        if (!(await isComplete(bin)) || (await engineVersion(pulumi, env)) !== version) {
          throw new EngineUnavailableError(`what was ${source} is not Pulumi ${version}`);
        }
        await rm(folder, { recursive: true, force: true });
        await rename(made, folder);
        return engineIn(folder, version, source);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof EngineUnavailableError)) throw error;
        log(`The Pulumi engine cannot be ${source}: ${error.message}.`);
        reasons.push(error.message);
      }
    }
    const goVersion = await findInGoMod(/^go (\d+\.\d+)/m);
    throw new EngineUnavailableError(
      `No Pulumi engine: ${reasons.join("; ")}. Install Pulumi, or Go ${goVersion} or newer to build it.`,
    );
  }
}

const SOURCES = [
  ["downloaded", downloadEngine],
  ["built", buildEngine],
] as const;

function engineIn(folder: string, version: string, source: Engine["source"]): Engine {
  const bin = join(folder, "bin");
  return { bin, pulumi: join(bin, "pulumi"), version, source };
}

async function isComplete(bin: string): Promise<boolean> {
  const files = await Promise.all(ENGINE_FILES.map((file) => findExecutable(file, [bin])));
  return files.every(Boolean);
}

function cacheFolder(env: NodeJS.ProcessEnv): string {
  const caches = env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache");
  return env.PULUMI_ATLAS_ENGINE_CACHE || join(caches, "pulumi-atlas-invitations");
}

async function cacheKey(version: string): Promise<string> {
  const hash = createHash("sha256");
  hash.update([process.platform, process.arch, ...buildFlags(version)].join("\n"));
  for (const module of ["pulumi", "language-host"]) {
    for (const file of ["go.mod", "go.sum"]) hash.update(await readFile(join(GO_MODULES, module, file)));
  }
  hash.update(await readFile(launcherFile()));
  return hash.digest("hex").slice(0, 16);
}

async function findInGoMod(pattern: RegExp): Promise<string> {
  const match = pattern.exec(await readFile(join(GO_MODULES, "pulumi", "go.mod"), "utf8"));
  if (!match?.[1]) throw new Error(`go.mod has no ${pattern}`);
  return match[1];
}
