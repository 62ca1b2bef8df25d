import { styleText } from "node:util";
import type { LoggedRequest } from "../support/simulated-atlas/request-log.ts";
import { requestLines } from "./request-lines.ts";

/** Whether the terminal shows colours and the user wants them. */
export const hasColour = styleText("bold", "") !== "";

export function line(text = ""): void {
  process.stdout.write(`${text}\n`);
}

export const title = (text: string) => line(styleText("bold", text));

/** A remark about the demo itself. */
export const note = (text: string) => line(styleText("dim", text));

export const chapter = (number: number, title: string, text: string) =>
  line(`\n${styleText(["bold", "cyan"], `${number}. ${title}`)}\n${text}`);

/** A change in Atlas without Pulumi. */
export const event = (text: string) => line(`  ${styleText("magenta", "*")} ${text}`);

export const proof = (text: string) => line(`${styleText("green", "✓")} ${text}`);

export const failure = (text: string) => line(`\n${styleText(["bold", "red"], "✗")} ${text}`);

export function command(command: string, env: Record<string, string> = {}): void {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value} `);
  line(`\n${styleText("bold", `$ ${settings.join("")}pulumi ${command}`)}`);
}

/** A line that a command printed. */
export function output(text: string): void {
  // A colour may continue after the end of the line.
  line(`  ${text}${hasColour ? "\x1b[0m" : ""}`);
}

/** What Atlas received during a command, and the e-mails that it sent. */
export function requests(requests: readonly LoggedRequest[], mails: readonly { username: string }[]): void {
  line(styleText("yellow", requests.length === 0 ? "Atlas received no request." : "Atlas received"));
  for (const text of requestLines(requests)) output(text);
  const recipients = mails.map(({ username }) => username).sort();
  if (recipients.length > 0) line(`${styleText("yellow", "and sent an e-mail to")} ${recipients.join(", ")}`);
}
