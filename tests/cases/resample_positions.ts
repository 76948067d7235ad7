/**
 * Cases of resamplePositions: the rules of all encoder families, shrinking, growing, unequal axes, and the numbers of the
 * antialiased bicubic table.
 */

import {
  resamplePositions,
  resamplePositionsCost,
  type ResamplePositionsOptions,
} from "../../src/ops/resample_positions.ts";
import { given, normal, type OpCase } from "../case.ts";
import { resamplePositionsRef } from "../ref/resample_positions.ts";

function of(name: string, D: number, options: ResamplePositionsOptions, extra: Partial<OpCase> = {}): OpCase {
  const { from, to, prefix = 0, filter = "bicubic", antialias = true, offset = 0 } = options;
  return {
    name,
    inputs: { table: normal([prefix + from[0] * from[1], D], 0.5) },
    run: (g, t) => resamplePositions(g, t.table!, options),
    ref: (a) => resamplePositionsRef(a.table!, from, to, prefix, { filter, antialias, offset }),
    wrt: ["table"],
    ...extra,
  };
}

/** Results of PyTorch, known to six digits after the point. */
function known(
  name: string,
  from: readonly [number, number],
  to: readonly [number, number],
  rows: number[][],
  wanted: number[][],
): OpCase {
  return of(name, rows[0]!.length, { from, to }, {
    inputs: { table: given([rows.length, rows[0]!.length], rows.flat()) },
    ref: () => Float64Array.from(wanted.flat()),
    // The reference holds constants: no gradient to compare.
    wrt: [],
    tol: { nmse: 1e-11, max: 1e-5 },
  });
}

/** An identity as table: what comes out are the weights. */
const identity = (n: number) =>
  Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)));

/** Weights 28 to 14: output i reads inputs 2i-3 to 2i+4; where the border cuts taps off the rest is divided by its sum. */
function conchWeights(): number[][] {
  const taps = [-0.01171875, -0.03515625, 0.11328125, 0.43359375, 0.43359375, 0.11328125, -0.03515625, -0.01171875];
  return Array.from({ length: 14 }, (_, i) => {
    const row = Array.from({ length: 28 }, (_, j) => taps[j - (2 * i - 3)] ?? 0);
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((w) => w / sum);
  });
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of("timm 7x7 to 4x4, D 20", 20, { from: [7, 7], to: [4, 4], prefix: 5 }, { weights: ["table"] }),
  of("timm 4x4 to 5x9, D 7", 7, { from: [4, 4], to: [5, 9], prefix: 1 }),
  of("HF 5x5 to 3x8, D 6", 6, { from: [5, 5], to: [3, 8], prefix: 1, antialias: false }),
  of("DINOv2 offset 7x7 to 4x4, D 12", 12, { from: [7, 7], to: [4, 4], prefix: 1, antialias: false, offset: 0.1 }),
  of("DINOv2 offset 3x3 to 6x6, D 4", 4, { from: [3, 3], to: [6, 6], antialias: false, offset: 0.1 }),
  of("bilinear 6x6 to 4x4, D 8", 8, { from: [6, 6], to: [4, 4], prefix: 1, filter: "bilinear", antialias: false }),
  of("one place 1x1 to 2x3, D 1", 1, { from: [1, 1], to: [2, 3] }),
  of("same grid 4x4, D 12", 12, { from: [4, 4], to: [4, 4], prefix: 1, offset: 0.1 }, {
    ref: (a) => a.table!,
    weights: ["table"],
  }),
  of("CONCH 28x28 to 14x14, D 16", 16, { from: [28, 28], to: [14, 14], prefix: 1 }),
  known("weights 4 to 2", [1, 4], [1, 2], identity(4), [
    [0.458678, 0.458678, 0.119835, -0.037190],
    [-0.037190, 0.119835, 0.458678, 0.458678],
  ]),
  known("weights 28 to 14", [28, 1], [14, 1], identity(28), conchWeights()),
  known(
    "squares on 4x4 to 2x2",
    [4, 4],
    [2, 2],
    Array.from({ length: 16 }, (_, i) => [i * i / 10]),
    [[1.301066], [2.706373], [10.925381], [14.999413]],
  ),
  of("CONCH 28x28 to 14x14, D 768", 768, { from: [28, 28], to: [14, 14], prefix: 1 }, {
    benchOnly: true,
    perf: resamplePositionsCost(768, { from: [28, 28], to: [14, 14] }),
  }),
];
