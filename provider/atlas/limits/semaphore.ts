/** Runs so much work at a time; the rest waits in its order. */
export class Semaphore {
  #free: number;
  readonly #first: (() => void)[] = [];
  readonly #queue: (() => void)[] = [];

  constructor(permits: number) {
    this.#free = permits;
  }

  /** @param isFirst - Whether it goes before the other work that waits. */
  async run<Result>(work: () => Promise<Result>, isFirst = false): Promise<Result> {
    const queue = isFirst ? this.#first : this.#queue;
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((acquire) => queue.push(acquire));
    try {
      return await work();
    } finally {
      const next = this.#first.shift() ?? this.#queue.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}
