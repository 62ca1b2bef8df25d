import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
// These two come with the SDK, whose stubs have to meet the very same copies.
import grpc from "@grpc/grpc-js";
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/provider_pb.js";
import statusMessages from "@pulumi/pulumi/proto/status_pb.js";
import struct, { type JavaScriptValue } from "google-protobuf/google/protobuf/struct_pb.js";
import { launcherFile } from "../pulumi-cli/build-engine.ts";
import { cleanEnv } from "../pulumi-cli/clean-env.ts";

/** What stands for a value that a preview does not know yet. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

// How the engine marks a secret on the wire.
const SECRET = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" };

export type Properties = Record<string, unknown>;

export interface PluginHostOptions {
  /** Where it is started, as the engine does: the folder of the program. */
  folder: string;
  /** Added to its environment. */
  env?: NodeJS.ProcessEnv;
  /** The stack's configuration, as `namespace:key`. */
  config?: Record<string, string | { secret: string }>;
  /** A call that is not answered within that fails. @default 20_000 */
  callTimeoutMs?: number;
}

/** A resource that was made or changed, but not completely; the engine stores it. */
export interface PartialFailure {
  id: string;
  properties: Properties;
  reasons: string[];
}

/** An error that a call was answered with. */
export class PluginHostError extends Error {
  override readonly name = "PluginHostError";
  /** The gRPC status: 2 for a thrown error, 4 for a call that was not answered. */
  readonly code: number;
  readonly partial?: PartialFailure;

  constructor(error: grpc.ServiceError) {
    super(error.details);
    this.code = error.code;
    const partial = partialFailure(error);
    if (partial) this.partial = partial;
  }
}

/** Pulumi's own process for dynamic providers, started and called as the engine does. */
export class PluginHost {
  readonly #process: ChildProcess;
  readonly #client: providerService.ResourceProviderClient;
  readonly #callTimeoutMs: number;
  readonly #output: { stdout: string; stderr: string };

  private constructor(
    process: ChildProcess,
    output: { stdout: string; stderr: string },
    port: string,
    callTimeoutMs: number,
  ) {
    this.#process = process;
    this.#output = output;
    this.#callTimeoutMs = callTimeoutMs;
    this.#client = new providerService.ResourceProviderClient(
      `127.0.0.1:${port}`,
      grpc.credentials.createInsecure(),
      // It is on this machine, whatever proxy the environment names.
      { "grpc.enable_http_proxy": 0 },
    );
  }

  /** Starts it and configures it. */
  static async start(options: PluginHostOptions): Promise<PluginHost> {
    // The address is the engine's, which this process never calls.
    const child = spawn("/bin/sh", [launcherFile(), "127.0.0.1:1"], {
      cwd: options.folder,
      env: { ...cleanEnv(), ...options.env },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        output[stream] += text;
      });
    }
    const port = await portOf(child, output);
    const host = new PluginHost(child, output, port, options.callTimeoutMs ?? 20_000);
    try {
      await host.#configure(options.config ?? {});
      return host;
    } catch (error) {
      await host.kill();
      throw error;
    }
  }

  /** What it printed so far, without its port; complete once it is stopped. */
  get stdout(): string {
    return this.#output.stdout.replace(/^\d+\n/, "");
  }

  /** What it printed so far; complete once it is stopped. */
  get stderr(): string {
    return this.#output.stderr;
  }

  async check(
    olds: Properties,
    news: Properties,
  ): Promise<{ inputs: Properties; failures: { property: string; reason: string }[] }> {
    const request = new messages.CheckRequest().setOlds(toStruct(olds)).setNews(toStruct(news));
    const response = await this.#call<messages.CheckResponse>("check", request);
    return {
      inputs: fromStruct(response.getInputs()),
      failures: response.getFailuresList().map((failure) => failure.toObject()),
    };
  }

  /** `changes` is undefined where the provider leaves it to the engine. */
  async diff(
    id: string,
    olds: Properties,
    news: Properties,
  ): Promise<{ changes: boolean | undefined; replaces: string[]; deleteBeforeReplace: boolean }> {
    const request = new messages.DiffRequest().setId(id).setOlds(toStruct(olds)).setNews(toStruct(news));
    const response = await this.#call<messages.DiffResponse>("diff", request);
    const { DIFF_SOME, DIFF_NONE } = messages.DiffResponse.DiffChanges;
    const changes = response.getChanges();
    return {
      changes: changes === DIFF_SOME ? true : changes === DIFF_NONE ? false : undefined,
      replaces: response.getReplacesList(),
      deleteBeforeReplace: response.getDeletebeforereplace(),
    };
  }

  async create(properties: Properties): Promise<{ id: string; properties: Properties }> {
    const request = new messages.CreateRequest().setProperties(toStruct(properties));
    const response = await this.#call<messages.CreateResponse>("create", request);
    return { id: response.getId(), properties: fromStruct(response.getProperties()) };
  }

  /** An empty `id` means that it is gone; `inputs` is undefined where the provider returns none. */
  async read(
    id: string,
    properties: Properties,
    inputs?: Properties,
  ): Promise<{ id: string; properties: Properties; inputs: Properties | undefined }> {
    const request = new messages.ReadRequest().setId(id).setProperties(toStruct(properties));
    if (inputs) request.setInputs(toStruct(inputs));
    const response = await this.#call<messages.ReadResponse>("read", request);
    return {
      id: response.getId(),
      properties: fromStruct(response.getProperties()),
      inputs: response.hasInputs() ? fromStruct(response.getInputs()) : undefined,
    };
  }

  async update(id: string, olds: Properties, news: Properties): Promise<Properties> {
    const request = new messages.UpdateRequest().setId(id).setOlds(toStruct(olds)).setNews(toStruct(news));
    return fromStruct((await this.#call<messages.UpdateResponse>("update", request)).getProperties());
  }

  async delete(id: string, properties: Properties): Promise<void> {
    await this.#call("delete", new messages.DeleteRequest().setId(id).setProperties(toStruct(properties)));
  }

  /** Stops it as the engine does: an interrupt, and five seconds later the end. */
  async stop(): Promise<void> {
    this.#client.close();
    signal(this.#process, "SIGINT");
    const ended = await Promise.race([closed(this.#process), sleep(5000, false, { ref: false })]);
    if (ended === false) await this.kill();
  }

  /** Ends it at once, in the middle of whatever it does. */
  async kill(): Promise<void> {
    this.#client.close();
    signal(this.#process, "SIGKILL");
    await closed(this.#process);
  }

  async #configure(config: Record<string, string | { secret: string }>): Promise<void> {
    const args = Object.entries(config).map(([key, value]) => [
      key,
      typeof value === "string" ? value : { ...SECRET, value: value.secret },
    ]);
    const request = new messages.ConfigureRequest().setArgs(toStruct(Object.fromEntries(args)));
    await this.#call("configure", request.setAcceptsecrets(true).setAcceptresources(true));
  }

  #call<Response>(method: Method, request: unknown): Promise<Response> {
    const call = this.#client[method].bind(this.#client) as unknown as Call<Response>;
    return new Promise((resolve, reject) => {
      call(request, new grpc.Metadata(), { deadline: Date.now() + this.#callTimeoutMs }, (error, response) =>
        error ? reject(new PluginHostError(error)) : resolve(response),
      );
    });
  }
}

type Method = "configure" | "check" | "diff" | "create" | "read" | "update" | "delete";

type Call<Response> = (
  request: unknown,
  metadata: grpc.Metadata,
  options: grpc.CallOptions,
  done: (error: grpc.ServiceError | null, response: Response) => void,
) => void;

// It prints its port when it listens; without the SDK in reach the launcher ends with exit code 0.
async function portOf(child: ChildProcess, output: { stdout: string; stderr: string }): Promise<string> {
  const ended = closed(child);
  for (;;) {
    const port = /^(\d+)\n/.exec(output.stdout)?.[1];
    if (port) return port;
    const data = child.stdout && once(child.stdout, "data").then(() => false);
    if (await Promise.race([ended, data])) {
      throw new Error(`The plugin host did not start:\n${output.stdout}${output.stderr}`);
    }
  }
}

async function closed(child: ChildProcess): Promise<true> {
  const gone = child.exitCode !== null || child.signalCode !== null;
  if (!gone || child.stderr?.readableEnded === false) await once(child, "close");
  return true;
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name);
  } catch {
    // It has ended by itself.
  }
}

function toStruct(properties: Properties): struct.Struct {
  return struct.Struct.fromJavaScript(properties as Record<string, JavaScriptValue>);
}

function fromStruct(properties: struct.Struct | undefined): Properties {
  return properties?.toJavaScript() ?? {};
}

function partialFailure(error: grpc.ServiceError): PartialFailure | undefined {
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (!(bytes instanceof Buffer)) return undefined;
  const [detail] = statusMessages.Status.deserializeBinary(bytes).getDetailsList();
  if (!detail) return undefined;
  const failed = messages.ErrorResourceInitFailed.deserializeBinary(detail.getValue_asU8());
  return {
    id: failed.getId(),
    properties: fromStruct(failed.getProperties()),
    reasons: failed.getReasonsList(),
  };
}
