/**
 * Zip archives as PyTorch writes them: entries stored without compression, zip64 where sizes need it. Only the central
 * directory is trusted, and only as far as the local headers and the entries' places agree with it: every entry must end
 * where the next record begins, so that no damaged length can shift a tensor.
 *
 * Source: PKWARE APPNOTE 6.3.10; observed with the writers of PyTorch 1.6 to 2.15.
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";
import type { RandomAccess } from "./random_access.ts";

/** Longest central directory, bytes: some two hundred thousand entries. */
const MAX_DIRECTORY = 1 << 24;
/** Flags: encrypted; sizes and checksum follow the data. */
const ENCRYPTED = 1, DESCRIPTOR = 8;
/** Attribute of folders. */
const FOLDER = 16;

/** One file of an archive. */
export interface ZipEntry {
  /** Path in the archive. */
  readonly name: string;
  /** Bytes of the content. */
  readonly size: number;
  /** Bytes it takes in the archive; the same where it is stored as it is. */
  readonly packed: number;
  /** CRC-32 of the content; PyTorch can be told to write 0 instead of computing it. */
  readonly crc: number;
  /** General purpose flags. */
  readonly flags: number;
  /** Method of compression; only 0, none, can be read. */
  readonly method: number;
  /** Byte of the local header. */
  readonly header: number;
  /** Byte at which the next record of the archive begins. */
  readonly next: number;
}

/** The directory of an archive. */
export interface Zip {
  /** The archive. */
  readonly source: RandomAccess;
  /** Entries by path. */
  readonly entries: ReadonlyMap<string, ZipEntry>;
}

/** The error for byte `offset` of an archive. */
export function zipError(file: string, offset: number, found: string, expected: string, hint?: string): FormatError {
  return new FormatError(`Cannot read ${file} as a zip archive: byte ${offset} ${found}, expected ${expected}`, {
    context: { file, offset, found, expected },
    ...(hint === undefined ? {} : { hint }),
  });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A 64-bit length; what exceeds the exact integers lies outside any file. */
function u64(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Infinity : Number(value);
}

/** Where the central directory lies. */
interface Directory {
  offset: number;
  bytes: number;
  count: number;
}

/** Finds the end record, which may be followed by a comment, and the zip64 records before it. */
async function findDirectory(source: RandomAccess): Promise<Directory> {
  const { name, size } = source;
  const tailAt = Math.max(0, size - 65_557 - 20);
  const tail = viewOf(await source.read(tailAt, size - tailAt));
  let at = tail.byteLength - 22;
  const isEnd = (at: number) =>
    tail.getUint32(at, true) === 0x06054b50 && at + 22 + tail.getUint16(at + 20, true) === tail.byteLength;
  while (at >= 0 && !isEnd(at)) at--;
  if (at < 0) {
    throw zipError(
      name,
      size,
      "is the end of the file",
      "an end record before it",
      "The file is truncated: fetch it again",
    );
  }
  const end = tailAt + at;
  const [disk, diskOfDirectory, onDisk, total] = [4, 6, 8, 10].map((k) => tail.getUint16(at + k, true));
  const short = { offset: tail.getUint32(at + 16, true), bytes: tail.getUint32(at + 12, true), count: total! };
  if (disk !== diskOfDirectory || (disk !== 0 && disk !== 0xffff) || onDisk !== total) {
    throw zipError(name, end, "is of an archive in several parts", "one in one part");
  }
  if (at < 20 || tail.getUint32(at - 20, true) !== 0x07064b50) {
    if (short.offset + short.bytes !== end) throw badEnd(name, end, short);
    return short;
  }
  const where = u64(tail, at - 12);
  if (where + 56 > end - 20) throw zipError(name, end - 20, `points to byte ${where}`, "an earlier zip64 end record");
  const record = viewOf(await source.read(where, 56));
  if (record.getUint32(0, true) !== 0x06064b50 || where + 12 + u64(record, 4) !== end - 20) {
    throw zipError(name, where, "begins no zip64 end record that ends at its locator", "one");
  }
  const long = { offset: u64(record, 48), bytes: u64(record, 40), count: u64(record, 32) };
  const agrees = (a: number, b: number, saturated: number) => a === saturated || a === b;
  const same = agrees(short.offset, long.offset, 0xffffffff) && agrees(short.bytes, long.bytes, 0xffffffff) &&
    agrees(short.count, long.count, 0xffff) && u64(record, 24) === long.count && record.getUint32(16, true) === 0 &&
    record.getUint32(20, true) === 0;
  if (!same || long.offset + long.bytes !== where) throw badEnd(name, where, long);
  return long;
}

function badEnd(name: string, at: number, { offset, bytes, count }: Directory): FormatError {
  return zipError(name, at, `tells of ${count} entries in ${bytes} bytes from ${offset}`, "a directory that ends here");
}

/** One entry of the directory, without its neighbour. */
function parseEntry(
  name: string,
  view: DataView,
  at: number,
  base: number,
): { entry: Omit<ZipEntry, "next">; end: number } {
  const room = view.byteLength - at;
  const lengths = room < 46 ? [0, 0, 0] : [28, 30, 32].map((k) => view.getUint16(at + k, true));
  const [nameBytes, extraBytes, commentBytes] = lengths as [number, number, number];
  const end = at + 46 + nameBytes + extraBytes + commentBytes;
  if (room < 46 || view.getUint32(at, true) !== 0x02014b50 || end > view.byteLength) {
    throw zipError(name, base + at, "begins no directory entry", "one");
  }
  const fields: [number, number, number] = [24, 20, 42].map((k) => view.getUint32(at + k, true)) as [
    number,
    number,
    number,
  ];
  const extraAt = at + 46 + nameBytes;
  for (let k = extraAt; k + 4 <= extraAt + extraBytes;) {
    const [id, length] = [view.getUint16(k, true), view.getUint16(k + 2, true)];
    const stop = k + 4 + length;
    if (stop > extraAt + extraBytes) {
      throw zipError(name, base + k, "begins an extra field longer than its entry", "a shorter one");
    }
    // Only the saturated fields are there, in this order.
    for (let i = 0, value = k + 4; id === 1 && i < 3; i++) {
      if (fields[i] !== 0xffffffff) continue;
      if (value + 8 > stop) {
        throw zipError(name, base + k, "begins a zip64 field that is too short", "eight bytes a number");
      }
      fields[i] = u64(view, value);
      value += 8;
    }
    k = stop;
  }
  const [size, packed, header] = fields;
  const method = view.getUint16(at + 10, true);
  if (method === 0 && size !== packed) {
    throw zipError(name, base + at, `stores ${size} bytes in ${packed}`, "equal sizes");
  }
  if (view.getUint16(at + 34, true) !== 0) {
    throw zipError(name, base + at, "begins an entry on another disk", "one in this file");
  }
  if (size > 0 && view.getUint32(at + 38, true) & FOLDER) {
    throw zipError(name, base + at, "begins a folder with content", "a file");
  }
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at + 46, nameBytes);
  const entry = {
    name: decodeName(name, bytes, base + at),
    size,
    packed,
    crc: view.getUint32(at + 16, true),
    flags: view.getUint16(at + 8, true),
    method,
    header,
  };
  return { entry, end };
}

function decodeName(file: string, bytes: Uint8Array, at: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw zipError(file, at, "names an entry in another code than UTF-8", "UTF-8");
  }
}

/**
 * Reads the directory of an archive.
 *
 * @throws {FormatError} If it is truncated, in several parts, or contradicts itself.
 */
export async function openZip(source: RandomAccess): Promise<Zip> {
  const { name } = source;
  const { offset, bytes, count } = await findDirectory(source);
  if (bytes > MAX_DIRECTORY) {
    throw zipError(name, offset, `begins a directory of ${bytes} bytes`, `at most ${MAX_DIRECTORY}`);
  }
  const view = viewOf(await source.read(offset, bytes));
  const found: Omit<ZipEntry, "next">[] = [];
  for (let at = 0; at < bytes;) {
    const { entry, end } = parseEntry(name, view, at, offset);
    found.push(entry);
    at = end;
  }
  if (found.length !== count) {
    throw zipError(name, offset, `begins ${found.length} entries`, `${count}, as the end says`);
  }
  found.sort((a, b) => a.header - b.header);
  const entries = new Map<string, ZipEntry>();
  for (const [i, entry] of found.entries()) {
    if (entries.has(entry.name)) {
      throw zipError(name, entry.header, `begins a second "${entry.name.slice(0, 80)}"`, "one");
    }
    const next = found[i + 1]?.header ?? offset;
    if (entry.header + 30 + entry.packed > next) {
      throw zipError(
        name,
        entry.header,
        `begins "${entry.name.slice(0, 80)}" of ${entry.packed} bytes`,
        `it to end by ${next}`,
      );
    }
    entries.set(entry.name, { ...entry, next });
  }
  return { source, entries };
}

/**
 * Byte of the file at which the content of an entry begins.
 *
 * @throws {FormatError} If it is compressed or encrypted, or its local header disagrees with the directory.
 */
export async function locateEntry(zip: Zip, entry: ZipEntry): Promise<number> {
  const { source } = zip;
  const label = `"${entry.name.slice(0, 80)}"`;
  const fail = (found: string, expected: string, hint?: string): never => {
    throw zipError(source.name, entry.header, found, expected, hint);
  };
  if (entry.flags & ENCRYPTED) fail(`begins ${label}, which is encrypted`, "plain content");
  if (entry.method !== 0) {
    const method = entry.method === 8 ? "compressed by deflate" : `compressed by method ${entry.method}`;
    fail(
      `begins ${label}, which is ${method}`,
      "stored content",
      "Save it with torch.save again: it stores without compression",
    );
  }
  const local = viewOf(await source.read(entry.header, 30));
  const [nameBytes, extraBytes] = [local.getUint16(26, true), local.getUint16(28, true)];
  const same = local.getUint32(0, true) === 0x04034b50 && local.getUint16(6, true) === entry.flags &&
    local.getUint16(8, true) === 0;
  const start = entry.header + 30 + nameBytes + extraBytes;
  if (!same || start + entry.size > entry.next) {
    fail("begins no local header like its directory entry", `one for ${label}`);
  }
  const name = decodeName(source.name, await source.read(entry.header + 30, nameBytes), entry.header);
  if (name !== entry.name) fail(`names "${name.slice(0, 80)}"`, label);
  const gap = entry.next - start - entry.size;
  const rest = viewOf(await source.read(entry.next - Math.min(gap, 24), Math.min(gap, 24)));
  const ends = (entry.flags & DESCRIPTOR) !== 0
    ? isDescriptor(rest, entry, gap)
    : gap === 0 && local.getUint32(14, true) === entry.crc;
  if (!ends) {
    fail(`begins ${label}, which ends at byte ${start + entry.size}`, `the next record there, not at ${entry.next}`);
  }
  return start;
}

/** Whether the record behind an entry's data repeats its checksum and sizes: 32 or 64 bits, with or without a signature. */
function isDescriptor(view: DataView, entry: ZipEntry, gap: number): boolean {
  const signed = gap === 16 || gap === 24 ? 4 : 0;
  const wide = gap === 20 || gap === 24;
  if (!wide && gap !== 12 && gap !== 16) return false;
  const size = (at: number) => wide ? u64(view, at) : view.getUint32(at, true);
  return (signed === 0 || view.getUint32(0, true) === 0x08074b50) && view.getUint32(signed, true) === entry.crc &&
    size(signed + 4) === entry.size && size(signed + (wide ? 12 : 8)) === entry.size;
}

/**
 * Content of an entry, its checksum verified.
 *
 * @throws {FormatError} If it is longer than `max` bytes, or damaged.
 */
export async function readEntry(zip: Zip, entry: ZipEntry, max: number): Promise<Uint8Array<ArrayBuffer>> {
  const { source } = zip;
  if (entry.size > max) throw zipError(source.name, entry.header, `begins ${entry.size} bytes`, `at most ${max}`);
  const bytes = await source.read(await locateEntry(zip, entry), entry.size);
  checkCrc(zip, entry, crc32(bytes));
  return bytes;
}

/**
 * Compares a computed checksum with the recorded one; 0 stands for none.
 *
 * @throws {FormatError} If they differ.
 */
export function checkCrc(zip: Zip, entry: ZipEntry, crc: number): void {
  if (entry.crc === 0 || crc === entry.crc) return;
  const hex = (value: number) => value.toString(16).padStart(8, "0");
  throw zipError(
    zip.source.name,
    entry.header,
    `begins "${entry.name.slice(0, 80)}" with checksum ${hex(crc)}`,
    hex(entry.crc),
    "The file is damaged: fetch it again",
  );
}

/** Tables for eight bytes at a time (slicing-by-8). */
let tables: Uint32Array | undefined;

function crcTables(): Uint32Array {
  const out = new Uint32Array(8 * 256);
  for (let i = 0; i < 256; i++) {
    let c = i;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    out[i] = c;
  }
  for (let i = 256; i < out.length; i++) out[i] = (out[i - 256]! >>> 8) ^ out[out[i - 256]! & 255]!;
  return out;
}

/** CRC-32 of zip and PNG; `before` continues a checksum over more bytes. */
export function crc32(bytes: Uint8Array, before: number = 0): number {
  const t = tables ??= crcTables();
  let c = ~before;
  let i = 0;
  for (; i + 8 <= bytes.length; i += 8) {
    c ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    c = t[1792 + (c & 255)]! ^ t[1536 + ((c >>> 8) & 255)]! ^ t[1280 + ((c >>> 16) & 255)]! ^ t[1024 + (c >>> 24)]! ^
      t[768 + bytes[i + 4]!]! ^ t[512 + bytes[i + 5]!]! ^ t[256 + bytes[i + 6]!]! ^ t[bytes[i + 7]!]!;
  }
  for (; i < bytes.length; i++) c = (c >>> 8) ^ t[(c ^ bytes[i]!) & 255]!;
  return ~c >>> 0;
}
