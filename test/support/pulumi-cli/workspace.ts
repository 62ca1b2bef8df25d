import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { cleanEnv } from "./clean-env.ts";
import { endSession } from "./kill-process-tree.ts";
import type { Engine } from "./provide-engine.ts";

export interface WorkspaceOptions {
  /** The project: a folder with a Pulumi.yaml. Nothing is written into it. */
  folder: string;
  /** @default "dev" */
  stack?: string;
  /** Added to the environment of every command; `undefined` removes a variable. */
  env?: NodeJS.ProcessEnv;
  /**
   * Where Pulumi's home, the state and the stack's configuration live. A folder that is given is kept, and
   * another workspace may go on with it; one that is not given is temporary and removed by `dispose`.
   */
  home?: string;
}

export interface CommandOptions {
  env?: NodeJS.ProcessEnv;
  /** Return a failed command instead of throwing it. @default false */
  allowFailure?: boolean;
  /** @default "never" */
  color?: "never" | "always";
  /** Stopped after that, with everything it started. @default 300_000 */
  timeoutMs?: number;
  /** What it prints, as it comes. */
  onOutput?: (text: string, stream: "stdout" | "stderr") => void;
  /** The process as soon as it runs: the leader of a session of its own. */
  onStart?: (child: ChildProcess & { pid: number }) => void;
}

export interface CommandResult {
  /** `null` when it was killed. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
  /** Both in the order in which they came. */
  output: string;
}

/** One resource of an exported state. */
export interface StateResource {
  urn: string;
  type: string;
  custom: boolean;
  id?: string;
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
  initErrors?: string[];
}

/** What `pulumi stack export` prints, as far as tests look at it. */
export interface ExportedState {
  version: number;
  deployment: { resources?: StateResource[]; pending_operations?: unknown[] };
}

/** A Pulumi command that failed; the message ends with everything that it printed. */
export class PulumiCommandError extends Error {
  override readonly name = "PulumiCommandError";
  readonly result: CommandResult;

  constructor(args: readonly string[], result: CommandResult) {
    super(`pulumi ${args.join(" ")} ended with ${result.exitCode}:\n${result.output}`);
    this.result = result;
  }
}

// Only these take the option; the others need no configuration.
const COMMANDS_WITH_CONFIG = ["up", "preview", "refresh", "destroy", "import", "config", "logs", "watch"];

/** A stack on the real engine that knows nothing of the user's own Pulumi: home, state, passphrase, settings. */
export class Workspace {
  readonly folder: string;
  readonly stack: string;
  readonly home: string;
  /** The whole environment of its commands. */
  readonly env: NodeJS.ProcessEnv;
  readonly #engine: Engine;
  readonly #temporary: boolean;
  readonly #sessions = new Set<number>();

  private constructor(engine: Engine, home: string, options: WorkspaceOptions) {
    this.#engine = engine;
    this.#temporary = options.home === undefined;
    this.folder = resolve(options.folder);
    this.stack = options.stack ?? "dev";
    this.home = home;
    this.env = {
      ...cleanEnv(engine.bin),
      // The language host leaves its pipes behind.
      TMPDIR: join(home, "tmp"),
      PULUMI_HOME: join(home, "home"),
      PULUMI_BACKEND_URL: pathToFileURL(join(home, "state")).href,
      PULUMI_CONFIG_PASSPHRASE: "test",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      PULUMI_STACK: this.stack,
      ...options.env,
    };
  }

  /** Makes the stack, unless `home` has it already. */
  static async create(engine: Engine, options: WorkspaceOptions): Promise<Workspace> {
    const home = options.home ?? (await mkdtemp(join(tmpdir(), "pulumi-atlas-workspace-")));
    const workspace = new Workspace(engine, resolve(home), options);
    try {
      await workspace.#initStack();
    } catch (error) {
      await workspace.dispose();
      throw error;
    }
    return workspace;
  }

  /** The stack's configuration file; by hand it is passed as `--config-file`. */
  get configFile(): string {
    return join(this.home, "stack", `Pulumi.${this.stack}.yaml`);
  }

  /**
   * Runs the CLI in the project's folder, never interactively.
   * @throws PulumiCommandError when it fails, unless that is allowed
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

  /** The resource in state with that name, type, or last part of a type. */
  async resource(nameOrType: string): Promise<StateResource | undefined> {
    const { deployment } = await this.state();
    return deployment.resources?.find(
      ({ urn, type }) =>
        urn.split("::").at(-1) === nameOrType || type === nameOrType || type.split(":").at(-1) === nameOrType,
    );
  }

  /** Ends what still runs, and removes the home if it is temporary. Stacks are not destroyed. */
  async dispose(): Promise<void> {
    for (const session of this.#sessions) await endSession(session);
    if (this.#temporary) await rm(this.home, { recursive: true, force: true, maxRetries: 5 });
  }

  // `stack init` writes a configuration file beside Pulumi.yaml, so it is run on a stand-in for the project:
  // the backend knows a project by its name only.
  async #initStack(): Promise<void> {
    const standIn = dirname(this.configFile);
    await mkdir(standIn, { recursive: true });
    for (const folder of ["state", "tmp"]) await mkdir(join(this.home, folder), { recursive: true });
    const project = await readFile(join(this.folder, "Pulumi.yaml"), "utf8");
    const name = /^name:\s*["']?([\w.-]+)/m.exec(project)?.[1];
    if (!name) throw new Error(`${this.folder}/Pulumi.yaml names no project`);
    await writeFile(join(standIn, "Pulumi.yaml"), `name: ${name}\nruntime: nodejs\n`);
    const args = ["-C", standIn, "stack", "init", this.stack];
    const result = await this.#run(args, { allowFailure: true });
    if (result.exitCode !== 0 && !result.output.includes("already exists")) {
      throw new PulumiCommandError(args, result);
    }
  }

  async #run(args: readonly string[], options: CommandOptions): Promise<CommandResult> {
    const { allowFailure = false, color = "never", timeoutMs = 300_000, onOutput, onStart } = options;
    const child = spawn(this.#engine.pulumi, [...args, "--non-interactive", "--color", color], {
      env: { ...this.env, ...options.env },
      // A session of its own, by which everything that it starts can be found and ended.
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
    if (pid !== undefined) this.#sessions.add(pid);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      if (pid !== undefined) void endSession(pid);
    }, timeoutMs);
    try {
      await new Promise<void>((resolve, reject) => {
        child.on("error", reject).on("close", () => resolve());
        if (pid !== undefined) onStart?.(Object.assign(child, { pid }));
      });
    } finally {
      clearTimeout(timer);
    }
    // A killed engine leaves its plugins running; `dispose` ends those.
    if (pid !== undefined && child.exitCode !== null) this.#sessions.delete(pid);
    result.exitCode = child.exitCode;
    if (timedOut) throw new Error(`pulumi ${args.join(" ")} took over ${timeoutMs} ms:\n${result.output}`);
    if (result.exitCode !== 0 && !allowFailure) throw new PulumiCommandError(args, result);
    return result;
  }
}
