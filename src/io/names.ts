/**
 * Names by the million, such as those of the bins of Visium HD: their bytes lie in pages, where a list of texts would take
 * several times as much, and are found by a table of their hashes.
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";

/** Bytes of a page. */
const PAGE = 1 << 24;
/** Most bytes of a name, whose length stands before it in two bytes. */
const MOST_BYTES = 0xffff;
/** Most pages: places have 32 bits. */
const MOST_PAGES = 256;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A list of names. */
export class Names implements Iterable<string> {
  readonly #pages: Uint8Array<ArrayBuffer>[] = [];
  #used = PAGE;
  #starts = new Uint32Array(1024);
  #table: Int32Array | undefined;
  #repeated = -1;
  #length = 0;
  readonly #wanted = new Uint8Array(3 * MOST_BYTES);

  /** The names of a list. */
  static of(list: Iterable<string>): Names {
    const names = new Names();
    for (const name of list) names.add(name);
    return names;
  }

  /** How many there are. */
  get length(): number {
    return this.#length;
  }

  /**
   * Adds a name.
   *
   * @throws {LimitError} If it, or all together, are too long.
   */
  add(name: string): void {
    const most = 2 + 3 * name.length;
    if (name.length > MOST_BYTES / 3) throw tooLong(`a name of ${name.length} characters`);
    if (this.#used + most > PAGE) {
      if (this.#pages.length === MOST_PAGES) throw tooLong(`over ${this.#length} names`);
      this.#pages.push(new Uint8Array(PAGE));
      this.#used = 0;
    }
    const page = this.#pages.at(-1)!;
    const from = this.#used;
    const { written } = encoder.encodeInto(name, page.subarray(from + 2, from + most));
    page[from] = written & 0xff;
    page[from + 1] = written >> 8;
    if (this.#length === this.#starts.length) {
      const larger = new Uint32Array(2 * this.#length);
      larger.set(this.#starts);
      this.#starts = larger;
    }
    this.#starts[this.#length++] = (this.#pages.length - 1) * PAGE + from;
    this.#used = from + 2 + written;
    this.#table = undefined;
  }

  /** The name at a place. */
  at(i: number): string {
    if (!(i >= 0 && i < this.#length)) throw new RangeError(`no name ${i} of ${this.#length}`);
    return decoder.decode(this.#bytes(i));
  }

  /** The first place of a name; -1 where it is not among them. */
  find(name: string): number {
    if (name.length > MOST_BYTES / 3) return -1;
    const table = this.#table ??= this.#fill();
    const { written } = encoder.encodeInto(name, this.#wanted);
    return table[this.#slot(table, this.#wanted.subarray(0, written))]!;
  }

  /** The first place whose name stands at an earlier one; -1 where every name is there once. */
  get repeated(): number {
    this.#table ??= this.#fill();
    return this.#repeated;
  }

  /** All names, one after the other. */
  *[Symbol.iterator](): Iterator<string> {
    for (let i = 0; i < this.#length; i++) yield this.at(i);
  }

  #bytes(i: number): Uint8Array<ArrayBuffer> {
    const start = this.#starts[i]!;
    const page = this.#pages[Math.floor(start / PAGE)]!;
    const from = start % PAGE;
    return page.subarray(from + 2, from + 2 + page[from]! + (page[from + 1]! << 8));
  }

  /** Places by hash, at most half of the table. */
  #fill(): Int32Array {
    const table = new Int32Array(2 ** Math.ceil(Math.log2(2 * this.#length + 2))).fill(-1);
    this.#repeated = -1;
    for (let i = 0; i < this.#length; i++) {
      const slot = this.#slot(table, this.#bytes(i));
      if (table[slot]! < 0) table[slot] = i;
      else if (this.#repeated < 0) this.#repeated = i;
    }
    return table;
  }

  /** Where a name stands in the table, or would. */
  #slot(table: Int32Array, name: Uint8Array): number {
    const mask = table.length - 1;
    let slot = hashOf(name) & mask;
    while (table[slot]! >= 0 && !equal(this.#bytes(table[slot]!), name)) slot = (slot + 1) & mask;
    return slot;
  }
}

/** FNV-1a, whose lower bits are mixed with the upper ones: barcodes differ in few places. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function tooLong(found: string): LimitError {
  return new LimitError(`Cannot keep names: ${found}, at most ${MOST_BYTES / 3} characters each and 4 GB in all`, {
    hint: "The file is not damaged: split the sample into several",
    context: { found },
  });
}
