/**
 * Smoothing over neighbouring spots: half a spot's own counts, half the mean of its neighbourhood.
 *
 * Source: seal/omics_preprocess.py of github.com/mahmoodlab/SEAL. Its radius of the square root of 2 is measured in array
 * indices: on a square grid the eight around a spot, on Visium's hexagonal one (rows of every second column) four of six.
 *
 * @module
 */

import { ShapeError } from "../../core/errors.ts";
import type { Centre } from "../coordinates.ts";
import { CsrBuilder, type Matrix, RowSum, visitRow } from "../matrix.ts";

/** Neighbourhoods: members of spot `i` are `indices[indptr[i]]` up to `indptr[i + 1]`, ascending, `i` among them. */
export interface Neighbours {
  /** `[spots + 1]`. */
  readonly indptr: Uint32Array;
  readonly indices: Uint32Array;
}

/**
 * Which spots are neighbours by array row and column: `sqrt2` those within the square root of 2 (the reference), `hex6` the
 * six of Visium's hexagonal grid.
 */
export type Neighbourhood = "sqrt2" | "hex6";

/**
 * Neighbours on the array.
 *
 * @param rows Array row of each spot, `[spots]`.
 * @param columns Array column of each spot, `[spots]`; in Visium's grid of the same parity as the row.
 */
export function gridNeighbours(
  rows: ArrayLike<number>,
  columns: ArrayLike<number>,
  which: Neighbourhood = "sqrt2",
): Neighbours {
  if (which === "sqrt2") return neighboursWithin(rows, columns, 2);
  return neighboursWithin(rows, columns, 4, (row, column) => {
    const [r, c] = [Math.abs(row), Math.abs(column)];
    return (r === 0 && (c === 0 || c === 2)) || (r === 1 && c === 1);
  });
}

/**
 * Neighbours by place on the slide, for tables whose array indices mean nothing (Visium HD).
 *
 * @param spatial Centres of the spots.
 * @param apart Distance of neighbouring spots in the same unit; a tenth more is still near.
 */
export function slideNeighbours({ xy }: Centre, apart: number, which: Neighbourhood = "sqrt2"): Neighbours {
  const [x, y] = [xy.filter((_, k) => k % 2 === 0), xy.filter((_, k) => k % 2 === 1)];
  return neighboursWithin(x, y, (which === "sqrt2" ? 2 : 1) * (1.1 * apart) ** 2);
}

/**
 * Neighbours within a distance.
 *
 * @param x First coordinate of each spot.
 * @param y Second coordinate of each spot.
 * @param squared Square of the distance, inclusive; whole numbers compare without rounding.
 * @param accept Says of a difference within that distance whether it counts.
 * @throws {ShapeError} If there are not as many of one coordinate as of the other.
 */
export function neighboursWithin(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  squared: number,
  accept?: (dx: number, dy: number) => boolean,
): Neighbours {
  if (x.length !== y.length) throw new ShapeError(`Cannot find neighbours: ${x.length} rows and ${y.length} columns`);
  const side = Math.max(Math.sqrt(squared), 1e-9);
  const cells = new Map<string, number[]>();
  const cellOf = (value: number): number => Math.floor(value / side);
  for (let i = 0; i < x.length; i++) {
    const key = `${cellOf(x[i]!)} ${cellOf(y[i]!)}`;
    const cell = cells.get(key);
    cell === undefined ? cells.set(key, [i]) : cell.push(i);
  }
  const indptr = new Uint32Array(x.length + 1);
  const indices: number[] = [];
  for (let i = 0; i < x.length; i++) {
    const members: number[] = [];
    for (let a = -1; a <= 1; a++) {
      for (let b = -1; b <= 1; b++) {
        for (const j of cells.get(`${cellOf(x[i]!) + a} ${cellOf(y[i]!) + b}`) ?? []) {
          const [dx, dy] = [x[j]! - x[i]!, y[j]! - y[i]!];
          if (dx * dx + dy * dy <= squared && (accept === undefined || accept(dx, dy))) members.push(j);
        }
      }
    }
    for (const member of members.sort((p, q) => p - q)) indices.push(member);
    indptr[i + 1] = indices.length;
  }
  return { indptr, indices: Uint32Array.from(indices) };
}

/** Spots in each neighbourhood, the spot itself included, `[spots]`. */
export function degrees(neighbours: Neighbours): Uint32Array {
  return Uint32Array.from({ length: neighbours.indptr.length - 1 }, (_, i) => {
    return neighbours.indptr[i + 1]! - neighbours.indptr[i]!;
  });
}

/**
 * `S[i] = (1 - weight) X[i] + weight * mean of X over the neighbourhood`, summed in f64, stored in f32.
 *
 * @param matrix `[spots, genes]`; raw counts, before any filter, in the reference.
 * @returns Compressed rows.
 * @throws {ShapeError} If there is not one neighbourhood a spot.
 */
export function smooth(matrix: Matrix, neighbours: Neighbours, weight = 0.5): Matrix {
  if (neighbours.indptr.length !== matrix.rows + 1) {
    throw new ShapeError(
      `Cannot smooth: ${neighbours.indptr.length - 1} neighbourhoods, ${matrix.rows} (one a spot) wanted`,
    );
  }
  const out = new CsrBuilder(matrix.rows, matrix.columns, matrix.kind === "csr" ? 2 * matrix.data.length : 0);
  const row = new RowSum(matrix.columns);
  for (let i = 0; i < matrix.rows; i++) {
    const [from, to] = [neighbours.indptr[i]!, neighbours.indptr[i + 1]!];
    const share = to > from ? weight / (to - from) : 0;
    const own = to > from ? 1 - weight : 1;
    visitRow(matrix, i, (column, value) => {
      if (value !== 0) row.add(column, own * value);
    });
    for (let k = from; k < to; k++) {
      visitRow(matrix, neighbours.indices[k]!, (column, value) => {
        if (value !== 0) row.add(column, share * value);
      });
    }
    row.flush(out);
  }
  return out.finish();
}
