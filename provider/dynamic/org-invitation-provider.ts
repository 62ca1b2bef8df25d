import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { dynamic } from "@pulumi/pulumi";
import { systemClock } from "../atlas/clock.ts";
import { AtlasError } from "../atlas/errors.ts";
import { Peers } from "../atlas/limits/peers.ts";
import { checkInputs, UNKNOWN } from "../lifecycle/check-inputs.ts";
import type { Connection } from "../lifecycle/connect.ts";
import { addressKey, Declarations } from "../lifecycle/declarations.ts";
import type { IncompleteCreateError, Lifecycle } from "../lifecycle/lifecycle.ts";
import type { OrgInvitationInputs } from "../lifecycle/org-invitation-state.ts";
import {
  inputsOf,
  mayBeFrom010,
  type Properties,
  parseInputs,
  parseState,
  propertiesOf,
} from "../lifecycle/stored-properties.ts";
import { demandNode } from "../settings/node-version.ts";
import { resolveSettings, type Settings } from "../settings/settings.ts";
import { onHostCancellation } from "./host-cancellation.ts";

/**
 * The lifecycle entry: what Pulumi's plugin host calls, under the names of its dynamic provider contract.
 * Every state file names this module, as `pulumi-atlas-invitations/provider`, so it stays for ever.
 */
class OrgInvitationProvider {
  #stackConfig: dynamic.Config | undefined;
  #current: { settings: Settings; connection: Connection } | undefined;
  readonly #peers = new Peers();
  #declarations = new Declarations(exchangeWithin(this.#peers));
  /** The resource that declares a person in this run, as `check` was told; by organization and address. */
  readonly #resources = new Map<string, unknown>();
  /** Whom the program declares and the state holds: the diff that follows the check tells whether they are kept. */
  readonly #undecided = new Set<string>();
  #cancellation = new AbortController();

  /** Begins a run. It must not await: the host does not wait for it before the next call. */
  configure = ({ config }: dynamic.ConfigureRequest): void => {
    this.#stackConfig = config;
    this.#current = undefined;
    this.#declarations = new Declarations(exchangeWithin(this.#peers));
    this.#resources.clear();
    this.#undecided.clear();
    const cancellation = new AbortController();
    this.#cancellation = cancellation;
    onHostCancellation(() => cancellation.abort());
  };

  /** Every wrong argument at its property path, and the inputs normalized. Sends nothing. */
  check = (olds: Properties | undefined, news: Properties): Promise<dynamic.CheckResult> =>
    reportErrors("check", async () => {
      const { inputs, failures, warnings } = checkInputs(news, olds);
      for (const warning of warnings) notify(`warning: ${warning}`);
      if (failures.length === 0 && isKnown(inputs)) {
        // Without old inputs the engine is about to create it, anew where it is replaced.
        const isCreated = Object.keys(olds ?? {}).length === 0;
        if (isCreated) this.#declarations.release(inputs);
        else this.#undecided.add(addressKey(inputs));
        this.#resources.set(addressKey(inputs), news.__resource);
      }
      return { inputs: { ...inputs, ...terminalStatus(olds ?? {}) }, failures };
    });

  /**
   * What a change means. Another person or organization replaces the invitation: the new one is sent first, and the
   * old one cancelled after it, so that nobody has lost theirs where the new one is refused. An expired invitation
   * that is to be sent again is replaced the other way round, as it is the same person. An address that Atlas has
   * for the same person is no other person. All else the engine finds by itself, as it compares the inputs property by
   * property where `changes` is left open. Sends nothing.
   */
  diff = (_id: string, olds: Properties, news: Properties): Promise<dynamic.DiffResult> =>
    reportErrors("diff", async () => {
      const replaces = ["orgId", "username"].filter((name) => {
        const isAddressInAtlas = name === "username" && news[name] === olds.__knownAs;
        return lowerCase(olds[name]) !== lowerCase(news[name]) && !isAddressInAtlas;
      });
      const isReinvited = olds.status === "EXPIRED" && news.reinviteExpired === true;
      if (isReinvited) {
        return {
          changes: true,
          replaces: [...replaces, "expiresAt"],
          deleteBeforeReplace: replaces.length === 0,
        };
      }
      if (replaces.length > 0) return { replaces, deleteBeforeReplace: false };
      this.#keep(olds, news);
      return { ...(isUnchanged010(olds, news) && { changes: false }), replaces, deleteBeforeReplace: false };
    });

  /**
   * Invites the person, or adopts them. The id is the invitation's, or the user's where Atlas gave none. An
   * invitation that was sent but is not complete is stored all the same; the next `up` completes it.
   */
  create = (inputs: Properties): Promise<dynamic.CreateResult> =>
    reportErrors("create", async () => {
      try {
        const declared = parseInputs(inputs);
        const lifecycle = await this.#connected();
        const state = await withSubject(declared, lifecycle.create(declared, this.#resourceOf(declared)));
        return { id: idOf(state), outs: propertiesOf(state) };
      } catch (error) {
        throw isIncompleteCreate(error) ? partialFailure(error, inputs) : error;
      }
    });

  /**
   * What became of the person. Without an id, the engine drops the resource from the state; without inputs it keeps
   * the stored ones.
   */
  read = (id: string, stored: Properties): Promise<dynamic.ReadResult> =>
    reportErrors("read", async () => {
      const old = parseState(stored);
      const state = await withSubject(old, (await this.#connected()).read(old));
      if (!state) return {};
      const props = propertiesOf(state);
      const inputs = { ...inputsOf(state), ...terminalStatus(props) };
      const isSame = isDeepStrictEqual(inputs, { ...inputsOf(old), ...terminalStatus(stored) });
      return {
        id: state.invitationId ?? id,
        props,
        // What 0.1.0 stored as `[]` may have been left out: it stays as it is.
        ...((!isSame || !mayBeFrom010(stored)) && { inputs }),
      };
    });

  /** Brings the invitation, or a managed member, to the new inputs. */
  update = (_id: string, olds: Properties, news: Properties): Promise<dynamic.UpdateResult> =>
    reportErrors("update", async () => {
      const declared = parseInputs(news);
      const state = parseState(olds);
      // An alias gives the resource another URN, and 0.1.0 stored none.
      const declaredBy = this.#resourceOf(declared) ?? state.declaredBy;
      const lifecycle = await this.#connected();
      const updated = await withSubject(declared, lifecycle.update({ ...state, declaredBy }, declared));
      return { outs: propertiesOf(updated) };
    });

  /** Cancels the invitation; what happens to a person who accepted is for the stored `onAccepted` to say. */
  delete = (_id: string, props: Properties): Promise<void> =>
    reportErrors("delete", async () => {
      const state = parseState(props);
      await withSubject(state, (await this.#connected()).delete(state));
    });

  #keep(olds: Properties, news: Properties): void {
    if (!isKnown(news)) return;
    const inputs = parseInputs(news);
    // A refresh calls diff as well, and what it reads need not be declared any more (pulumi engine, RefreshStep.Apply).
    if (!this.#undecided.delete(addressKey(inputs))) return;
    const { invitationId, userId, declaredBy = this.#resourceOf(inputs) } = parseState(olds);
    this.#declarations.hold({ ...inputs, invitationId, userId }, { inputs, declaredBy });
  }

  #resourceOf(inputs: OrgInvitationInputs): string | undefined {
    return hashed(this.#resources.get(addressKey(inputs)));
  }

  /** One connection, and so one pool and one token, for as long as the settings stay the same. */
  async #connected(): Promise<Lifecycle> {
    const settings = resolveSettings(process.env, (name) => this.#stackConfig?.get(name));
    // Loaded here, as the network takes 100 ms to load and `check` and `diff` run far more often than it is needed.
    const { connect } = await import("../lifecycle/connect.ts");
    if (!isDeepStrictEqual(this.#current?.settings, settings)) {
      const connection = connect(settings, {
        notify,
        declarations: this.#declarations,
        peers: this.#peers,
        signal: this.#cancellation.signal,
      });
      this.#current = { settings, connection };
      this.#closeAtTheEnd(connection);
    }
    return (this.#current as { connection: Connection }).connection.lifecycle;
  }

  /** The engine ends the process by SIGINT, and kills it after five seconds (plugin.go). */
  #closeAtTheEnd({ close }: Connection): void {
    const cancellation = this.#cancellation;
    const end = () => {
      cancellation.abort();
      const closed = close ? Promise.race([close(), systemClock.sleep(3_000)]) : Promise.resolve();
      return closed.then(() => process.exit());
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void end());
  }
}

const provider = new OrgInvitationProvider();

// The host calls them without `this`, and each by its name.
export const { configure, check, diff, create, read, update } = provider;
const remove = provider.delete;

export { remove as delete };

/** Processes of the same run of Pulumi have the same engine, whose address the host is started with. */
function exchangeWithin(peers: Peers) {
  const topic = (name: string) => `run ${process.argv.at(-1)} ${name}`;
  return {
    announce: (name: string) => peers.announce(topic(name)),
    withdraw: (name: string) => peers.withdraw(topic(name)),
    others: (name: string) => peers.others(topic(name)),
  };
}

/**
 * What became of an invitation that is no longer pending stands among the stored inputs too: `read` puts it there
 * and `check` keeps it, because plans and refreshes show only what changes in the inputs (pulumi engine,
 * RefreshStep.ResultOp). So a plan shows `expiresAt` where it replaces an expired invitation.
 */
function terminalStatus({ status, expiresAt }: Properties): Properties {
  if (status === undefined || status === "PENDING") return {};
  return status === "EXPIRED" && expiresAt !== undefined ? { status, expiresAt } : { status };
}

/** Whether the difference is only that 0.1.0 stored as `[]` what is left out. */
function isUnchanged010(olds: Properties, news: Properties): boolean {
  if (!mayBeFrom010(olds) || !isKnown(news)) return false;
  return isDeepStrictEqual(inputsOf(parseState(olds)), parseInputs(news));
}

function isKnown(inputs: object): boolean {
  return !JSON.stringify(inputs).includes(UNKNOWN);
}

/** Enough to tell one resource from another, and short, as every state holds it. */
function hashed(urn: unknown): string | undefined {
  if (typeof urn !== "string") return undefined;
  return createHash("sha256").update(urn).digest("base64url").slice(0, 12);
}

function idOf({ invitationId, userId }: { invitationId?: string | undefined; userId?: string | undefined }) {
  return (invitationId ?? userId) as string;
}

function lowerCase(value: unknown): unknown {
  return typeof value === "string" ? value.toLowerCase() : value;
}

function isIncompleteCreate(error: unknown): error is IncompleteCreateError {
  return error instanceof Error && error.name === "IncompleteCreateError";
}

/** What the host stores as created but incomplete. Without `__provider` it could never be deleted again. */
function partialFailure({ state, message, cause }: IncompleteCreateError, { __provider }: Properties): Error {
  const properties = { ...propertiesOf(state), __provider };
  const error = new AtlasError(message, { cause });
  return Object.assign(error, { id: idOf(state), properties, reasons: [message] });
}

/** Tells the user something in one line: the engine shows, under the stack, what the plugin prints. */
function notify(line: string): void {
  console.log(line);
}

/** Says whom an error is about, where it knows only ids. It is not changed, as those who wait together share it. */
async function withSubject<Result>(
  { username, orgId }: { username: string; orgId: string },
  work: Promise<Result>,
): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof AtlasError) || error.message.includes(username)) throw error;
    throw new AtlasError(`${username} in ${orgId}: ${error.message}`, { cause: error });
  }
}

/** Runs an operation so that the user reads its error once, as one line, and an answer always comes. */
async function reportErrors<Result>(operation: string, run: () => Promise<Result>): Promise<Result> {
  try {
    demandNode();
    return await run();
  } catch (thrown) {
    // A primitive would leave the engine waiting for ever.
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const bug = bugIn(error);
    // Its stack is what a report needs. The host shows it for the other operations only.
    if (bug && (bug !== error || operation === "create" || operation === "update")) console.error(bug.stack);
    if (bug === error) throw error;
    // The host writes `${error}: ${error.stack}` to stderr, beside the message that the engine shows.
    throw Object.assign(error, {
      stack: "see its error",
      toString: () => `OrgInvitation ${operation}`,
    });
  }
}

/** The error itself, or what caused it, where nobody raised it on purpose. */
function bugIn(error: Error): Error | undefined {
  if (!(error instanceof AtlasError)) return error;
  return error.cause instanceof Error ? bugIn(error.cause) : undefined;
}
