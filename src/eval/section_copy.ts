/**
 * Expression of one section carried over to the next: the spots' footprints are laid on each other by a rotation and a shift
 * (`core/rigid.ts`), and every place takes the mean of the other section's spots nearest to it.
 *
 * @module
 */

import { fitRigid, move, type PlanePoint as Place } from "../core/rigid.ts";
import { columnMoments } from "./linalg/standardize.ts";
import type { Table } from "./linalg/table.ts";

/**
 * The copy.
 *
 * @param values Of the spots at `from`, `[spots, genes]`.
 * @param nearest Spots whose plain mean a place gets.
 */
export function copyNearest(values: Table, from: readonly Place[], to: readonly Place[], nearest: number): Table {
  const fit = fitRigid(from, to);
  const moved = from.map((place) => move(fit, place));
  const { columns } = values;
  const data = new Float64Array(to.length * columns);
  to.forEach(([x, y], i) => {
    const chosen = moved.map(([u, v], j) => ({ j, squared: (u - x) ** 2 + (v - y) ** 2 }))
      .sort((a, b) => a.squared - b.squared).slice(0, nearest);
    for (const { j } of chosen) {
      for (let g = 0; g < columns; g++) data[i * columns + g]! += values.data[j * columns + g]! / chosen.length;
    }
  });
  return { rows: to.length, columns, data };
}

/**
 * A prediction with a copy mixed in: both less their mean over the section, weighted, and the prediction's mean again.
 *
 * @param predicted `[spots, genes]`, the spots of one section.
 * @param weight Of the copy; the prediction has the rest.
 */
export function mixCopy(predicted: Table, copied: Table, weight: number): Table {
  const [p, c] = [predicted, copied].map((of) => columnMoments(of).mean) as [Float64Array, Float64Array];
  const { columns } = predicted;
  const data = Float64Array.from(predicted.data, (value, at) => {
    const g = at % columns;
    return p[g]! + (1 - weight) * (value - p[g]!) + weight * (copied.data[at]! - c[g]!);
  });
  return { ...predicted, data };
}
