/** Eigenvalues and products, against their definitions. */

import assert from "node:assert/strict";
import { NumericsError, ShapeError } from "../../src/core/errors.ts";
import { cholesky, choleskySolve } from "../../src/eval/linalg/cholesky.ts";
import { crossProduct, multiply, rowProducts } from "../../src/eval/linalg/product.ts";
import { fitStandardizer, standardize } from "../../src/eval/linalg/standardize.ts";
import { symmetricEigen, symmetricEigenvalues } from "../../src/eval/linalg/symmetric_eigen.ts";
import type { Table } from "../../src/eval/linalg/table.ts";
import { features, noise } from "./inputs.ts";

/** aT b by three loops. */
function plain(a: Table, b: Table): Float64Array {
  const out = new Float64Array(a.columns * b.columns);
  for (let i = 0; i < a.columns; i++) {
    for (let j = 0; j < b.columns; j++) {
      for (let r = 0; r < a.rows; r++) {
        out[i * b.columns + j]! += a.data[r * a.columns + i]! * b.data[r * b.columns + j]!;
      }
    }
  }
  return out;
}

function turn(a: Table): Table {
  const data = new Float64Array(a.data.length);
  for (let r = 0; r < a.rows; r++) {
    for (let c = 0; c < a.columns; c++) data[c * a.rows + r] = a.data[r * a.columns + c]!;
  }
  return { rows: a.columns, columns: a.rows, data };
}

function close(got: ArrayLike<number>, want: ArrayLike<number>, tolerance = 1e-12): void {
  assert.equal(got.length, want.length);
  for (let i = 0; i < want.length; i++) {
    assert.ok(Math.abs(got[i]! - want[i]!) <= tolerance, `${i}: ${got[i]} ${want[i]}`);
  }
}

Deno.test("products equal three loops at every edge of their tiles", () => {
  for (const [rows, d, k] of [[1, 1, 1], [2, 3, 5], [127, 4, 2], [129, 33, 7], [260, 37, 31], [3, 66, 130]] as const) {
    const [a, b] = [noise(1, rows, d), noise(2, rows, k)];
    close(crossProduct(a, a), plain(a, a));
    close(crossProduct(a, b), plain(a, b));
    close(rowProducts(a), plain(turn(a), turn(a)));
    const w = noise(3, k, d);
    close(multiply(a, w).data, plain(turn(a), turn(w)));
    const scaler = fitStandardizer(a);
    const seen = standardize(a, scaler);
    const copied = {
      ...a,
      data: a.data.map((v, at) => (v - scaler.mean[at % d]!) / scaler.scale[at % d]!) as Float64Array,
    };
    close(crossProduct(seen, seen), plain(copied, copied), 1e-10);
    close(rowProducts(seen), plain(turn(copied), turn(copied)), 1e-10);
    close(multiply(seen, w).data, plain(turn(copied), turn(w)), 1e-10);
  }
  assert.throws(() => crossProduct(noise(1, 2, 2), noise(1, 3, 2)), ShapeError);
  assert.throws(() => multiply(noise(1, 2, 2), noise(1, 3, 3)), ShapeError);
});

Deno.test("symmetricEigen() solves A v = l v with orthonormal v, whatever the spectrum", () => {
  const spectra: [string, Float64Array, number][] = [
    ["random", plain(noise(1, 90, 40), noise(1, 90, 40)), 40],
    ["rank 5", plain(noise(1, 5, 40), noise(1, 5, 40)), 40],
    ["ill-conditioned", plain(features("ill", 1, 90, 40), features("ill", 1, 90, 40)), 40],
    ["identity", Float64Array.from({ length: 900 }, (_, at) => at % 31 ? 0 : 3), 30],
    ["one off the diagonal", Float64Array.of(0, 1, 1, 0), 2],
    ["negative", plain(noise(1, 9, 12), noise(1, 9, 12)).map((value) => -value), 12],
    // Wilkinson's matrix: eigenvalues in pairs that agree to 14 digits.
    [
      "W21+",
      Float64Array.from({ length: 441 }, (_, at) => {
        const [i, j] = [Math.floor(at / 21), at % 21];
        return i === j ? Math.abs(i - 10) : Math.abs(i - j) === 1 ? 1 : 0;
      }),
      21,
    ],
    ["tiny", plain(noise(1, 9, 6), noise(1, 9, 6)).map((value) => value * 1e-200), 6],
  ];
  for (const [name, a, n] of spectra) {
    const { values, vectors } = symmetricEigen(a, n);
    const scale = Math.max(...values.map(Math.abs));
    const trace = a.reduce((sum, value, at) => at % (n + 1) ? sum : sum + value, 0);
    assert.ok(Math.abs(values.reduce((p, q) => p + q, 0) - trace) < 1e-12 * n * scale, `${name}: trace`);
    close(symmetricEigenvalues(a, n), values, 1e-13 * scale);
    for (let i = 0; i < n; i++) {
      if (i > 0) assert.ok(values[i - 1]! >= values[i]!, `${name}: order`);
      const v = vectors.subarray(i * n, (i + 1) * n);
      for (let r = 0; r < n; r++) {
        let sum = -values[i]! * v[r]!;
        for (let c = 0; c < n; c++) sum += a[r * n + c]! * v[c]!;
        assert.ok(Math.abs(sum) < 1e-12 * scale, `${name}: residual ${sum / scale} of vector ${i}`);
      }
      for (let j = 0; j <= i; j++) {
        const dot = v.reduce((sum, value, r) => sum + value * vectors[j * n + r]!, 0);
        assert.ok(Math.abs(dot - (i === j ? 1 : 0)) < 1e-12, `${name}: ${i} times ${j} is ${dot}`);
      }
    }
  }
});

Deno.test("symmetricEigen() of zeros, of one number, of a part, and of what is not finite", () => {
  assert.deepEqual([...symmetricEigen(new Float64Array(9), 3, 2).vectors], [1, 0, 0, 0, 1, 0]);
  assert.deepEqual([...symmetricEigen(Float64Array.of(-4), 1).values], [-4]);
  const a = plain(noise(1, 90, 40), noise(1, 90, 40));
  close(symmetricEigen(a, 40, 7).vectors, symmetricEigen(a, 40).vectors.subarray(0, 280), 1e-10);
  assert.throws(() => symmetricEigen(Float64Array.of(1, NaN, NaN, 1), 2), NumericsError);
});

Deno.test("choleskySolve() undoes a product, and cholesky() refuses what is not positive definite", () => {
  const a = plain(noise(1, 60, 12), noise(1, 60, 12));
  const w = noise(2, 12, 3);
  const b = plain({ rows: 12, columns: 12, data: a }, w);
  close(choleskySolve(cholesky(a, 12), b), w.data, 1e-11);
  assert.throws(() => cholesky(Float64Array.of(1, 2, 2, 1), 2), /pivot 1 is -3/);
});
