/** Every error that this package raises on purpose. */
export class AtlasError extends Error {
  override readonly name: string = "AtlasError";
}

/** The settings do not allow a request: no credentials, half a pair, a server that is not one. */
export class AtlasConfigError extends AtlasError {
  override readonly name = "AtlasConfigError";
}

/** No complete answer came from Atlas: no connection, a timeout, or an answer that broke off. */
export class AtlasNetworkError extends AtlasError {
  override readonly name = "AtlasNetworkError";
  readonly method: string;
  readonly path: string;
  /** Whether the request may have reached Atlas, which may then have carried it out. */
  readonly sent: boolean;

  constructor(method: string, path: string, reason: string, sent = true) {
    super(`${method} ${path}: ${reason}`);
    this.method = method;
    this.path = path;
    this.sent = sent;
  }
}

/** What is known of an answer that was not the one asked for. Never its headers or its body. */
export interface AtlasApiFailure {
  /** HTTP status. */
  status: number;
  /** Atlas's own name of the error. Many recorded answers have none. */
  errorCode?: string | undefined;
  /** One sentence: Atlas's own, or ours about an answer that is not what the endpoint promises. */
  detail: string;
  method: string;
  path: string;
  /** What to do next. */
  advice?: string | undefined;
}

/** Atlas answered, and the answer is an error or not what the endpoint promises. */
export class AtlasApiError extends AtlasError {
  override readonly name = "AtlasApiError";
  readonly status: number;
  readonly errorCode: string | undefined;
  readonly detail: string;
  readonly method: string;
  readonly path: string;

  constructor({ status, errorCode, detail, method, path, advice }: AtlasApiFailure) {
    const answer = `${method} ${path} answered ${status}${errorCode ? ` ${errorCode}` : ""}: ${detail}`;
    super(advice ? `${answer}${/[.!?]$/.test(detail) ? "" : "."} ${advice}` : answer);
    this.status = status;
    this.errorCode = errorCode;
    this.detail = detail;
    this.method = method;
    this.path = path;
  }
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
