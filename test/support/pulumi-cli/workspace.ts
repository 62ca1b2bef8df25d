import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { cleanEnv } from "./clean-env.ts";
import { killProcessTree } from "./kill-process-tree.ts";
import type { Engine } from "./provide-engine.ts";

export interface WorkspaceOptions {
  /** The project: a folder with a Pulumi.yaml. Nothing is written into it. */
  folder: string;
  /** Added to the environment of every command; `undefined` removes a variable. */
  env?: NodeJS.ProcessEnv;
}

export interface CommandOptions {
  env?: NodeJS.ProcessEnv;
  /** Return the result of a failed command instead of throwing. @default false */
  allowFailure?: boolean;
  /** @default "never" */
  color?: "never" | "always";
  /** The command is killed after that, with all processes that it started. @default 300_000 */
  timeoutMs?: number;
  /** Called with the output as it comes. */
  onOutput?: (text: string, stream: "stdout" | "stderr") => void;
  /** Called with the process when it runs: the leader of a session of its own. */
  onStart?: (child: ChildProcess & { pid: number }) => void;
}

export interface CommandResult {
  /** `null` when the command was killed. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
  /** Both streams in the order in which they came. */
  output: string;
}

/** A resource of an exported state. */
export interface StateResource {
  urn: string;
  type: string;
  id?: string;
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
}

/** What `pulumi stack export` prints, as far as tests use it. */
export interface ExportedState {
  version: number;
  deployment: { resources?: StateResource[]; pending_operations?: unknown[] };
}

// The commands with the option --config-file; the others need no configuration.
const COMMANDS_WITH_CONFIG = ["up", "preview", "refresh", "destroy", "import", "config", "logs", "watch"];

/** A stack named `dev` on the real engine, separate from the user's own Pulumi: home, state, passphrase, settings. */
export class Workspace {
  readonly folder: string;
  /** A temporary folder with Pulumi's home, the state and the stack's configuration. */
  readonly home: string;
  /** The whole environment of its commands. */
  readonly env: NodeJS.ProcessEnv;
  readonly #engine: Engine;
  readonly #sessions = new Set<number>();

  private constructor(engine: Engine, home: string, options: WorkspaceOptions) {
    this.#engine = engine;
    this.folder = resolve(options.folder);
    this.home = home;
    this.env = {
      ...cleanEnv(engine.bin),
      // The language host does not remove its pipes.
      TMPDIR: join(home, "tmp"),
      PULUMI_HOME: join(home, "home"),
      PULUMI_BACKEND_URL: pathToFileURL(join(home, "state")).href,
      PULUMI_CONFIG_PASSPHRASE: "test",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      PULUMI_STACK: "dev",
      ...options.env,
    };
  }

  /** Creates the stack. */
  static async create(engine: Engine, options: WorkspaceOptions): Promise<Workspace> {
    const home = await mkdtemp(join(tmpdir(), "pulumi-atlas-workspace-"));
    const workspace = new Workspace(engine, home, options);
    try {
      await workspace.#initStack();
    } catch (error) {
      await workspace.dispose();
      throw error;
    }
    return workspace;
  }

  /** The stack's configuration file; commands by hand need it as `--config-file`. */
  get configFile(): string {
    return join(this.home, "stack", "Pulumi.dev.yaml");
  }

  /**
   * Runs the CLI in the project's folder, never interactively.
   * @throws Error with the output when the command fails, unless that is allowed
   */
  async pulumi(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const config = COMMANDS_WITH_CONFIG.includes(args[0] ?? "") ? ["--config-file", this.configFile] : [];
    return this.#run(["-C", this.folder, ...args, ...config], options);
  }

  /** Sets configuration: plain text, or a secret. */
  async config(values: Record<string, string | { secret: string }>): Promise<void> {
    const pairs = Object.entries(values).flatMap(([key, value]) =>
      typeof value === "string" ? ["--plaintext", `${key}=${value}`] : ["--secret", `${key}=${value.secret}`],
    );
    await this.pulumi(["config", "set-all", ...pairs]);
  }

  /** The state as it is stored; secrets stay encrypted. */
  async state(): Promise<ExportedState> {
    return JSON.parse((await this.pulumi(["stack", "export"])).stdout);
  }

  /** Kills what still runs and removes the home. Stacks are not destroyed. */
  async dispose(): Promise<void> {
    for (const session of this.#sessions) await killProcessTree(session);
    await rm(this.home, { recursive: true, force: true, maxRetries: 5 });
  }

  // `stack init` writes a configuration file beside Pulumi.yaml, so it runs in another folder with a project of the
  // same name, by which the backend identifies the project.
  async #initStack(): Promise<void> {
    const folder = dirname(this.configFile);
    for (const created of [folder, join(this.home, "state"), join(this.home, "tmp")]) await mkdir(created);
    const project = await readFile(join(this.folder, "Pulumi.yaml"), "utf8");
    const name = /^name:\s*["']?([\w.-]+)/m.exec(project)?.[1];
    if (!name) throw new Error(`${this.folder}/Pulumi.yaml names no project`);
    await writeFile(join(folder, "Pulumi.yaml"), `name: ${name}\nruntime: nodejs\n`);
    await this.#run(["-C", folder, "stack", "init", "dev"], {});
  }

  async #run(args: readonly string[], options: CommandOptions): Promise<CommandResult> {
    const { allowFailure = false, color = "never", timeoutMs = 300_000, onOutput, onStart } = options;
    const child = spawn(this.#engine.pulumi, [...args, "--non-interactive", "--color", color], {
      env: { ...this.env, ...options.env },
      // In a session of its own, all processes that it starts can be found and killed.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const result: CommandResult = { exitCode: null, stdout: "", stderr: "", output: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        result[stream] += text;
        result.output += text;
        onOutput?.(text, stream);
      });
    }

    const { pid } = child;
    if (pid === undefined) throw (await once(child, "error"))[0];
    this.#sessions.add(pid);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      void killProcessTree(pid);
    }, timeoutMs);
    onStart?.(Object.assign(child, { pid }));
    await once(child, "close");
    clearTimeout(timer);
    // The plugins of a killed engine still run: `dispose` kills them.
    if (child.exitCode !== null) this.#sessions.delete(pid);
    result.exitCode = child.exitCode;
    const problem = timedOut ? `took over ${timeoutMs} ms` : `ended with ${result.exitCode}`;
    if (timedOut || (result.exitCode !== 0 && !allowFailure)) {
      throw new Error(`pulumi ${args.join(" ")} ${problem}:\n${result.output}`);
    }
    return result;
  }
}
