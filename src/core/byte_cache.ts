/**
 * Blocks of bytes by name, those used last, for readers that decode in chunks.
 *
 * @module
 */

/** Keeps blocks up to a number of bytes. Each is made once even if asked for twice at the same time. */
export class ByteCache<T extends { readonly byteLength: number }> {
  readonly #kept = new Map<string, T>();
  readonly #pending = new Map<string, Promise<T>>();
  #bytes = 0;

  /** @param most Bytes that are kept; the block asked for last stays however large it is. */
  constructor(readonly most: number) {}

  /** The block of that name, made if it is not there. */
  get(name: string, make: () => Promise<T>): Promise<T> {
    const block = this.#kept.get(name);
    if (block !== undefined) {
      this.#kept.delete(name);
      this.#kept.set(name, block);
      return Promise.resolve(block);
    }
    const pending = this.#pending.get(name) ?? this.#load(name, make);
    this.#pending.set(name, pending);
    return pending;
  }

  async #load(name: string, make: () => Promise<T>): Promise<T> {
    try {
      const block = await make();
      this.#kept.set(name, block);
      this.#bytes += block.byteLength;
      for (const [oldest, old] of this.#kept) {
        // The one just made stays, however large: it is asked for again by the next region.
        if (this.#bytes <= this.most || oldest === name) break;
        this.#kept.delete(oldest);
        this.#bytes -= old.byteLength;
      }
      return block;
    } finally {
      this.#pending.delete(name);
    }
  }
}
