import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** How to start npm: by its script where npm itself says where that is, as Windows runs `npm.cmd` only in a shell. */
const script = process.env.npm_execpath ?? "";
export const NPM = script.endsWith("npm-cli.js") ? ([process.execPath, script] as const) : (["npm"] as const);

/** Runs npm, and returns what it prints. */
export async function npm(folder: string, ...args: string[]): Promise<string> {
  const [command, ...first] = NPM;
  const options = { cwd: folder, timeout: 120_000 };
  const { stdout } = await promisify(execFile)(command, [...first, ...args], options);
  return stdout;
}
