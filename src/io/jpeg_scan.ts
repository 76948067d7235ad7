/**
 * Entropy-coded data of JPEG: Huffman tables, and the coefficients of baseline and progressive scans.
 *
 * Source: ITU-T T.81, sections F.2 and G.2. Coefficients are exactly those libjpeg arrives at; where it would go on with a
 * warning (a code that does not exist, data that ends early) this reader stops, since a damaged tile must not be embedded.
 *
 * @module
 */

/** Place in a block, row-major, of the k-th coefficient in zigzag order. */
export const ZIGZAG: Uint8Array = zigzag();

function zigzag(): Uint8Array {
  const order = new Uint8Array(64);
  let row = 0;
  let column = 0;
  for (let k = 0; k < 64; k++) {
    order[k] = row * 8 + column;
    const up = (row + column) % 2 === 0;
    if (up ? column === 7 : row < 7 && column === 0) row++;
    else if (up ? row === 0 : row === 7) column++;
    else [row, column] = up ? [row - 1, column + 1] : [row + 1, column - 1];
  }
  return order;
}

/** Bits of a code looked up at once. */
const FAST = 9;

/** A Huffman table: `fast` gives `length << 8 | symbol` for the next nine bits, or 0; longer codes by their length. */
export interface HuffmanTable {
  readonly fast: Uint16Array;
  readonly symbols: Uint8Array;
  /** By length: the first code beyond it, shifted to 16 bits, and what to add to a code to get its symbol's index. */
  readonly limit: Int32Array;
  readonly offset: Int32Array;
}

/**
 * Builds a table from the number of codes of each length 1..16 and the symbols in order.
 *
 * @returns The table, or undefined where the counts are no prefix code.
 */
export function huffmanTable(counts: Uint8Array, symbols: Uint8Array): HuffmanTable | undefined {
  const fast = new Uint16Array(1 << FAST);
  const limit = new Int32Array(18);
  const offset = new Int32Array(18);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= 16; length++) {
    const n = counts[length - 1]!;
    offset[length] = index - code;
    for (let i = 0; i < n; i++, code++, index++) {
      if (code >= 1 << length) return undefined;
      if (length > FAST) continue;
      const from = code << (FAST - length);
      fast.fill((length << 8) | symbols[index]!, from, from + (1 << (FAST - length)));
    }
    limit[length] = code << (16 - length);
    code <<= 1;
  }
  limit[17] = 0x7fffffff;
  return { fast, symbols, limit, offset };
}

/** What a scan does to one component. */
export interface ScanComponent {
  /** Blocks across in `coefficients`, padded to whole MCUs. */
  readonly blocksPerLine: number;
  /** Blocks that hold samples of the picture. */
  readonly blocksAcross: number;
  readonly blocksDown: number;
  /** Blocks of an MCU. */
  readonly h: number;
  readonly v: number;
  /** 64 a block, row-major: of the whole component, or of one line of MCUs where the scan is sequential. */
  readonly coefficients: Int16Array;
  readonly dc: HuffmanTable | undefined;
  readonly ac: HuffmanTable | undefined;
  predictor: number;
}

/** One scan: its components, spectral band, bit positions, and how the MCUs are cut into restart intervals. */
export interface Scan {
  readonly components: readonly ScanComponent[];
  readonly progressive: boolean;
  readonly from: number;
  readonly to: number;
  readonly high: number;
  readonly low: number;
  readonly restartInterval: number;
  readonly mcusPerLine: number;
  readonly mcuLines: number;
}

/** Thrown within this reader; `jpeg.ts` adds the file's name. */
export class ScanError extends Error {
  /** Says at which byte what was found and what was expected. */
  constructor(readonly offset: number, readonly found: string, readonly expected: string, readonly hint?: string) {
    super(`byte ${offset} ${found}, expected ${expected}`);
  }
}

/** Bits of one restart interval, most significant first; stuffed zeros removed, and zeros given after a marker. */
class Bits {
  private word = 0;
  private have = 0;
  private padding = 0;
  constructor(readonly data: Uint8Array, public at: number) {}

  private fill(): void {
    while (this.have <= 24) {
      let byte = this.data[this.at];
      if (byte === undefined || (byte === 0xff && this.data[this.at + 1] !== 0)) {
        byte = 0;
        this.padding += 8;
      } else this.at += byte === 0xff ? 2 : 1;
      this.word = (this.word << 8) | byte;
      this.have += 8;
    }
  }

  /** The next `n` bits, at most 16. */
  take(n: number): number {
    if (this.have < n) this.fill();
    this.have -= n;
    return (this.word >>> this.have) & ((1 << n) - 1);
  }

  /** `n` bits as the signed number they stand for. */
  signed(n: number): number {
    if (n === 0) return 0;
    const value = this.take(n);
    return value < 1 << (n - 1) ? value - (1 << n) + 1 : value;
  }

  /** The next symbol of `table`. */
  symbol(table: HuffmanTable): number {
    if (this.have < 16) this.fill();
    const entry = table.fast[(this.word >>> (this.have - FAST)) & ((1 << FAST) - 1)]!;
    if (entry !== 0) {
      this.have -= entry >> 8;
      return entry & 255;
    }
    const next = (this.word >>> (this.have - 16)) & 0xffff;
    let length = FAST + 1;
    while (next >= table.limit[length]!) length++;
    if (length > 16) throw new ScanError(this.at, "has a code that is in no table", "a Huffman code");
    this.have -= length;
    return table.symbols[(next >> (16 - length)) + table.offset[length]!]!;
  }

  /** Throws if bits beyond the end were used. */
  check(): void {
    if (this.have < this.padding) throw new ScanError(this.at, "ends the data of a scan early", "more coded data");
  }

  /** Goes to the bytes after restart marker `n`. */
  restart(n: number): void {
    this.check();
    const at = markerAfter(this.data, this.at);
    const found = this.data[at + 1];
    if (found !== 0xd0 + n) {
      throw new ScanError(at, `has marker ${found === undefined ? "none" : `FF${found.toString(16)}`}`, `FFd${n}`);
    }
    this.at = at + 2;
    this.word = this.have = this.padding = 0;
  }
}

/** Offset of the next marker at or after `at`; the length of the data where there is none. */
export function markerAfter(data: Uint8Array, at: number): number {
  for (let i = data.indexOf(0xff, at); i >= 0 && i + 1 < data.length; i = data.indexOf(0xff, i + 1)) {
    if (data[i + 1] !== 0 && data[i + 1] !== 0xff) return i;
  }
  return data.length;
}

type BlockReader = (bits: Bits, c: ScanComponent, at: number) => void;

function baselineBlock(bits: Bits, c: ScanComponent, at: number): void {
  const block = c.coefficients;
  block[at] = c.predictor += bits.signed(dcCategory(bits, c));
  const table = c.ac!;
  for (let k = 1; k < 64; k++) {
    const symbol = bits.symbol(table);
    const size = symbol & 15;
    if (size === 0) {
      if (symbol !== 0xf0) break;
      k += 15;
      continue;
    }
    k += symbol >> 4;
    if (k > 63) throw new ScanError(bits.at, "has a run beyond the block", "at most 63 coefficients");
    block[at + ZIGZAG[k]!] = bits.signed(size);
  }
}

function dcCategory(bits: Bits, c: ScanComponent): number {
  const size = bits.symbol(c.dc!);
  if (size > 15) throw new ScanError(bits.at, `has a difference of ${size} bits`, "at most 15");
  return size;
}

/** The four kinds of progressive scan. */
class ProgressiveReader {
  /** Blocks still to come that have no new coefficient. */
  endRun = 0;
  constructor(readonly scan: Scan) {}

  /** Reads what the scan holds of one block. */
  read: BlockReader = (bits, c, at) => {
    const { from, high, low } = this.scan;
    const block = c.coefficients;
    if (from > 0) return high === 0 ? this.first(bits, c, at) : this.refine(bits, c, at);
    if (high === 0) block[at] = (c.predictor += bits.signed(dcCategory(bits, c))) << low;
    else if (bits.take(1)) block[at]! |= 1 << low;
  };

  private first(bits: Bits, c: ScanComponent, at: number): void {
    const { from, to, low } = this.scan;
    if (this.endRun > 0) return void this.endRun--;
    for (let k = from; k <= to; k++) {
      const symbol = bits.symbol(c.ac!);
      const run = symbol >> 4;
      const size = symbol & 15;
      if (size === 0) {
        if (run < 15) {
          this.endRun = (1 << run) - 1 + (run ? bits.take(run) : 0);
          return;
        }
        k += 15;
        continue;
      }
      k += run;
      if (k > to) throw new ScanError(bits.at, "has a run beyond the band", `at most coefficient ${to}`);
      c.coefficients[at + ZIGZAG[k]!] = bits.signed(size) << low;
    }
  }

  private refine(bits: Bits, c: ScanComponent, at: number): void {
    const { from, to, low } = this.scan;
    let k = from;
    while (this.endRun === 0 && k <= to) {
      const symbol = bits.symbol(c.ac!);
      const run = symbol >> 4;
      const size = symbol & 15;
      if (size === 0 && run < 15) {
        this.endRun = (1 << run) + (run ? bits.take(run) : 0);
        break;
      }
      if (size > 1) throw new ScanError(bits.at, `refines by ${size} bits`, "one");
      const value = size === 0 ? 0 : bits.take(1) ? 1 << low : -1 << low;
      k = this.correct(bits, c.coefficients, at, k, run);
      if (value !== 0) {
        if (k > to) throw new ScanError(bits.at, "has a run beyond the band", `at most coefficient ${to}`);
        c.coefficients[at + ZIGZAG[k]!] = value;
      }
      k++;
    }
    if (this.endRun > 0) {
      this.correct(bits, c.coefficients, at, k, 64);
      this.endRun--;
    }
  }

  /** Corrects known coefficients from `k`, passing over `zeros` unknown ones. @returns The next unknown. */
  private correct(bits: Bits, block: Int16Array, at: number, k: number, zeros: number): number {
    const { to, low } = this.scan;
    for (; k <= to; k++) {
      const place = at + ZIGZAG[k]!;
      const value = block[place]!;
      if (value === 0) {
        if (zeros-- === 0) break;
      } else if (bits.take(1) && (value & (1 << low)) === 0) block[place] = value + (value < 0 ? -1 << low : 1 << low);
    }
    return k;
  }
}

/**
 * Decodes one scan into the coefficients of its components.
 *
 * @param data The whole file.
 * @param start First byte of coded data.
 * @param lineDone Called after each line of MCUs of a sequential scan.
 * @returns Offset of the marker that ends the scan.
 * @throws {ScanError} Where the data is damaged or ends early.
 */
export function decodeScan(data: Uint8Array, start: number, scan: Scan, lineDone: (line: number) => void): number {
  const bits = new Bits(data, start);
  const progressive = new ProgressiveReader(scan);
  const read = scan.progressive ? progressive.read : baselineBlock;
  const { components, restartInterval } = scan;
  const single = components.length === 1 ? components[0] : undefined;
  const across = single?.blocksAcross ?? scan.mcusPerLine;
  const down = single?.blocksDown ?? scan.mcuLines;
  let left = restartInterval;
  let restarts = 0;
  for (let line = 0; line < down; line++) {
    const y = scan.progressive ? line : 0;
    for (let x = 0; x < across; x++) {
      if (restartInterval > 0 && left-- === 0) {
        bits.restart(restarts++ & 7);
        for (const c of components) c.predictor = 0;
        progressive.endRun = 0;
        left = restartInterval - 1;
      }
      if (single !== undefined) read(bits, single, (y * single.blocksPerLine + x) * 64);
      else {
        for (const c of components) {
          for (let v = 0; v < c.v; v++) {
            for (let h = 0; h < c.h; h++) read(bits, c, ((y * c.v + v) * c.blocksPerLine + x * c.h + h) * 64);
          }
        }
      }
    }
    bits.check();
    if (!scan.progressive) lineDone(line);
  }
  return markerAfter(data, bits.at);
}
