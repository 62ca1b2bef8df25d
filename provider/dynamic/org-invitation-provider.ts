import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { dynamic } from "@pulumi/pulumi";
import { systemClock } from "../atlas/clock.ts";
import { AtlasError } from "../atlas/errors.ts";
import { Peers } from "../atlas/limits/peers.ts";
import type { Notice } from "../atlas/notice.ts";
import { addressKey, type Subject } from "../atlas/subject.ts";
import { checkInputs, isKnown } from "../lifecycle/check-inputs.ts";
import type { Connection } from "../lifecycle/connect.ts";
import { Declarations } from "../lifecycle/declarations.ts";
import type { Lifecycle } from "../lifecycle/lifecycle.ts";
import { IncompleteCreateError } from "../lifecycle/lifecycle-error.ts";
import type { OrgInvitationInputs, OrgInvitationState } from "../lifecycle/org-invitation-state.ts";
import { changeOf } from "../lifecycle/replacement.ts";
import {
  inputsOf,
  mayBeFrom010,
  type Properties,
  parseInputs,
  parseState,
  propertiesOf,
  terminalStatus,
} from "../lifecycle/stored-properties.ts";
import { assertNodeVersion } from "../settings/node-version.ts";
import { resolveSettings, type Settings } from "../settings/settings.ts";
import { onHostCancellation } from "./host-cancellation.ts";
import { messageOf } from "./messages.ts";
import { settingsSources } from "./settings-sources.ts";

/**
 * The adapter to Pulumi's dynamic provider host, which calls these methods under the names of its contract. Every state
 * file names this module, as `pulumi-atlas-invitations/provider`, so it must remain exported.
 */
class OrgInvitationProvider {
  #stackConfig: dynamic.Config | undefined;
  #current: { settings: Settings; connection: Connection } | undefined;
  readonly #peers = new Peers();
  #declarations = new Declarations(exchangeWithin(this.#peers));
  /** The URN of the resource that declares a person in this run, which `check` learns, by organization and address. */
  readonly #urns = new Map<string, unknown>();
  /** People who were checked with old inputs: the diff that follows tells whether the resource keeps them. */
  readonly #awaitingDiff = new Set<string>();
  #cancellation = new AbortController();

  /** Begins a run. It must not await: the host does not wait for it before the next call. */
  configure = ({ config }: dynamic.ConfigureRequest): void => {
    this.#stackConfig = config;
    this.#current = undefined;
    this.#declarations = new Declarations(exchangeWithin(this.#peers));
    this.#urns.clear();
    this.#awaitingDiff.clear();
    const cancellation = new AbortController();
    this.#cancellation = cancellation;
    onHostCancellation(() => cancellation.abort());
  };

  /** Reports every invalid argument at its property path, and normalises the inputs. Sends nothing. */
  check = (olds: Properties | undefined, news: Properties): Promise<dynamic.CheckResult> =>
    reportErrors("check", async () => {
      const { inputs, failures, warnings } = checkInputs(news, olds);
      for (const text of warnings) notify({ severity: "warning", text });
      if (failures.length === 0 && isKnown(inputs)) {
        // Without old inputs, the engine is about to create the resource, or its new copy.
        const isCreated = Object.keys(olds ?? {}).length === 0;
        if (isCreated) this.#declarations.remove(inputs);
        else this.#awaitingDiff.add(addressKey(inputs));
        this.#urns.set(addressKey(inputs), news.__resource);
      }
      return { inputs: { ...inputs, ...terminalStatus(olds ?? {}) }, failures };
    });

  /** Tells the engine what a change means: see {@link changeOf}. Sends nothing. */
  diff = (_id: string, olds: Properties, news: Properties): Promise<dynamic.DiffResult> =>
    reportErrors("diff", async () => {
      const change = changeOf(olds, news);
      if (change.replaces.length === 0) this.#keepDeclaration(olds, news);
      return change;
    });

  /**
   * Invites the person, or adopts them. The id is the invitation's, or the user's where Atlas gave none. An
   * incomplete invitation is stored with an error, and the next `up` completes it.
   */
  create = (inputs: Properties): Promise<dynamic.CreateResult> =>
    reportErrors("create", async () => {
      const declared = parseInputs(inputs);
      const lifecycle = await this.#connect();
      try {
        const state = await withSubject(declared, lifecycle.create(declared, this.#resourceKey(declared)));
        return { id: idOf(state), outs: propertiesOf(state) };
      } catch (error) {
        const { cause } = error as Error;
        if (cause instanceof IncompleteCreateError) throw partialFailure(error as Error, cause.state, inputs);
        throw error;
      }
    });

  /**
   * Reads what Atlas says about the person. Without an id in the result, the engine drops the resource from the state;
   * without inputs, it keeps the stored ones.
   */
  read = (id: string, stored: Properties): Promise<dynamic.ReadResult> =>
    reportErrors("read", async () => {
      const old = parseState(stored);
      const state = await withSubject(old, (await this.#connect()).read(old));
      if (!state) return {};
      const props = propertiesOf(state);
      const inputs = { ...inputsOf(state), ...terminalStatus(props) };
      const isSame = isDeepStrictEqual(inputs, { ...inputsOf(old), ...terminalStatus(stored) });
      return {
        id: state.invitationId ?? id,
        props,
        // A list that 0.1.0 stored as `[]` may have been left out of the program: the stored inputs are kept.
        ...((!isSame || !mayBeFrom010(stored)) && { inputs }),
      };
    });

  /** Changes the invitation, or a managed member, to the new inputs. */
  update = (_id: string, olds: Properties, news: Properties): Promise<dynamic.UpdateResult> =>
    reportErrors("update", async () => {
      const declared = parseInputs(news);
      const state = parseState(olds);
      // An alias gives the resource another URN, and 0.1.0 stored no key.
      const declaredBy = this.#resourceKey(declared) ?? state.declaredBy;
      const lifecycle = await this.#connect();
      const updated = await withSubject(declared, lifecycle.update({ ...state, declaredBy }, declared));
      return { outs: propertiesOf(updated) };
    });

  /** Cancels the invitation. The stored `onAccepted` decides about a person who has accepted. */
  delete = (_id: string, props: Properties): Promise<void> =>
    reportErrors("delete", async () => {
      const state = parseState(props);
      await withSubject(state, (await this.#connect()).delete(state));
    });

  #keepDeclaration(olds: Properties, news: Properties): void {
    if (!isKnown(news)) return;
    const inputs = parseInputs(news);
    // A refresh calls diff without check, for resources that the program may no longer declare (RefreshStep.Apply).
    if (!this.#awaitingDiff.delete(addressKey(inputs))) return;
    const { invitationId, userId, declaredBy = this.#resourceKey(inputs) } = parseState(olds);
    this.#declarations.add({ ...inputs, invitationId, userId }, { inputs, declaredBy });
  }

  #resourceKey(inputs: OrgInvitationInputs): string | undefined {
    return hashOf(this.#urns.get(addressKey(inputs)));
  }

  /** One connection, and so one connection pool and one token, as long as the settings stay the same. */
  async #connect(): Promise<Lifecycle> {
    const sources = settingsSources(process.env, (name) => this.#stackConfig?.get(name));
    const settings = resolveSettings(sources);
    // Loaded on demand: the HTTP client takes 100 ms to load, and `check` and `diff` never need it.
    const { connect } = await import("../lifecycle/connect.ts");
    if (!isDeepStrictEqual(this.#current?.settings, settings)) {
      const connection = connect(settings, {
        notify,
        declarations: this.#declarations,
        peers: this.#peers,
        signal: this.#cancellation.signal,
      });
      this.#current = { settings, connection };
      this.#closeOnExit(connection);
    }
    return (this.#current as { connection: Connection }).connection.lifecycle;
  }

  /** The engine ends the process by SIGINT, and kills it after five seconds (plugin.go). */
  #closeOnExit({ close }: Connection): void {
    const cancellation = this.#cancellation;
    const exit = () => {
      cancellation.abort();
      const closed = close ? Promise.race([close(), systemClock.sleep(3_000)]) : Promise.resolve();
      return closed.then(() => process.exit());
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void exit());
  }
}

const provider = new OrgInvitationProvider();

// The host calls each method by its name, without `this`.
export const { configure, check, diff, create, read, update } = provider;
const remove = provider.delete;

export { remove as delete };

/** Plugin processes of one run have the same engine, whose address is their last argument. */
function exchangeWithin(peers: Peers) {
  const topic = (name: string) => `run ${process.argv.at(-1)} ${name}`;
  return {
    announce: (name: string) => peers.announce(topic(name)),
    withdraw: (name: string) => peers.withdraw(topic(name)),
    others: (name: string) => peers.others(topic(name)),
  };
}

/** Identifies a resource by its URN, in few characters, as every state contains it. */
function hashOf(urn: unknown): string | undefined {
  if (typeof urn !== "string") return undefined;
  return createHash("sha256").update(urn).digest("base64url").slice(0, 12);
}

function idOf({ invitationId, userId }: Pick<OrgInvitationState, "invitationId" | "userId">) {
  return (invitationId ?? userId) as string;
}

/** The engine displays what the plugin prints under the stack. */
function notify({ severity, text }: Notice): void {
  console.log(severity === "warning" ? `warning: ${text}` : text);
}

/** An error with the whole message that Pulumi displays. */
class AtlasOperationError extends Error {
  override readonly name = "AtlasOperationError";
}

/** Names the person in an error that knows only ids. */
async function withSubject<Result>(
  { username, orgId }: Subject,
  operation: Promise<Result>,
): Promise<Result> {
  try {
    return await operation;
  } catch (error) {
    if (!(error instanceof AtlasError)) throw error;
    const message = messageOf(error);
    const isNamed = message.includes(username);
    // A new error, as several operations may fail with the same one.
    throw new AtlasOperationError(isNamed ? message : `${username} in ${orgId}: ${message}`, {
      cause: error,
    });
  }
}

/** The host stores the resource as created but incomplete. Without `__provider` it could never be deleted. */
function partialFailure(error: Error, state: OrgInvitationState, { __provider }: Properties): Error {
  const properties = { ...propertiesOf(state), __provider };
  return Object.assign(error, { id: idOf(state), properties, reasons: [error.message] });
}

/** Runs an operation so that its error is displayed once, in one line, and the engine always gets an answer. */
async function reportErrors<Result>(operation: string, run: () => Promise<Result>): Promise<Result> {
  try {
    assertNodeVersion();
    return await run();
  } catch (thrown) {
    // A thrown primitive would leave the engine waiting for ever.
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const bug = findBug(error);
    // A bug report needs its stack. The host prints the stack itself, except for create and update.
    if (bug && (bug !== error || operation === "create" || operation === "update")) console.error(bug.stack);
    if (bug === error) throw error;
    const reported =
      error instanceof AtlasError ? new AtlasOperationError(messageOf(error), { cause: error }) : error;
    // The host also writes `${error}: ${error.stack}` to stderr.
    throw Object.assign(reported, {
      toString: () => `OrgInvitation ${operation} failed`,
      stack: "the error is shown with the resource",
    });
  }
}

/** The error, or its cause, that this package did not raise on purpose. */
function findBug(error: Error): Error | undefined {
  if (!(error instanceof AtlasError || error instanceof AtlasOperationError)) return error;
  return error.cause instanceof Error ? findBug(error.cause) : undefined;
}
