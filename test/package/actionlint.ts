import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const MODULE = "github.com/rhysd/actionlint/cmd/actionlint";
const VERSION = "v1.7.12";

/** Go, which actionlint is built with, is not on this machine. */
export class GoMissingError extends Error {
  override readonly name = "GoMissingError";
}

/**
 * The path of actionlint, built once from its Go module into the folder in which the tests keep the engine, too.
 * @throws GoMissingError
 */
export async function provideActionlint(env = process.env): Promise<string> {
  const caches = env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache");
  const cache = env.PULUMI_ATLAS_ENGINE_CACHE || join(caches, "pulumi-atlas-invitations");
  const folder = join(cache, `actionlint-${VERSION}-${process.platform}-${process.arch}`);
  const actionlint = join(folder, process.platform === "win32" ? "actionlint.exe" : "actionlint");
  if (existsSync(actionlint)) return actionlint;

  await mkdir(dirname(folder), { recursive: true });
  const building = await mkdtemp(`${folder}-`);
  try {
    const goEnv = { ...env, GOBIN: building, GOWORK: "off", CGO_ENABLED: "0" };
    await promisify(execFile)("go", ["install", `${MODULE}@${VERSION}`], { env: goEnv });
    // Another run may have been faster.
    await rename(building, folder).catch((error) => {
      if (!existsSync(actionlint)) throw error;
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new GoMissingError(
      `The workflows are not checked: actionlint ${VERSION} is built with Go. Install Go.`,
    );
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  return actionlint;
}
