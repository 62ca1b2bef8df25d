/** Counts the events in a window of time that ends now. All times are in ms. */
export class SlidingWindow {
  #times: number[] = [];

  /** The time until one more event fits, 0 if it fits now. */
  waitMs(now: number, limit: number, lengthMs: number): number {
    this.#times = this.#times.filter((time) => now - time < lengthMs);
    if (this.#times.length < limit) return 0;
    // One more fits when all but the last limit - 1 have left the window.
    return (this.#times.at(-limit) ?? now) + lengthMs - now;
  }

  add(now: number): void {
    this.#times.push(now);
  }
}
