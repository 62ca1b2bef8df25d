import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { buildEngine, buildFlags, GO_MODULES, launcherFile } from "./build-engine.ts";
import { inBuildingFolder } from "./build-lock.ts";
import { downloadEngine } from "./download-engine.ts";
import { ENGINE_FILES, findExecutable } from "./engine-files.ts";
import { EngineUnavailableError } from "./engine-unavailable-error.ts";
import { engineVersion, findInstalledEngine, MINIMUM_ENGINE_VERSION } from "./installed-engine.ts";
import { minutes } from "./progress.ts";

export interface Engine {
  /** The folder to put first on PATH. */
  bin: string;
  /** The CLI. */
  pulumi: string;
  /** Without a `v`. */
  version: string;
  source: "installed" | "downloaded" | "built" | "cached";
}

export interface ProvideEngineOptions {
  /** Called with one line at a time. */
  log?: (line: string) => void;
  /** @default process.env */
  env?: NodeJS.ProcessEnv;
  /** Where the engine may come from, tried in the order of the default. */
  from?: readonly ("installed" | "downloaded" | "built")[];
}

/**
 * The engine for tests and the demo: a `pulumi` on PATH that is new enough; else one from the cache; else the
 * official download; else one built from Go modules. The last two end up in the cache, a folder outside the
 * clone named after everything that decides what is in it: `PULUMI_ATLAS_ENGINE_CACHE`, else
 * `pulumi-atlas-invitations` in `XDG_CACHE_HOME` or `~/.cache`.
 * @throws EngineUnavailableError
 */
export async function provideEngine(options: ProvideEngineOptions = {}): Promise<Engine> {
  const { log = () => {}, env = process.env, from = ["installed", "downloaded", "built"] } = options;
  if (from.includes("installed")) {
    const found = await findInstalledEngine(env);
    if ("pulumi" in found) return { bin: dirname(found.pulumi), ...found, source: "installed" };
    if (found.passedOver) log(`The Pulumi on PATH is not used: ${found.passedOver}.`);
  }

  const version = await pinnedVersion();
  const folder = join(cacheFolder(env), `engine-${await cacheKey(version)}`);
  const cached = async () =>
    (await isComplete(join(folder, "bin"))) ? engineIn(folder, version, "cached") : undefined;
  const engine = await cached();
  if (engine) return engine;

  await mkdir(dirname(folder), { recursive: true }).catch((error: Error) => {
    throw new EngineUnavailableError(`No Pulumi engine: its cache cannot be made (${error.message}).`);
  });
  const building = `${folder}.building`;
  let saidMs = -Infinity;
  return inBuildingFolder(
    building,
    async () => (await cached()) ?? produce(),
    (waitedMs) => {
      if (waitedMs - saidMs < 15_000) return;
      saidMs = waitedMs;
      log(`Another run is preparing the Pulumi engine; waiting for it (${minutes(waitedMs)}).`);
    },
  );

  async function produce(): Promise<Engine> {
    const reasons: string[] = [`no pulumi ${MINIMUM_ENGINE_VERSION} or newer on PATH`];
    if (from.includes("downloaded")) {
      try {
        const download = join(building, "download");
        await downloadEngine(download, version, { env, log });
        return await finish(download, "downloaded");
      } catch (error) {
        log(`The official download of the Pulumi engine is out of reach (${(error as Error).message}).`);
        reasons.push("the official download is out of reach");
      }
    }
    if (from.includes("built")) {
      try {
        const build = join(building, "build");
        await buildEngine(join(build, "bin"), version, { env, log });
        return await finish(build, "built");
      } catch (error) {
        if (!(error instanceof EngineUnavailableError)) throw error;
        reasons.push(error.message);
      }
    }
    throw new EngineUnavailableError(
      `No Pulumi engine: ${reasons.join("; ")}. Install Pulumi, or Go ${await goVersion()} or newer to build it.`,
    );
  }

  async function finish(made: string, source: Engine["source"]): Promise<Engine> {
    const bin = join(made, "bin");
    const pulumi = join(bin, "pulumi");
    if (!(await isComplete(bin)) || (await engineVersion(pulumi, env)) !== version) {
      throw new EngineUnavailableError(`what was ${source} is not Pulumi ${version}`);
    }
    await rm(folder, { recursive: true, force: true });
    await rename(made, folder);
    return engineIn(folder, version, source);
  }
}

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

// The download is of the same version as the build, so that every machine tests the same engine.
async function pinnedVersion(): Promise<string> {
  return inGoMod(/pulumi\/pkg\/v3 v(\S+)/);
}

async function goVersion(): Promise<string> {
  return inGoMod(/^go (\d+\.\d+)/m);
}

async function inGoMod(pattern: RegExp): Promise<string> {
  const match = pattern.exec(await readFile(join(GO_MODULES, "pulumi", "go.mod"), "utf8"));
  if (!match?.[1]) throw new Error(`go.mod has no ${pattern}`);
  return match[1];
}

if (process.argv[1] === import.meta.filename) {
  try {
    const engine = await provideEngine({ log: console.error });
    console.log(engine.bin);
  } catch (error) {
    if (!(error instanceof EngineUnavailableError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
