import type { LoggedRequest } from "./request-log.ts";

/**
 * How far a request has come. "arrived": it is read, and nothing is done yet. "handled": the answer is decided,
 * and nothing of it is sent. "answered": the answer is sent; a request without an answer never reaches this.
 */
export type Stage = "arrived" | "handled" | "answered";

/**
 * Receives each request at each stage; the request waits until the listener is done. A listener that returns
 * "cut" closes the connection: at "arrived" Atlas does not do the work, at "handled" the answer is lost.
 */
export type RequestListener = (
  request: LoggedRequest,
  stage: Stage,
) => ListenerResult | Promise<ListenerResult>;

// biome-ignore lint/suspicious/noConfusingVoidType: a listener may return nothing
type ListenerResult = void | "cut";
