/** Why a request to Atlas, or a look-up, did not succeed. */
export type AtlasErrorKind =
  /** Atlas answered with an error, or with a response that does not match the API: an {@link AtlasApiError}. */
  | "api"
  /** No complete answer came: an {@link AtlasNetworkError}. */
  | "network"
  /** The certificate of the server is not trusted. */
  | "untrustedCertificate"
  /** The proxy of the environment is not a URL. */
  | "invalidProxy"
  /** Atlas's limits would take longer than the operation may wait. */
  | "waitTooLong"
  /** The run was cancelled before the request was sent, or before it was sent again. */
  | "cancelled"
  /** What the request was based on has changed. */
  | "stale"
  /** Atlas issued no access token for the service account. */
  | "noToken"
  /** The pages of a list did not fit together. */
  | "inconsistentPages"
  /** The entry of a list about the person cannot be used. */
  | "unusableEntry"
  /** A look-up failed, so that the status of the person is unknown. */
  | "unknownPerson"
  /** Atlas has a membership status that this version does not know. */
  | "unknownStatus";

/**
 * Every error that this package raises on purpose.
 *
 * `message` says what happened and why, in words that fit every tool. An adapter adds the next step in the words of its
 * tool, by `kind`.
 */
export class AtlasError<Kind extends string = AtlasErrorKind> extends Error {
  override readonly name: string = "AtlasError";
  readonly kind: Kind;

  constructor(kind: NoInfer<Kind>, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** No complete answer came from Atlas: no connection, a timeout, or an answer that broke off. */
export class AtlasNetworkError extends AtlasError {
  override readonly name = "AtlasNetworkError";
  readonly method: string;
  readonly path: string;
  /** Whether the request may have reached Atlas, which may then have carried it out. */
  readonly sent: boolean;

  constructor(method: string, path: string, reason: string, sent = true) {
    super("network", `${method} ${path}: ${reason}`);
    this.method = method;
    this.path = path;
    this.sent = sent;
  }
}

/** The facts of an error response that are kept. Never its headers or its body. */
export interface AtlasApiFailure {
  /** HTTP status. */
  status: number;
  /** Atlas's own name of the error. Many recorded answers have none. */
  errorCode?: string | undefined;
  /** Atlas's own sentence, or a description of a response that does not match the API. */
  detail: string;
  method: string;
  path: string;
  /** What to check, in Atlas or in the settings. */
  hint?: string | undefined;
}

/** Atlas answered with an error, or with a response that does not match the API. */
export class AtlasApiError extends AtlasError {
  override readonly name = "AtlasApiError";
  readonly status: number;
  readonly errorCode: string | undefined;
  readonly detail: string;
  readonly method: string;
  readonly path: string;

  constructor({ status, errorCode, detail, method, path, hint }: AtlasApiFailure) {
    const answer = `${method} ${path} answered ${status}${errorCode ? ` ${errorCode}` : ""}: ${detail}`;
    super("api", hint ? `${answer}${/[.!?]$/.test(detail) ? "" : "."} ${hint}` : answer);
    this.status = status;
    this.errorCode = errorCode;
    this.detail = detail;
    this.method = method;
    this.path = path;
  }
}

/** The run was cancelled, so that a request was not sent, or not sent again. */
export function cancelledError(subject: string): AtlasError {
  return new AtlasError("cancelled", `The run was cancelled: nothing more is sent for ${subject}.`);
}

/** Whether it is an `AtlasApiError`, of this copy of the package or of another one. */
export function isAtlasApiError(error: unknown): error is AtlasApiError {
  return error instanceof Error && error.name === "AtlasApiError";
}

/** The message of an error, so that another sentence can follow. */
export function asSentence(error: unknown): string {
  const { message } = error as Error;
  return /[.!?]$/.test(message) ? message : `${message}.`;
}
