import { stripVTControlCharacters } from "node:util";
import type { Workspace } from "../support/pulumi-cli/workspace.ts";
import { Condenser } from "./filter-cli-output.ts";
import { hasColour, type Narrator } from "./printer.ts";
import { type Outcome, type Stage, words } from "./runner.ts";

/** The real CLI, on a stack of its own. */
export class CliStage implements Stage {
  readonly #workspace: Workspace;
  readonly #narrator: Narrator;
  #stopped = false;

  constructor(workspace: Workspace, narrator: Narrator) {
    this.#workspace = workspace;
    this.#narrator = narrator;
  }

  async run(command: string, env: Record<string, string> = {}): Promise<Outcome> {
    if (this.#stopped) throw new Error("The demo is over.");
    const settings = Object.entries(env).map(([name, value]) => `${name}=${value} `);
    this.#narrator.command(`${settings.join("")}pulumi ${command}`);
    const shown = { stdout: this.#lines(), stderr: this.#lines() };
    const { exitCode, output } = await this.#workspace.pulumi(words(command), {
      env,
      allowFailure: true,
      color: hasColour ? "always" : "never",
      onOutput: (text, stream) => shown[stream](text),
    });
    return { failed: exitCode !== 0, text: stripVTControlCharacters(output) };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
  }

  /** Shows each line as soon as it is whole. */
  #lines(): (text: string) => void {
    const condenser = new Condenser();
    let rest = "";
    return (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      // A colour may last until a line that is not shown.
      const end = hasColour ? "\x1b[0m" : "";
      for (const line of lines.filter((line) => condenser.keeps(line))) this.#narrator.output(line + end);
    };
  }
}
