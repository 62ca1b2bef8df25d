import * as v from "valibot";
import type { Bounds } from "../bounds.ts";
import { type Clock, duration } from "../clock.ts";
import { AtlasApiError, AtlasError, asSentence, cancelledError } from "../errors.ts";
import { parseInvitationRate } from "../limits/invitation-rate.ts";
import type { LimitedRequest, RateLimiter } from "../limits/rate-limiter.ts";
import type { Notify } from "../notice.ts";
import type { Auth } from "./auth.ts";
import { hintFor } from "./error-hints.ts";
import { type ApiFailure, describeBody, parseFailure, parseJson } from "./response-body.ts";
import {
  classifyFailure,
  type FailureKind,
  RECHECK_DELAY_MS,
  RETRY_POLICIES,
  retryAfterMs,
  retryDelayMs,
} from "./retry.ts";
import type { HttpResponse, Transport } from "./transport.ts";

export interface AtlasClientOptions {
  transport: Transport;
  rateLimiter: RateLimiter;
  clock: Clock;
  auth: Auth;
  /** Where the credentials were read, for errors: names, never values. */
  credentialsSource: string;
  /** Shows waits and, with `debug`, each request. */
  notify: Notify;
  /** Whether each request is shown, without headers and bodies. @default false */
  debug?: boolean;
}

export interface AtlasRequest extends LimitedRequest {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** The path, with its query. */
  path: string;
  /** The media type that names the version of the API, for `Accept` and for the body. */
  mediaType: string;
  /** A JSON document. An endpoint that takes a form has a `form` instead. */
  body?: object | undefined;
  form?: Record<string, string>;
  bounds: Bounds;
  /**
   * Looks up whether the request should still be sent; throws a `StaleObservationError` if not. Called immediately
   * before the request is sent after a wait, and before a retry of a request that Atlas may have carried out. A POST
   * without it is not retried in the second case.
   */
  recheck?: Recheck | undefined;
  /** Whether `recheck` is called before the first attempt, too. */
  isUnchecked?: boolean;
}

export type Recheck = (bounds: Bounds) => Promise<void>;

// A shorter wait is not shown to the user.
const MIN_REPORTED_WAIT_MS = 2_000;
// People can accept or leave during a longer wait. The round trip of a challenge is shorter. An invitation tolerates
// more, as its look-up may be 30 s old already (`MemberDirectory`).
const RECHECK_AFTER_MS = 500;
const RECHECK_INVITATION_AFTER_MS = 10_000;

/** The Atlas Administration API: credentials, limits, retries and errors of every request are handled here. */
export class AtlasClient {
  readonly #options: AtlasClientOptions;

  constructor(options: AtlasClientOptions) {
    this.#options = options;
  }

  /**
   * Sends a request and parses the document of the answer.
   *
   * @throws AtlasApiError for an error, and for an answer that `schema` does not describe.
   * @throws AtlasNetworkError when no complete answer came.
   * @throws AtlasError "waitTooLong" or "cancelled", and what `recheck` throws.
   */
  async fetch<Schema extends v.GenericSchema>(
    request: AtlasRequest,
    schema: Schema,
  ): Promise<v.InferOutput<Schema>> {
    const response = await this.#send(request);
    const parsed = v.safeParse(schema, parseJson(response.text));
    if (parsed.success) return parsed.output;
    // The issue's own message quotes the answer.
    const place = v.getDotPath(parsed.issues[0]);
    const reason = place ? `its property ${place} is missing or of another type` : undefined;
    throw this.#unexpectedResponse(request, response, reason);
  }

  /**
   * Sends a request whose answer is empty or, as the v1.0 page says, an empty document.
   *
   * @throws as `fetch`.
   */
  async sendWithoutBody(request: AtlasRequest): Promise<true> {
    const response = await this.#send(request);
    if (response.text.trim() === "" || v.is(v.strictObject({}), parseJson(response.text))) return true;
    throw this.#unexpectedResponse(request, response);
  }

  /** Sends the request until it succeeds, fails for good, or may not be retried. */
  async #send(request: AtlasRequest): Promise<HttpResponse> {
    const { rateLimiter, clock } = this.#options;
    const observation: Observation = {
      checkedAt: request.isUnchecked ? Number.NEGATIVE_INFINITY : clock.monotonic(),
      mayBeDone: false,
      recheckFailed: false,
    };
    for (let attempts = 1, countedAttempts = 0; ; attempts++) {
      await rateLimiter.acquire(request, request.bounds.deadline);
      const attempt = await this.#attempt(request, observation, attempts);
      if (!("error" in attempt)) return attempt.response;
      // The recheck has retried its own requests.
      if (observation.recheckFailed) throw attempt.error;
      const kind = classifyFailure(attempt.error);
      const { retry, maxAttempts } = RETRY_POLICIES[kind];
      // An attempt that Atlas's limits delayed does not count.
      if (maxAttempts) countedAttempts += 1;
      await this.#waitForRetry(request, { ...attempt, kind, attempts, countedAttempts });
      observation.mayBeDone = retry === "afterRecheck";
    }
  }

  async #attempt(
    request: AtlasRequest,
    observation: Observation,
    attempts: number,
  ): Promise<{ response: HttpResponse } | FailedAttempt> {
    const { rateLimiter, clock, debug, notify } = this.#options;
    const { method, path } = request;
    const startedAt = clock.monotonic();
    let outcome: unknown = "no answer";
    try {
      await this.#recheckIfOld(request, observation, request.bounds);
      const response = await this.#authenticateAndSend(request, observation);
      outcome = response.status;
      rateLimiter.updateFromHeaders(request, response.headers);
      if (response.status < 300) return { response };
      const failure = parseFailure(response.text);
      return { response, failure, error: this.#apiError(request, response, failure) };
    } catch (error) {
      return { error };
    } finally {
      if (debug) {
        const tookMs = Math.round(clock.monotonic() - startedAt);
        notify({ severity: "debug", text: `${method} ${path} ${outcome} ${tookMs} ms, attempt ${attempts}` });
      }
    }
  }

  async #recheckIfOld(
    { recheck, invites, subject }: AtlasRequest,
    observation: Observation,
    bounds: Bounds,
  ): Promise<void> {
    const { clock } = this.#options;
    const maxAgeMs = invites ? RECHECK_INVITATION_AFTER_MS : RECHECK_AFTER_MS;
    if (recheck && (observation.mayBeDone || clock.monotonic() - observation.checkedAt > maxAgeMs)) {
      observation.recheckFailed = true;
      await recheck(bounds);
      observation.recheckFailed = false;
      observation.checkedAt = clock.monotonic();
      observation.mayBeDone = false;
    }
    if (bounds.signal?.aborted) throw cancelledError(subject);
  }

  #authenticateAndSend(request: AtlasRequest, observation: Observation): Promise<HttpResponse> {
    const { method, path, mediaType, body, form, bounds, recheck, invites } = request;
    const { auth, transport } = this.#options;
    const contentType = form ? "application/x-www-form-urlencoded" : body && mediaType;
    const content = form ? new URLSearchParams(form).toString() : body && JSON.stringify(body);
    return auth.send({ method, target: path, bounds }, async (authorization) => {
      // A token that is renewed, or a slow challenge, is a wait, too. Without credentials Atlas carries nothing out.
      if (authorization) await this.#recheckIfOld(request, observation, { ...bounds, isRecheck: true });
      const headers = {
        accept: mediaType,
        ...(authorization && { authorization }),
        ...(contentType && { "content-type": contentType }),
      };
      // A request that was just rechecked does not wait behind others for a connection.
      const isFirst = Boolean(authorization && recheck && !invites);
      return transport.send({ method, target: path, headers, body: content, signal: bounds.signal }, isFirst);
    });
  }

  /** Waits before the next attempt, as the retry policy requires. Throws if the request must not be sent again. */
  async #waitForRetry(
    request: AtlasRequest,
    { error, response, failure, kind, attempts, countedAttempts }: FailedAttempt & Attempts,
  ): Promise<void> {
    const { rateLimiter, clock, notify } = this.#options;
    const { deadline, signal } = request.bounds;
    const { retry, maxAttempts, wait } = RETRY_POLICIES[kind];
    const mayBeSentTwice = retry === "afterRecheck" && request.method === "POST" && !request.recheck;
    if (retry === "never" || mayBeSentTwice) throw error;
    if (signal?.aborted) throw cancelledError(request.subject);
    if (countedAttempts === maxAttempts) throw appendToMessage(error, `Tried ${attempts} times.`);

    if (wait === "queue" && request.invites && failure) {
      rateLimiter.onInvitationThrottle(parseInvitationRate(failure.parameters, failure.detail));
      return;
    }
    const retryAfter = response && retryAfterMs(response.headers["retry-after"], clock.now());
    const floorMs = retry === "afterRecheck" && request.invites ? RECHECK_DELAY_MS : 0;
    // `Retry-After: 0` still gets a backoff.
    const waitMs = retryAfter
      ? Math.max(retryAfter, floorMs)
      : retryDelayMs({ attempts, random: clock.random(), floorMs });
    if (clock.monotonic() + waitMs > deadline) {
      const text = `The next attempt would be in ${duration(waitMs)}, longer than one operation may wait.`;
      throw new AtlasError("waitTooLong", `${asSentence(error)} ${text}`, { cause: error });
    }
    if (kind === "rateLimited") {
      rateLimiter.onTooManyRequests(request, waitMs);
      return;
    }
    if (waitMs - floorMs >= MIN_REPORTED_WAIT_MS) {
      const text = `Retrying the request for ${request.subject} in ${duration(waitMs)}: ${asSentence(error)}`;
      notify({ severity: "info", text, subject: request.person });
    }
    await clock.sleep(waitMs, signal);
  }

  #unexpectedResponse(
    request: AtlasRequest,
    response: HttpResponse,
    reason = `it holds ${describeBody(response.text)}`,
  ): AtlasApiError {
    return this.#apiError(request, response, { detail: `the response does not match the API: ${reason}` });
  }

  #apiError(
    { method, path }: AtlasRequest,
    { status }: HttpResponse,
    { errorCode, detail }: Pick<ApiFailure, "errorCode" | "detail">,
  ): AtlasApiError {
    const hint = hintFor(status, errorCode, this.#options.credentialsSource);
    return new AtlasApiError({ errorCode, detail, status, method, path, hint });
  }
}

/** What the client knows, between the attempts of a request, about its effect and about the person. */
interface Observation {
  /** When the person was looked up, in ms of the monotonic clock. */
  checkedAt: number;
  /** Whether Atlas may have carried out an earlier attempt. */
  mayBeDone: boolean;
  recheckFailed: boolean;
}

interface FailedAttempt {
  error: unknown;
  response?: HttpResponse;
  failure?: ApiFailure;
}

interface Attempts {
  kind: FailureKind;
  attempts: number;
  /** The attempts that count towards `RetryPolicy.maxAttempts`. */
  countedAttempts: number;
}

/** The same error, with one more sentence. */
function appendToMessage(error: unknown, text: string): Error {
  return Object.assign(error as Error, { message: `${asSentence(error)} ${text}` });
}
