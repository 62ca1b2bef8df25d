import type { LoggedRequest } from "./request-log.ts";

/**
 * How far a request has come. "arrived": it was read, and nothing is done yet. "handled": Atlas, or a fault,
 * has decided on the answer, and none of it is sent. "answered": all that will be sent was sent; not reached
 * when there is no answer.
 */
export type Stage = "arrived" | "handled" | "answered";

/**
 * Watches requests. A request waits at each stage until the listener is done. "cut" loses what comes next, with
 * the connection: at "arrived" the request itself, so that Atlas does not do the work; at "handled" the answer.
 */
export type RequestListener = (request: LoggedRequest, stage: Stage) => Watched | Promise<Watched>;

// biome-ignore lint/suspicious/noConfusingVoidType: a listener may return nothing
type Watched = void | "cut";

/** The listeners to the stages of all requests. */
export class Stages {
  readonly #listeners = new Set<RequestListener>();

  /** Adds a listener, and returns what removes it. */
  listen(listener: RequestListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Waits for every listener, and says whether one of them cuts the connection. */
  async reach(request: LoggedRequest, stage: Stage): Promise<boolean> {
    let isCut = false;
    for (const listener of this.#listeners) {
      if ((await listener(request, stage)) === "cut") isCut = true;
    }
    return isCut;
  }
}
