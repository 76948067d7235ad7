/**
 * Work that shares plans, one piece after another whoever asks for it.
 *
 * @module
 */

/** A queue of pieces of work. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Pieces that are at work or in line. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Does a piece of work after those before, whether they failed or not. */
  async take<T>(act: () => Promise<T>): Promise<T> {
    this.#waiting++;
    const mine = this.#last.then(act).finally(() => this.#waiting--);
    this.#last = mine.catch(() => {});
    return await mine;
  }

  /** Resolves when everything that was asked for until now is done. */
  async end(): Promise<void> {
    await this.#last;
  }
}
