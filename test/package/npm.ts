import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** How to start npm: by its script where npm itself says where that is, as Windows runs `npm.cmd` only in a shell. */
export const NPM: readonly [command: string, ...args: string[]] = process.env.npm_execpath?.endsWith(
  "npm-cli.js",
)
  ? [process.execPath, process.env.npm_execpath]
  : ["npm"];

/** Runs npm, and returns what it prints. */
export async function npm(folder: string, ...args: string[]): Promise<string> {
  const [command, ...first] = NPM;
  const { stdout } = await promisify(execFile)(command, [...first, ...args], {
    cwd: folder,
    timeout: 120_000,
  });
  return stdout;
}
