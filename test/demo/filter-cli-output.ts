import { stripVTControlCharacters } from "node:util";

const NOISE = [
  /^\s*$/,
  // A progress dot for every second.
  /^@ /,
  // A resource on which an operation starts: the row of its end follows.
  /^ [ +~-]{2} pulumi\S* \S+ \w+ing\b/,
  // An unchanged resource.
  /^ {4}pulumi\S* /,
  // A message that the diagnostics repeat.
  /^ [ +~-]{2} pulumi\S* .* error: /,
  // In a detailed plan, lines that show neither the change nor the resource.
  /^\s+(\[id=\S+\]|--outputs:--)$/,
  /^\s+\[urn=\S+::pulumi:pulumi:Stack::/,
  // Advice about the empty stack.
  /^The resources in the stack have been deleted, /,
  /^If you want to remove the stack completely, /,
];

/**
 * Passes on the lines of one CLI command that matter when it is done, coloured or not.
 * @returns a function to call with the output as it comes
 */
export function filterCliOutput(onLine: (line: string) => void): (text: string) => void {
  const rows = new Set<string>();
  let rest = "";
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const content = stripVTControlCharacters(line).trimEnd();
      // A preview prints the row of the stack when it starts and when it ends.
      const isRow = /^ [+~-]+ +pulumi\S* /.test(content);
      if (NOISE.some((noise) => noise.test(content)) || (isRow && rows.has(content))) continue;
      rows.add(content);
      onLine(line);
    }
  };
}
