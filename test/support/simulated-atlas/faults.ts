import type { Answer } from "./answer.ts";
import type { LoggedRequest } from "./request-log.ts";

/**
 * Whether a fault comes before Atlas does the work of the request, during the work, or after it. "during": the
 * client sees the fault at once, and Atlas does the work later, even if the client has disconnected.
 */
export type When = "before" | "during" | "after";

interface LateWork {
  /** Atlas does the work after a fault "during" it once this is resolved. */
  until?: Promise<unknown>;
}

export type Fault =
  /** This answer instead of the answer of Atlas. A body that is no string is sent as JSON. */
  | ({ status: number; body?: unknown; headers?: Record<string, string>; when?: When } & LateWork)
  /** The connection is destroyed without an answer. */
  | ({ cut: When } & LateWork)
  /** No answer is sent. The connection stays open until the client or the simulator closes it. */
  | ({ hang: When } & LateWork)
  /** The right answer, once the promise is resolved. */
  | { until: Promise<unknown>; when?: Exclude<When, "during"> }
  /** The right answer, damaged after the work. */
  | { damage: Damage }
  /** The right answer, with a body of unknown length that starts with this number of bytes of white space. */
  | { huge: number };

/**
 * The connection is destroyed after "half head": a part of the headers; "head alone": all headers and none of
 * the body; "half body"; "all but a byte" of the body; "no last chunk": a body of unknown length without its
 * end. "long length": a Content-Length of a byte more than the body.
 */
export type Damage =
  | "half head"
  | "head alone"
  | "half body"
  | "all but a byte"
  | "no last chunk"
  | "long length";

/** The requests that a fault applies to. */
export interface FaultMatch {
  method?: string;
  /**
   * Tested against the request target, with its query.
   * @default all paths but OAuth, so that a fault means the same for every kind of credentials
   */
  path?: RegExp;
  /**
   * Requests with valid credentials (true), without (false), or both.
   * @default true
   */
  authenticated?: boolean | "either";
  /**
   * The number of requests.
   * @default 1
   */
  times?: number;
}

/** A fault that is set. */
export interface OrderedFault {
  /** Resolves when the fault applies to its first request, before the request is handled. */
  struck: Promise<void>;
  /** Ends the fault for future requests. */
  lift(): void;
}

/** What is sent: an answer, whole or damaged, or nothing. */
export type Delivery =
  | { answer: Answer; damage?: Damage | "huge"; padding?: number }
  | { nothing: "cut" | "hang" };

interface PendingFault {
  applies: (request: LoggedRequest) => boolean;
  fault: Fault;
  left: number;
  strike: () => void;
}

/** The faults that a test has set, oldest first. */
export class Faults {
  readonly #pending: PendingFault[] = [];

  order(ordered: FaultMatch & Fault): OrderedFault {
    const { method, path = /^(?!\/api\/oauth\/)/, authenticated = true, times = 1, ...fault } = ordered;
    const applies = (request: LoggedRequest) =>
      (method === undefined || method === request.method) &&
      path.test(request.path) &&
      (authenticated === "either" || authenticated === request.authenticated);
    const pending: PendingFault = { applies, fault, left: times, strike: () => {} };
    this.#pending.push(pending);
    return {
      struck: new Promise<void>((resolve) => {
        pending.strike = resolve;
      }),
      lift: () => {
        pending.left = 0;
      },
    };
  }

  /** Handles a request, with the oldest fault that applies to it. */
  async deliver(request: LoggedRequest, handle: () => Answer): Promise<Delivery> {
    const pending = this.#pending.find(({ applies, left }) => left > 0 && applies(request));
    if (!pending) return { answer: handle() };
    pending.left -= 1;
    pending.strike();
    return this.#apply(pending.fault, handle);
  }

  async #apply(fault: Fault, handle: () => Answer): Promise<Delivery> {
    if ("status" in fault) {
      const { status, body = "", headers, when = "before" } = fault;
      this.#work(when, fault, handle);
      return { answer: { status, body, ...(headers && { headers }) } };
    }
    if ("cut" in fault || "hang" in fault) {
      this.#work("cut" in fault ? fault.cut : fault.hang, fault, handle);
      return { nothing: "cut" in fault ? "cut" : "hang" };
    }
    if ("until" in fault) {
      if (fault.when !== "after") await fault.until;
      const answer = handle();
      await fault.until;
      return { answer };
    }
    const answer = handle();
    return "huge" in fault
      ? { answer, damage: "huge", padding: fault.huge }
      : { answer, damage: fault.damage };
  }

  /** Does the work of a request whose answer is not sent. */
  #work(when: When, { until }: LateWork, handle: () => Answer): void {
    if (when === "after") handle();
    if (when === "during") void until?.then(handle);
  }
}
