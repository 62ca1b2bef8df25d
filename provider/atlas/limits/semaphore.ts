/** Runs a limited number of tasks at a time. Further tasks wait in their order. */
export class Semaphore {
  #free: number;
  readonly #first: (() => void)[] = [];
  readonly #queue: (() => void)[] = [];

  constructor(permits: number) {
    this.#free = permits;
  }

  /** @param isFirst - Whether the task starts before the other tasks that wait. */
  async run<Result>(task: () => Promise<Result>, isFirst = false): Promise<Result> {
    const queue = isFirst ? this.#first : this.#queue;
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((acquire) => queue.push(acquire));
    try {
      return await task();
    } finally {
      const next = this.#first.shift() ?? this.#queue.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}
