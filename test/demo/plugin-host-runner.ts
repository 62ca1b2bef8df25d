import { dirname, join } from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { PluginHost, PluginHostError, type Properties } from "../support/plugin-host/plugin-host.ts";
import { declaredResources } from "./declared-resources.ts";
import type { Narrator } from "./printer.ts";
import { type Outcome, type Stage, words } from "./runner.ts";

const REPOSITORY = dirname(dirname(import.meta.dirname));
const PROJECT = "pulumi-atlas-invitations";

interface Resource {
  id: string;
  inputs: Properties;
  outputs: Properties;
}

/**
 * Pulumi's own plugin host, asked in the engine's place: it shows each call that a command would make, and the
 * answer. The commands are those of the story, with the options that it uses.
 */
export class PluginHostStage implements Stage {
  readonly #env: NodeJS.ProcessEnv;
  readonly #narrator: Narrator;
  readonly #config: Record<string, string> = {};
  readonly #state = new Map<string, Resource>();
  #host: Promise<PluginHost> | undefined;
  #said: string[] = [];
  #stopped = false;

  /** @param env added to the plugin host's environment */
  constructor(env: NodeJS.ProcessEnv, narrator: Narrator) {
    this.#env = env;
    this.#narrator = narrator;
  }

  async run(command: string, env: Record<string, string> = {}): Promise<Outcome> {
    const settings = Object.entries(env).map(([name, value]) => `${name}=${value} `);
    this.#narrator.note(`\nIn place of: ${settings.join("")}pulumi ${command}`);
    const { values, positionals } = parseArgs({
      args: words(command),
      strict: false,
      options: { refresh: { type: "boolean" }, target: { type: "string" } },
    });
    const [name = "", ...rest] = positionals;
    if (name === "config") {
      const [, key, value = ""] = rest;
      this.#config[String(key)] = value;
      return { failed: false, text: "" };
    }

    this.#said = [];
    const host = await this.#start(env);
    let failed = false;
    try {
      const state = name === "preview" ? new Map(this.#state) : this.#state;
      if (values.refresh) await this.#refresh(host, state);
      const only = String(values.target ?? "").replace("**", "") || undefined;
      if (name === "destroy") failed = await this.#destroy(host, state, only);
      else await this.#up(host, state, only, name === "preview");
    } finally {
      await host.stop();
    }
    for (const line of host.stdout.split("\n").filter(Boolean)) this.#say(line);
    return { failed, text: this.#said.join("\n") };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await (await this.#host?.catch(() => undefined))?.stop();
  }

  /** One host for each command, as the engine does. */
  #start(env: Record<string, string>): Promise<PluginHost> {
    if (this.#stopped) throw new Error("The demo is over.");
    this.#host = PluginHost.start({ folder: REPOSITORY, env: { ...this.#env, ...env } });
    return this.#host;
  }

  async #refresh(host: PluginHost, state: Map<string, Resource>): Promise<void> {
    for (const [name, { id, inputs, outputs }] of state) {
      const found = await host.read(id, outputs, inputs);
      if (found.id === "") {
        this.#answer("read", name, "gone");
        state.delete(name);
        continue;
      }
      this.#answer("read", name, difference(outputs, found.properties) || "no change");
      state.set(name, { id: found.id, inputs: found.inputs ?? inputs, outputs: found.properties });
    }
  }

  async #up(
    host: PluginHost,
    state: Map<string, Resource>,
    only: string | undefined,
    isPreview: boolean,
  ): Promise<void> {
    const program = join(REPOSITORY, "examples", "basic", "index.ts");
    for (const [name, declared] of await declaredResources(program, PROJECT, this.#config)) {
      if (only !== undefined && name !== only) continue;
      const old = state.get(name);
      const inputs = await this.#check(host, name, old, declared);
      if (!old) {
        if (!isPreview) state.set(name, await this.#create(host, name, inputs));
        continue;
      }
      const { changes, replaces } = await host.diff(old.id, old.outputs, inputs);
      // The engine compares by itself where the provider leaves it open.
      const isChange = changes ?? !isDeepStrictEqual(old.inputs, inputs);
      const replace = replaces.length > 0 ? `replace, because of ${replaces.join(", ")}` : "";
      this.#answer("diff", name, isChange ? replace || difference(old.inputs, inputs) : "no change");
      if (!isChange || isPreview) continue;
      if (replaces.length > 0) {
        await this.#delete(host, name, old);
        state.set(name, await this.#create(host, name, await this.#check(host, name, undefined, declared)));
      } else {
        const outputs = await host.update(old.id, old.outputs, inputs);
        this.#answer("update", name, difference(old.outputs, outputs));
        state.set(name, { id: old.id, inputs, outputs });
      }
    }
  }

  /** Goes on after an error; tells whether there was one. */
  async #destroy(host: PluginHost, state: Map<string, Resource>, only: string | undefined): Promise<boolean> {
    let failed = false;
    for (const [name, resource] of state) {
      if (only !== undefined && name !== only) continue;
      try {
        await this.#delete(host, name, resource);
        state.delete(name);
      } catch (error) {
        if (!(error instanceof PluginHostError)) throw error;
        this.#answer("delete", name, `error: ${error.message}`);
        failed = true;
      }
    }
    return failed;
  }

  async #check(
    host: PluginHost,
    name: string,
    old: Resource | undefined,
    declared: Properties,
  ): Promise<Properties> {
    const { inputs, failures } = await host.check(old?.inputs ?? {}, declared);
    const wrong = failures.map(({ property, reason }) => `${property}: ${reason}`).join("; ");
    this.#answer("check", name, wrong || "nothing is wrong");
    if (wrong) throw new Error(`examples/basic is wrong about ${name}: ${wrong}`);
    return inputs;
  }

  async #create(host: PluginHost, name: string, inputs: Properties): Promise<Resource> {
    const { id, properties } = await host.create(inputs);
    this.#answer("create", name, `id ${id}, status ${JSON.stringify(properties.status)}`);
    return { id, inputs, outputs: properties };
  }

  async #delete(host: PluginHost, name: string, { id, outputs }: Resource): Promise<void> {
    await host.delete(id, outputs);
    this.#answer("delete", name, "done");
  }

  #answer(call: string, name: string, answer: string): void {
    this.#say(`${call.padEnd(6)} ${name.padEnd(7)} -> ${answer}`);
  }

  #say(line: string): void {
    this.#said.push(line);
    this.#narrator.output(line);
  }
}

/** The properties that differ, in the notation of the engine's plans. */
function difference(olds: Properties, news: Properties): string {
  const names = [...new Set([...Object.keys(olds), ...Object.keys(news)])].sort();
  return names
    .filter((name) => !isDeepStrictEqual(olds[name], news[name]))
    .map((name) => {
      if (news[name] === undefined) return `- ${name}: ${JSON.stringify(olds[name])}`;
      if (olds[name] === undefined) return `+ ${name}: ${JSON.stringify(news[name])}`;
      return `~ ${name}: ${JSON.stringify(olds[name])} => ${JSON.stringify(news[name])}`;
    })
    .join(", ");
}
