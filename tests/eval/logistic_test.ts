/** Logistic regression next to scikit-learn's. */

import assert from "node:assert/strict";
import { DataError } from "../../src/core/errors.ts";
import { balancedAccuracy, fitLogistic, predictLogistic } from "../../src/eval/logistic.ts";
import { fitStandardizer } from "../../src/eval/linalg/standardize.ts";
import type { Table } from "../../src/eval/linalg/table.ts";
import fixture from "../fixtures/eval/probe.json" with { type: "json" };
import { features, noise } from "./inputs.ts";

function standardized(x: Table): Table {
  const { mean, scale } = fitStandardizer(x);
  return {
    ...x,
    data: x.data.map((value, at) => (value - mean[at % x.columns]!) / scale[at % x.columns]!) as Float64Array,
  };
}

for (const want of fixture.logistic) {
  Deno.test(`fitLogistic() equals scikit-learn's: ${want.classes} classes, ${want.kind}, ${want.rows} x ${want.columns}`, () => {
    const raw = features(want.kind, 8, want.rows, want.columns);
    const e = noise(9, want.rows, 1);
    const labels = Array.from({ length: want.rows }, (_, r) => {
      const score = raw.data[r * want.columns]! - raw.data[r * want.columns + 1]! + e.data[r]! / 2;
      return Math.max(0, Math.min(want.classes - 1, Math.floor((score + 1.5) / 3 * want.classes)));
    });
    const x = standardized(raw);
    const got = fitLogistic(x, labels, { c: want.c, balanced: want.balanced });
    assert.ok(got.converged);
    const scale = Math.max(...want.coefficients.map(Math.abs));
    want.coefficients.forEach((value, i) => assert.ok(Math.abs(got.weights.data[i]! - value) < 1e-6 * scale, `${i}`));
    // Softmax knows intercepts up to a common constant.
    const shift = got.weights.rows > 1 ? mean(want.intercepts) - mean([...got.intercepts]) : 0;
    want.intercepts.forEach((value, i) =>
      assert.ok(Math.abs(got.intercepts[i]! + shift - value) < 1e-6 * scale, `${i}`)
    );
    const predicted = predictLogistic(got, x);
    assert.ok(Math.abs(predicted.filter((label, r) => label === labels[r]).length / want.rows - want.accuracy) < 1e-12);
    assert.ok(Math.abs(balancedAccuracy(predicted, labels) - want.balancedAccuracy) < 1e-12);
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b) / values.length;
}

Deno.test("fitLogistic() keeps labels as they are, and refuses a single class", () => {
  const x = noise(1, 6, 2);
  const model = fitLogistic(x, [7, 7, 7, -2, -2, -2], { c: 1e4 });
  assert.deepEqual(model.classes, [-2, 7]);
  assert.ok(predictLogistic(model, x).every((label) => label === 7 || label === -2));
  assert.throws(() => fitLogistic(x, [1, 1, 1, 1, 1, 1]), DataError);
});

Deno.test("fitLogistic() of separable classes with next to no penalty stays finite", () => {
  const x: Table = { rows: 4, columns: 1, data: Float64Array.of(-1000, -1, 1, 1000) };
  const model = fitLogistic(x, [0, 0, 1, 1], { c: 1e6 });
  assert.ok(Number.isFinite(model.weights.data[0]!) && model.weights.data[0]! > 0);
  assert.deepEqual(predictLogistic(model, x), [0, 0, 1, 1]);
});

Deno.test("balancedAccuracy() weighs classes, not rows", () => {
  assert.equal(balancedAccuracy([0, 0, 0, 0], [0, 0, 0, 1]), 0.5);
});
