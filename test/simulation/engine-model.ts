import { AsyncLocalStorage } from "node:async_hooks";
import { isDeepStrictEqual } from "node:util";
import type { Command, InvitationArgs } from "./scenario.ts";

/** The inputs or the outputs of a resource. */
export type Properties = InvitationArgs & Record<string, unknown>;

/** An invariant of the provider, or of the protocol with the engine, is violated. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation";
}

/** The lifecycle methods, as the plugin host calls them. */
export type Provider = Pick<
  typeof import("../../provider/dynamic/org-invitation-provider.ts"),
  "check" | "diff" | "create" | "read" | "update" | "delete"
>;

/** A resource in the state of the engine. */
export interface Resource {
  id: string;
  inputs: Properties;
  outputs: Properties;
  /** The errors of an incomplete creation: the next `up` updates the resource even if its inputs are unchanged. */
  initErrors?: string[];
  /** The resource was deleted for a replacement that is not created yet. */
  pendingReplacement?: boolean;
}

type DeleteReason = "undeclared" | "replaced" | "replaced by force" | "before its replacement";

/** A resource that was replaced by a new one, and is still to be deleted. */
type PendingDelete = { name: string; old: Resource; reason: DeleteReason };

/** A resource as the program declares it. */
interface Registration {
  args: Properties;
  /** The resource option. @default what the provider answers to `diff` */
  deleteBeforeReplace?: boolean | undefined;
}

export type Program = ReadonlyMap<string, Registration>;

/** One call of the provider that sends requests to Atlas. */
export interface Operation {
  kind: "create" | "read" | "update" | "delete";
  resource: string;
  /** The new inputs, for create and update. */
  inputs?: Properties | undefined;
  /** The stored outputs and inputs, for all but create. */
  stored?: Properties;
  storedInputs?: Properties;
  /** For delete. */
  reason?: DeleteReason;
}

/** The new inputs, or the stored outputs. */
export function argsOf({ inputs, stored }: Operation): Properties {
  return (inputs ?? stored) as Properties;
}

/** What the provider answers to an operation. */
export type Result = { id?: string; inputs?: Properties; outs?: Properties; props?: Properties };

export type OperationResult = { error: unknown } | { result: Result };

const operations = new AsyncLocalStorage<Operation>();

/** The operation from which this function is called. */
export function currentOperation(): Operation | undefined {
  return operations.getStore();
}

/** The engine and its plugin processes were killed. */
export class ProcessKilledError extends Error {
  override readonly name = "ProcessKilledError";
}

export interface PluginProcess {
  provider: Provider;
  /** Rejects with a `ProcessKilledError`; the calls of a killed process are never answered. */
  killed: Promise<never>;
}

export interface EngineOptions {
  /** Part of each URN. */
  stackName: string;
  /** The process for a resource: each organization has its own provider. */
  processOf: (resource: string) => PluginProcess;
  onBegin: (operation: Operation) => void;
  /** Not called if the process is killed. */
  onEnd: (operation: Operation, result: OperationResult) => void;
}

export type CommandOptions = Pick<Command, "command" | "parallel" | "continueOnError" | "plansFirst"> & {
  /** The only resources that the command processes. */
  isTarget: (name: string) => boolean;
  /** Resources to replace whatever their inputs: `--target-replace`, or `pulumi state taint`. */
  isReplaced: (name: string) => boolean;
};

export type FailedOperation = { operation: Operation; error: Error };

/** How many changes a command made or tried, and which operations failed. */
export type Outcome = { changes: number; errors: FailedOperation[] };

const SERIALIZED_PROVIDER = "the serialized provider";

class OperationError extends Error {}

/**
 * A model of the Pulumi engine (v3.259.0) and of the plugin host, as far as the provider of a dynamic resource
 * sees them: which methods they call with which properties, in which order, and what they store of the answers.
 * Comments refer to pkg/resource/deploy, and to cmd/dynamic-provider of the SDK.
 */
export class EngineModel {
  readonly stack = new Map<string, Resource>();
  /** Deleted after the program has ended, by this command or by a later one. */
  readonly pendingDeletes = new Set<PendingDelete>();
  readonly #options: EngineOptions;
  #outcome: Outcome = { changes: 0, errors: [] };
  #isStopped = false;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** @param program - For `up`. */
  async execute(program: Program, options: CommandOptions): Promise<Outcome> {
    const { command } = options;
    this.#outcome = { changes: 0, errors: [] };
    this.#isStopped = false;
    if (command.endsWith("refresh")) await this.#refreshAll(options);
    // An error of the refresh ends the command (deployment_executor.go, Execute).
    if (command === "refresh" || this.#outcome.errors.length > 0) return this.#outcome;
    const isUp = command.startsWith("up");
    if (isUp) await this.#registerAll(program, options);
    await this.#deleteAll(options, (name) => !isUp || !program.has(name));
    return this.#outcome;
  }

  async #registerAll(program: Program, options: CommandOptions): Promise<void> {
    const registrations = [...program].filter(([name]) => options.isTarget(name));
    const changes: (() => Promise<void>)[] = [];
    const plan = async ([name, registration]: [string, Registration]) => {
      const change = await this.#plan(name, registration, options.isReplaced(name));
      if (!options.plansFirst) await change();
      changes.push(change);
    };
    if (!options.plansFirst) return this.#inParallel(options, registrations, plan);
    // The engine plans one resource after the other (step_generator.go).
    await this.#inParallel({ ...options, parallel: 1 }, registrations, plan);
    await this.#inParallel(options, changes, (change) => change());
  }

  /** After an error, nothing more is started, unless the user wants to continue (step_executor.go). */
  async #inParallel<Item>(
    { parallel, continueOnError }: CommandOptions,
    items: Item[],
    process: (item: Item) => Promise<void>,
  ): Promise<void> {
    const worker = async () => {
      for (let next = items.shift(); next !== undefined && !this.#isStopped; next = items.shift()) {
        try {
          await process(next);
        } catch (error) {
          this.#isStopped ||= !continueOnError || !(error instanceof OperationError);
          if (!(error instanceof OperationError)) throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: parallel }, worker));
  }

  /**
   * An error of one resource does not stop the others (deployment_executor.go, refresh). The results are stored once
   * all resources are read (backend/snapshot.go, refreshSnapshotMutation): a refresh that is killed stores nothing.
   */
  async #refreshAll(options: CommandOptions): Promise<void> {
    const store: (() => void)[] = [];
    const resources = this.#stored(options).filter(({ old }) => !old.pendingReplacement);
    const toTheEnd = { ...options, continueOnError: true };
    await this.#inParallel(toTheEnd, resources, async ({ name, old, keep, drop }) => {
      const now = await this.#read(name, old);
      if (isDeepStrictEqual(now, old)) return;
      this.#outcome.changes += 1;
      store.push(() => (now ? keep(now) : drop()));
    });
    for (const result of store) result();
  }

  /** step.go, RefreshStep.Apply. */
  async #read(name: string, old: Resource): Promise<Resource | undefined> {
    const read = await this.#call({ kind: "read", resource: name, ...storedOf(old) }, old.id, old.outputs);
    if (!read.id) return undefined;
    const now = {
      id: checkedId(read.id),
      inputs: read.inputs ? received(read.inputs, old.outputs) : old.inputs,
      outputs: received(read.props, old.outputs),
    };
    // To display the change, the engine compares the result with the old inputs.
    const { provider } = this.#options.processOf(name);
    await provider.diff(now.id, structuredClone(now.outputs), structuredClone(old.inputs));
    return now;
  }

  /** Returns the change to make: step_generator.go, continueStepsFromDiff and its callers. */
  async #plan(name: string, registration: Registration, isForced: boolean): Promise<() => Promise<void>> {
    const old = this.stack.get(name);
    const { provider } = this.#options.processOf(name);
    const news = {
      ...registration.args,
      __provider: SERIALIZED_PROVIDER,
      __resource: `urn:pulumi:${this.#options.stackName}::${name}`,
    };
    const check = async (olds: Partial<Properties>) => {
      const { inputs, failures } = await provider.check(structuredClone(olds), structuredClone(news));
      if (failures?.length)
        throw new InvariantViolation(`check of ${name} fails: ${JSON.stringify(failures)}`);
      return received(inputs, news);
    };
    if (!old || isForced) {
      const inputs = await check({});
      const reason = isForced ? "replaced by force" : "replaced";
      return () => this.#create(name, inputs, old, registration.deleteBeforeReplace, reason);
    }
    const inputs = await check(old.inputs);
    const diff = await provider.diff(old.id, structuredClone(old.outputs), structuredClone(inputs));
    const hasChanges = diff.changes ?? !isDeepStrictEqual(old.inputs, inputs);
    if (old.pendingReplacement || (hasChanges && diff.replaces?.length)) {
      const newInputs = await check({});
      const deletesFirst = registration.deleteBeforeReplace ?? diff.deleteBeforeReplace;
      return () => this.#create(name, newInputs, old, deletesFirst);
    }
    if (!hasChanges && !old.initErrors) return async () => {};
    return async () => {
      const operation = { kind: "update", resource: name, inputs, ...storedOf(old) } as const;
      const { outs } = await this.#call(operation, old.id, old.outputs, inputs);
      this.stack.set(name, { id: old.id, inputs, outputs: received(outs ?? {}, inputs) });
    };
  }

  /** Creates a resource; one that it replaces is deleted before, or after the program has ended. */
  async #create(
    name: string,
    inputs: Properties,
    old?: Resource,
    deletesFirst = false,
    reason: DeleteReason = "replaced",
  ): Promise<void> {
    if (old && deletesFirst && !old.pendingReplacement) {
      await this.#delete(name, old, "before its replacement");
      old.pendingReplacement = true;
    }
    const isCreated = (resource: Resource) => {
      this.stack.set(name, resource);
      if (old && !deletesFirst) this.pendingDeletes.add({ name, old, reason });
    };
    try {
      const { id, outs } = await this.#call({ kind: "create", resource: name, inputs }, inputs);
      isCreated({ id: checkedId(id), inputs, outputs: received(outs ?? {}, inputs) });
    } catch (error) {
      // After a partial failure, the resource is stored with the properties of the error (grpcResponseFromError).
      if (!(error instanceof OperationError)) throw error;
      const { id, properties, reasons } = error.cause as PartialFailure;
      if (id) {
        if (!properties.__provider) throw new InvariantViolation(`${name} can never be deleted`);
        isCreated({ id: checkedId(id), inputs, outputs: received(properties), initErrors: reasons });
      }
      throw error;
    }
  }

  /** Deletes replaced and undeclared resources together (deployment_executor.go, performPostSteps). */
  async #deleteAll(options: CommandOptions, isUndeclared: (name: string) => boolean): Promise<void> {
    const resources = this.#stored(options);
    const deletions = resources.filter(({ name, reason }) => reason !== "undeclared" || isUndeclared(name));
    await this.#inParallel(options, deletions, async ({ name, old, reason, drop }) => {
      if (reason !== "undeclared" || !old.pendingReplacement) await this.#delete(name, old, reason);
      drop();
    });
  }

  /** The targets that are in the state, declared or replaced, with the functions that store a change of them. */
  #stored({ isTarget }: CommandOptions) {
    const current = [...this.stack].map(([name, old]) => {
      const keep = (now: Resource): unknown => this.stack.set(name, now);
      return { name, old, reason: "undeclared" as DeleteReason, keep, drop: () => this.stack.delete(name) };
    });
    const replaced = [...this.pendingDeletes].map((one) => {
      const keep = (now: Resource): unknown => Object.assign(one, { old: now });
      return { ...one, keep, drop: () => this.pendingDeletes.delete(one) };
    });
    return [...current, ...replaced].filter(({ name }) => isTarget(name));
  }

  #delete(name: string, old: Resource, reason: DeleteReason): Promise<Result> {
    return this.#call({ kind: "delete", resource: name, ...storedOf(old), reason }, old.id, old.outputs);
  }

  async #call(operation: Operation, ...values: unknown[]): Promise<Result> {
    const { processOf, onBegin, onEnd } = this.#options;
    const { provider, killed } = processOf(operation.resource);
    const method = provider[operation.kind] as (...values: unknown[]) => Promise<Result>;
    onBegin(operation);
    if (operation.kind !== "read") this.#outcome.changes += 1;
    try {
      const running = operations.run(operation, () => method(...structuredClone(values)));
      const result = (await Promise.race([running, killed])) ?? {};
      onEnd(operation, { result });
      return result;
    } catch (error) {
      if (error instanceof ProcessKilledError || error instanceof InvariantViolation) throw error;
      onEnd(operation, { error });
      this.#outcome.errors.push({ operation, error: error as Error });
      throw new OperationError("failed", { cause: error });
    }
  }
}

function storedOf({ outputs, inputs }: Resource) {
  return { stored: outputs, storedInputs: inputs };
}

type PartialFailure = { id?: string; properties: Properties; reasons: string[] };

/**
 * The properties as JSON: the plugin host fails on undefined, at any depth, and only after Atlas has done the work.
 * The host adds `__provider` (index.ts, resultIncludingProvider).
 */
function received(properties: unknown, withProviderOf?: Properties): Properties {
  const json = JSON.stringify(properties, (name, value) => {
    if (value === undefined) throw new InvariantViolation(`the provider returned an undefined ${name}`);
    return value;
  });
  return { ...JSON.parse(json), ...(withProviderOf && { __provider: withProviderOf.__provider }) };
}

function checkedId(id: unknown): string {
  if (typeof id === "string" && id !== "") return id;
  throw new InvariantViolation(`the provider returned ${JSON.stringify(id)} as id`);
}
