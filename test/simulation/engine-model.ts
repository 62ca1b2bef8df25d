import { AsyncLocalStorage } from "node:async_hooks";
import { isDeepStrictEqual } from "node:util";
import { Violation } from "./invariant-violation.ts";

export type Properties = Record<string, unknown>;

/** The lifecycle entry, as the plugin host calls it. */
export type Provider = Pick<
  typeof import("../../provider/dynamic/org-invitation-provider.ts"),
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

/** A resource that was replaced, and is not deleted yet. */
export interface Condemned {
  name: string;
  old: Resource;
  reason: "replaced" | "replaced by force";
}

/** A resource as the program declares it. */
export interface Registration {
  args: Properties;
  /** The resource option: which comes first where it is replaced. @default what the provider says */
  deleteBeforeReplace?: boolean | undefined;
}

export type Program = ReadonlyMap<string, Registration>;

/** One call of the provider that reaches Atlas. */
export interface Operation {
  kind: "create" | "read" | "update" | "delete";
  resource: string;
  /** The new inputs, for create and update. */
  inputs?: Properties;
  /** The stored outputs and inputs, for all but create. */
  stored?: Properties;
  storedInputs?: Properties;
  /** Why it is deleted: nothing declares it; or it is replaced, and the new one was created before, or comes later. */
  reason?: "unwanted" | "replaced" | "replaced by force" | "replaced first";
}

const operations = new AsyncLocalStorage<Operation>();

/** The operation in which this is called, however many others are under way. */
export function currentOperation(): Operation | undefined {
  return operations.getStore();
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
  /** Part of each URN. */
  stackName: string;
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
  /** The only resources that are looked at. @default all */
  targets?: ReadonlySet<string> | undefined;
}

export interface UpOptions extends CommandOptions {
  refresh: boolean;
  /** Whether all checks and diffs come before the first change, or each just before its own. */
  plansFirst: boolean;
  /** What is replaced whatever its inputs: `--target-replace`, or `pulumi state taint`. */
  replaced: ReadonlySet<string>;
}

/** What a command did: how much it changed, and what failed. */
export interface Outcome {
  changes: number;
  errors: Failure[];
}

export interface Failure {
  operation: Operation;
  error: Error;
}

const PROVIDER_TEXT = "the provider text";

class FailedError extends Error {}

/**
 * The engine of Pulumi (v3.259.0), as far as the plugin of a dynamic resource can tell: what it calls with
 * what, in which order, and what it keeps of the answers. The plugin host between them is a part of it. References
 * are to pkg/resource/deploy, and to cmd/dynamic-provider of the SDK.
 */
export class EngineModel {
  readonly stack = new Map<string, Resource>();
  /** Replaced, and deleted once the program has ended, of this run or of a later one. */
  readonly condemned = new Set<Condemned>();
  readonly #options: EngineOptions;
  #outcome: Outcome = { changes: 0, errors: [] };
  #isStopped = false;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Brings the stack to the program. */
  up(program: Program, options: UpOptions): Promise<Outcome> {
    const isTarget = targeting(options);
    return this.#command(async () => {
      // What could not be refreshed ends it (deployment_executor.go, Execute).
      if (options.refresh) await this.#refreshAll(options);
      if (this.#outcome.errors.length > 0) return;
      const registrations = [...program].filter(([name]) => isTarget(name));
      const changes: (() => Promise<void>)[] = [];
      const plan = async ([name, registration]: [string, Registration]) => {
        const change = await this.#register(name, registration, options.replaced.has(name));
        if (!options.plansFirst) await change();
        changes.push(change);
      };
      // The program is what it is: plans are made one after the other (step_generator.go).
      await this.#inParallel(options.plansFirst ? { ...options, parallel: 1 } : options, registrations, plan);
      if (options.plansFirst) await this.#inParallel(options, changes, (change) => change());
      const unwanted = [...this.stack.keys()].filter((name) => !program.has(name));
      await this.#deleteAll(options, unwanted);
    });
  }

  refresh(options: CommandOptions): Promise<Outcome> {
    return this.#command(() => this.#refreshAll(options));
  }

  destroy(options: CommandOptions & { refresh: boolean }): Promise<Outcome> {
    return this.#command(async () => {
      if (options.refresh) await this.#refreshAll(options);
      if (this.#outcome.errors.length > 0) return;
      await this.#deleteAll(options, [...this.stack.keys()]);
    });
  }

  async #command(run: () => Promise<void>): Promise<Outcome> {
    this.#outcome = { changes: 0, errors: [] };
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
  async #refreshAll(options: CommandOptions): Promise<void> {
    const isTarget = targeting(options);
    const read: (() => void)[] = [];
    const copies = [
      ...[...this.stack].map(([name, old]) => ({ name, old, copy: undefined })),
      ...[...this.condemned].map((copy) => ({ ...copy, copy })),
    ].filter(({ name, old }) => isTarget(name) && !old.pendingReplacement);
    await this.#inParallel({ ...options, continueOnError: true }, copies, async ({ name, old, copy }) => {
      const now = await this.#read(name, old);
      if (isDeepStrictEqual(now, old)) return;
      this.#outcome.changes += 1;
      read.push(() => {
        if (copy) {
          if (now) copy.old = now;
          else this.condemned.delete(copy);
        } else if (now) this.stack.set(name, now);
        else this.stack.delete(name);
      });
    });
    for (const keep of read) keep();
  }

  /** step.go, RefreshStep.Apply. */
  async #read(name: string, old: Resource): Promise<Resource | undefined> {
    const { provider } = this.#options.plugin(name);
    const operation = {
      kind: "read",
      resource: name,
      stored: old.outputs,
      storedInputs: old.inputs,
    } as const;
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

  /** What is to be done: step_generator.go, continueStepsFromDiff and what leads there. */
  async #register(name: string, registration: Registration, isForced: boolean): Promise<() => Promise<void>> {
    const old = this.stack.get(name);
    const { provider } = this.#options.plugin(name);
    const { stackName } = this.#options;
    const news = {
      ...registration.args,
      __provider: PROVIDER_TEXT,
      __resource: `urn:pulumi:${stackName}::${name}`,
    };
    const checked = async (olds: Properties) => {
      const { inputs, failures } = await provider.check(sent(olds), sent(news));
      if (failures?.length) throw new Violation(`${name} fails its check: ${JSON.stringify(failures)}`);
      return withProvider(received(inputs), news);
    };
    if (!old || isForced) {
      const inputs = await checked({});
      const reason = isForced ? "replaced by force" : "replaced";
      return () => this.#create(name, inputs, old, registration.deleteBeforeReplace, reason);
    }
    const inputs = await checked(old.inputs);
    const diff = await provider.diff(old.id, sent(old.outputs), sent(inputs));
    const hasChanges = diff.changes ?? !isDeepStrictEqual(old.inputs, inputs);
    if (old.pendingReplacement || (hasChanges && diff.replaces?.length)) {
      const fresh = await checked({});
      const deletesFirst = registration.deleteBeforeReplace ?? diff.deleteBeforeReplace;
      return () => this.#create(name, fresh, old, deletesFirst);
    }
    if (!hasChanges && !old.initErrors) return async () => {};
    return async () => {
      const { outputs: stored, inputs: storedInputs } = old;
      const operation = { kind: "update", resource: name, inputs, stored, storedInputs } as const;
      const { outs } = await this.#call(operation, () =>
        provider.update(old.id, sent(old.outputs), sent(inputs)),
      );
      this.stack.set(name, { id: old.id, inputs, outputs: withProvider(received(outs ?? {}), inputs) });
    };
  }

  /** Anew where there is an old one, which is deleted first, or once the program has ended. */
  async #create(
    name: string,
    inputs: Properties,
    old?: Resource,
    deletesFirst = false,
    reason: Condemned["reason"] = "replaced",
  ): Promise<void> {
    if (old && deletesFirst && !old.pendingReplacement) {
      await this.#delete(name, old, "replaced first");
      old.pendingReplacement = true;
    }
    const created = await this.#created(name, inputs);
    this.stack.set(name, created.resource);
    if (old && !deletesFirst) this.condemned.add({ name, old, reason });
    if (created.error) throw created.error;
  }

  async #created(name: string, inputs: Properties): Promise<{ resource: Resource; error?: FailedError }> {
    const { provider } = this.#options.plugin(name);
    const operation = { kind: "create", resource: name, inputs } as const;
    try {
      const { id, outs } = await this.#call(operation, () => provider.create(sent(inputs)));
      return { resource: { id: text(id), inputs, outputs: withProvider(received(outs ?? {}), inputs) } };
    } catch (error) {
      // A partial failure is kept, with its own properties and nothing added (grpcResponseFromError).
      const cause = error instanceof FailedError ? (error.cause as Partial<PartialFailure>) : {};
      if (!cause.id) throw error;
      const { id, properties = {}, reasons = [] } = cause as PartialFailure;
      if (!properties.__provider) throw new Violation(`${name} can never be deleted again`);
      const resource = { id: text(id), inputs, outputs: received(properties), initErrors: reasons };
      return { resource, error: error as FailedError };
    }
  }

  /** What was replaced, and what is unwanted, in one go (deployment_executor.go, performPostSteps). */
  async #deleteAll(options: CommandOptions, unwanted: string[]): Promise<void> {
    const isTarget = targeting(options);
    const copies = [...this.condemned].filter(({ name }) => isTarget(name));
    const deletions = [
      ...unwanted.filter(isTarget).map((name) => async () => {
        const old = this.stack.get(name) as Resource;
        if (!old.pendingReplacement) await this.#delete(name, old, "unwanted");
        this.stack.delete(name);
      }),
      ...copies.map((copy) => async () => {
        await this.#delete(copy.name, copy.old, copy.reason);
        this.condemned.delete(copy);
      }),
    ];
    await this.#inParallel(options, deletions, (deletion) => deletion());
  }

  async #delete(name: string, old: Resource, reason: NonNullable<Operation["reason"]>): Promise<void> {
    const { provider } = this.#options.plugin(name);
    const { outputs: stored, inputs: storedInputs } = old;
    const operation = { kind: "delete", resource: name, stored, storedInputs, reason } as const;
    await this.#call(operation, () => provider.delete(old.id, sent(old.outputs)));
  }

  async #call<Result>(operation: Operation, run: () => Promise<Result>): Promise<Result> {
    const { plugin, begin, end } = this.#options;
    begin(operation);
    if (operation.kind !== "read") this.#outcome.changes += 1;
    try {
      const result = await Promise.race([operations.run(operation, run), plugin(operation.resource).death]);
      end(operation, { result });
      return result;
    } catch (error) {
      if (error instanceof DeathError || error instanceof Violation) throw error;
      end(operation, { error });
      this.#outcome.errors.push({ operation, error: error as Error });
      throw new FailedError("failed", { cause: error });
    }
  }
}

function targeting({ targets }: CommandOptions): (name: string) => boolean {
  return (name) => !targets || targets.has(name);
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
