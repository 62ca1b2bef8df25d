import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What is thrown where the address of that name is brought to lower case. */
const THROWN = {
  "string@example.com": '"a string"',
  "undefined@example.com": "undefined",
  "null@example.com": "null",
  "number@example.com": "42",
  "object@example.com": '{ message: "an object" }',
  "bare@example.com": "Object.create(null)",
  "bug@example.com": 'new TypeError("a bug")',
};

/** Scripts for `NODE_OPTIONS=--require`, which reach into the host's process without a change of the package. */
export class Preloads implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async write(): Promise<Preloads> {
    const preloads = new Preloads(await mkdtemp(join(tmpdir(), "pulumi-atlas-preloads-")));
    const thrown = Object.entries(THROWN).map(
      ([address, value]) => `${JSON.stringify(address)}: () => ${value},`,
    );
    await writeFile(
      preloads.throwing,
      `const thrown = { ${thrown.join("\n")} };
       const { toLowerCase } = String.prototype;
       String.prototype.toLowerCase = function () {
         if (Object.hasOwn(thrown, this)) throw thrown[this]();
         return toLowerCase.call(this);
       };`,
    );
    await writeFile(
      preloads.recording,
      `const Module = require("module");
       const { appendFileSync } = require("fs");
       const load = Module._load;
       Module._load = function (name) {
         appendFileSync(${JSON.stringify(preloads.#record)}, name + "\\n");
         return load.apply(this, arguments);
       };`,
    );
    return preloads;
  }

  /**
   * Every operation brings the address to lower case: for some addresses, that built-in of Node throws what no
   * code of ours throws.
   */
  get throwing(): string {
    return join(this.#folder, "throwing.cjs");
  }

  /** Writes down what the process loads: see {@link loaded}. For one process at a time. */
  get recording(): string {
    return join(this.#folder, "recording.cjs");
  }

  /** The modules that were loaded under {@link recording}, by the names that they were asked for. */
  async loaded(): Promise<string[]> {
    return (await readFile(this.#record, "utf8")).split("\n");
  }

  get #record(): string {
    return join(this.#folder, "loaded.txt");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
