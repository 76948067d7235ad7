/**
 * Writing `.h5ad` files that anndata 0.8 and later, and scanpy, open unchanged; and the files of HEST, `st/{id}.h5ad`.
 *
 * Text is written as text and flags as 0 and 1: HDF5's booleans cannot be written, which categories need
 * before anndata 0.9, so categories are written only where asked for.
 *
 * Source: https://anndata.readthedocs.io/en/latest/fileformat-prose.html
 *
 * @module
 */

import { ConfigError, ShapeError } from "../../core/errors.ts";
import type { H5Writable, H5Writer } from "./h5_write.ts";
import { blocks, type Matrix, toDense } from "../sparse.ts";

/** A column to write. Whole numbers become int64, as pandas has them. */
export type NewColumn =
  | readonly string[]
  | Int32Array
  | Float32Array
  | Float64Array
  | { readonly codes: Int32Array; readonly categories: readonly string[]; readonly ordered?: boolean };

/** A table to write. */
export interface NewFrame {
  readonly index: readonly string[];
  readonly columns?: Readonly<Record<string, NewColumn>>;
}

/** An array to write. */
export interface NewArray {
  readonly shape: readonly number[];
  readonly values: Uint8Array | Int32Array | Float32Array | Float64Array | readonly string[];
}

/** A value of `uns` to write. */
export type NewUns = string | number | NewArray | { readonly [key: string]: NewUns };

/** What is written to: a file of HDF5, or a store of zarr. */
export type AnndataTarget = Pick<H5Writer, "name" | "group" | "attribute" | "dataset" | "rows" | "strings">;

/** What a file is to hold. */
export interface NewH5ad {
  readonly obs: NewFrame;
  readonly var: NewFrame;
  /** A matrix, or what writes one to the place it is given, marked by {@linkcode encode}. */
  readonly x: Matrix | ((h5: AnndataTarget, path: string) => void);
  readonly layers?: Readonly<Record<string, Matrix>>;
  readonly obsm?: Readonly<Record<string, NewArray>>;
  readonly uns?: { readonly [key: string]: NewUns };
}

/** How the file is stored. */
export interface H5adLayout {
  /** Matrices as rows in full instead of compressed rows. */
  readonly dense?: boolean;
  /** Level of gzip of the matrices, 1 to 9. */
  readonly gzip?: number;
}

/** Elements of a chunk of a matrix. */
const CHUNK = 1 << 16;

/**
 * Writes a file; the caller closes it. Matrices are read by blocks, twice where they are compressed.
 *
 * @throws {ShapeError} If extents disagree.
 * @throws {ConfigError} Of a name that cannot be one in HDF5.
 */
export function writeH5ad(h5: AnndataTarget, content: NewH5ad, layout: H5adLayout = {}): void {
  const shape = [content.obs.index.length, content.var.index.length] as const;
  encode(h5, "/", "anndata", "0.1.0");
  writeFrame(h5, "/obs", content.obs);
  writeFrame(h5, "/var", content.var);
  if (typeof content.x === "function") content.x(h5, "/X");
  else writeMatrix(h5, "/X", content.x, shape, layout);
  group(h5, "/layers");
  for (const [name, matrix] of Object.entries(content.layers ?? {})) {
    writeMatrix(h5, `/layers/${plain(name)}`, matrix, shape, layout);
  }
  group(h5, "/obsm");
  for (const [name, points] of Object.entries(content.obsm ?? {})) {
    checkExtent(h5, `/obsm/${name}`, points.shape[0] ?? 0, shape[0]);
    writeArray(h5, `/obsm/${plain(name)}`, points);
  }
  for (const name of ["varm", "obsp", "varp"]) group(h5, `/${name}`);
  writeUns(h5, "/uns", content.uns ?? {});
}

/** Marks an element with anndata's type of encoding. */
export function encode(h5: AnndataTarget, path: string, type: string, version: string): void {
  h5.attribute(path, "encoding-type", type);
  h5.attribute(path, "encoding-version", version);
}

function group(h5: AnndataTarget, path: string): void {
  h5.group(path);
  encode(h5, path, "dict", "0.1.0");
}

function plain(name: string): string {
  if (name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name)) return name;
  throw new ConfigError(`Cannot write ${JSON.stringify(name)}: a name without "/" is wanted`, { context: { name } });
}

function checkExtent(h5: AnndataTarget, path: string, found: number, wanted: number): void {
  if (found === wanted) return;
  throw new ShapeError(`Cannot write ${h5.name}:${path}: ${found} rows, ${wanted} are wanted`, {
    context: { file: h5.name, path, found, expected: wanted },
  });
}

function writeFrame(h5: AnndataTarget, path: string, { index, columns = {} }: NewFrame): void {
  h5.group(path);
  encode(h5, path, "dataframe", "0.2.0");
  h5.attribute(path, "_index", "_index");
  h5.attribute(path, "column-order", Object.keys(columns));
  writeArray(h5, `${path}/_index`, { shape: [index.length], values: index });
  for (const [name, column] of Object.entries(columns)) {
    if (name === "_index") throw new ConfigError(`Cannot write ${path}: a column may not be named _index`);
    const place = `${path}/${plain(name)}`;
    if ("categories" in column) {
      checkExtent(h5, place, column.codes.length, index.length);
      h5.group(place);
      encode(h5, place, "categorical", "0.2.0");
      h5.attribute(place, "ordered", column.ordered ? 1 : 0);
      writeArray(h5, `${place}/codes`, { shape: [index.length], values: column.codes }, "i4");
      writeArray(h5, `${place}/categories`, { shape: [column.categories.length], values: column.categories });
    } else {
      checkExtent(h5, place, column.length, index.length);
      writeArray(h5, place, { shape: [column.length], values: column });
    }
  }
}

/** Integers are written as int64 unless told otherwise. */
function writeArray(h5: AnndataTarget, path: string, { shape, values }: NewArray, whole: "i4" | "i8" = "i8"): void {
  if (isText(values)) {
    h5.strings(path, values, shape);
    encode(h5, path, shape.length === 0 ? "string" : "string-array", "0.2.0");
    return;
  }
  if (values instanceof Uint8Array) h5.dataset(path, "u1", shape, values);
  else if (values instanceof Float32Array) h5.dataset(path, "f4", shape, values);
  else if (values instanceof Float64Array) h5.dataset(path, "f8", shape, values);
  else if (whole === "i4") h5.dataset(path, "i4", shape, values);
  else h5.dataset(path, "i8", shape, BigInt64Array.from(values, BigInt));
  encode(h5, path, shape.length === 0 ? "numeric-scalar" : "array", "0.2.0");
}

function isText(values: NewArray["values"]): values is readonly string[] {
  return Array.isArray(values);
}

function writeMatrix(
  h5: AnndataTarget,
  path: string,
  matrix: Matrix,
  [rows, columns]: readonly [number, number],
  { dense, gzip }: H5adLayout,
): void {
  checkExtent(h5, path, matrix.rows, rows);
  if (matrix.columns !== columns) {
    throw new ShapeError(`Cannot write ${h5.name}:${path}: ${matrix.columns} columns, ${columns} are wanted`);
  }
  const packed = gzip === undefined ? {} : { gzip };
  if (dense) {
    if (rows * columns === 0) h5.dataset(path, "f4", [rows, columns], new Float32Array(0));
    else {
      const chunks = [Math.max(1, Math.min(rows, Math.floor(CHUNK / columns))), columns];
      h5.dataset(path, "f4", [rows, columns], undefined, { chunks, ...packed });
      for (const block of blocks(matrix, CHUNK * 64)) h5.rows(path, block.from, [columns], toDense(block, columns));
    }
    return encode(h5, path, "array", "0.2.0");
  }
  h5.group(path);
  encode(h5, path, "csr_matrix", "0.1.0");
  h5.attribute(path, "shape", [rows, columns]);
  const indptr = new Float64Array(rows + 1);
  for (const { from, indptr: part } of blocks(matrix)) {
    for (let i = 1; i < part.length; i++) indptr[from + i] = indptr[from]! + part[i]!;
  }
  const stored = indptr[rows]!;
  const wide = stored >= 2 ** 31;
  const list = <T extends keyof H5Writable>(name: string, dtype: T, empty: H5Writable[T]) =>
    stored === 0
      ? h5.dataset(`${path}/${name}`, dtype, [0], empty)
      : h5.dataset(`${path}/${name}`, dtype, [stored], undefined, { chunks: [Math.min(stored, CHUNK)], ...packed });
  list("data", "f4", new Float32Array(0));
  // scipy wants indices and pointers of one type.
  if (wide) list("indices", "i8", new BigInt64Array(0));
  else list("indices", "i4", new Int32Array(0));
  for (const { from, indices, values } of blocks(matrix)) {
    h5.rows(`${path}/data`, indptr[from]!, [], values);
    const columnsOf = wide ? BigInt64Array.from(indices, BigInt) : Int32Array.from(indices);
    h5.rows(`${path}/indices`, indptr[from]!, [], columnsOf);
  }
  if (wide) h5.dataset(`${path}/indptr`, "i8", [rows + 1], BigInt64Array.from(indptr, BigInt));
  else h5.dataset(`${path}/indptr`, "i4", [rows + 1], Int32Array.from(indptr));
}

function writeUns(h5: AnndataTarget, path: string, tree: { readonly [key: string]: NewUns }): void {
  group(h5, path);
  for (const [key, value] of Object.entries(tree)) {
    const place = `${path}/${plain(key)}`;
    if (typeof value === "string") writeArray(h5, place, { shape: [], values: [value] });
    else if (typeof value === "number") {
      const values = Number.isInteger(value) && Math.abs(value) < 2 ** 31
        ? Int32Array.of(value)
        : Float64Array.of(value);
      writeArray(h5, place, { shape: [], values });
    } else if (isArray(value)) writeArray(h5, place, value);
    else writeUns(h5, place, value);
  }
}

function isArray(value: NewArray | { readonly [key: string]: NewUns }): value is NewArray {
  return Array.isArray((value as NewArray).shape);
}

/** A sample as HEST keeps it. */
export interface HestSample {
  /** Names of the spots. */
  readonly barcodes: readonly string[];
  /** Names of the genes. */
  readonly genes: readonly string[];
  /** Ensembl identifiers of the genes. */
  readonly geneIds?: readonly string[];
  /** Raw counts, spots by genes. */
  readonly counts: Matrix;
  /** Places in the array, one a spot. */
  readonly arrayRow: Int32Array;
  readonly arrayCol: Int32Array;
  readonly inTissue?: Int32Array;
  /** Centres `[spots, 2]`, x then y, pixels of the slide's largest level. */
  readonly spatial: Float64Array;
  /** Diameter of a spot in those pixels. */
  readonly spotDiameter: number;
  /** RGB of the slide made small, `[height, width, 3]`, and its share of the full size. */
  readonly thumbnail: {
    readonly height: number;
    readonly width: number;
    readonly rgb: Uint8Array;
    readonly scale: number;
  };
}

/** A float64 even where the number is whole. */
function real(value: number): NewArray {
  return { shape: [], values: Float64Array.of(value) };
}

/** The content of `st/{id}.h5ad` of a sample. */
export function hestH5ad(sample: HestSample): NewH5ad {
  const count = sample.barcodes.length;
  const { height, width, rgb, scale } = sample.thumbnail;
  const axis = (k: number) => Float64Array.from({ length: count }, (_, i) => sample.spatial[2 * i + k]!);
  return {
    obs: {
      index: sample.barcodes,
      columns: {
        in_tissue: sample.inTissue ?? new Int32Array(count).fill(1),
        array_row: sample.arrayRow,
        array_col: sample.arrayCol,
        pxl_col_in_fullres: axis(0),
        pxl_row_in_fullres: axis(1),
      },
    },
    var: { index: sample.genes, ...(sample.geneIds ? { columns: { gene_ids: sample.geneIds } } : {}) },
    x: sample.counts,
    obsm: { spatial: { shape: [count, 2], values: sample.spatial } },
    uns: {
      spatial: {
        ST: {
          images: { downscaled_fullres: { shape: [height, width, 3], values: rgb } },
          scalefactors: {
            spot_diameter_fullres: real(sample.spotDiameter),
            tissue_downscaled_fullres_scalef: real(scale),
          },
        },
      },
    },
  };
}
