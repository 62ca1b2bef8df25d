import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** What an engine consists of: the CLI, its language host and the launcher of dynamic providers. */
export const ENGINE_FILES = ["pulumi", "pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs"] as const;

/** The first executable file of that name in the folders, as a path. */
export async function findExecutable(name: string, folders: readonly string[]): Promise<string | undefined> {
  const names = process.platform === "win32" ? [`${name}.exe`, `${name}.cmd`] : [name];
  for (const path of folders.flatMap((folder) => names.map((file) => join(folder, file)))) {
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return path;
  }
  return undefined;
}

/** The folders of a PATH variable. */
export function foldersOf(path: string | undefined): string[] {
  return (path ?? "").split(delimiter).filter(Boolean);
}
