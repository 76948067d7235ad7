/**
 * Reading `.h5ad` files: the matrix by rows, tables, coordinates, layers, raw and the unstructured rest, of any version of
 * anndata and of HEST. Only what is asked for is read, and only that must be sound.
 *
 * Source: https://anndata.readthedocs.io/en/latest/fileformat-prose.html
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { H5File, type H5Value } from "./h5.ts";
import type { H5Storage } from "./h5_library.ts";
import { compressedMatrix, denseMatrix } from "./h5_matrix.ts";
import { encodingOf, type Frame, one, openFrame } from "./h5ad_frame.ts";
import { readTree, type UnsTree } from "./h5ad_uns.ts";
import { type Matrix, toDense } from "../sparse.ts";

/** Numbers for every row, `[rows, columns]`. */
export interface Points {
  /** Numbers of a row. */
  readonly columns: number;
  /** `[rows, columns]`. */
  readonly values: Float64Array<ArrayBuffer>;
}

/** The part kept from before genes were chosen. */
export interface Raw {
  /** Its genes. */
  readonly var: Frame;
  /** The matrix. */
  readonly x: Matrix;
}

/** A matrix of a file with its genes. */
export interface Expressed extends Raw {
  /** `X`, `raw`, or `layers/` and a name. */
  readonly place: string;
}

/** An open `.h5ad` file. */
export class H5ad {
  /** Rows: spots or cells. */
  readonly obs: Frame;
  /** Columns: genes. */
  readonly var: Frame;

  private constructor(private readonly file: H5File) {
    this.obs = openFrame(file, "/obs");
    this.var = openFrame(file, "/var");
  }

  /**
   * Opens a file.
   *
   * @param source A file of the host, or bytes by range; closing the result closes it.
   * @throws {FormatError} If it is no HDF5 file, or has no sound `obs` and `var`.
   */
  static async open(source: H5Storage): Promise<H5ad> {
    const file = await H5File.open(source);
    try {
      return new H5ad(file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Name of the file. */
  get name(): string {
    return this.file.name;
  }

  /**
   * The matrix `X`, spots by genes.
   *
   * @throws {DataError} If the file has none.
   * @throws {FormatError} If it is damaged, or disagrees with `obs` and `var`.
   */
  get x(): Matrix {
    if (!this.exists("/X")) {
      const others = [...this.layers.map((name) => `layers/${name}`), ...(this.raw ? ["raw"] : [])].join(", ");
      throw new DataError(`Cannot read X of ${this.name}: the file has none, counts are wanted`, {
        ...(others ? { hint: `It has ${others}` } : {}),
        context: { file: this.name, path: "/X" },
      });
    }
    return this.matrix("/X", this.obs.index.length, this.var.index.length);
  }

  /** Names of the layers. */
  get layers(): string[] {
    return this.names("/layers");
  }

  /** A layer, of the shape of `X`; undefined where there is none of that name. */
  layer(name: string): Matrix | undefined {
    if (!this.layers.includes(name)) return undefined;
    return this.matrix(`/layers/${name}`, this.obs.index.length, this.var.index.length);
  }

  /** What was kept from before genes were chosen, if anything. */
  get raw(): Raw | undefined {
    const [matrix, table] = this.file.kind("/raw") === "group" ? ["/raw/X", "/raw/var"] : ["/raw.X", "/raw.var"];
    if (!this.exists(matrix) || !this.exists(table)) return undefined;
    const genes = openFrame(this.file, table);
    return { var: genes, x: this.matrix(matrix, this.obs.index.length, genes.index.length) };
  }

  /** Where the file has expression: `X`, `raw`, and `layers/` with each name. */
  get places(): string[] {
    const layers = this.layers.map((name) => `layers/${name}`);
    return [...(this.exists("/X") ? ["X"] : []), ...(this.raw ? ["raw"] : []), ...layers];
  }

  /** Expression by its place; a layer may be named alone. Undefined where there is none. */
  expressed(where: string): Expressed | undefined {
    const place = where === "raw/X" ? "raw" : where;
    if (place === "X") return this.exists("/X") ? { place, x: this.x, var: this.var } : undefined;
    const raw = place === "raw" ? this.raw : undefined;
    if (raw !== undefined) return { place, ...raw };
    const name = place.replace(/^layers\//, "");
    const x = this.layer(name);
    return x === undefined ? undefined : { place: `layers/${name}`, x, var: this.var };
  }

  /** Names in `obsm`. */
  get obsm(): string[] {
    return this.names("/obsm");
  }

  /** Numbers of `obsm`; undefined where there are none of that name. */
  points(name: string): Points | undefined {
    if (!this.obsm.includes(name)) return undefined;
    const path = `/obsm/${name}`;
    const rows = this.obs.index.length;
    if (this.file.kind(path) === "group") return this.tablePoints(path, rows);
    encodingOf(this.file, path);
    const { shape, dtype } = this.file.info(path);
    const [found, columns = 1] = shape ?? [];
    if (found !== rows || shape!.length > 2 || dtype === "str" || dtype === "other") {
      throw this.file.fail(path, `${dtype} ${JSON.stringify(shape ?? null)}`, `numbers [${rows}, columns]`);
    }
    return { columns, values: this.file.numbers(path) };
  }

  /** Places that a data frame in `obsm` holds. */
  private tablePoints(path: string, rows: number): Points {
    if (encodingOf(this.file, path) !== "dataframe") {
      const { shape } = this.file.attributes(path);
      const columns = Array.isArray(shape) ? Number(shape[1]) : NaN;
      const matrix = this.matrix(path, rows, columns);
      return { columns, values: Float64Array.from(toDense(matrix.read(0, rows), columns)) };
    }
    const table = openFrame(this.file, path);
    if (table.index.length !== rows) throw this.file.fail(path, `${table.index.length} rows`, `${rows}`);
    const columns = table.columns.map((name) => table.numbers(name)!);
    const values = new Float64Array(rows * columns.length);
    columns.forEach((column, j) => column.forEach((value, i) => values[i * columns.length + j] = value));
    return { columns: columns.length, values };
  }

  /**
   * Centres of the spots, `[rows, 2]`: x then y in pixels of the slide's largest level.
   *
   * @throws {DataError} If the file has none.
   * @throws {FormatError} If they are not two finite numbers a row.
   */
  spatial(): Float64Array<ArrayBuffer> {
    const points = this.points("spatial");
    if (points === undefined) {
      throw new DataError(`Cannot read places of spots of ${this.name}: it has no obsm/spatial`, {
        hint: `obsm has ${this.obsm.join(", ") || "nothing"}`,
        context: { file: this.name, path: "/obsm/spatial" },
      });
    }
    const bad = points.values.findIndex((value) => !Number.isFinite(value));
    if (points.columns !== 2) throw this.file.fail("/obsm/spatial", `${points.columns} columns`, "2: x and y");
    if (bad >= 0) {
      throw this.file.fail("/obsm/spatial", `${points.values[bad]} in row ${bad >> 1}`, "finite coordinates");
    }
    return points.values;
  }

  /** The unstructured rest. */
  uns(): UnsTree {
    return readTree(this.file, "/uns");
  }

  /** Whether there is something at a path. */
  private exists(path: string): boolean {
    const kind = this.file.kind(path);
    return kind === "group" || (kind === "dataset" && this.file.info(path).shape !== undefined);
  }

  /** Names in a group; none where it is missing. */
  private names(path: string): string[] {
    return this.file.kind(path) === "group" ? this.file.keys(path) : [];
  }

  /** A matrix of these sizes. */
  private matrix(path: string, rows: number, columns: number): Matrix {
    const encoding = encodingOf(this.file, path);
    if (this.file.kind(path) === "dataset") {
      const matrix = denseMatrix(this.file, path);
      this.checkShape(path, [matrix.rows, matrix.columns], rows, columns);
      return matrix;
    }
    const attributes = this.file.attributes(path);
    const layout = encoding ? encoding.replace("_matrix", "") : one(attributes["h5sparse_format"]);
    if (layout !== "csr" && layout !== "csc") {
      throw this.file.fail(path, `a group ${encoding || "without encoding"}`, "a dense, csr or csc matrix");
    }
    this.checkShape(path, attributes["shape"] ?? attributes["h5sparse_shape"], rows, columns);
    return compressedMatrix(this.file, { path, rows, columns, layout });
  }

  /** Refuses a matrix of other sizes. */
  private checkShape(path: string, shape: H5Value | undefined, rows: number, columns: number): void {
    const found = Array.isArray(shape) ? shape.map(Number) : [];
    if (found.length !== 2 || found[0] !== rows || found[1] !== columns) {
      throw this.file.fail(path, `shape ${found.join("x") || "none"}`, `${rows}x${columns}, as obs and var say`);
    }
  }

  /** Closes the file. */
  close(): void {
    this.file.close();
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.close();
  }
}
