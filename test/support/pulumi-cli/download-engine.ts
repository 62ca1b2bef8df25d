import { spawn } from "node:child_process";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { withProgress } from "./progress.ts";

// In a process of its own: the Automation API starts a shell and a downloader and sets no limit of time to
// them, so all three have to be stopped together.
const INSTALL = `require("@pulumi/pulumi/automation").PulumiCommand
  .install({ root: process.argv[1], version: process.argv[2] })
  .catch((error) => { console.error(error.message); process.exit(1); })`;

/**
 * The official download, by Pulumi's Automation API, into `folder`/bin.
 * @param stallMs how long nothing may arrive before it counts as out of reach
 * @throws Error with one line when it is out of reach
 */
export async function downloadEngine(
  folder: string,
  version: string,
  options: { env: NodeJS.ProcessEnv; log: (line: string) => void; stallMs?: number; command?: string[] },
): Promise<void> {
  const temporary = join(folder, "temporary");
  await mkdir(temporary, { recursive: true });
  const [command = "", ...args] = options.command ?? [process.execPath, "-e", INSTALL, folder, version];
  const child = spawn(command, args, {
    cwd: import.meta.dirname,
    env: { ...options.env, TMPDIR: temporary, PULUMI_HOME: temporary },
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });

  let size = 0;
  let stalled = false;
  let lastGrowth = Date.now();
  const stallMs = options.stallMs ?? 20_000;
  const watch = setInterval(
    async () => {
      const now = await sizeOf(folder);
      if (now !== size) lastGrowth = Date.now();
      size = now;
      if (Date.now() - lastGrowth < stallMs || child.pid === undefined) return;
      stalled = true;
      clearInterval(watch);
      process.kill(-child.pid, "SIGKILL");
    },
    Math.min(1000, stallMs / 4),
  );

  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  try {
    const exitCode = await withProgress(
      options.log,
      () => `Downloading the Pulumi engine: ${Math.round(size / 1e6)} MB`,
      () =>
        new Promise((resolve, reject) => {
          child.on("error", reject).on("close", resolve);
        }),
    );
    if (stalled) throw new Error(`nothing arrived for ${stallMs / 1000} s`);
    if (exitCode !== 0) throw new Error(stderr.trim().split("\n")[0] || `exit code ${exitCode}`);
  } finally {
    clearInterval(watch);
    await rm(temporary, { recursive: true, force: true });
  }
}

async function sizeOf(folder: string): Promise<number> {
  const files = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = files.map((file) =>
    stat(join(folder, file)).then(
      ({ size }) => size,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
