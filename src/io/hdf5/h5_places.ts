/**
 * Where the rows of an unfiltered HDF5 dataset lie in its file, so that they are read as the bytes they are. The library
 * tells the address of the dataset's header; what stands there and in the index of its chunks is read here. Whatever is not
 * wholly known, or not as the library says, or not within the file, gives no places: then the library reads, and says what
 * is wrong.
 *
 * Source: HDF5 File Format Specification Version 3.0, sections II, III.A.1, IV.A.1 and 2, VII.A to C.
 *
 * @module
 */

import type { H5Storage } from "./h5_library.ts";
import { lookup3 } from "./lookup3.ts";

/** What the library says of a dataset of bytes. */
export interface RowsKnown {
  readonly shape: readonly number[];
  readonly chunks: readonly number[] | undefined;
}

/** Rows by number: `run` of them lie one behind another from every multiple of it. */
export interface RowPlaces {
  readonly run: number;
  /** Offset of the first row of the run with this number. */
  at(run: number): number;
}

/** Thrown where something is not known; no error of the file. */
class Unknown extends Error {}

/** Types of messages of an object header. */
const MESSAGE = { dataspace: 1, datatype: 3, external: 7, layout: 8, filters: 11, continuation: 16 };
/** Most bytes of one structure of a header or an index, and most such structures. */
const MOST_BLOCK = 2 ** 24;
const MOST_BLOCKS = 2 ** 16;
/** Most runs whose places are kept. */
const MOST_RUNS = 2 ** 22;

/**
 * Finds the rows of a dataset of unsigned bytes.
 *
 * @param header Address of its object header.
 * @returns Undefined where something is not known, or is wrong.
 */
export function rowPlaces(storage: H5Storage, header: number, known: RowsKnown): RowPlaces | undefined {
  try {
    const file = new Structures(storage);
    const messages = objectHeader(file, header);
    if (messages.has(MESSAGE.filters) || messages.has(MESSAGE.external)) return undefined;
    const most = checkSpace(part(messages, MESSAGE.dataspace), known.shape);
    checkType(part(messages, MESSAGE.datatype));
    return places(file, part(messages, MESSAGE.layout), known, most);
  } catch (error) {
    // Outside of a structure: a RangeError of its view.
    if (error instanceof Unknown || error instanceof RangeError) return undefined;
    throw error;
  }
}

function expect(holds: boolean): asserts holds {
  if (!holds) throw new Unknown();
}

/** The file's structures, each within what the superblock says is in use. */
class Structures {
  private readonly end: number;
  private blocks = 0;

  constructor(private readonly storage: H5Storage) {
    this.end = storage.size();
    const head = this.block(0, 64);
    expect(isText(head, 0, "\x89HDF\r\n\x1a\n"));
    const version = head.getUint8(8);
    expect(version <= 3);
    const [sizes, base] = version < 2 ? [13, version === 0 ? 24 : 28] : [9, 12];
    expect(head.getUint8(sizes) === 8 && head.getUint8(sizes + 1) === 8 && offset(head, base) === 0);
    const end = offset(head, base + 16);
    expect(end <= this.end);
    this.end = end;
  }

  /** `bytes` from `at`. */
  block(at: number, bytes: number): DataView {
    expect(++this.blocks <= MOST_BLOCKS && bytes <= MOST_BLOCK);
    this.within(at, bytes);
    const into = new Uint8Array(bytes);
    expect(this.storage.read(at, into) === bytes);
    return new DataView(into.buffer);
  }

  /** A structure that ends with its checksum. */
  checked(at: number, bytes: number): DataView {
    const view = this.block(at, bytes);
    const content = new Uint8Array(view.buffer, 0, bytes - 4);
    expect(lookup3(content) === view.getUint32(bytes - 4, true));
    return view;
  }

  /** Throws unless there are `bytes` from `at`. */
  within(at: number, bytes: number): void {
    expect(Number.isSafeInteger(at) && at >= 0 && bytes >= 0 && at + bytes <= this.end);
  }
}

function isText(view: DataView, at: number, text: string): boolean {
  return [...text].every((letter, i) => view.getUint8(at + i) === letter.charCodeAt(0));
}

/** A number of 64 bits; the address that is none is beyond every file. */
function offset(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

type Messages = ReadonlyMap<number, DataView>;

function part(messages: Messages, type: number): DataView {
  const found = messages.get(type);
  expect(found !== undefined);
  return found;
}

/** The messages of the types that matter. */
function objectHeader(file: Structures, at: number): Messages {
  const head = file.block(at, 16);
  if (head.getUint8(0) !== 1) return newHeader(file, at);
  const found = new Map<number, DataView>();
  const blocks = [file.block(at + 16, head.getUint32(8, true))];
  for (let block = blocks.pop(); block !== undefined; block = blocks.pop()) {
    for (let from = 0; from < block.byteLength;) {
      const [type, size, flags] = [
        block.getUint16(from, true),
        block.getUint16(from + 2, true),
        block.getUint8(from + 4),
      ];
      const next = take(found, type, flags, block, from + 8, size);
      if (next !== undefined) blocks.push(file.block(...next));
      from += 8 + size;
    }
  }
  return found;
}

/** A header of version 2, whose parts have checksums. */
function newHeader(file: Structures, at: number): Messages {
  const head = file.block(at, 6);
  expect(isText(head, 0, "OHDR") && head.getUint8(4) === 2);
  const flags = head.getUint8(5);
  const width = 1 << (flags & 3);
  const before = 6 + (flags & 32 ? 16 : 0) + (flags & 16 ? 4 : 0);
  const size = unsigned(file.block(at + before, width), 0, width);
  const found = new Map<number, DataView>();
  const blocks: [view: DataView, from: number][] = [
    [file.checked(at, before + width + size + 4), before + width],
  ];
  const head2 = flags & 4 ? 6 : 4;
  for (let entry = blocks.pop(); entry !== undefined; entry = blocks.pop()) {
    const [block, first] = entry;
    const end = block.byteLength - 4;
    // What is too short for a message is a gap.
    for (let from = first; from + head2 <= end;) {
      const [type, length] = [block.getUint8(from), block.getUint16(from + 1, true)];
      expect(from + head2 + length <= end);
      const next = take(found, type, block.getUint8(from + 3), block, from + head2, length);
      if (next !== undefined) {
        const more = file.checked(...next);
        expect(isText(more, 0, "OCHK"));
        blocks.push([more, 4]);
      }
      from += head2 + length;
    }
  }
  return found;
}

/** Keeps a message that matters. @returns Where the header goes on, if that is what it says. */
function take(
  found: Map<number, DataView>,
  type: number,
  flags: number,
  block: DataView,
  from: number,
  size: number,
): [at: number, bytes: number] | undefined {
  const view = new DataView(block.buffer, from, size);
  if (type === MESSAGE.continuation) return [offset(view, 0), offset(view, 8)];
  if (!Object.values(MESSAGE).includes(type)) return undefined;
  // Shared messages lie elsewhere.
  expect(!found.has(type) && (flags & 2) === 0);
  found.set(type, view);
  return undefined;
}

/** A number of 1, 2, 4 or 8 bytes. */
function unsigned(view: DataView, at: number, width: number): number {
  if (width === 8) return offset(view, at);
  return width === 4 ? view.getUint32(at, true) : width === 2 ? view.getUint16(at, true) : view.getUint8(at);
}

/** Compares extents with those the library says. @returns How long they may become; infinite is beyond every file. */
function checkSpace(view: DataView, shape: readonly number[]): number[] {
  const version = view.getUint8(0);
  const flags = view.getUint8(2);
  expect(version === 1 || (version === 2 && view.getUint8(3) === 1));
  expect(view.getUint8(1) === shape.length && (flags & ~1) === 0);
  const first = version === 1 ? 8 : 4;
  const extents = (from: number) => shape.map((_, i) => offset(view, from + 8 * i));
  expect(extents(first).every((extent, i) => extent === shape[i]));
  return flags & 1 ? extents(first + 8 * shape.length) : [...shape];
}

/** Whether elements are whole unsigned bytes. */
function checkType(view: DataView): void {
  const [kind, bits] = [view.getUint8(0), view.getUint8(1)];
  expect((kind & 15) === 0 && kind >> 4 >= 1 && kind >> 4 <= 3 && (bits & 8) === 0);
  expect(view.getUint32(4, true) === 1 && view.getUint16(8, true) === 0 && view.getUint16(10, true) === 8);
}

const CONTIGUOUS = 1;
const CHUNKED = 2;

/** Places by the message that says how the data are laid out. */
function places(file: Structures, view: DataView, known: RowsKnown, most: readonly number[]): RowPlaces {
  const [version, kind] = [view.getUint8(0), view.getUint8(1)];
  const { shape, chunks } = known;
  const row = shape.slice(1).reduce((a, b) => a * b, 1);
  const rows = shape[0] ?? 0;
  expect((version === 3 || version === 4) && rows > 0 && row > 0);
  if (kind === CONTIGUOUS) {
    const at = offset(view, 2);
    expect(chunks === undefined && offset(view, 10) === rows * row);
    file.within(at, rows * row);
    return { run: rows, at: () => at };
  }
  expect(kind === CHUNKED && chunks !== undefined);
  // Chunks that are whole rows, and as many as are needed.
  const run = chunks[0] ?? 0;
  expect(run > 0 && chunks.length === shape.length && chunks.every((extent, i) => i === 0 || extent === shape[i]));
  const count = Math.ceil(rows / run);
  expect(count <= MOST_RUNS);
  const wanted: Wanted = { chunks, most, count, bytes: run * row };
  const found = version === 3 ? byTree(file, view, wanted) : byIndex(file, view, wanted);
  checkApart(file, found, wanted.bytes);
  return { run, at: (number) => found[number]! };
}

/** The chunks of a dataset. */
interface Wanted {
  readonly chunks: readonly number[];
  readonly most: readonly number[];
  readonly count: number;
  /** Of each. */
  readonly bytes: number;
}

/** Every chunk is within the file, and none over another. */
function checkApart(file: Structures, found: Float64Array, bytes: number): void {
  let before = -bytes;
  for (const at of found.toSorted()) {
    file.within(at, bytes);
    expect(at >= before + bytes);
    before = at;
  }
}

/** Layout of version 3: a B-tree of version 1 of all chunks. */
function byTree(file: Structures, view: DataView, { chunks, count, bytes }: Wanted): Float64Array {
  const rank = chunks.length + 1;
  expect(view.getUint8(2) === rank);
  expect([...chunks, 1].every((extent, i) => view.getUint32(11 + 4 * i, true) === extent));
  const key = 8 + 8 * rank;
  const found = new Float64Array(count).fill(-1);
  let next = 0;
  /** Chunks below a node, whose keys are from `from` up to `to`. */
  const visit = (at: number, level: number | undefined, from: number, to: number): void => {
    const head = file.block(at, 24);
    const [kind, own, used] = [head.getUint8(4), head.getUint8(5), head.getUint16(6, true)];
    expect(isText(head, 0, "TREE") && kind === 1 && own <= 16 && (level === undefined || own === level));
    const node = file.block(at + 24, used * (key + 8) + key);
    // In the order of keys: a chunk's first row; one more than that in the last key, which is of no chunk.
    const order = (i: number): number => {
      const from = i * (key + 8) + 8;
      return 2 * offset(node, from) + Number(chunks.some((_, k) => offset(node, from + 8 * (k + 1)) > 0));
    };
    for (let i = 0; i < used; i++) {
      const place = i * (key + 8);
      const [first, end] = [order(i), order(i + 1)];
      const child = offset(node, place + key);
      expect(first >= from && end <= to && first < end);
      if (own > 0) {
        visit(child, own - 1, first, end);
        continue;
      }
      // Stored as it is, no filter left out, of whole rows, the next one.
      expect(node.getUint32(place, true) === bytes && node.getUint32(place + 4, true) === 0);
      expect(next < count && first === 2 * next * chunks[0]!);
      found[next++] = child;
    }
  };
  visit(offset(view, 3), undefined, 0, Infinity);
  expect(next === count);
  return found;
}

/** Kinds of index of layouts of version 4. */
const INDEX = { single: 1, implicit: 2, fixedArray: 3 };

/** Layout of version 4: an index by the number of the chunk, where the extents cannot grow without end. */
function byIndex(file: Structures, view: DataView, wanted: Wanted): Float64Array {
  const { chunks, most, count, bytes } = wanted;
  const [flags, rank, width] = [view.getUint8(2), view.getUint8(3), view.getUint8(4)];
  expect(flags === 0 && rank === chunks.length + 1 && [1, 2, 4, 8].includes(width));
  expect([...chunks, 1].every((extent, i) => unsigned(view, 5 + width * i, width) === extent));
  // The number of a chunk counts all that there may be; all but the first extent have one.
  expect(most.every((extent, i) => i === 0 || extent <= chunks[i]!));
  const all = Math.ceil(most[0]! / chunks[0]!);
  expect(all >= count && all <= MOST_RUNS);
  const kind = view.getUint8(5 + width * rank);
  const rest = 6 + width * rank;
  if (kind === INDEX.fixedArray) return fixedArray(file, offset(view, rest + 1), view.getUint8(rest), all, count);
  expect(kind === INDEX.implicit || (kind === INDEX.single && all === 1));
  const at = offset(view, rest);
  return Float64Array.from({ length: count }, (_, i) => at + i * bytes);
}

/** Addresses of the first `count` chunks of a fixed array of `all`. */
function fixedArray(file: Structures, at: number, pageBits: number, all: number, count: number): Float64Array {
  const head = file.checked(at, 28);
  expect(isText(head, 0, "FAHD") && head.getUint8(4) === 0 && head.getUint8(5) === 0 && head.getUint8(6) === 8);
  expect(head.getUint8(7) === pageBits && pageBits < 32 && offset(head, 8) === all);
  const block = offset(head, 16);
  const page = 2 ** pageBits;
  const out = new Float64Array(count);
  const fill = (view: DataView, from: number, first: number, entries: number): void => {
    for (let i = 0; i < Math.min(entries, count - first); i++) out[first + i] = offset(view, from + 8 * i);
  };
  const start = (bytes: number): DataView => {
    const view = file.checked(block, bytes);
    expect(isText(view, 0, "FADB") && view.getUint8(4) === 0 && view.getUint8(5) === 0 && offset(view, 6) === at);
    return view;
  };
  if (all <= page) {
    fill(start(14 + 8 * all + 4), 14, 0, all);
    return out;
  }
  // Pages have checksums of their own; bits say which were written.
  const pages = Math.ceil(all / page);
  const written = Math.ceil(pages / 8);
  const view = start(14 + written + 4);
  for (let i = 0, from = block + 14 + written + 4; i * page < count; i++) {
    expect((view.getUint8(14 + (i >> 3)) & (128 >> (i & 7))) !== 0);
    const entries = Math.min(page, all - i * page);
    fill(file.checked(from, 8 * entries + 4), 0, i * page, entries);
    from += 8 * entries + 4;
  }
  return out;
}
