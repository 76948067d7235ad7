/**
 * Where wall-clock time goes: parts of a job, each without the parts inside it.
 *
 * @module
 */

/** Adds up the time of parts by name. */
export class Stopwatch {
  readonly #spent = new Map<string, number>();
  readonly #open: string[] = [];
  #since: number;

  /** @param now Milliseconds. */
  constructor(readonly now: () => number = () => performance.now()) {
    this.#since = now();
  }

  /** Runs a part; the part around it stands still meanwhile. */
  async time<T>(name: string, act: () => Promise<T>): Promise<T> {
    this.#settle();
    this.#open.push(name);
    try {
      return await act();
    } finally {
      this.#settle();
      this.#open.pop();
    }
  }

  /** Milliseconds of each part so far, in the order they began to cost; what lies outside of all is left out. */
  get spent(): ReadonlyMap<string, number> {
    this.#settle();
    return new Map(this.#spent);
  }

  #settle(): void {
    const now = this.now();
    const name = this.#open.at(-1);
    if (name !== undefined) this.#spent.set(name, (this.#spent.get(name) ?? 0) + now - this.#since);
    this.#since = now;
  }
}
