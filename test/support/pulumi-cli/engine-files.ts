import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** The files of an engine: the CLI, its language host and the launcher of dynamic providers. */
export const ENGINE_FILES = ["pulumi", "pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs"] as const;

/** This machine has no engine and cannot get one; the message is one line. */
export class EngineUnavailableError extends Error {
  override readonly name = "EngineUnavailableError";
}

/** The path of the first executable file of that name in the folders. */
export async function findExecutable(name: string, folders: readonly string[]): Promise<string | undefined> {
  const names = process.platform === "win32" ? [`${name}.exe`, `${name}.cmd`] : [name];
  for (const path of folders.flatMap((folder) => names.map((file) => join(folder, file)))) {
    const isExecutable = access(path, constants.X_OK).then(() => true);
    if (await isExecutable.catch(() => false)) return path;
  }
  return undefined;
}

/** The folders of a PATH variable. */
export function foldersOf(path = ""): string[] {
  return path.split(delimiter).filter(Boolean);
}
