/**
 * What can be reached on the synthetic data set, and how it is measured: the linear probe of HEST-Benchmark on features that
 * no encoder needs, namely the true fields and plain colour statistics.
 *
 * @module
 */

import { NumericsError } from "../../core/errors.ts";

/** Features or targets, `[rows, columns]`. */
export interface Table {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/**
 * Mean correlations over the 50-gene panel (`pcc`) and over its genes of visible programs (`pccVisible`), and recall at 10
 * from image to gene within slides through the probe, on the test slides of profile `ci`, seed 20260214: what an encoder is to
 * be compared with. The networks' numbers are of one run.
 */
export const CALIBRATION = {
  oracleAll: { pcc: 0.635, pccVisible: 0.629, recallAt10: 0.824 },
  oracleVisible: { pcc: 0.500, pccVisible: 0.629, recallAt10: 0.677 },
  colour: { pcc: 0.266, pccVisible: 0.311, recallAt10: 0.280 },
  frozenRandomVit: { pcc: 0.323, pccVisible: 0.386, recallAt10: 0.377 },
  trainedVit: { pcc: 0.374, pccVisible: 0.463, recallAt10: 0.470 },
} as const;

/**
 * Predictions of HEST-Benchmark's probe for test rows: features standardised by the training rows, ridge with
 * alpha = 100 / (features x targets), no intercept. Its PCA only turns features of fewer than 256 columns, which ridge does
 * not see, so it is left out.
 *
 * @throws {NumericsError} If the features are not finite.
 */
export function probe(trainX: Table, trainY: Table, testX: Table, alpha?: number): Table {
  const [d, k] = [trainX.columns, trainY.columns];
  const { mean, deviation } = moments(trainX);
  const x = standardised(trainX, mean, deviation);
  const penalty = alpha ?? 100 / (d * k);
  const gram = product(x, x);
  for (let i = 0; i < d; i++) gram[i * d + i]! += penalty;
  const weights = solve(gram, product(x, trainY), d, k);
  const test = standardised(testX, mean, deviation);
  const data = new Float64Array(test.rows * k);
  for (let r = 0; r < test.rows; r++) {
    for (let i = 0; i < d; i++) {
      const value = test.data[r * d + i]!;
      for (let j = 0; j < k; j++) data[r * k + j]! += value * weights[i * k + j]!;
    }
  }
  return { rows: test.rows, columns: k, data };
}

/** Pearson's correlation of each column; 0 where one is constant. */
export function correlations(a: Table, b: Table): Float64Array {
  const [ma, mb] = [moments(a), moments(b)];
  const out = new Float64Array(a.columns);
  for (let r = 0; r < a.rows; r++) {
    for (let j = 0; j < a.columns; j++) {
      const at = r * a.columns + j;
      out[j]! += (a.data[at]! - ma.mean[j]!) * (b.data[at]! - mb.mean[j]!);
    }
  }
  return out.map((sum, j) => {
    const scale = ma.deviation[j]! * mb.deviation[j]! * a.rows;
    return scale > 0 ? sum / scale : 0;
  });
}

/**
 * Colour statistics of a patch, 54 numbers: mean and standard deviation of R, G and B, then the 4 x 4 averages of each pixel
 * block, row by row.
 *
 * @param rgb Bytes `[side, side, 3]`; side a multiple of 4.
 */
export function colourStatistics(rgb: Uint8Array, side: number): Float64Array {
  const out = new Float64Array(54);
  const block = side / 4;
  const pixels = side * side;
  for (let y = 0, at = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const cell = 6 + 3 * (4 * Math.floor(y / block) + Math.floor(x / block));
      for (let c = 0; c < 3; c++, at++) {
        const value = rgb[at]!;
        out[c]! += value / pixels;
        out[3 + c]! += value * value / pixels;
        out[cell + c]! += value * 16 / pixels;
      }
    }
  }
  for (let c = 0; c < 3; c++) out[3 + c] = Math.sqrt(Math.max(0, out[3 + c]! - out[c]! ** 2));
  return out;
}

/** Mean and population deviation of each column. */
function moments({ rows, columns, data }: Table): { mean: Float64Array; deviation: Float64Array } {
  const mean = new Float64Array(columns);
  const square = new Float64Array(columns);
  for (let at = 0; at < data.length; at++) mean[at % columns]! += data[at]! / rows;
  for (let at = 0; at < data.length; at++) square[at % columns]! += (data[at]! - mean[at % columns]!) ** 2 / rows;
  return { mean, deviation: square.map(Math.sqrt) };
}

function standardised({ rows, columns, data }: Table, mean: Float64Array, deviation: Float64Array): Table {
  const scaled = data.map((value, at) => (value - mean[at % columns]!) / (deviation[at % columns]! || 1));
  return { rows, columns, data: scaled };
}

/** aT b, `[a.columns, b.columns]`. */
function product(a: Table, b: Table): Float64Array {
  const out = new Float64Array(a.columns * b.columns);
  for (let r = 0; r < a.rows; r++) {
    for (let i = 0; i < a.columns; i++) {
      const value = a.data[r * a.columns + i]!;
      for (let j = 0; j < b.columns; j++) out[i * b.columns + j]! += value * b.data[r * b.columns + j]!;
    }
  }
  return out;
}

/** Solves A W = B for symmetric positive A `[d, d]` and B `[d, k]` by Cholesky. */
function solve(a: Float64Array, b: Float64Array, d: number, k: number): Float64Array {
  const l = a.slice();
  for (let j = 0; j < d; j++) {
    for (let i = j; i < d; i++) {
      let sum = l[i * d + j]!;
      for (let m = 0; m < j; m++) sum -= l[i * d + m]! * l[j * d + m]!;
      if (i === j && !(sum > 0)) {
        throw new NumericsError(`Cannot solve for the probe: pivot ${j} is ${sum}, wanted above 0`);
      }
      l[i * d + j] = i === j ? Math.sqrt(sum) : sum / l[j * d + j]!;
    }
  }
  const w = b.slice();
  for (let c = 0; c < k; c++) {
    for (let i = 0; i < d; i++) {
      for (let m = 0; m < i; m++) w[i * k + c]! -= l[i * d + m]! * w[m * k + c]!;
      w[i * k + c]! /= l[i * d + i]!;
    }
    for (let i = d - 1; i >= 0; i--) {
      for (let m = i + 1; m < d; m++) w[i * k + c]! -= l[m * d + i]! * w[m * k + c]!;
      w[i * k + c]! /= l[i * d + i]!;
    }
  }
  return w;
}
