import type { Challengeable } from "../auth.ts";
import { type Clock, duration } from "../clock.ts";
import { type Pace, paceOf } from "../retry.ts";
import { Gate, type SharedPace } from "./request-queue.ts";

/** What the limits need to know of a request. */
export interface Limited {
  path: string;
  /** Whom or what it is about, for the line that says who waits. */
  subject: string;
  /** Whether Atlas sends an e-mail for it, and so counts it for the throttle of invitations. */
  invites?: boolean | undefined;
}

export interface LimitsOptions {
  /** Who else sends invitations to this host from this machine, and so meets the same throttle. */
  shared?: SharedPace | undefined;
  /** When it aborts, the run is cancelled: everybody is rejected, who waits now or comes later. */
  signal?: AbortSignal | undefined;
}

const BUCKET = "Atlas, which limits how many requests it takes";

/**
 * What Atlas lets through, and the queues of those who wait for it: the throttle of invitations, which counts
 * by source address, and the token bucket of each set of endpoints in an organization.
 */
export class Limits {
  readonly #clock: Clock;
  readonly #notify: (line: string) => void;
  readonly #shared: SharedPace | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #invitations: Gate;
  readonly #buckets = new Map<string, Gate>();
  #pace = paceOf([], "");

  constructor(clock: Clock, notify: (line: string) => void, { shared, signal }: LimitsOptions = {}) {
    this.#clock = clock;
    this.#notify = notify;
    this.#shared = shared;
    this.#signal = signal;
    this.#invitations = new Gate(clock, notify, { shared, signal });
  }

  /**
   * Resolves when it is the turn of this request.
   *
   * @param until - By the monotonic clock.
   * @throws AtlasError at once when its turn would come later, or the run is cancelled; nothing was sent then.
   */
  async turn(request: Limited, until: number): Promise<void> {
    // First the limit that takes longer, so that whoever cannot be sent in time is told before any other wait.
    if (request.invites) {
      this.#joinOthers();
      await this.#invitations.turn(request.subject, until);
    }
    await this.#bucket(request).turn(request.subject, until);
  }

  /**
   * The throttle of invitations was met. Nobody sends one until a whole window has passed, as a refused attempt
   * may count too; then they go at its pace, 4 % slower, so that the jitter of the network, and of the look before
   * each, does not meet it again: over a window of a minute these may take two seconds more or less.
   */
  throttled(pace: Pace): void {
    this.#pace = pace;
    this.#holdInvitations(pace.windowMs);
  }

  /** A token bucket is empty for so long. */
  exhausted(request: Limited, durationMs: number): void {
    this.#bucket(request).hold(durationMs, BUCKET);
  }

  /**
   * What is left in the bucket, by the headers of an answer. In its last tenth requests go no faster than it is
   * refilled: half of it a minute (documented for these endpoints).
   */
  observe(request: Limited, { headers }: Challengeable): void {
    const limit = Number(headers["ratelimit-limit"]);
    const left = Number(headers["ratelimit-remaining"]);
    if (!(Number.isInteger(limit) && left >= 0)) return;
    this.#bucket(request).pace(left * 10 < limit ? 60_000 / (limit / 2) : 0, BUCKET);
  }

  /** Where others wait for the throttle, it would refuse what is sent at once, and perhaps count it against them. */
  #joinOthers(): void {
    if (this.#invitations.isServing || !this.#shared?.peers.others(this.#shared.topic)) return;
    this.#holdInvitations(this.#pace.windowMs / this.#pace.invitations);
  }

  #holdInvitations(durationMs: number): void {
    const { invitations, windowMs } = this.#pace;
    const why = `Atlas, which takes ${invitations} invitations in ${duration(windowMs)}`;
    this.#invitations.hold(durationMs, why);
    this.#invitations.pace((windowMs / invitations) * 1.04, why);
  }

  #bucket({ path }: Limited): Gate {
    const name = /\/orgs\/[^/]+\/[^/?]+/.exec(path)?.[0] ?? path;
    const gate = this.#buckets.get(name) ?? new Gate(this.#clock, this.#notify, { signal: this.#signal });
    this.#buckets.set(name, gate);
    return gate;
  }
}
