/**
 * Directories of TIFF and BigTIFF files of both byte orders: which tags they hold, and how directories follow each other.
 *
 * Source: TIFF 6.0, Adobe's technical notes (SubIFDs), BigTIFF as libtiff writes it. Nothing here looks at pixels.
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";
import { checkRange, type RandomAccess } from "../random_access.ts";

/** Tags this project uses; others are passed over. */
export const TAG = {
  subfileType: 254,
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  description: 270,
  stripOffsets: 273,
  orientation: 274,
  samples: 277,
  rowsPerStrip: 278,
  stripBytes: 279,
  xResolution: 282,
  yResolution: 283,
  planar: 284,
  resolutionUnit: 296,
  software: 305,
  predictor: 317,
  colourMap: 320,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileBytes: 325,
  subIfds: 330,
  extraSamples: 338,
  sampleFormat: 339,
  jpegTables: 347,
  subsampling: 530,
  xmp: 700,
  ndpi: 65_420,
} as const;

const USED: ReadonlySet<number> = new Set(Object.values(TAG));
/** Bytes of a value, by type. */
const TYPE_BYTES: Readonly<Record<number, number>> = {
  1: 1,
  2: 1,
  3: 2,
  4: 4,
  5: 8,
  6: 1,
  7: 1,
  8: 2,
  9: 4,
  10: 8,
  11: 4,
  12: 8,
  13: 4,
  16: 8,
  17: 8,
  18: 8,
};
/** Directories a file may have, entries a directory may have, and numbers all entries of a file may have together. */
const MAX_IFDS = 4096;
const MAX_ENTRIES = 4096;
const MAX_VALUES = 1 << 24;
/** Values an entry may have where it is known: of chunks four millions, which are 500,000 pixels square in tiles of 256. */
const MAX_COUNTS: Readonly<Record<number, number>> = {
  [TAG.description]: 1 << 24,
  [TAG.stripOffsets]: 1 << 22,
  [TAG.stripBytes]: 1 << 22,
  [TAG.tileOffsets]: 1 << 22,
  [TAG.tileBytes]: 1 << 22,
  [TAG.colourMap]: 3 << 16,
  [TAG.subIfds]: MAX_IFDS,
  [TAG.jpegTables]: 1 << 16,
  [TAG.xmp]: 1 << 24,
};
const MAX_COUNT = 4096;

/** A computation that asks for ranges of bytes, so that files and arrays share it. */
export type Reading<T> = Generator<readonly [offset: number, length: number], T, Uint8Array<ArrayBuffer>>;

/** Runs a reading on a source. */
export async function readFrom<T>(source: RandomAccess, reading: Reading<T>): Promise<T> {
  let step = reading.next();
  while (!step.done) step = reading.next(await source.read(...step.value));
  return step.value;
}

/** Runs a reading on bytes in memory. */
export function readFromBytes<T>(bytes: Uint8Array, name: string, reading: Reading<T>): T {
  let step = reading.next();
  while (!step.done) {
    const [offset, length] = step.value;
    checkRange(name, bytes.length, offset, length);
    step = reading.next(bytes.slice(offset, offset + length));
  }
  return step.value;
}

/** Why a TIFF cannot be read: at which byte what was found and what was expected. */
export function tiffError(name: string, offset: number, found: string, expected: string, hint?: string): FormatError {
  return new FormatError(`Cannot read ${name} as TIFF: byte ${offset} ${found}, expected ${expected}`, {
    ...(hint === undefined ? {} : { hint }),
    context: { file: name, offset, found, expected },
  });
}

/** One directory: an image and what is said about it. */
export class Ifd {
  /** Directories below this one, in the order they are named. */
  readonly children: Ifd[] = [];
  readonly #values = new Map<number, Uint8Array | Float64Array>();
  /** Offset of each entry that was read, for error messages. */
  readonly #places = new Map<number, number>();

  /** `at` is the offset of the directory; the byte order is the file's. */
  constructor(readonly at: number, readonly little: boolean) {}

  /** Keeps the value of an entry. */
  set(tag: number, value: Uint8Array | Float64Array, at: number): void {
    this.#values.set(tag, value);
    this.#places.set(tag, at);
  }

  /** Whether the directory has the tag. */
  has(tag: number): boolean {
    return this.#values.has(tag);
  }

  /** A copy in which some entries have other values. */
  with(values: Readonly<Record<number, Float64Array>>): Ifd {
    const copy = new Ifd(this.at, this.little);
    for (const [tag, value] of this.#values) copy.set(tag, values[tag] ?? value, this.place(tag));
    for (const [tag, value] of Object.entries(values)) copy.set(Number(tag), value, this.place(Number(tag)));
    return copy;
  }

  /** Where the entry lies, or the directory where there is none. */
  place(tag: number): number {
    return this.#places.get(tag) ?? this.at;
  }

  /** First number of an entry; rationals are quotients. */
  number(tag: number): number | undefined {
    return this.#values.get(tag)?.[0];
  }

  /** All values of an entry. */
  list(tag: number): ArrayLike<number> | undefined {
    return this.#values.get(tag);
  }

  /** Bytes of an entry of a type of one byte. */
  bytes(tag: number): Uint8Array | undefined {
    const value = this.#values.get(tag);
    return value instanceof Uint8Array ? value : undefined;
  }

  /** Text of an entry up to its first zero byte; empty where there is none. */
  text(tag: number): string {
    const bytes = this.bytes(tag) ?? new Uint8Array();
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }
}

/** Whether the bytes begin a TIFF or BigTIFF. */
export function isTiff(head: Uint8Array): boolean {
  const [a, b, c, d] = head;
  if (a === 0x49 && b === 0x49) return (c === 42 || c === 43) && d === 0;
  return a === 0x4d && b === 0x4d && c === 0 && (d === 42 || d === 43);
}

interface Walk {
  readonly name: string;
  readonly size: number;
  readonly big: boolean;
  readonly little: boolean;
  readonly seen: Set<number>;
  /** Numbers and bytes of values read. */
  taken: number;
}

/**
 * Reads the directories of a file of `size` bytes, those that follow each other and the children of each.
 *
 * @throws {FormatError} Naming the byte, what was found and what was expected.
 */
export function* readIfds(name: string, size: number, most: number = MAX_IFDS): Reading<Ifd[]> {
  const head = yield [0, Math.min(16, size)];
  if (!isTiff(head) || size < 8) throw tiffError(name, 0, "begins no TIFF", "II or MM and 42 or 43");
  const little = head[0] === 0x49;
  const big = head[little ? 2 : 3] === 43;
  const view = new DataView(head.buffer);
  if (big && (size < 16 || view.getUint16(4, little) !== 8)) {
    throw tiffError(name, 4, "begins no BigTIFF", "offsets of 8 bytes");
  }
  const walk: Walk = { name, size, big, little, seen: new Set(), taken: 0 };
  const ifds: Ifd[] = [];
  let from = big ? 8 : 4;
  let at = big ? Number(view.getBigUint64(8, little)) : view.getUint32(4, little);
  while (at !== 0 && ifds.length < most) {
    const { ifd, next, nextAt } = yield* readIfd(walk, at, from);
    for (const child of Array.from(ifd.list(TAG.subIfds) ?? [])) {
      ifd.children.push((yield* readIfd(walk, child, ifd.place(TAG.subIfds))).ifd);
    }
    ifds.push(ifd);
    [at, from] = [next, nextAt];
  }
  if (ifds.length === 0) throw tiffError(name, from, "names no directory", "the offset of the first");
  return ifds;
}

/** What is to be done with a file that ends too soon. */
const TRUNCATED = "The file seems to be cut short: fetch or copy it again";

/** Reads the directory at `at`, which was named at `from`. */
function* readIfd(walk: Walk, at: number, from: number): Reading<{ ifd: Ifd; next: number; nextAt: number }> {
  const { name, size, big, little, seen } = walk;
  if (seen.has(at)) throw tiffError(name, from, `leads back to the directory at ${at}`, "one not read before");
  if (seen.size >= MAX_IFDS) throw tiffError(name, from, "names one directory more", `at most ${MAX_IFDS}`);
  seen.add(at);
  const [countBytes, entryBytes, nextBytes] = big ? [8, 20, 8] : [2, 12, 4];
  if (at + countBytes > size) {
    throw tiffError(name, from, `names a directory at ${at}`, `an offset below ${size}`, TRUNCATED);
  }
  const counted = yield [at, countBytes];
  const count = big ? big64(counted, 0, little) : new DataView(counted.buffer).getUint16(0, little);
  const length = count * entryBytes + nextBytes;
  if (count === 0 || count > MAX_ENTRIES || at + countBytes + length > size) {
    throw tiffError(name, at, `begins a directory of ${count} entries`, `1 to ${MAX_ENTRIES} within the file`);
  }
  const bytes = yield [at + countBytes, length];
  const view = new DataView(bytes.buffer);
  const ifd = new Ifd(at, little);
  for (let i = 0; i < count; i++) {
    const tag = view.getUint16(i * entryBytes, little);
    // Of entries of one tag the first counts, as libtiff has it: tifffile writes its own description behind the user's.
    if (USED.has(tag) && !ifd.has(tag)) yield* readEntry(walk, ifd, tag, bytes, i * entryBytes, at + countBytes);
  }
  const last = count * entryBytes;
  const next = big ? big64(bytes, last, little) : view.getUint32(last, little);
  return { ifd, next, nextAt: at + countBytes + last };
}

function big64(bytes: Uint8Array<ArrayBuffer>, at: number, little: boolean): number {
  return Number(new DataView(bytes.buffer).getBigUint64(at, little));
}

/** Reads the value of the entry at `at` of `entries`, which begin at `base` of the file. */
function* readEntry(
  walk: Walk,
  ifd: Ifd,
  tag: number,
  entries: Uint8Array<ArrayBuffer>,
  at: number,
  base: number,
): Reading<void> {
  const { name, size, big, little } = walk;
  const view = new DataView(entries.buffer);
  const type = view.getUint16(at + 2, little);
  const width = TYPE_BYTES[type];
  if (width === undefined) {
    throw tiffError(name, base + at + 2, `has type ${type} of tag ${tag}`, "1 to 13 or 16 to 18");
  }
  const count = big ? big64(entries, at + 4, little) : view.getUint32(at + 4, little);
  const inline = big ? 8 : 4;
  const valueAt = at + (big ? 12 : 8);
  const length = count * width;
  const offset = length <= inline ? 0 : big ? big64(entries, valueAt, little) : view.getUint32(valueAt, little);
  if (offset + length > size) {
    throw tiffError(name, base + at, `gives tag ${tag} ${length} bytes at ${offset}`, `values within ${size} bytes`);
  }
  const most = MAX_COUNTS[tag] ?? MAX_COUNT;
  walk.taken += count;
  if (count > most || walk.taken > MAX_VALUES) {
    const expected = count > most ? `at most ${most}` : `at most ${MAX_VALUES} in all of the file`;
    throw tiffError(name, base + at, `gives tag ${tag} ${count} values`, expected);
  }
  const bytes = length <= inline ? entries.slice(valueAt, valueAt + length) : yield [offset, length];
  ifd.set(tag, width === 1 ? bytes : numbers(bytes, type, count, little), base + at);
}

function numbers(bytes: Uint8Array<ArrayBuffer>, type: number, count: number, little: boolean): Float64Array {
  const view = new DataView(bytes.buffer);
  const get: (at: number) => number = {
    3: (at: number) => view.getUint16(at, little),
    4: (at: number) => view.getUint32(at, little),
    5: (at: number) => view.getUint32(at, little) / view.getUint32(at + 4, little),
    8: (at: number) => view.getInt16(at, little),
    9: (at: number) => view.getInt32(at, little),
    10: (at: number) => view.getInt32(at, little) / view.getInt32(at + 4, little),
    11: (at: number) => view.getFloat32(at, little),
    12: (at: number) => view.getFloat64(at, little),
    13: (at: number) => view.getUint32(at, little),
    16: (at: number) => Number(view.getBigUint64(at, little)),
    17: (at: number) => Number(view.getBigInt64(at, little)),
    18: (at: number) => Number(view.getBigUint64(at, little)),
  }[type]!;
  const width = TYPE_BYTES[type]!;
  return Float64Array.from({ length: count }, (_, i) => get(i * width));
}
