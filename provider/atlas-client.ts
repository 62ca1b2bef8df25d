import { Agent, request as httpRequest } from "undici";
import * as v from "valibot";
import { adviceFor } from "./advice.ts";
import type { Auth, Challengeable } from "./auth.ts";
import { AtlasApiError, type AtlasApiFailure, AtlasNetworkError } from "./errors.ts";

export interface AtlasClientOptions {
  /** The origin of Atlas. */
  baseUrl: string;
  auth: Auth;
  /** Where the credentials were read, for errors: names, never values. */
  credentialsSource: string;
  /** How long a connection may take to open. @default 10000 */
  connectTimeoutMs?: number;
  /** How long one HTTP request may take as a whole, its answer included. @default 60000 */
  requestTimeoutMs?: number;
}

export interface AtlasRequest {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** The path, with its query. */
  path: string;
  /** The media type that names the version of the API, for `Accept` and for the body. */
  mediaType: string;
  body?: unknown;
}

interface Answer extends Challengeable {
  text: string;
}

/** The Atlas Administration API over HTTPS: one pool of connections, one kind of credentials. */
export class AtlasClient {
  readonly #baseUrl: string;
  readonly #auth: Auth;
  readonly #credentialsSource: string;
  readonly #requestTimeoutMs: number;
  readonly #pool: Agent;

  constructor(options: AtlasClientOptions) {
    this.#baseUrl = options.baseUrl;
    this.#auth = options.auth;
    this.#credentialsSource = options.credentialsSource;
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 60_000;
    this.#pool = new Agent({ connect: { timeout: options.connectTimeoutMs ?? 10_000 } });
  }

  /**
   * Sends a request that is answered with a document, and parses it.
   *
   * @throws AtlasApiError for an error, and for an answer that is not what `schema` promises.
   * @throws AtlasNetworkError when no complete answer came.
   */
  async fetch<Schema extends v.GenericSchema>(
    request: AtlasRequest,
    schema: Schema,
  ): Promise<v.InferOutput<Schema>> {
    const answer = await this.#send(request);
    const parsed = v.safeParse(schema, parseJson(answer.text));
    if (parsed.success) return parsed.output;
    // The issue's own message quotes the answer.
    const place = v.getDotPath(parsed.issues[0]);
    throw this.#unexpected(request, answer, place ? `its ${place} is missing or of another kind` : undefined);
  }

  /**
   * Sends a request that is answered with nothing, or, as the v1.0 page says, with an empty document.
   *
   * @throws AtlasApiError for an error, and for any other answer.
   * @throws AtlasNetworkError when no complete answer came.
   */
  async command(request: AtlasRequest): Promise<true> {
    const answer = await this.#send(request);
    if (answer.text.trim() === "" || v.is(v.strictObject({}), parseJson(answer.text))) return true;
    throw this.#unexpected(request, answer);
  }

  async #send(request: AtlasRequest): Promise<Answer> {
    const { method, path } = request;
    const answer = await this.#auth.send({ method, target: path }, (authorization) =>
      this.#dispatch(request, authorization),
    );
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw this.#error(request, answer, failureOf(answer));
  }

  #unexpected(request: AtlasRequest, answer: Answer, reason = `it holds ${nature(answer)}`): AtlasApiError {
    return this.#error(request, answer, {
      detail: `this is not an answer that the endpoint promises: ${reason}`,
    });
  }

  #error(
    { method, path }: AtlasRequest,
    { status }: Answer,
    failure: Pick<AtlasApiFailure, "errorCode" | "detail">,
  ): AtlasApiError {
    const advice = adviceFor(status, failure.errorCode, this.#credentialsSource);
    return new AtlasApiError({ ...failure, status, method, path, advice });
  }

  async #dispatch(
    { method, path, mediaType, body }: AtlasRequest,
    authorization: string | undefined,
  ): Promise<Answer> {
    let status: number | undefined;
    try {
      const response = await httpRequest(this.#baseUrl + path, {
        dispatcher: this.#pool,
        signal: AbortSignal.timeout(this.#requestTimeoutMs),
        method,
        headers: {
          accept: mediaType,
          ...(authorization && { authorization }),
          ...(body !== undefined && { "content-type": mediaType }),
        },
        body: body === undefined ? null : JSON.stringify(body),
      });
      status = response.statusCode;
      return { status, headers: response.headers, text: await response.body.text() };
    } catch (error) {
      const reason = this.#reason(error as NodeJS.ErrnoException);
      throw new AtlasNetworkError(
        method,
        path,
        status === undefined ? reason : `the answer, status ${status}, broke off: ${reason}`,
      );
    }
  }

  #reason(error: NodeJS.ErrnoException): string {
    if (error.name === "TimeoutError") return `no complete answer within ${this.#requestTimeoutMs / 1000} s`;
    // Trying several addresses of a host fails with a code and no message.
    return `the connection to ${this.#baseUrl} failed: ${error.message || error.code}`;
  }
}

/** Recorded errors lack the code, carry null, or are empty or HTML: nothing in them is relied on. */
const ApiError = v.object({
  errorCode: v.fallback(v.optional(v.string()), undefined),
  detail: v.fallback(v.optional(v.string()), undefined),
  reason: v.fallback(v.optional(v.string()), undefined),
});

function failureOf(answer: Answer): Pick<AtlasApiFailure, "errorCode" | "detail"> {
  const parsed = v.safeParse(ApiError, parseJson(answer.text));
  if (!parsed.success) return { detail: `with ${nature(answer)}` };
  const { errorCode, detail, reason } = parsed.output;
  return { errorCode, detail: detail || reason || "without a reason" };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function nature({ text }: Answer): string {
  if (text.trim() === "") return "an empty body";
  if (parseJson(text) !== undefined) return "JSON of another kind";
  return text.trimStart().startsWith("<") ? "HTML" : "something that is not whole JSON";
}
