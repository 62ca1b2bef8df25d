import { isDeepStrictEqual } from "node:util";
import { Violation } from "./violation.ts";

export type Properties = Record<string, unknown>;

/** The lifecycle entry, as the plugin host calls it. */
export type Provider = Pick<
  typeof import("../../provider/org-invitation-provider.ts"),
  "check" | "diff" | "create" | "read" | "update" | "delete"
>;

/** A resource as the engine keeps it. */
export interface Resource {
  id: string;
  inputs: Properties;
  outputs: Properties;
  /** Why its creation is not complete: the next `up` updates it, whatever its inputs. */
  initErrors?: string[];
  /** It was deleted for a replacement that is not created yet. */
  pendingReplacement?: boolean;
}

/** One call of the provider that reaches Atlas. */
export interface Operation {
  kind: "create" | "read" | "update" | "delete";
  resource: string;
  /** The new inputs, for create and update. */
  inputs?: Properties;
  /** The stored outputs, for all but create. */
  stored?: Properties;
}

/** The process of the plugin has died, and the engine with it. */
export class DeathError extends Error {
  override readonly name = "DeathError";
}

/** A process of the plugin. */
export interface Plugin {
  provider: Provider;
  /** Rejects with a `DeathError` when the process dies: its calls are never answered then. */
  death: Promise<never>;
}

export interface EngineOptions {
  /** By resource, as each organization has its own provider. */
  plugin: (resource: string) => Plugin;
  /** Told of each operation before it begins, and what came of it; not told of the end when the process died. */
  begin: (operation: Operation) => void;
  end: (operation: Operation, outcome: { error: unknown } | { result: unknown }) => void;
}

export interface CommandOptions {
  /** How many resources are worked on at once. */
  parallel: number;
  continueOnError: boolean;
}

/** What a command did: how much it changed, and what failed, by resource. */
export interface Outcome {
  changes: number;
  errors: Map<string, Error>;
}

const PROVIDER_TEXT = "the provider text";

class FailedError extends Error {}

/**
 * The engine of Pulumi (v3.259.0), as far as the plugin of a dynamic resource can tell: what it calls with
 * what, and what it keeps of the answers. The plugin host between them is a part of it. References are to
 * pkg/resource/deploy, and to cmd/dynamic-provider of the SDK.
 */
export class EngineModel {
  readonly stack = new Map<string, Resource>();
  readonly #options: EngineOptions;
  #outcome: Outcome = { changes: 0, errors: new Map() };
  #isStopped = false;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Brings the stack to the program: arguments by resource. */
  up(program: Map<string, Properties>, options: CommandOptions & { refresh: boolean }): Promise<Outcome> {
    return this.#command(async () => {
      // What could not be refreshed ends it (deployment_executor.go, Execute).
      if (options.refresh) await this.#refreshAll(options.parallel);
      if (this.#outcome.errors.size > 0) return;
      await this.#inParallel(options, [...program], ([name, args]) => this.#register(name, args));
      const unwanted = [...this.stack.keys()].filter((name) => !program.has(name));
      await this.#inParallel(options, unwanted, (name) => this.#delete(name));
    });
  }

  refresh({ parallel }: CommandOptions): Promise<Outcome> {
    return this.#command(() => this.#refreshAll(parallel));
  }

  destroy(options: CommandOptions): Promise<Outcome> {
    return this.#command(() =>
      this.#inParallel(options, [...this.stack.keys()], (name) => this.#delete(name)),
    );
  }

  async #command(run: () => Promise<void>): Promise<Outcome> {
    this.#outcome = { changes: 0, errors: new Map() };
    this.#isStopped = false;
    await run();
    return this.#outcome;
  }

  /** An error keeps what was not begun from beginning, unless the user wants to continue (step_executor.go). */
  async #inParallel<Item>(
    { parallel, continueOnError }: CommandOptions,
    items: Item[],
    work: (item: Item) => Promise<void>,
  ): Promise<void> {
    const worker = async () => {
      for (let next = items.shift(); next !== undefined && !this.#isStopped; next = items.shift()) {
        try {
          await work(next);
        } catch (error) {
          this.#isStopped ||= !continueOnError || !(error instanceof FailedError);
          if (!(error instanceof FailedError)) throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: parallel }, worker));
  }

  /**
   * Errors of a refresh stop nothing (deployment_executor.go, refresh). What was read is kept when all is read
   * (backend/snapshot.go, refreshSnapshotMutation): a refresh that is killed has not happened.
   */
  async #refreshAll(parallel: number): Promise<void> {
    const read = new Map<string, Resource | undefined>();
    await this.#inParallel({ parallel, continueOnError: true }, [...this.stack], async ([name, old]) => {
      if (!old.pendingReplacement) read.set(name, await this.#read(name, old));
    });
    for (const [name, now] of read) {
      if (isDeepStrictEqual(now, this.stack.get(name))) continue;
      this.#outcome.changes += 1;
      if (now) this.stack.set(name, now);
      else this.stack.delete(name);
    }
  }

  /** step.go, RefreshStep.Apply. */
  async #read(name: string, old: Resource): Promise<Resource | undefined> {
    const { provider } = this.#options.plugin(name);
    const operation = { kind: "read", resource: name, stored: old.outputs } as const;
    const { id, props, inputs } = await this.#call(operation, () => provider.read(old.id, sent(old.outputs)));
    if (!id) return undefined;
    const now = {
      id: text(id),
      inputs: inputs ? withProvider(received(inputs), old.outputs) : old.inputs,
      outputs: withProvider(received(props), old.outputs),
    };
    // For what is shown of it: as if the old inputs were to be declared next.
    await provider.diff(now.id, sent(now.outputs), sent(old.inputs));
    return now;
  }

  /** step_generator.go, continueStepsFromDiff and what leads there. */
  async #register(name: string, args: Properties): Promise<void> {
    const old = this.stack.get(name);
    const { provider } = this.#options.plugin(name);
    const news = { ...args, __provider: PROVIDER_TEXT };
    const checked = async (olds: Properties | undefined) => {
      const { inputs, failures } = await provider.check(sent(olds ?? {}), sent(news));
      if (failures?.length) throw new Violation(`${name} fails its check: ${JSON.stringify(failures)}`);
      return withProvider(received(inputs), news);
    };
    const inputs = await checked(old?.inputs);
    if (!old) return this.#create(name, inputs);

    const diff = await provider.diff(old.id, sent(old.outputs), sent(inputs));
    const hasChanges = diff.changes ?? !isDeepStrictEqual(old.inputs, inputs);
    if (old.pendingReplacement || (hasChanges && diff.replaces?.length)) {
      if (!diff.deleteBeforeReplace) throw new Violation("two invitations of one person at a time");
      const fresh = await checked(undefined);
      if (!old.pendingReplacement) {
        await this.#deleteIn(name, old);
        old.pendingReplacement = true;
      }
      return this.#create(name, fresh);
    }
    if (!hasChanges && !old.initErrors) return;
    const operation = { kind: "update", resource: name, inputs, stored: old.outputs } as const;
    const { outs } = await this.#call(operation, () =>
      provider.update(old.id, sent(old.outputs), sent(inputs)),
    );
    this.stack.set(name, { id: old.id, inputs, outputs: withProvider(received(outs ?? {}), inputs) });
  }

  async #create(name: string, inputs: Properties): Promise<void> {
    const { provider } = this.#options.plugin(name);
    const operation = { kind: "create", resource: name, inputs } as const;
    try {
      const { id, outs } = await this.#call(operation, () => provider.create(sent(inputs)));
      this.stack.set(name, { id: text(id), inputs, outputs: withProvider(received(outs ?? {}), inputs) });
    } catch (error) {
      // A partial failure is kept, with its own properties and nothing added (grpcResponseFromError).
      const cause = error instanceof FailedError ? (error.cause as Partial<PartialFailure>) : {};
      if (cause.id) {
        const { id, properties = {}, reasons = [] } = cause as PartialFailure;
        if (!properties.__provider) throw new Violation(`${name} can never be deleted again`);
        this.stack.set(name, { id: text(id), inputs, outputs: received(properties), initErrors: reasons });
      }
      throw error;
    }
  }

  async #delete(name: string): Promise<void> {
    const old = this.stack.get(name) as Resource;
    if (!old.pendingReplacement) await this.#deleteIn(name, old);
    this.stack.delete(name);
  }

  async #deleteIn(name: string, old: Resource): Promise<void> {
    const { provider } = this.#options.plugin(name);
    const operation = { kind: "delete", resource: name, stored: old.outputs } as const;
    await this.#call(operation, () => provider.delete(old.id, sent(old.outputs)));
  }

  async #call<Result>(operation: Operation, run: () => Promise<Result>): Promise<Result> {
    const { plugin, begin, end } = this.#options;
    begin(operation);
    if (operation.kind !== "read") this.#outcome.changes += 1;
    try {
      const result = await Promise.race([run(), plugin(operation.resource).death]);
      end(operation, { result });
      return result;
    } catch (error) {
      if (error instanceof DeathError || error instanceof Violation) throw error;
      end(operation, { error });
      this.#outcome.errors.set(operation.resource, error as Error);
      throw new FailedError("failed", { cause: error });
    }
  }
}

interface PartialFailure {
  id: string;
  properties: Properties;
  reasons: string[];
}

/** Over the wire and back: nothing is shared with the plugin. */
function sent(properties: Properties): Properties {
  return structuredClone(properties);
}

/** The host fails on what is undefined, at any depth, and only after Atlas has done the work. */
function received(properties: unknown): Properties {
  const json = JSON.stringify(properties, (name, value) => {
    if (value === undefined) throw new Violation(`the plugin answered with an undefined ${name}`);
    return value;
  });
  return JSON.parse(json);
}

function text(id: unknown): string {
  if (typeof id === "string" && id !== "") return id;
  throw new Violation(`the plugin answered with ${JSON.stringify(id)} for an id`);
}

/** index.ts, resultIncludingProvider. */
function withProvider(properties: Properties, { __provider }: Properties): Properties {
  return { ...properties, __provider };
}
