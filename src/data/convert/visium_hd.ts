/**
 * Bins of Visium HD pooled to squares. A bin belongs to the square in which its centre lies. Counts are added as whole numbers,
 * and none is lost: the sum before must be the sum after. Bins come in the order of their rows, so that counts of only a row of
 * squares are in memory at once, beside names and places of all bins, as numbers and bytes, and what is too large to be kept is added up again when it
 * is read.
 *
 * @module
 */

import { assert, DataError, LimitError } from "../../core/errors.ts";
import { shortF32 } from "../../io/csv.ts";
import { type ColumnMap, type Matrix, MOST_ENTRIES, type SparseRows } from "../../io/sparse.ts";
import type { ReadSample } from "./convert_sample.ts";
import { TOO_LARGE } from "../counts.ts";
import { countsOf } from "./pooled_counts.ts";
import type { PixelFit } from "../image/pixel_size.ts";

/** Bins with counts and places. */
export interface Bins {
  /** Name of one. */
  nameAt(i: number): string;
  /** Their rows of the counts, ascending. */
  readonly rows: Uint32Array;
  readonly arrayRow: Int32Array;
  readonly arrayCol: Int32Array;
  readonly inTissue: Int32Array;
}

/** Bins across a square from which on it need not be made of whole ones. */
const FINE = 20;
/** Entries of sums that are kept in memory, unless said otherwise. */
const KEPT = 1 << 25;
/** Entries that are read at once. */
const BLOCK = 1 << 22;

/** Whether squares can be made of bins: of whole ones, or of so many across that half a bin is no matter. */
export function poolsTo(bin: number, side: number): boolean {
  const across = Math.round(side / bin);
  return (across >= 1 && Math.abs(across * bin - side) <= 1e-6 * side) || side >= FINE * bin;
}

/**
 * Makes ready to pool bins: what is returned adds them up, when of the bins their rows and names alone need to be in memory.
 *
 * @param columns Where the matrix's columns go, and the names of the genes they go to.
 * @param scale Side of a bin and of a square, µm, and where the lattice of the bins lies on the image; `most`: entries of sums
 * that are kept in memory, beyond which they are added up again when they are read.
 * @throws {DataError} If squares are not made of whole bins; when they are added up, if a number is no count, naming bin and gene.
 * @throws {LimitError} If squares times genes do not fit in memory.
 */
export function poolBins(
  sample: string,
  counts: Matrix,
  bins: Bins,
  columns: ColumnMap & { readonly genes: readonly string[] },
  { bin, side, fit, most = KEPT }: {
    readonly bin: number;
    readonly side: number;
    readonly fit: PixelFit;
    readonly most?: number;
  },
): () => Pick<ReadSample, "barcodes" | "counts" | "arrayRow" | "arrayCol" | "inTissue" | "spatial"> {
  if (!poolsTo(bin, side)) {
    throw new DataError(`Cannot pool ${sample}: squares of ${side} µm, a multiple of its bins' ${bin} µm wanted`, {
      hint: `Pass --pitch-um ${Math.max(1, Math.round(side / bin)) * bin}`,
      context: { sample, side, bin },
    });
  }
  // A multiple is never a hair less than itself.
  const squareAt = (index: number) => Math.floor((index + 0.5) * bin / side + 1e-9);
  const squares = squaresOf(bins, squareAt);
  const { rows, nameAt } = bins;
  const pooling = new Pooling(sample, counts, { rows, nameAt }, squares, columns);
  return () => ({ ...namedSquares(squares, bin, side, fit), counts: pooling.matrix(most) });
}

function namedSquares({ row, column, tissue }: Squares, bin: number, side: number, fit: PixelFit) {
  const four = (n: number) => String(n).padStart(4, "0");
  const middle = (n: number) => (n + 0.5) * side / bin - 0.5;
  return {
    barcodes: Array.from(row, (r, i) => `${four(r)}x${four(column[i]!)}`),
    arrayRow: row,
    arrayCol: column,
    inTissue: tissue,
    spatial: Float64Array.from([...row.keys()].flatMap((i) => fit.at(middle(row[i]!), middle(column[i]!)))),
  };
}

/** The squares that have bins, row by row. */
interface Squares {
  readonly row: Int32Array;
  readonly column: Int32Array;
  /** 1 where a bin is under tissue. */
  readonly tissue: Int32Array;
  /** The square of each bin. */
  readonly of: Uint32Array;
}

function squaresOf({ arrayRow, arrayCol, inTissue }: Bins, squareAt: (index: number) => number): Squares {
  const width = 1 + squareAt(arrayCol.reduce((most, value) => Math.max(most, value), 0));
  const keyAt = (i: number) => squareAt(arrayRow[i]!) * width + squareAt(arrayCol[i]!);
  const seen = new Set<number>();
  for (let i = 0; i < arrayRow.length; i++) seen.add(keyAt(i));
  const distinct = Float64Array.from(seen).sort();
  const place = new Map(Array.from(distinct, (key, i) => [key, i]));
  const of = new Uint32Array(arrayRow.length);
  for (let i = 0; i < of.length; i++) of[i] = place.get(keyAt(i))!;
  const tissue = new Int32Array(distinct.length);
  of.forEach((square, i) => tissue[square]! |= inTissue[i]!);
  return {
    row: Int32Array.from(distinct, (key) => Math.floor(key / width)),
    column: Int32Array.from(distinct, (key) => key % width),
    tissue,
    of,
  };
}

/** Squares that are added up together, and the bins that they are made of. */
interface Band {
  readonly from: number;
  readonly to: number;
  readonly firstBin: number;
  readonly lastBin: number;
}

/** Rows of squares, if bins come in their order; else all squares at once. */
function bandsOf({ row, of }: Squares): Band[] {
  const bins = of.length;
  const all = [{ from: 0, to: row.length, firstBin: 0, lastBin: bins }];
  for (let i = 1; i < bins; i++) if (row[of[i]!]! < row[of[i - 1]!]!) return all;
  const bands: Band[] = [];
  for (let firstBin = 0; firstBin < bins;) {
    const of0 = row[of[firstBin]!]!;
    let lastBin = firstBin;
    while (lastBin < bins && row[of[lastBin]!] === of0) lastBin++;
    const from = bands.at(-1)?.to ?? 0;
    let to = from;
    while (to < row.length && row[to] === of0) to++;
    bands.push({ from, to, firstBin, lastBin });
    firstBin = lastBin;
  }
  return bands;
}

/** Counts of squares, added up band by band. */
class Pooling {
  readonly #bands: Band[];
  readonly #sums: Uint32Array;
  /** Sums of all bands, where they are few; else those of the band that was read last. */
  #kept: Map<Band, SparseRows> | undefined = new Map();
  #last: { readonly band: Band; readonly rows: SparseRows } | undefined;

  constructor(
    private readonly sample: string,
    private readonly counts: Matrix,
    private readonly bins: Pick<Bins, "rows" | "nameAt">,
    private readonly squares: Squares,
    private readonly columns: ColumnMap & { readonly genes: readonly string[] },
  ) {
    this.#bands = bandsOf(squares);
    const most = Math.max(0, ...this.#bands.map(({ from, to }) => to - from));
    const { width } = columns;
    if (most * width > MOST_ENTRIES) {
      throw new LimitError(
        `Cannot pool ${sample}: ${most} squares of ${width} genes, at most ${MOST_ENTRIES} numbers`,
        {
          hint: "Pass a larger --pitch-um",
          context: { sample, squares: most, genes: width },
        },
      );
    }
    this.#sums = new Uint32Array(most * width);
  }

  /** All squares: in memory, or added up again when they are read. */
  matrix(most: number): Matrix {
    let stored = 0;
    for (const band of this.#bands) {
      const added = this.#add(band);
      stored += added.values.length;
      if (stored > most) this.#kept = undefined;
      this.#kept?.set(band, added);
    }
    const shape = { name: this.counts.name, rows: this.squares.row.length, columns: this.columns.width };
    return { ...shape, layout: "csr", stored, read: (from, to) => this.#read(from, to) };
  }

  #read(from: number, to: number): SparseRows {
    const parts: SparseRows[] = [];
    let stored = 0;
    for (const band of this.#bands) {
      if (band.to <= from || band.from >= to) continue;
      const { indptr, indices, values } = this.#kept?.get(band) ?? this.#again(band);
      const [first, last] = [Math.max(from, band.from) - band.from, Math.min(to, band.to) - band.from];
      const [begin, end] = [indptr[first]!, indptr[last]!];
      stored += end - begin;
      parts.push({
        from: 0,
        indptr: indptr.slice(first, last + 1).map((at) => at - begin),
        indices: indices.subarray(begin, end),
        values: values.subarray(begin, end),
      });
    }
    return { from, ...joined(parts, to - from, stored) };
  }

  #again(band: Band): SparseRows {
    if (this.#last?.band !== band) this.#last = { band, rows: this.#add(band) };
    return this.#last.rows;
  }

  /** Adds up the bins of a band. */
  #add({ from, to, firstBin, lastBin }: Band): SparseRows {
    const { rows } = this.bins;
    const { map, width } = this.columns;
    const sums = this.#sums.fill(0, 0, (to - from) * width);
    let before = 0;
    let next = firstBin;
    const perRow = this.counts.stored / Math.max(1, this.counts.rows);
    const step = Math.max(1, Math.floor(BLOCK / Math.max(1, perRow)));
    const end = rows[lastBin - 1]! + 1;
    for (let at = rows[firstBin]!; at < end; at += step) {
      const { indptr, indices, values } = this.counts.read(at, Math.min(end, at + step));
      for (; next < lastBin && rows[next]! < at + indptr.length - 1; next++) {
        const row = rows[next]! - at;
        const place = (this.squares.of[next]! - from) * width;
        for (let i = indptr[row]!; i < indptr[row + 1]!; i++) {
          const column = map[indices[i]!]!;
          if (column < 0) continue;
          const value = values[i]!;
          const sum = sums[place + column]! + value;
          if (!Number.isInteger(value) || value < 0 || sum >= TOO_LARGE) throw this.#noCount(value, next, column);
          sums[place + column] = sum;
          before += value;
        }
      }
    }
    const added = countsOf(this.counts.name, width, [...Array(to - from).keys()], sums).read(0, to - from);
    const after = added.values.reduce((sum, value) => sum + value, 0);
    assert(before === after, `counts of ${this.sample} are ${before} before and ${after} after pooling`);
    return added;
  }

  #noCount(value: number, bin: number, column: number): DataError {
    const { sample, counts: { name } } = this;
    const found = `${shortF32(value)} in bin ${this.bins.nameAt(bin)}, gene ${this.columns.genes[column]}`;
    const wanted = `whole numbers from 0 that add up to less than ${TOO_LARGE}`;
    return new DataError(`Cannot use the counts of ${sample}: ${found}, ${wanted} wanted in ${name}`, {
      code: "counts",
      hint: "Convert the raw counts: corrected or normalised ones are none",
      context: { sample, file: name, found, expected: wanted },
    });
  }
}

/** Rows of several parts behind each other. */
function joined(parts: readonly SparseRows[], rows: number, stored: number): Omit<SparseRows, "from"> {
  const out = {
    indptr: new Uint32Array(rows + 1),
    indices: new Uint32Array(stored),
    values: new Float32Array(stored),
  };
  let [row, at] = [0, 0];
  for (const { indptr, indices, values } of parts) {
    out.indices.set(indices, at);
    out.values.set(values, at);
    for (let i = 1; i < indptr.length; i++) out.indptr[++row] = at + indptr[i]!;
    at += indices.length;
  }
  return out;
}
