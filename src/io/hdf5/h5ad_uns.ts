/**
 * Unstructured parts of `.h5ad` files as a tree: groups as objects, scalars and strings as they are, arrays to be read when
 * they are needed. What is of an unknown kind is left out.
 *
 * @module
 */

import type { H5Array, H5Dtype, H5File } from "./h5.ts";

/** An array that is not read yet. */
export interface UnsArray {
  /** Its extents. */
  readonly shape: readonly number[];
  /** Type of its values. */
  readonly dtype: H5Dtype;
  /** Reads it, row-major. */
  read(): H5Array | string[];
}

/** A value of the tree. */
export type UnsValue = string | number | bigint | boolean | null | UnsArray | UnsTree;

/** A group: an object without prototype, so that any key is safe. */
export interface UnsTree {
  /** What stands under each name. */
  [key: string]: UnsValue;
}

const DEPTH = 16;
const MOST_NODES = 100_000;

/**
 * Reads the tree below a group; empty where there is none.
 *
 * @throws {FormatError} If it is damaged, or nests without end.
 */
export function readTree(file: H5File, path: string): UnsTree {
  let nodes = 0;
  const walk = (at: string, depth: number): UnsTree => {
    if (depth > DEPTH) throw file.fail(at, `groups ${depth} deep`, `at most ${DEPTH}`);
    const tree: UnsTree = Object.create(null);
    for (const key of file.keys(at)) {
      const place = `${at}/${key}`;
      if (++nodes > MOST_NODES) throw file.fail(place, "yet another value", `at most ${MOST_NODES}`);
      const kind = file.kind(place);
      const value = kind === "group" ? walk(place, depth + 1) : kind === "dataset" ? leaf(file, place) : undefined;
      if (value !== undefined) tree[key] = value;
    }
    return tree;
  };
  return file.kind(path) === "group" ? walk(path, 0) : Object.create(null);
}

function leaf(file: H5File, path: string): UnsValue | undefined {
  const { shape, dtype } = file.info(path);
  if (shape === undefined) return null;
  if (dtype === "other") return undefined;
  // Files older than encodings keep a string as a list of one.
  const old = dtype === "str" && shape.length === 1 && shape[0] === 1 && !("encoding-type" in file.attributes(path));
  if (shape.length > 0 && !old) {
    return { shape, dtype, read: () => dtype === "str" ? file.strings(path) : file.read(path) };
  }
  if (dtype === "str") return file.strings(path)[0]!;
  const value = file.read(path)[0]!;
  if (dtype === "bool") return value !== 0;
  return typeof value === "bigint" && BigInt(Number(value)) === value && Number.isSafeInteger(Number(value))
    ? Number(value)
    : value;
}
