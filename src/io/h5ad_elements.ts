/**
 * The elements an `.h5ad` file is made of, each marked with its type of encoding, for writers whose rows come a block at a
 * time or whose layout is an old one; `h5ad_write.ts` writes whole files. What HDF5's library here cannot write, booleans
 * and categoricals, is not offered: flags are int64, categories strings.
 *
 * Source: anndata, "On-disk format" (`docs/fileformat-prose.md`).
 *
 * @module
 */

import type { Disk } from "./disk.ts";
import { type H5Layout, type H5Writable, H5Writer } from "./h5_write.ts";

/** One column of a table: text, whole numbers or real ones. */
export type H5adColumn = readonly string[] | BigInt64Array | Float64Array;

/** A matrix in compressed rows. */
export interface H5adCsr {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
  readonly indices: Int32Array;
  /** `[rows + 1]`. */
  readonly indptr: Int32Array;
}

/** Elements of a chunk of a compressed matrix. */
const CHUNK = 1 << 16;
/** Groups of every file, besides the tables and X. */
const MAPPINGS = ["layers", "obsm", "obsp", "uns", "varm", "varp"];

/** Writes the elements of one file. */
export class H5adWriter {
  /**
   * Marks the file and makes the mappings every file has.
   *
   * @param layout `0.7` writes as anndata 0.7 did: elements without marks, but for tables and compressed matrices.
   */
  constructor(readonly h5: H5Writer, private readonly layout: "0.8" | "0.7" = "0.8") {
    this.encoded("/", "anndata", "0.1.0");
    for (const name of MAPPINGS) this.dict(`/${name}`);
  }

  /** Marks an element with its type of encoding. */
  encoded(path: string, type: string, version: string): void {
    const old = this.layout === "0.7";
    if (old && type !== "dataframe" && type !== "csr_matrix") return;
    this.h5.attribute(path, "encoding-type", type);
    this.h5.attribute(path, "encoding-version", old ? "0.1.0" : version);
  }

  /** Makes a mapping; its parent must exist. */
  dict(path: string): void {
    this.h5.group(path);
    this.encoded(path, "dict", "0.1.0");
  }

  /** Writes a table: obs or var. */
  frame(path: string, index: readonly string[], columns: Readonly<Record<string, H5adColumn>> = {}): void {
    this.h5.group(path);
    this.encoded(path, "dataframe", "0.2.0");
    this.h5.attribute(path, "_index", "_index");
    this.h5.attribute(path, "column-order", Object.keys(columns));
    for (const [name, values] of Object.entries({ _index: index, ...columns })) {
      const place = `${path}/${name}`;
      if (values instanceof BigInt64Array) this.array(place, "i8", [values.length], values);
      else if (values instanceof Float64Array) this.array(place, "f8", [values.length], values);
      else {
        this.h5.strings(place, values);
        this.encoded(place, "string-array", "0.2.0");
      }
    }
  }

  /** Writes an array; without `data`, as {@linkcode H5Writer.dataset} has it, its rows follow. */
  array<T extends keyof H5Writable>(
    path: string,
    dtype: T,
    shape: readonly number[],
    data?: H5Writable[T],
    layout: H5Layout = {},
  ): void {
    this.h5.dataset(path, dtype, shape, data, layout);
    this.encoded(path, "array", "0.2.0");
  }

  /** Writes a matrix in compressed rows, in parts that may grow, as anndata does. */
  csr(path: string, { rows, columns, data, indices, indptr }: H5adCsr): void {
    this.h5.group(path);
    this.encoded(path, "csr_matrix", "0.1.0");
    this.h5.attribute(path, "shape", [rows, columns]);
    const layout = (length: number): H5Layout => ({ chunks: [Math.max(1, Math.min(length, CHUNK))], growing: true });
    this.h5.dataset(`${path}/data`, "f4", [data.length], data, layout(data.length));
    this.h5.dataset(`${path}/indices`, "i4", [indices.length], indices, layout(indices.length));
    this.h5.dataset(`${path}/indptr`, "i4", [indptr.length], indptr, layout(indptr.length));
  }

  /** Writes a text or a number on its own, in `uns`. */
  scalar(path: string, value: string | number): void {
    if (typeof value === "string") this.h5.strings(path, [value], []);
    else this.h5.dataset(path, "f8", [], new Float64Array([value]));
    this.encoded(path, typeof value === "string" ? "string" : "numeric-scalar", "0.2.0");
  }
}

/** Writes a file, whole or not at all. */
export async function fillH5ad(
  disk: Pick<Disk, "writeAnywhere">,
  path: string,
  fill: (file: H5adWriter) => void,
  layout: "0.8" | "0.7" = "0.8",
): Promise<void> {
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    fill(new H5adWriter(h5, layout));
    h5.close();
  });
}
