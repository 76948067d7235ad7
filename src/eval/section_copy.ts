/**
 * Expression of one section carried over to the next: the spots' footprints are laid on each other by a rotation and a shift,
 * and every place takes the mean of the other section's spots nearest to it.
 *
 * @module
 */

import { columnMoments } from "./linalg/standardize.ts";
import type { Table } from "./linalg/table.ts";

/** A place, in any unit that both sections share. */
export type Place = readonly [x: number, y: number];

/** x -> R x + t with R by the angle. */
export interface Rigid {
  /** Radians. */
  readonly angle: number;
  readonly shift: Place;
  /** Mean squared distance to the nearest spot, both ways added, in the unit of places, squared. */
  readonly cost: number;
}

/** Moves a place. */
export function move({ angle, shift: [tx, ty] }: Pick<Rigid, "angle" | "shift">, [x, y]: Place): Place {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return [c * x - s * y + tx, s * x + c * y + ty];
}

function centre(places: readonly Place[]): Place {
  const sum = places.reduce(([a, b], [x, y]) => [a + x, b + y] as Place, [0, 0]);
  return [sum[0] / places.length, sum[1] / places.length];
}

function nearest(to: readonly Place[], [x, y]: Place): { index: number; squared: number } {
  let [index, squared] = [0, Infinity];
  to.forEach(([u, v], i) => {
    const d = (u - x) ** 2 + (v - y) ** 2;
    if (d < squared) [index, squared] = [i, d];
  });
  return { index, squared };
}

/** Least squares: rotation and shift from pairs of places. */
function solve(pairs: readonly (readonly [Place, Place])[]): Pick<Rigid, "angle" | "shift"> {
  const [[ax, ay], [bx, by]] = [centre(pairs.map(([a]) => a)), centre(pairs.map(([, b]) => b))];
  let [dot, cross] = [0, 0];
  for (const [[x, y], [u, v]] of pairs) {
    dot += (x - ax) * (u - bx) + (y - ay) * (v - by);
    cross += (x - ax) * (v - by) - (y - ay) * (u - bx);
  }
  const angle = Math.atan2(cross, dot);
  const [mx, my] = move({ angle, shift: [0, 0] }, [ax, ay]);
  return { angle, shift: [bx - mx, by - my] };
}

/** Spots that footprints are laid on each other by, at most: every one is compared with every other, many times. */
const FITTED = 400;

/** At most so many places, evenly in their order. */
function some(places: readonly Place[]): readonly Place[] {
  const count = Math.min(places.length, FITTED);
  return Array.from({ length: count }, (_, i) => places[Math.floor(i * places.length / count)]!);
}

/**
 * Lays one footprint on another: iterated closest points, each spot of either paired with the nearest of the other, from
 * rotations of -30 to 30 degrees; the best end wins.
 */
export function fitRigid(allFrom: readonly Place[], allTo: readonly Place[]): Rigid {
  const [from, to] = [some(allFrom), some(allTo)];
  let best: Rigid | undefined;
  for (let degrees = -30; degrees <= 30; degrees += 5) {
    const angle = degrees * Math.PI / 180;
    const [[cx, cy], [mx, my]] = [centre(to), move({ angle, shift: [0, 0] }, centre(from))];
    let now: Pick<Rigid, "angle" | "shift"> = { angle, shift: [cx - mx, cy - my] };
    for (let round = 0; round < 60; round++) {
      const moved = from.map((place) => move(now, place));
      const next = solve([
        ...from.map((place, i) => [place, to[nearest(to, moved[i]!).index]!] as const),
        ...to.map((place) => [from[nearest(moved, place).index]!, place] as const),
      ]);
      const change = Math.abs(next.angle - now.angle) +
        Math.hypot(next.shift[0] - now.shift[0], next.shift[1] - now.shift[1]);
      now = next;
      if (change < 1e-7) break;
    }
    const moved = from.map((place) => move(now, place));
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const cost = mean(moved.map((place) => nearest(to, place).squared)) +
      mean(to.map((place) => nearest(moved, place).squared));
    if (best === undefined || cost < best.cost) best = { ...now, cost };
  }
  return best!;
}

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
