import { styleText } from "node:util";
import type { LoggedRequest } from "../support/simulated-atlas/request-log.ts";
import { requestLines } from "./request-lines.ts";

/** Something ended otherwise than the story tells. */
export class UnexpectedEndError extends Error {
  override readonly name = "UnexpectedEndError";
}

/** Whether the terminal shows colours and the user wants them. */
export const hasColour = styleText("bold", "") !== "";

/** Prints the story: chapters, commands, what they printed, what Atlas saw, and what was verified. */
export class Narrator {
  chapters = 0;
  checks = 0;
  #closed = false;

  title(text: string): void {
    this.#print(styleText("bold", text));
  }

  chapter(title: string, text: string): void {
    this.chapters += 1;
    this.#print(`\n${styleText(["bold", "cyan"], `${this.chapters}. ${title}`)}\n${text}`);
  }

  /** A remark about the demo itself. */
  note(text: string): void {
    this.#print(styleText("dim", text));
  }

  /** A command as typed. */
  command(text: string): void {
    this.#print(`\n${styleText("bold", `$ ${text}`)}`);
  }

  /** A line that a command printed, as it is. */
  output(line: string): void {
    this.#print(`  ${line}`);
  }

  /** A line to copy. */
  line(text: string): void {
    this.#print(text);
  }

  /** Something that happens in Atlas without Pulumi. */
  event(text: string): void {
    this.#print(`  ${styleText("magenta", "*")} ${text}`);
  }

  /** What Atlas saw of a command, and whom it wrote to. */
  seen(requests: readonly LoggedRequest[], mailed: readonly string[]): void {
    this.#print(styleText("yellow", requests.length === 0 ? "Atlas saw no request." : "Atlas saw"));
    for (const line of requestLines(requests)) this.#print(`  ${line}`);
    if (mailed.length > 0)
      this.#print(`${styleText("yellow", "and sent an e-mail to")} ${mailed.join(", ")}`);
  }

  /**
   * Tells that the claim holds.
   * @throws UnexpectedEndError if it does not
   */
  check(claim: string, holds: boolean): void {
    if (!holds) throw new UnexpectedEndError(`This was to be true, and is not: ${claim}.`);
    this.checks += 1;
    this.#print(`${styleText("green", "✓")} ${claim}`);
  }

  failure(text: string): void {
    this.#print(`\n${styleText(["bold", "red"], "✗")} ${text}`);
  }

  /** Says no more. */
  close(): void {
    this.#closed = true;
  }

  #print(text: string): void {
    if (!this.#closed) process.stdout.write(`${text}\n`);
  }
}
