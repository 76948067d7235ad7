/**
 * Reading rows of an HDF5 dataset of bytes: from where they lie in the file if that is known (`h5_places.ts`) and the
 * library reads the same there, else by the library.
 *
 * @module
 */

import type { H5File } from "./h5.ts";
import { type RowPlaces, rowPlaces } from "./h5_places.ts";

/** Most bytes read past the library at once; it refuses larger reads by name. */
const MOST_BYTES = 2 ** 30;

type Rows = (from: number, to: number) => Uint8Array<ArrayBuffer>;

/**
 * How to read rows `from` up to `to` of a dataset of u1.
 *
 * @returns Throws as {@linkcode H5File.read} does.
 */
export function rowReader(file: H5File, path: string): Rows {
  const library: Rows = (from, to) => file.read(path, from, to) as Uint8Array<ArrayBuffer>;
  let rows: Rows | undefined;
  // Not before a row is wanted: files are also opened for their names alone.
  return (from, to) => (rows ??= directReader(file, path, library) ?? library)(from, to);
}

function directReader(file: H5File, path: string, library: Rows): Rows | undefined {
  const { shape = [], chunks, filters, dtype } = file.info(path);
  if (dtype !== "u1" || filters.length > 0 || shape.length === 0) return undefined;
  const places = rowPlaces(file.storage, file.address(path), { shape, chunks });
  if (places === undefined) return undefined;
  const count = shape[0]!;
  const width = shape.slice(1).reduce((a, b) => a * b, 1);
  const direct: Rows = (from, to) => {
    const whole = Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= count;
    return whole && (to - from) * width <= MOST_BYTES
      ? readRows(file, path, places, width, from, to)
      : library(from, to);
  };
  try {
    return [0, count >> 1, count - 1].every((row) => same(direct(row, row + 1), library(row, row + 1)))
      ? direct
      : undefined;
  } catch {
    // What is wrong, the library says when the row is wanted.
    return undefined;
  }
}

function readRows(
  file: H5File,
  path: string,
  { run, at }: RowPlaces,
  width: number,
  from: number,
  to: number,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array((to - from) * width);
  for (let row = from; row < to;) {
    const number = Math.floor(row / run);
    const end = Math.min(to, (number + 1) * run);
    const into = out.subarray((row - from) * width, (end - from) * width);
    file.readBytes(path, at(number) + (row - number * run) * width, into);
    row = end;
  }
  return out;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
