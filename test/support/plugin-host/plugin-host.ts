import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
// grpc-js and google-protobuf are dependencies of the SDK: its stubs work only with the same copies.
import grpc from "@grpc/grpc-js";
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/provider_pb.js";
import statusMessages from "@pulumi/pulumi/proto/status_pb.js";
import struct, { type JavaScriptValue } from "google-protobuf/google/protobuf/struct_pb.js";
import { launcherFile } from "../pulumi-cli/build-engine.ts";
import { cleanEnv } from "../pulumi-cli/clean-env.ts";

// The engine's mark of a secret.
const SECRET = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" };

// A call that is not answered within that time fails.
const CALL_TIMEOUT_MS = 20_000;

export type Properties = Record<string, unknown>;

export interface PluginHostOptions {
  /** The folder of the program, in which the engine starts the host. */
  folder: string;
  /** Added to the environment of the host. */
  env?: NodeJS.ProcessEnv;
  /** The stack's configuration, by `namespace:key`. */
  config?: Record<string, string | { secret: string }>;
}

/** A resource that was created or updated, but not completely: the engine stores it. */
export interface PartialFailure {
  id: string;
  properties: Properties;
  reasons: string[];
}

/** The error of a call. */
export class PluginHostError extends Error {
  override readonly name = "PluginHostError";
  /** The gRPC status: 2 for an error of the provider, 4 for a call that was not answered in time. */
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
  readonly #process: HostProcess;
  readonly #client: providerService.ResourceProviderClient;

  private constructor(process: HostProcess, port: string) {
    this.#process = process;
    this.#client = new providerService.ResourceProviderClient(
      `127.0.0.1:${port}`,
      grpc.credentials.createInsecure(),
      // A proxy of the environment does not reach this machine's loopback.
      { "grpc.enable_http_proxy": 0 },
    );
  }

  /** Starts a host and configures it. */
  static async start(options: PluginHostOptions): Promise<PluginHost> {
    const process = new HostProcess(options);
    const host = new PluginHost(process, await process.port());
    await host.#configure(options.config ?? {}).catch(async (error: Error) => {
      await host.kill();
      throw error;
    });
    return host;
  }

  /** The output so far, without the port; complete after the host has stopped. */
  get stdout(): string {
    return this.#process.stdout.replace(/^\d+\n/, "");
  }

  /** The output so far; complete after the host has stopped. */
  get stderr(): string {
    return this.#process.stderr;
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

  async diff(id: string, olds: Properties, news: Properties): Promise<void> {
    await this.#call(
      "diff",
      new messages.DiffRequest().setId(id).setOlds(toStruct(olds)).setNews(toStruct(news)),
    );
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

  /** Stops the host as the engine does: an interrupt, and a kill after five seconds. */
  async stop(): Promise<void> {
    this.#client.close();
    this.#process.signal("SIGINT");
    const timeout = sleep(5000, "timeout", { ref: false });
    if ((await Promise.race([this.#process.closed, timeout])) === "timeout") await this.kill();
  }

  /** Kills the host at once. */
  async kill(): Promise<void> {
    this.#client.close();
    this.#process.signal("SIGKILL");
    await this.#process.closed;
  }

  async #configure(config: Record<string, string | { secret: string }>): Promise<void> {
    const args = Object.entries(config).map(([key, value]) => [
      key,
      typeof value === "string" ? value : { ...SECRET, value: value.secret },
    ]);
    const request = new messages.ConfigureRequest().setArgs(toStruct(Object.fromEntries(args)));
    await this.#call("configure", request.setAcceptsecrets(true).setAcceptresources(true));
  }

  async #call<Response>(method: Method, request: unknown): Promise<Response> {
    const call = promisify(this.#client[method].bind(this.#client)) as unknown as Call<Response>;
    try {
      return await call(request, new grpc.Metadata(), { deadline: Date.now() + CALL_TIMEOUT_MS });
    } catch (error) {
      throw new PluginHostError(error as grpc.ServiceError);
    }
  }
}

type Method = "configure" | "check" | "diff" | "create" | "read" | "update" | "delete";

type Call<Response> = (...args: [request: unknown, grpc.Metadata, grpc.CallOptions]) => Promise<Response>;

class HostProcess {
  stdout = "";
  stderr = "";
  /** Resolves when the process has ended and its output is complete. */
  readonly closed: Promise<unknown>;
  readonly #child: ChildProcess;

  constructor({ folder, env }: PluginHostOptions) {
    // The argument is the engine's address, which the host never calls.
    this.#child = spawn("/bin/sh", [launcherFile(), "127.0.0.1:1"], {
      cwd: folder,
      env: { ...cleanEnv(), ...env },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.closed = once(this.#child, "close");
    for (const stream of ["stdout", "stderr"] as const) {
      this.#child[stream]?.setEncoding("utf8").on("data", (text: string) => {
        this[stream] += text;
      });
    }
  }

  /** The port, which the host prints when it listens. When the SDK is not found, it ends with exit code 0. */
  port(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#child.stdout?.on("data", () => {
        const port = /^(\d+)\n/.exec(this.stdout)?.[1];
        if (port) resolve(port);
      });
      const fail = () => reject(new Error(`The plugin host did not start:\n${this.stdout}${this.stderr}`));
      this.closed.then(fail, reject);
    });
  }

  signal(name: NodeJS.Signals): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, name);
    } catch {
      // The process has ended already.
    }
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
