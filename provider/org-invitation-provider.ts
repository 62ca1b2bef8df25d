import type { dynamic } from "@pulumi/pulumi";
import { systemClock } from "./clock.ts";
import { resolveSettings } from "./config.ts";
import type { Connection } from "./connect.ts";
import { AtlasError } from "./errors.ts";
import type {
  IncompleteCreateError,
  Lifecycle,
  OrgInvitationInputs,
  OrgInvitationState,
} from "./lifecycle.ts";
import { checkInputs, inputsOf } from "./org-invitation-inputs.ts";

/*
 * The lifecycle entry: what Pulumi's plugin host calls, under the names of its dynamic provider contract.
 * Every state file names this module, as `pulumi-atlas-invitations/provider`, so it stays for ever.
 */

type Properties = Record<string, unknown>;

let stackConfig: dynamic.Config | undefined;
let current: { settings: string; connection: Connection } | undefined;

/** Keeps the stack configuration. It must not await: the host does not wait for it before the next call. */
export function configure({ config }: dynamic.ConfigureRequest): void {
  stackConfig = config;
}

/** Every wrong argument at its property path, and the inputs in their one spelling. Sends nothing. */
export function check(olds: Properties | undefined, news: Properties): Promise<dynamic.CheckResult> {
  return shown("check", async () => {
    const { inputs, failures, warnings } = checkInputs(news);
    for (const warning of warnings) notify(`warning: ${warning}`);
    return { inputs: { ...inputs, ...settled(olds ?? {}) }, failures };
  });
}

/**
 * What became of an invitation that is no longer pending stands among the stored inputs too: `read` puts it there
 * and `check` keeps it, because plans and refreshes show only what changes in the inputs (pulumi engine,
 * RefreshStep.ResultOp). So a plan shows `expiresAt` where it replaces an expired invitation.
 */
function settled({ status, expiresAt }: Properties): Properties {
  if (status === undefined || status === "PENDING") return {};
  return status === "EXPIRED" ? { status, expiresAt } : { status };
}

/**
 * What a change means: another person or organization, or an expired invitation that is to be sent again,
 * replaces the invitation, and the old one is cancelled first. All else the engine finds by itself, as it
 * compares the inputs property by property where `changes` is left open. Sends nothing.
 */
export function diff(_id: string, olds: Properties, news: Properties): Promise<dynamic.DiffResult> {
  return shown("diff", async () => {
    const replaces = ["orgId", "username"].filter((name) => spelling(olds[name]) !== spelling(news[name]));
    if (olds.status !== "EXPIRED" || news.reinviteExpired !== true) {
      return { replaces, deleteBeforeReplace: true };
    }
    return { changes: true, replaces: [...replaces, "expiresAt"], deleteBeforeReplace: true };
  });
}

/**
 * Invites the person, or adopts them. The id is the invitation's, or the user's where Atlas gave none. An
 * invitation that was sent but is not complete is stored all the same; the next `up` completes it.
 */
export function create(inputs: Properties): Promise<dynamic.CreateResult> {
  return shown("create", async () => {
    try {
      const declared = inputsOf(inputs);
      const state = await about(declared, (await connected()).create(declared));
      return { id: idOf(state), outs: plain(state) };
    } catch (error) {
      throw isIncompleteCreate(error) ? partialFailure(error, inputs) : error;
    }
  });
}

/** What became of the person. Without an id, the engine drops the resource from the state. */
export function read(id: string, stored: Properties): Promise<dynamic.ReadResult> {
  return shown("read", async () => {
    const known = stateIn(stored);
    const state = await about(known, (await connected()).read(known));
    if (!state) return {};
    const props = plain(state);
    return { id: state.invitationId ?? id, props, inputs: { ...inputsOf(props), ...settled(props) } };
  });
}

/** Brings the invitation, or a managed member, to the new inputs. */
export function update(_id: string, olds: Properties, news: Properties): Promise<dynamic.UpdateResult> {
  return shown("update", async () => {
    const declared = inputsOf(news);
    const state = await about(declared, (await connected()).update(stateIn(olds), declared));
    return { outs: plain(state) };
  });
}

/** Cancels the invitation; what happens to a person who accepted is for the stored `onAccepted` to say. */
async function remove(_id: string, props: Properties): Promise<void> {
  return shown("delete", async () => {
    const known = stateIn(props);
    await about(known, (await connected()).delete(known));
  });
}

export { remove as delete };

/** One connection, and so one pool and one token, for as long as the settings stay the same. */
async function connected(): Promise<Lifecycle> {
  const settings = JSON.stringify(resolveSettings(process.env, (name) => stackConfig?.get(name)));
  // Loaded here, as the network takes 100 ms to load and `check` and `diff` run far more often than it is needed.
  const { connect } = await import("./connect.ts");
  if (current?.settings !== settings) {
    const connection = connect(JSON.parse(settings), notify);
    current = { settings, connection };
    if (connection.close) closeAtTheEnd(connection.close);
  }
  return current.connection.lifecycle;
}

/** The engine ends the process by SIGINT, and kills it after five seconds (plugin.go). */
function closeAtTheEnd(close: () => Promise<void>): void {
  const end = () => Promise.race([close(), systemClock.sleep(3_000)]).then(() => process.exit());
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void end());
}

function stateIn(props: Properties): OrgInvitationState {
  const { __provider, ...state } = props;
  return { ...(state as unknown as OrgInvitationState), ...inputsOf(props) };
}

function idOf({ invitationId, userId }: OrgInvitationState): string {
  return (invitationId ?? userId) as string;
}

/** Without what is `undefined`: the host fails on it, and only after Atlas has done the work. */
function plain(state: OrgInvitationState): Properties {
  return JSON.parse(JSON.stringify(state));
}

function spelling(value: unknown): unknown {
  return typeof value === "string" ? value.toLowerCase() : value;
}

function isIncompleteCreate(error: unknown): error is IncompleteCreateError {
  return error instanceof Error && error.name === "IncompleteCreateError";
}

/** What the host stores as created but incomplete. Without `__provider` it could never be deleted again. */
function partialFailure({ state, message }: IncompleteCreateError, { __provider }: Properties): Error {
  const properties = { ...plain(state), __provider };
  return Object.assign(new AtlasError(message), { id: idOf(state), properties, reasons: [message] });
}

/** Tells the user something in one line: the engine shows, under the stack, what the plugin prints. */
function notify(line: string): void {
  console.log(line);
}

/** Says whom an error is about, where it knows only ids. It is not changed, as those who wait together share it. */
async function about<Result>(
  { username, orgId }: OrgInvitationInputs,
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
async function shown<Result>(operation: string, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (thrown) {
    // A primitive would leave the engine waiting for ever.
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (!(error instanceof AtlasError)) {
      // A bug: its stack is what a report needs. The host shows it for the other operations only.
      if (operation === "create" || operation === "update") console.error(error.stack);
      throw error;
    }
    // The host writes `${error}: ${error.stack}` to stderr, beside the message that the engine shows.
    throw Object.assign(error, {
      stack: "see its error",
      toString: () => `OrgInvitation ${operation}`,
    });
  }
}
