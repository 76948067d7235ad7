/**
 * Bins of Visium HD pooled to squares, each of whole bins. Counts are added as whole numbers, and none is lost: the sum before
 * must be the sum after.
 *
 * @module
 */

import { assert, DataError, LimitError } from "../../core/errors.ts";
import { shortF32 } from "../../io/csv.ts";
import { blocks, type ColumnMap, type Matrix, MOST_ENTRIES } from "../../io/sparse.ts";
import type { ReadSample } from "./convert_sample.ts";
import { TOO_LARGE } from "../counts.ts";
import { countsOf } from "./pooled_counts.ts";
import type { PixelFit } from "../image/pixel_size.ts";

/** Bins with counts and places. */
export interface Bins {
  /** Their names. */
  readonly barcodes: readonly string[];
  /** Their rows of the counts, ascending. */
  readonly rows: readonly number[];
  readonly arrayRow: Int32Array;
  readonly arrayCol: Int32Array;
  readonly inTissue: Int32Array;
}

/**
 * Pools bins.
 *
 * @param columns Where the matrix's columns go, and the names of the genes they go to.
 * @param scale Side of a bin and of a square, µm, and where the lattice of the bins lies on the image.
 * @throws {DataError} If squares are not made of whole bins, or a number is no count, naming bin and gene.
 * @throws {LimitError} If squares times genes do not fit in memory.
 */
export function poolBins(
  sample: string,
  counts: Matrix,
  bins: Bins,
  columns: ColumnMap & { readonly genes: readonly string[] },
  { bin, side, fit }: { readonly bin: number; readonly side: number; readonly fit: PixelFit },
): Pick<ReadSample, "barcodes" | "counts" | "arrayRow" | "arrayCol" | "inTissue" | "spatial"> {
  const across = Math.round(side / bin);
  if (across < 1 || Math.abs(across * bin - side) > 1e-6 * side) {
    throw new DataError(`Cannot pool ${sample}: squares of ${side} µm, a multiple of its bins' ${bin} µm wanted`, {
      hint: `Pass --pitch-um ${Math.max(1, across) * bin}`,
      context: { sample, side, bin },
    });
  }
  const { squares, squareOf } = squaresOf(bins, across);
  const matrix = addUp(sample, counts, bins, squareOf, squares.length, columns);
  const four = (n: number) => String(n).padStart(4, "0");
  const middle = (n: number) => n * across + (across - 1) / 2;
  return {
    barcodes: squares.map(({ row, column }) => `${four(row)}x${four(column)}`),
    counts: matrix,
    arrayRow: Int32Array.from(squares, ({ row }) => row),
    arrayCol: Int32Array.from(squares, ({ column }) => column),
    inTissue: Int32Array.from(squares, ({ tissue }) => tissue),
    spatial: Float64Array.from(squares.flatMap(({ row, column }) => fit.at(middle(row), middle(column)))),
  };
}

interface Square {
  readonly row: number;
  readonly column: number;
  /** 1 where a bin is under tissue. */
  tissue: number;
}

/** The squares that have bins, row by row, and the square of each bin. */
function squaresOf(
  { arrayRow, arrayCol, inTissue }: Bins,
  across: number,
): { squares: Square[]; squareOf: Uint32Array } {
  const byPlace = new Map<string, Square>();
  const own = Array.from(arrayRow, (r, i) => {
    const [row, column] = [Math.floor(r / across), Math.floor(arrayCol[i]! / across)];
    const key = `${row} ${column}`;
    const square = byPlace.get(key) ?? { row, column, tissue: 0 };
    byPlace.set(key, square);
    square.tissue |= inTissue[i]!;
    return square;
  });
  const squares = [...byPlace.values()].sort((a, b) => a.row - b.row || a.column - b.column);
  const number = new Map(squares.map((square, i) => [square, i]));
  return { squares, squareOf: Uint32Array.from(own, (square) => number.get(square)!) };
}

function addUp(
  sample: string,
  counts: Matrix,
  { rows, barcodes }: Bins,
  squareOf: Uint32Array,
  squares: number,
  { map, width, genes }: ColumnMap & { readonly genes: readonly string[] },
): Matrix {
  if (squares * width > MOST_ENTRIES) {
    throw new LimitError(
      `Cannot pool ${sample}: ${squares} squares of ${width} genes, at most ${MOST_ENTRIES} numbers`,
      {
        hint: "Pass a larger --pitch-um",
        context: { sample, squares, genes: width },
      },
    );
  }
  const sums = new Uint32Array(squares * width);
  let before = 0;
  let next = 0;
  for (const { from, indptr, indices, values } of blocks(counts)) {
    for (; next < rows.length && rows[next]! < from + indptr.length - 1; next++) {
      const row = rows[next]! - from;
      for (let i = indptr[row]!; i < indptr[row + 1]!; i++) {
        const column = map[indices[i]!]!;
        if (column < 0) continue;
        const value = values[i]!;
        const sum = sums[squareOf[next]! * width + column]! + value;
        if (!Number.isInteger(value) || value < 0 || sum >= TOO_LARGE) {
          const found = `${shortF32(value)} in bin ${barcodes[next]}, gene ${genes[column]}`;
          const wanted = `whole numbers from 0 that add up to less than ${TOO_LARGE}`;
          throw new DataError(`Cannot use the counts of ${sample}: ${found}, ${wanted} wanted in ${counts.name}`, {
            code: "counts",
            hint: "Convert the raw counts: corrected or normalised ones are none",
            context: { sample, file: counts.name, found, expected: wanted },
          });
        }
        sums[squareOf[next]! * width + column] = sum;
        before += value;
      }
    }
  }
  const after = sums.reduce((sum, value) => sum + value, 0);
  assert(before === after, `counts of ${sample} are ${before} before and ${after} after pooling`);
  return countsOf(counts.name, width, [...Array(squares).keys()], sums);
}
