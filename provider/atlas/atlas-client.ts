import * as v from "valibot";
import type { Auth } from "./auth.ts";
import { type Clock, duration } from "./clock.ts";
import { hintFor } from "./error-hints.ts";
import { AtlasApiError, type AtlasApiFailure, AtlasError, asSentence } from "./errors.ts";
import type { RateLimiter } from "./limits/rate-limiter.ts";
import {
  classifyFailure,
  type FailureKind,
  parseInvitationRate,
  RETRY_POLICIES,
  retryAfterMs,
  retryDelayMs,
  SETTLE_MS,
} from "./retry.ts";
import type { HttpResponse, Transport } from "./transport.ts";

export interface AtlasClientOptions {
  transport: Transport;
  limits: RateLimiter;
  clock: Clock;
  auth: Auth;
  /** Where the credentials were read, for errors: names, never values. */
  credentialsSource: string;
  /** Takes the one line that tells the user of a wait. */
  notify: (line: string) => void;
  /** Takes one line a request, where the user asked for them. */
  debug?: ((line: string) => void) | undefined;
}

/** What bounds an operation as a whole: its requests, look-ups, tokens and waits. */
export interface Bounds {
  /** When it is given up, in ms of the monotonic clock. */
  deadline: number;
  /** Aborted when the run is cancelled: nothing more is sent then. */
  signal?: AbortSignal | undefined;
  /** Whether it is a recheck that a request waits for which has its credentials already. */
  isRecheck?: boolean;
}

export interface AtlasRequest {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** The path, with its query. */
  path: string;
  /** The media type that names the version of the API, for `Accept` and for the body. */
  mediaType: string;
  /** A document; or a form, where the endpoint takes one. */
  body?: object | undefined;
  form?: Record<string, string>;
  /** Whom or what it is about, for the line that says who waits. */
  subject: string;
  bounds: Bounds;
  /** Whether Atlas sends an e-mail for it. */
  invites?: boolean;
  /**
   * Called immediately before the request is sent again although Atlas may have carried it out, and before it is sent
   * after a wait, of whatever kind: throws where the work is done, or where what the request is based on has
   * changed. A POST without it is never repeated in the first case.
   */
  recheck?: ((bounds: Bounds) => Promise<void>) | undefined;
  /** Whether `recheck` is called before the first try, too. */
  isUnchecked?: boolean;
}

// Below this, a wait is not worth a line.
const WORTH_A_LINE_MS = 2_000;
// A wait in which people can act: the round trip of a challenge is shorter. An invitation is based on a list that may
// be half a minute old anyway (`People`).
const RECHECK_AFTER_MS = 500;
const RECHECK_INVITATION_AFTER_MS = 10_000;

/** The Atlas Administration API: one kind of credentials, and one policy for everything that can go wrong. */
export class AtlasClient {
  readonly #options: AtlasClientOptions;

  constructor(options: AtlasClientOptions) {
    this.#options = options;
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
  async sendWithoutBody(request: AtlasRequest): Promise<true> {
    const answer = await this.#send(request);
    if (answer.text.trim() === "" || v.is(v.strictObject({}), parseJson(answer.text))) return true;
    throw this.#unexpected(request, answer);
  }

  /** The answer that was asked for, however often it takes. */
  async #send(request: AtlasRequest): Promise<HttpResponse> {
    const { limits, clock } = this.#options;
    const freshness: Freshness = {
      checkedAt: request.isUnchecked ? Number.NEGATIVE_INFINITY : clock.monotonic(),
      mayBeDone: false,
      failed: false,
    };
    for (let tries = 1, failures = 0; ; tries++) {
      await limits.acquire(request, request.bounds.deadline);
      const outcome = await this.#try(request, freshness, tries);
      if (!("error" in outcome)) return outcome.answer;
      // The recheck has repeated its own requests already.
      if (freshness.failed) throw outcome.error;
      const ending = classifyFailure(outcome.error);
      // A request that was told to wait has not failed.
      if (RETRY_POLICIES[ending].tries) failures += 1;
      await this.#prepareRepeat(request, { ...outcome, ending, tries, failures });
      freshness.mayBeDone = RETRY_POLICIES[ending].repeat === "lookFirst";
    }
  }

  async #try(
    request: AtlasRequest,
    freshness: Freshness,
    tries: number,
  ): Promise<{ answer: HttpResponse } | Failed> {
    const { limits, clock, debug } = this.#options;
    const askedAt = clock.monotonic();
    let said: unknown = "no answer";
    try {
      await this.#recheckUnlessFresh(request, freshness, request.bounds);
      const answer = await this.#exchange(request, freshness);
      said = answer.status;
      limits.updateFromHeaders(request, answer);
      if (answer.status < 300) return { answer };
      const failure = parseFailure(answer);
      return { answer, failure, error: this.#error(request, answer, failure) };
    } catch (error) {
      return { error };
    } finally {
      const tookMs = Math.round(clock.monotonic() - askedAt);
      debug?.(`${request.method} ${request.path} ${said} ${tookMs} ms, try ${tries}`);
    }
  }

  /** A token that has to be renewed, or a challenge that is slow, is a wait like any other. */
  async #recheckUnlessFresh(
    { recheck, invites, method, path }: AtlasRequest,
    freshness: Freshness,
    bounds: Bounds,
  ): Promise<void> {
    const { clock } = this.#options;
    const freshForMs = invites ? RECHECK_INVITATION_AFTER_MS : RECHECK_AFTER_MS;
    if (recheck && (freshness.mayBeDone || clock.monotonic() - freshness.checkedAt > freshForMs)) {
      freshness.failed = true;
      await recheck(bounds);
      freshness.failed = false;
      freshness.checkedAt = clock.monotonic();
      freshness.mayBeDone = false;
    }
    if (bounds.signal?.aborted) {
      throw new AtlasError(`The run was cancelled before ${method} ${path} was sent.`);
    }
  }

  #exchange(request: AtlasRequest, freshness: Freshness): Promise<HttpResponse> {
    const { method, path, mediaType, body, form, bounds } = request;
    const { auth, transport } = this.#options;
    const contentType = form ? "application/x-www-form-urlencoded" : body && mediaType;
    const content = form ? new URLSearchParams(form).toString() : body && JSON.stringify(body);
    return auth.send({ method, target: path, bounds }, async (authorization) => {
      // Atlas carries nothing out without one.
      if (authorization) await this.#recheckUnlessFresh(request, freshness, { ...bounds, isRecheck: true });
      const message = {
        method,
        target: path,
        headers: {
          accept: mediaType,
          ...(authorization && { authorization }),
          ...(contentType && { "content-type": contentType }),
        },
        body: content,
      };
      // What a look has just allowed does not wait behind other requests for a connection.
      return transport.send(message, Boolean(authorization && request.recheck && !request.invites));
    });
  }

  /** Waits as the policy says; throws where the request is not to be sent again. */
  async #prepareRepeat(
    request: AtlasRequest,
    { error, answer, failure, ending, tries, failures }: Failed & History,
  ): Promise<void> {
    const { limits, clock, notify } = this.#options;
    const { deadline } = request.bounds;
    const { repeat, tries: most, wait } = RETRY_POLICIES[ending];
    const isBlind = repeat === "lookFirst" && request.method === "POST" && !request.recheck;
    if (repeat === "never" || isBlind) throw error;
    if (failures === most) throw appendToMessage(error, `Tried ${tries} times.`);

    if (wait === "gate" && request.invites && failure) {
      limits.onInvitationThrottle(parseInvitationRate(failure.parameters, failure.detail));
    } else {
      const asked = answer && retryAfterMs(answer.headers["retry-after"], clock.now());
      // Atlas may still be at work on an invitation whose answer was lost.
      const floorMs = repeat === "lookFirst" && request.invites ? SETTLE_MS : 0;
      // A Retry-After of 0 s still gets a backoff.
      const waitMs = asked
        ? Math.max(asked, floorMs)
        : retryDelayMs({ attempts: tries, random: clock.random(), floorMs });
      if (clock.monotonic() + waitMs > deadline) {
        const wait = `Waiting ${duration(waitMs)} more for it is longer than mongodbatlas:maxWait allows.`;
        throw appendToMessage(error, wait);
      }
      if (ending === "limited") {
        limits.onTooManyRequests(request, waitMs);
      } else {
        if (waitMs - floorMs >= WORTH_A_LINE_MS) {
          notify(`${request.subject} waits ${duration(waitMs)}: ${asSentence(error)}`);
        }
        await clock.sleep(waitMs);
      }
    }
  }

  #unexpected(
    request: AtlasRequest,
    answer: HttpResponse,
    reason = `it holds ${describeBody(answer)}`,
  ): AtlasApiError {
    return this.#error(request, answer, {
      detail: `this is not an answer that the endpoint promises: ${reason}`,
    });
  }

  #error(
    { method, path }: AtlasRequest,
    { status }: HttpResponse,
    failure: Pick<AtlasApiFailure, "errorCode" | "detail">,
  ): AtlasApiError {
    const advice = hintFor(status, failure.errorCode, this.#options.credentialsSource);
    return new AtlasApiError({ ...failure, status, method, path, advice });
  }
}

/** How old the look-up is that a request is based on. */
interface Freshness {
  /** In ms of the monotonic clock. */
  checkedAt: number;
  /** Whether an earlier try may have been carried out. */
  mayBeDone: boolean;
  /** Whether the recheck has thrown. */
  failed: boolean;
}

interface Failed {
  error: unknown;
  answer?: HttpResponse;
  failure?: Failure;
}

interface History {
  ending: FailureKind;
  tries: number;
  /** The tries of which there may be only so many. */
  failures: number;
}

type Failure = Pick<AtlasApiFailure, "errorCode" | "detail"> & { parameters: unknown[] };

/** The same error, with one more sentence. */
function appendToMessage(error: unknown, note: string): Error {
  return Object.assign(error as Error, { message: `${asSentence(error)} ${note}` });
}

/** Recorded errors lack the code, carry null, or are empty or HTML: nothing in them is relied on. */
const ApiError = v.object({
  errorCode: v.fallback(v.optional(v.string()), undefined),
  detail: v.fallback(v.optional(v.string()), undefined),
  reason: v.fallback(v.optional(v.string()), undefined),
  parameters: v.fallback(v.array(v.unknown()), []),
  // The token endpoint's own, by OAuth 2.0 (RFC 6749, 5.2); elsewhere `error` is the status.
  error: v.fallback(v.optional(v.string()), undefined),
  error_description: v.fallback(v.optional(v.string()), undefined),
});

function parseFailure(answer: HttpResponse): Failure {
  const parsed = v.safeParse(ApiError, parseJson(answer.text));
  if (!parsed.success) return { detail: `with ${describeBody(answer)}`, parameters: [] };
  const { errorCode, error, detail, error_description, reason, parameters } = parsed.output;
  return {
    errorCode: errorCode ?? error,
    detail: detail || error_description || reason || "without a reason",
    parameters,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function describeBody({ text }: HttpResponse): string {
  if (text.trim() === "") return "an empty body";
  if (parseJson(text) !== undefined) return "JSON of another kind";
  return text.trimStart().startsWith("<") ? "HTML" : "something that is not whole JSON";
}
