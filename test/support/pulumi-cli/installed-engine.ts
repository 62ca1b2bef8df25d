import { execFile } from "node:child_process";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { ENGINE_FILES, findExecutable, foldersOf } from "./engine-files.ts";

/** The oldest version on which the engine tier was seen to pass. 3.216.0 does not display what a refresh found. */
export const MINIMUM_ENGINE_VERSION = "3.259.0";

/** The `pulumi` on PATH; `unusable` is the reason why one is not used. */
export async function findInstalledEngine(
  env: NodeJS.ProcessEnv,
): Promise<{ pulumi: string; version: string } | { unusable?: string }> {
  const path = foldersOf(env.PATH);
  const pulumi = await findExecutable("pulumi", path);
  if (!pulumi) return {};

  const version = await engineVersion(pulumi, env);
  if (!version) return { unusable: `${pulumi} does not print its version` };
  if (version.localeCompare(MINIMUM_ENGINE_VERSION, "en", { numeric: true }) < 0) {
    return { unusable: `${pulumi} is ${version}, older than ${MINIMUM_ENGINE_VERSION}` };
  }
  // The engine searches beside its real file (behind a link) and on PATH.
  const folders = [dirname(await realpath(pulumi)), ...path];
  for (const file of ENGINE_FILES) {
    if (!(await findExecutable(file, folders))) return { unusable: `${pulumi} has no ${file}` };
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
