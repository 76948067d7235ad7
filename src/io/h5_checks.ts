/**
 * What must hold of an HDF5 dataset before memory is taken for it: filters that are there, chunks that fit, and no more
 * bytes than a file of its size can hold.
 *
 * @module
 */

import { type FormatError, LimitError } from "../core/errors.ts";
import type { H5Session, Metadata } from "./h5_library.ts";

/** Filters inside the library: deflate, shuffle, fletcher32, szip, nbit, scale-offset. */
const FILTERS: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 6]);
/** Most bytes of a chunk, which is unpacked whole whatever part of it is wanted. */
const MOST_CHUNK = 2 ** 28;
/** Number of LZF, which h5py has built in. */
const LZF = 32000;
/** Names of filters that are not here, where files do not give them. */
const PLUGINS: Readonly<Record<number, string>> = {
  32000: "lzf",
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
/** Most bytes that deflate makes of one. */
const DEFLATE_RATIO = 1032;
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
  checkSizes(file, path, metadata, filters.map(({ id }) => id));
}

function noFilter(
  file: Opened,
  path: string,
  { id, name }: { readonly id: number; readonly name: string },
): FormatError {
  const error = file.fail(path, `compression ${PLUGINS[id] || name || "?"} (filter ${id})`, "gzip or none");
  const anndata = `python -c "import anndata${id === LZF ? "" : ", hdf5plugin"}; ` +
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
  const held = file.storage.size() * (filters.includes(DEFLATE) ? DEFLATE_RATIO : 1);
  if (declared <= held) return;
  throw file.fail(
    path,
    `${declared} bytes declared (${(shape ?? []).join("x")} of ${bytes})`,
    `at most ${held}, which a file of ${file.storage.size()} bytes can hold`,
  );
}

/** Says that something of an undamaged file is beyond a limit. */
export function tooLarge(file: Opened, path: string, found: string, max: number, hint: string): LimitError {
  return new LimitError(`Cannot read ${file.name}:${path}: ${found}, at most ${max}`, {
    hint,
    context: { file: file.name, path, found, expected: `at most ${max}`, max },
  });
}
