import { stripVTControlCharacters } from "node:util";

const NOISE = [
  /^\s*$/,
  // A dot for every second that passes.
  /^@ /,
  // A resource at which something has begun: its end follows.
  /^ [ +~-]{2} pulumi\S* \S+ \w+ing\b/,
  // A resource to which nothing happens.
  /^ {4}pulumi\S* /,
  // A message that follows in the diagnostics.
  /^ [ +~-]{2} pulumi\S* .* error: /,
  // In a detailed plan, what is not the change or whose it is.
  /^\s+(\[id=\S+\]|--outputs:--)$/,
  /^\s+\[urn=\S+::pulumi:pulumi:Stack::/,
  // What one could do with the empty stack.
  /^The resources in the stack have been deleted, /,
  /^If you want to remove the stack completely, /,
];

/** Tells what to show of one command of the CLI: what stays on a terminal when it is done, without the blank lines. */
export class Condenser {
  readonly #rows = new Set<string>();

  /** Whether a line, in colours or without, is worth showing. */
  keeps(line: string): boolean {
    const text = stripVTControlCharacters(line).trimEnd();
    if (NOISE.some((noise) => noise.test(text))) return false;
    // A preview names the stack when it begins and when it ends.
    const isRow = /^ [+~-]+ +pulumi\S* /.test(text);
    if (isRow && this.#rows.has(text)) return false;
    this.#rows.add(text);
    return true;
  }
}
