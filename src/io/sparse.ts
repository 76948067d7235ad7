/**
 * Expression matrices, spots by genes, whatever they are stored as: always read by rows, as f32, repeats summed. A file of
 * any size takes the memory of the rows that are asked for.
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";

/** Rows of a matrix in compressed form; columns ascend within a row, and none comes twice. */
export interface SparseRows {
  /** Number of the first row. */
  readonly from: number;
  /** `[rows + 1]`: row `from + i` lies at `indptr[i]` up to `indptr[i + 1]`. */
  readonly indptr: Uint32Array;
  /** Columns of the entries. */
  readonly indices: Uint32Array;
  /** Values of the entries. */
  readonly values: Float32Array;
}

/** A matrix read by rows. */
export interface Matrix {
  /** File and place in it, for messages. */
  readonly name: string;
  /** Spots or cells. */
  readonly rows: number;
  /** Genes. */
  readonly columns: number;
  /** How it is stored. */
  readonly layout: "dense" | "csr" | "csc";
  /** Entries that are stored, zeros and repeats included. */
  readonly stored: number;
  /** Type the file keeps entries in, as h5py names it (`bool`, `u1`, `f4`); undefined where it has none. */
  readonly dtype?: string;
  /**
   * Rows `from` up to `to`.
   *
   * @throws {FormatError} If what is stored there is damaged.
   * @throws {LimitError} If the rows do not fit in memory.
   */
  read(from: number, to: number): SparseRows;
}

/** Entries of a block, unless one row has more. */
const BLOCK = 1 << 22;
/** Most entries read at once. */
export const MOST_ENTRIES: number = 1 << 27;

/** All rows of a matrix, a block at a time. */
export function* blocks(matrix: Matrix, entries: number = BLOCK): Generator<SparseRows> {
  const { rows, columns, layout, stored } = matrix;
  const perRow = layout === "dense" ? columns : stored / Math.max(1, rows);
  const step = Math.max(1, Math.min(rows, Math.floor(entries / Math.max(1, perRow))));
  for (let from = 0; from < rows; from += step) yield matrix.read(from, Math.min(rows, from + step));
}

/** Columns chosen from a matrix: column `j` adds to `map[j]` of `width`, or to none where that is negative. */
export interface ColumnMap {
  readonly map: Int32Array;
  readonly width: number;
}

/** Rows in full, `[rows, width]`. */
export function toDense(rows: SparseRows, columns: number | ColumnMap): Float32Array<ArrayBuffer> {
  const { map, width } = typeof columns === "number" ? { map: undefined, width: columns } : columns;
  const count = rows.indptr.length - 1;
  if (count * width > MOST_ENTRIES) {
    throw new LimitError(`Cannot fill rows: ${count} of ${width} columns, at most ${MOST_ENTRIES} elements`, {
      hint: "The file is not damaged: split the sample, or give fewer genes",
      context: { given: count * width, max: MOST_ENTRIES },
    });
  }
  const out = new Float32Array(count * width);
  for (let row = 0; row < count; row++) {
    for (let i = rows.indptr[row]!; i < rows.indptr[row + 1]!; i++) {
      const column = map === undefined ? rows.indices[i]! : map[rows.indices[i]!]!;
      if (column >= 0) out[row * width + column]! += rows.values[i]!;
    }
  }
  return out;
}

/** Names without repeats: `names[map[j]]` is the name of column `j`, so that equal ones are summed. */
export function mergeNames(names: readonly string[]): ColumnMap & { names: string[]; repeated: string[] } {
  const places = new Map<string, number>();
  const repeated = new Set<string>();
  const map = Int32Array.from(names, (name) => {
    const known = places.get(name);
    if (known !== undefined) repeated.add(name);
    else places.set(name, places.size);
    return known ?? places.size - 1;
  });
  return { map, width: places.size, names: [...places.keys()], repeated: [...repeated] };
}

/** Sorts columns within rows and sums repeats. Rows that are in order already are returned as they are. */
export function canonical(rows: SparseRows): SparseRows {
  const { from, indptr, indices, values } = rows;
  const count = indptr.length - 1;
  if (inOrder(rows)) return rows;
  const out = {
    from,
    indptr: new Uint32Array(count + 1),
    indices: new Uint32Array(indices.length),
    values: new Float32Array(values.length),
  };
  let at = 0;
  for (let row = 0; row < count; row++) {
    const [begin, end] = [indptr[row]!, indptr[row + 1]!];
    const order = Array.from({ length: end - begin }, (_, i) => begin + i).sort((a, b) => indices[a]! - indices[b]!);
    const first = at;
    for (const i of order) {
      if (at > first && out.indices[at - 1] === indices[i]) out.values[at - 1]! += values[i]!;
      else {
        out.indices[at] = indices[i]!;
        out.values[at++] = values[i]!;
      }
    }
    out.indptr[row + 1] = at;
  }
  return { ...out, indices: out.indices.slice(0, at), values: out.values.slice(0, at) };
}

function inOrder({ indptr, indices }: SparseRows): boolean {
  for (let row = 0; row + 1 < indptr.length; row++) {
    for (let i = indptr[row]! + 1; i < indptr[row + 1]!; i++) if (indices[i - 1]! >= indices[i]!) return false;
  }
  return true;
}

/** A matrix in memory. */
export function matrixOf(name: string, columns: number, all: Omit<SparseRows, "from">): Matrix {
  const { indptr, indices, values } = canonical({ from: 0, ...all });
  return {
    name,
    rows: indptr.length - 1,
    columns,
    layout: "csr",
    stored: indices.length,
    read(from, to) {
      const [begin, end] = [indptr[from]!, indptr[to]!];
      return {
        from,
        indptr: indptr.slice(from, to + 1).map((at) => at - begin),
        indices: indices.subarray(begin, end),
        values: values.subarray(begin, end),
      };
    },
  };
}

/**
 * Chosen rows of a matrix, in memory.
 *
 * @param rows Their numbers, ascending.
 * @param columns What becomes of the columns; as they are if not given.
 */
export function takeRows(matrix: Matrix, rows: ArrayLike<number>, columns?: ColumnMap): Matrix {
  const parts: { indices: Uint32Array; values: Float32Array }[] = [];
  const indptr = new Uint32Array(rows.length + 1);
  let next = 0;
  let before = 0;
  for (const { from, indptr: at, indices, values } of blocks(matrix)) {
    const until = from + at.length - 1;
    const part = { indices: new Uint32Array(indices.length), values: new Float32Array(values.length) };
    let kept = 0;
    for (; next < rows.length && rows[next]! < until; next++) {
      const row = rows[next]! - from;
      for (let i = at[row]!; i < at[row + 1]!; i++) {
        const column = columns === undefined ? indices[i]! : columns.map[indices[i]!]!;
        if (column < 0) continue;
        part.indices[kept] = column;
        part.values[kept++] = values[i]!;
      }
      indptr[next + 1] = before + kept;
    }
    before += kept;
    if (kept > 0) parts.push({ indices: part.indices.slice(0, kept), values: part.values.slice(0, kept) });
  }
  const all = { indptr, indices: new Uint32Array(before), values: new Float32Array(before) };
  let to = 0;
  for (const { indices, values } of parts) {
    all.indices.set(indices, to);
    all.values.set(values, to);
    to += values.length;
  }
  const taken = matrixOf(matrix.name, columns?.width ?? matrix.columns, all);
  return matrix.dtype === undefined ? taken : { ...taken, dtype: matrix.dtype };
}

/** Entries in any order, collected without knowing how many there are. */
export class Entries {
  private rowsOf: Uint32Array = new Uint32Array(1024);
  private columnsOf: Uint32Array = new Uint32Array(1024);
  private values: Float32Array = new Float32Array(1024);
  private count = 0;

  /** Number of entries. */
  get length(): number {
    return this.count;
  }

  /** Adds an entry. */
  add(row: number, column: number, value: number): void {
    if (this.count === this.values.length) this.grow();
    this.rowsOf[this.count] = row;
    this.columnsOf[this.count] = column;
    this.values[this.count++] = value;
  }

  private grow(): void {
    const length = 2 * this.count;
    if (length > 2 * MOST_ENTRIES) throw new LimitError(`Cannot keep a matrix: over ${MOST_ENTRIES} entries in memory`);
    const larger = <T extends Uint32Array | Float32Array>(to: T, of: T): T => (to.set(of), to);
    this.rowsOf = larger(new Uint32Array(length), this.rowsOf);
    this.columnsOf = larger(new Uint32Array(length), this.columnsOf);
    this.values = larger(new Float32Array(length), this.values);
  }

  /** The matrix of all entries. */
  matrix(name: string, rows: number, columns: number): Matrix {
    const indptr = new Uint32Array(rows + 1);
    for (let i = 0; i < this.count; i++) indptr[this.rowsOf[i]! + 1]!++;
    for (let row = 0; row < rows; row++) indptr[row + 1]! += indptr[row]!;
    const next = indptr.slice();
    const indices = new Uint32Array(this.count);
    const values = new Float32Array(this.count);
    for (let i = 0; i < this.count; i++) {
      const at = next[this.rowsOf[i]!]!++;
      indices[at] = this.columnsOf[i]!;
      values[at] = this.values[i]!;
    }
    return matrixOf(name, columns, { indptr, indices, values });
  }
}
