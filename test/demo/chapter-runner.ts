import { stripVTControlCharacters } from "node:util";
import type { CommandResult, Workspace } from "../support/pulumi-cli/workspace.ts";
import type { LoggedRequest } from "../support/simulated-atlas/request-log.ts";
import type { SimulatedAtlas } from "../support/simulated-atlas/simulated-atlas.ts";
import type { Chapter, Step } from "./chapters.ts";
import { filterCliOutput } from "./filter-cli-output.ts";
import * as printer from "./printer.ts";

/** Plays chapters with the real CLI, and checks that each step ends as its chapter says. */
export class ChapterRunner {
  readonly #workspace: Workspace;
  readonly #atlas: SimulatedAtlas;

  constructor(workspace: Workspace, atlas: SimulatedAtlas) {
    this.#workspace = workspace;
    this.#atlas = atlas;
  }

  /** @throws Error if a step ends otherwise */
  async play({ title, text, events = [], steps = [] }: Chapter, number: number): Promise<void> {
    printer.chapter(number, title, text);
    for (const [event, apply] of events) {
      apply();
      printer.event(event);
    }
    for (const step of steps) await this.#run(step);
  }

  async #run(step: Step): Promise<void> {
    printer.command(step.command, step.env);
    this.#atlas.forget();
    const mailsBefore = this.#atlas.mails.length;
    const result = await this.#workspace.pulumi(step.command.replaceAll("'", "").split(" "), {
      ...(step.env && { env: step.env }),
      allowFailure: true,
      color: printer.hasColour ? "always" : "never",
      onOutput: filterCliOutput(printer.output),
    });
    const { requests } = this.#atlas;
    if (!step.command.startsWith("config ")) {
      printer.requests(requests, this.#atlas.mails.slice(mailsBefore));
    }
    const problem = findMismatch(step, result, requests);
    if (problem) throw new Error(`"pulumi ${step.command}" ${problem}.`);
    if (step.proves) printer.proof(step.proves);
  }
}

/** What a step did otherwise than its chapter says, or `undefined`. */
export function findMismatch(
  { fails = false, requests = "no request", prints = [] }: Step,
  { exitCode, output }: Pick<CommandResult, "exitCode" | "output">,
  received: readonly LoggedRequest[],
): string | undefined {
  if ((exitCode !== 0) !== fails) return `ended with ${exitCode}`;
  const text = stripVTControlCharacters(output);
  const missing = prints.find((part) => !text.includes(part));
  if (missing !== undefined) return `did not print ${missing}`;
  const summary = summarize(received);
  return summary === requests ? undefined : `sent to Atlas: ${summary}; expected: ${requests}`;
}

/** The requests that changed something, such as "PATCH invites, 4 POST invites". */
export function summarize(requests: readonly LoggedRequest[]): string {
  if (requests.length === 0) return "no request";
  const writes = requests
    .filter(({ method, status = 0 }) => method !== "GET" && status < 300)
    .map(({ method, path }) => `${method} ${/\/(invites|users)\b/.exec(path)?.[1]}`);
  const kinds = [...new Set(writes)].sort().map((kind) => {
    const count = writes.filter((write) => write === kind).length;
    return count === 1 ? kind : `${count} ${kind}`;
  });
  return kinds.join(", ") || "reads only";
}
