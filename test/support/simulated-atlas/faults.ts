import { setTimeout } from "node:timers/promises";
import type { Answer } from "./answer.ts";
import type { LoggedRequest } from "./request-log.ts";

/**
 * Whether a fault strikes before Atlas has done the work, while Atlas is at work, or after it. "during": the
 * client sees the fault at once, and Atlas does the work later, even if the client is gone.
 */
export type When = "before" | "during" | "after";

/** When Atlas does the work after a fault that strikes "during" it. */
export interface LateWork {
  /** Atlas does the work once this is resolved. */
  until?: Promise<unknown>;
  /**
   * Without `until`: after this time, in ms.
   * @default 350, because 326 to 358 ms were recorded for an invitation
   */
  afterMs?: number;
}

/** What goes wrong. */
export type Fault =
  /** This answer in place of Atlas's own; a body that is no string is sent as JSON. */
  | ({ status: number; body?: unknown; headers?: Record<string, string>; when?: When } & LateWork)
  /** The connection is destroyed without an answer. */
  | ({ cut: When } & LateWork)
  /** No answer ever comes; the connection stays open until the client or the simulator closes it. */
  | ({ hang: When } & LateWork)
  /** The right answer, but only once the promise is resolved. */
  | { until: Promise<unknown>; when?: Exclude<When, "during"> }
  /** The right answer, damaged on its way, always after the work was done. */
  | { damage: Damage }
  /** The right answer, too slow or too long, always after the work was done. */
  | Slowness;

/**
 * The connection is destroyed after "half head": a part of the headers; "head alone": all headers and none of
 * the body; "half body"; "all but a byte" of the body; "no last chunk": the whole body, whose length was not
 * announced, without its end. "short length": a Content-Length that ends the body too early. "long length": a
 * Content-Length that waits for more than there is.
 */
export type Damage =
  | "half head"
  | "head alone"
  | "half body"
  | "all but a byte"
  | "no last chunk"
  | "short length"
  | "long length";

/** A body that makes the client wait. */
export type Slowness =
  /** It comes byte by byte; each waits for what the function returns, given the number of bytes already sent. */
  | { drip: (sent: number) => unknown }
  /** So many bytes of white space come before it, and no length is announced. */
  | { huge: number };

/** Which requests a fault strikes. */
export interface FaultMatch {
  method?: string;
  /**
   * Tested against the request target, with its query.
   * @default everything but OAuth, so that a fault means the same for every kind of credentials
   */
  path?: RegExp;
  /**
   * Strike requests whose credentials were verified (true), the others (false), or all of them.
   * @default true
   */
  authenticated?: boolean | "either";
  /**
   * How many requests are struck.
   * @default 1
   */
  times?: number;
}

/** A fault that was ordered. */
export interface OrderedFault {
  /** Resolves when the fault has struck its first request, before the request is handled. */
  struck: Promise<void>;
  /** Strikes nothing more. */
  lift(): void;
}

/** What is left to send after a fault: an answer, whole or damaged, or nothing. */
export type Delivery = { answer: Answer; damage?: Damage | Slowness } | { nothing: "cut" | "hang" };

interface Pending {
  match: FaultMatch;
  fault: Fault;
  left: number;
  strike: () => void;
}

/** The faults ordered by a test, oldest first. */
export class Faults {
  readonly #pending: Pending[] = [];
  readonly #stopped = new AbortController();

  order({
    method,
    path = /^(?!\/api\/oauth\/)/,
    authenticated,
    times = 1,
    ...fault
  }: FaultMatch & Fault): OrderedFault {
    let strike = () => {};
    const struck = new Promise<void>((resolve) => {
      strike = resolve;
    });
    const match = { ...(method && { method }), path, authenticated: authenticated ?? true };
    const pending: Pending = { match, fault, left: times, strike };
    this.#pending.push(pending);
    return {
      struck,
      lift: () => {
        pending.left = 0;
      },
    };
  }

  /** Handles a request, with the oldest fault that matches it. */
  async deliver(request: LoggedRequest, handle: () => Answer): Promise<Delivery> {
    const pending = this.#pending.find(({ match, left }) => left > 0 && matches(match, request));
    if (!pending) return { answer: handle() };
    pending.left -= 1;
    pending.strike();
    return this.#strike(pending.fault, handle);
  }

  /** Drops the work that Atlas would still do. */
  stop(): void {
    this.#stopped.abort();
  }

  async #strike(fault: Fault, handle: () => Answer): Promise<Delivery> {
    if ("status" in fault) {
      const { status, body = "", headers, when = "before" } = fault;
      this.#work(when, fault, handle);
      return { answer: { status, body, ...(headers && { headers }) } };
    }
    if ("cut" in fault) {
      this.#work(fault.cut, fault, handle);
      return { nothing: "cut" };
    }
    if ("hang" in fault) {
      this.#work(fault.hang, fault, handle);
      return { nothing: "hang" };
    }
    if ("until" in fault) {
      if (fault.when !== "after") await fault.until;
      const answer = handle();
      await fault.until;
      return { answer };
    }
    return { answer: handle(), damage: "damage" in fault ? fault.damage : fault };
  }

  /** Does the work of a request whose own answer is never sent. */
  #work(when: When, { until, afterMs = 350 }: LateWork, handle: () => Answer): void {
    if (when === "after") handle();
    if (when !== "during") return;
    const { signal } = this.#stopped;
    const workLate = () => {
      if (!signal.aborted) handle();
    };
    // A timer that is stopped rejects.
    (until ?? setTimeout(afterMs, undefined, { signal })).then(workLate, () => {});
  }
}

function matches({ method, path, authenticated }: FaultMatch, request: LoggedRequest): boolean {
  return (
    (method === undefined || method === request.method) &&
    (path === undefined || path.test(request.path)) &&
    (authenticated === "either" || authenticated === request.authenticated)
  );
}
