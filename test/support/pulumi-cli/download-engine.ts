import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { EngineUnavailableError } from "./engine-files.ts";
import { type ProduceOptions, runWithProgress } from "./run-with-progress.ts";

// The Automation API starts a shell and a downloader without a timeout. In a process of their own, all three can be
// killed together.
const INSTALL = `require("@pulumi/pulumi/automation").PulumiCommand
  .install({ root: process.argv[1], version: process.argv[2] })
  .catch((error) => { console.error(error.message); process.exit(1); })`;

/**
 * Downloads the official engine into `folder`/bin, by Pulumi's Automation API.
 * @throws EngineUnavailableError when the download fails or takes longer than `timeoutMs`
 */
export async function downloadEngine(
  folder: string,
  version: string,
  { env, log, signal }: ProduceOptions,
  { timeoutMs = 900_000, command = [process.execPath, "-e", INSTALL, folder, version] } = {},
): Promise<void> {
  const temporary = join(folder, "temporary");
  await mkdir(temporary, { recursive: true });
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const { exitCode, stderr } = await runWithProgress(
      "Downloading the Pulumi engine",
      command,
      {
        env: { ...env, TMPDIR: temporary, PULUMI_HOME: temporary },
        log,
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      },
      { cwd: import.meta.dirname, detached: true },
    );
    if (exitCode === 0) return;
    const reason = timeout.aborted ? `it took over ${timeoutMs / 1000} s` : stderr.find(Boolean);
    throw new EngineUnavailableError(`the download failed (${reason ?? `exit code ${exitCode}`})`);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
