/**
 * What must hold of an HDF5 dataset before memory is taken for it: filters that are there, chunks that fit, and no more
 * bytes than a file of its size can hold; and of a heap of strings before the library walks it.
 *
 * @module
 */

import { type FormatError, LimitError } from "../../core/errors.ts";
import type { H5Session, H5Storage, Metadata } from "./h5_library.ts";
import { LZF, LZF_RATIO } from "./h5_lzf.ts";

/** Filters that are here: deflate, shuffle, fletcher32, szip, nbit, scale-offset of the library; LZF. */
const FILTERS: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 6, LZF]);
/** Most bytes of a chunk, which is unpacked whole whatever part of it is wanted. */
const MOST_CHUNK = 2 ** 28;
/** Names of filters that are not here, where files do not give them. */
const PLUGINS: Readonly<Record<number, string>> = {
  32001: "blosc",
  32004: "lz4",
  32008: "bitshuffle",
  32013: "zfp",
  32015: "zstd",
  32026: "blosc2",
};
/** Filters that may make any number of bytes of none: szip, nbit, scale-offset. */
const BOUNDLESS: ReadonlySet<number> = new Set([4, 5, 6]);
const DEFLATE = 1;
const SHUFFLE = 2;
const FLETCHER = 3;
/** Most bytes that deflate makes of one. */
const DEFLATE_RATIO = 1032;
/** Bytes of a checksum of fletcher32. */
const FLETCHER_BYTES = 4;
/** Class of sequences of variable length, which are stored as strings are. */
const VLEN = 9;
/** Bytes of a string of variable length in a dataset, beside its text. */
const VLEN_BYTES = 16;

type Opened = Pick<H5Session, "name" | "fail" | "storage">;

/**
 * Checks a dataset.
 *
 * @param filters Its filters, in order of writing.
 * @throws {FormatError} Of a filter that is not there, data of other files, or more elements than the file can hold.
 * @throws {LimitError} If a chunk is too large.
 */
export function checkDataset(
  file: Opened,
  path: string,
  metadata: Metadata,
  filters: readonly { readonly id: number; readonly name: string }[],
): void {
  if (metadata.virtual_sources !== undefined) {
    throw file.fail(path, "data that lies in other files", "data in this file");
  }
  const missing = filters.find(({ id }) => !FILTERS.has(id));
  if (missing !== undefined) throw noFilter(file, path, missing);
  if (filters.filter(({ id }) => id === LZF).length > 1) throw file.fail(path, "lzf of lzf", "each filter once");
  checkSizes(file, path, metadata, filters.map(({ id }) => id));
}

function noFilter(
  file: Opened,
  path: string,
  { id, name }: { readonly id: number; readonly name: string },
): FormatError {
  const error = file.fail(path, `compression ${PLUGINS[id] || name || "?"} (filter ${id})`, "gzip, lzf or none");
  const anndata = `python -c "import anndata, hdf5plugin; ` +
    `anndata.read_h5ad('${file.name}').write_h5ad('OUT.h5ad', compression='gzip')"`;
  (error as { hint: string | undefined }).hint = /\.h5ad$/i.test(file.name)
    ? `Write it again: ${anndata}`
    : `Write it again where that filter is installed: h5repack -f GZIP=4 ${file.name} OUT.h5`;
  return error;
}

function checkSizes(
  file: Opened,
  path: string,
  { shape, chunks, size, vlen }: Metadata,
  filters: readonly number[],
): void {
  const bytes = vlen ? VLEN_BYTES : size;
  const chunk = (chunks ?? []).reduce((a, b) => a * b, bytes);
  if (chunk > MOST_CHUNK) {
    const [first, ...rest] = chunks!;
    const fewer = [Math.max(1, Math.floor(first! * 2 ** 24 / chunk)), ...rest].join("x");
    const found = `chunks of ${chunk} bytes (${chunks!.join("x")})`;
    const hint = `The file is not damaged: write it in smaller chunks, h5repack -l ${path}:CHUNK=${fewer} IN OUT`;
    throw tooLarge(file, path, found, MOST_CHUNK, hint);
  }
  if (filters.some((id) => BOUNDLESS.has(id))) return;
  const declared = (shape ?? []).reduce((a, b) => a * b, bytes);
  const held = file.storage.size() * (filters.includes(DEFLATE) ? DEFLATE_RATIO : 1) *
    (filters.includes(LZF) ? LZF_RATIO : 1);
  if (declared <= held) return;
  throw file.fail(
    path,
    `${declared} bytes declared (${(shape ?? []).join("x")} of ${bytes})`,
    `at most ${held}, which a file of ${file.storage.size()} bytes can hold`,
  );
}

/**
 * Bytes that LZF must make of every chunk of a dataset.
 *
 * @param filters Numbers of its filters, in order of writing: what those before LZF made is what LZF packed.
 */
export function lzfBytes(metadata: Metadata, filters: readonly number[]): { least: number; most: number } {
  const chunk = (metadata.chunks ?? []).reduce((a, b) => a * b, stored(metadata));
  const before = filters.slice(0, filters.indexOf(LZF));
  const checksums = FLETCHER_BYTES * before.filter((id) => id === FLETCHER).length;
  if (before.every((id) => id === SHUFFLE || id === FLETCHER)) {
    return { least: chunk + checksums, most: chunk + checksums };
  }
  // Another filter packed first; it checks what it gets.
  return { least: 1, most: 2 * chunk + 1024 };
}

/**
 * Most bytes a chunk of a dataset can be stored in by deflate, which makes hardly more of what it cannot pack; undefined
 * where it is not what packed last.
 */
export function deflatedBytes(metadata: Metadata, filters: readonly number[]): number | undefined {
  if (filters.findLast((id) => id !== FLETCHER) !== DEFLATE || filters.some((id) => BOUNDLESS.has(id))) {
    return undefined;
  }
  const chunk = (metadata.chunks ?? []).reduce((a, b) => a * b, stored(metadata));
  return Math.ceil(chunk * 1.01) + 1024;
}

/**
 * Refuses a chunk that is longer than its numbers can be, before the library unpacks it to whatever it becomes: 1032 times
 * its length at worst.
 *
 * @param most As {@linkcode deflatedBytes} says.
 */
export function checkDeflated(most: number | undefined, bytes: Uint8Array): void {
  if (most === undefined || bytes.length <= most || (bytes[0]! & 15) !== 8 || (bytes[0]! << 8 | bytes[1]!) % 31 !== 0) {
    return;
  }
  throw new Error(`a chunk of gzip has ${bytes.length} bytes, at most ${most} for what it holds`);
}

/** Bytes of an element in the file, where strings of variable length are larger than the pointers of memory. */
function stored({ type, vlen, size, compound_type: compound, array_type: array }: Metadata): number {
  if (vlen || type === VLEN) return VLEN_BYTES;
  if (array !== undefined) return array.total_size * stored(array);
  return (compound?.members ?? []).reduce((sum, member) => sum + stored(member) - member.size, size);
}

/** Says that something of an undamaged file is beyond a limit. */
export function tooLarge(file: Opened, path: string, found: string, max: number, hint: string): LimitError {
  return new LimitError(`Cannot read ${file.name}:${path}: ${found}, at most ${max}`, {
    hint,
    context: { file: file.name, path, found, expected: `at most ${max}`, max },
  });
}

/**
 * Walks a collection of strings ("GCOL") before the library does: it would never return from one whose free space claims
 * no bytes.
 */
export function checkHeap(storage: H5Storage, at: number, head: Uint8Array): void {
  if (
    head.length < 16 || head[0] !== 0x47 || head[1] !== 0x43 || head[2] !== 0x4f || head[3] !== 0x4c || head[4] !== 1
  ) return;
  const size = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(8, true));
  if (size < 16 || at + size > storage.size()) throw new Error(`strings at byte ${at} claim ${size} bytes`);
  const heap = new Uint8Array(size);
  storage.read(at, heap);
  const view = new DataView(heap.buffer);
  for (let place = 16; place + 16 <= size;) {
    const bytes = Number(view.getBigUint64(place + 8, true));
    const step = view.getUint16(place, true) === 0 ? bytes : 16 + Math.ceil(bytes / 8) * 8;
    if (step < 16 || place + step > size) throw new Error(`string at byte ${at + place} claims ${bytes} bytes`);
    place += step;
  }
}

/** What to do about a file that is no HDF5: what stands in its place tells. */
export function mendOf(head: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(head).trimStart();
  if (text.startsWith("version https://git-lfs")) return "This is a pointer of Git LFS: run git lfs pull";
  if (/^<(!doctype|html|\?xml)/i.test(text)) {
    return "This is a web page: fetch the file again, signed in where it is gated";
  }
  return text.startsWith("\x89HDF") || head[0] === 0x89 ? undefined : "This is no HDF5 file: fetch it again";
}
