import type { Bounds } from "../bounds.ts";

/** The part of a response that credentials depend on. */
export interface ResponseHead {
  status: number;
  headers: Record<string, string | string[] | undefined>;
}

/** The part of a request that credentials depend on. */
export interface RequestLine {
  method: string;
  /** The path with its query. */
  target: string;
  bounds: Bounds;
}

/** Sends the request once, with this `Authorization` header or without one. */
export type SendOnce<Response> = (authorization?: string) => Promise<Response>;

/** Credentials, and how a request presents them. */
export interface Auth {
  /** Sends the request, again where the server asks for other credentials, and returns the last answer. */
  send<Response extends ResponseHead>(request: RequestLine, sendOnce: SendOnce<Response>): Promise<Response>;
}

/** Credentials that are the same for every request, such as an access token. */
export class StaticAuth implements Auth {
  readonly #authorization: string;

  constructor(authorization: string) {
    this.#authorization = authorization;
  }

  send<Response extends ResponseHead>(
    _request: RequestLine,
    sendOnce: SendOnce<Response>,
  ): Promise<Response> {
    return sendOnce(this.#authorization);
  }
}
