import { execFile } from "node:child_process";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { ENGINE_FILES, findExecutable, foldersOf } from "./engine-files.ts";

/** From this version on, drift that a dynamic provider's `read` finds reaches the inputs in state. */
export const MINIMUM_ENGINE_VERSION = "3.216.0";

/**
 * The `pulumi` on PATH, when it is new enough and has its language host and the launcher of dynamic
 * providers at hand. `passedOver` says why one that is there is not used.
 */
export async function findInstalledEngine(
  env: NodeJS.ProcessEnv,
): Promise<{ pulumi: string; version: string } | { passedOver?: string }> {
  const path = foldersOf(env.PATH);
  const pulumi = await findExecutable("pulumi", path);
  if (!pulumi) return {};

  const version = await engineVersion(pulumi, env);
  if (!version) return { passedOver: `${pulumi} does not tell its version` };
  if (isOlder(version, MINIMUM_ENGINE_VERSION)) {
    return { passedOver: `${pulumi} is ${version}, older than ${MINIMUM_ENGINE_VERSION}` };
  }
  // The engine looks beside its real file (behind a link) and on PATH.
  const folders = [dirname(await realpath(pulumi)), ...path];
  for (const file of ENGINE_FILES) {
    if (!(await findExecutable(file, folders))) return { passedOver: `${pulumi} has no ${file}` };
  }
  return { pulumi, version };
}

/** What `pulumi version` prints, without its `v`. */
export async function engineVersion(pulumi: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const home = await mkdtemp(join(tmpdir(), "pulumi-home-"));
  try {
    const { stdout } = await promisify(execFile)(pulumi, ["version"], {
      env: { ...env, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" },
      timeout: 20_000,
    });
    return /\d+\.\d+\.\d+\S*/.exec(stdout)?.[0];
  } catch {
    return undefined;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function isOlder(version: string, minimum: string): boolean {
  return version.localeCompare(minimum, "en", { numeric: true }) < 0;
}
