/** Scores along the genes of spots, against numpy: deviations of n - 1 with 1e-8 added, ranks by argsort and by scipy. */

import assert from "node:assert/strict";
import { ShapeError } from "../../src/core/errors.ts";
import { scoreSpots } from "../../src/eval/spot_scores.ts";

const table = (columns: number, ...values: number[]) => ({
  rows: values.length / columns,
  columns,
  data: Float64Array.from(values),
});
const targets = table(4, 0, 0, 2, 5, 1, 0, 0, 3, 0, 0, 1, 0);
const near = (found: number, wanted: number) => assert.ok(Math.abs(found - wanted) < 1e-9, `${found}, ${wanted}`);

Deno.test("scores of spots are numpy's: error, both correlations, ordinal ranks, constant predictions", () => {
  const scores = scoreSpots(table(4, 1, 2, 3, 4, 2, 2, 2, 2, 0.5, -1, 0, 0), targets)!;
  near(scores.mse, 1.6041666666666667);
  near(scores.pearson, 0.3537541466102409);
  near(scores.spearman, 0.31622776098535943);
  near(scores.spearmanOrdinal, 0.3333333281693556);
  near(scores.constant, 1 / 3);
});

Deno.test("scores of spots count the means of genes that a probe without intercept leaves out", () => {
  const offset = [1, 0, -1, 2];
  const whole = table(4, 1, 2, 3, 4, 2, 2, 2, 2, 0.5, -1, 0, 0);
  const less = { ...whole, data: whole.data.map((value, k) => value - offset[k % 4]!) };
  const [a, b] = [scoreSpots(whole, targets)!, scoreSpots(less, targets, offset)!];
  for (const key of ["mse", "pearson", "spearman"] as const) near(b[key], a[key]);
  assert.notEqual(scoreSpots(less, targets)!.mse, a.mse);
  assert.equal(scoreSpots(table(1, 1, 2), table(1, 1, 2)), undefined);
  assert.throws(() => scoreSpots(table(2, 1, 2), targets), ShapeError);
});
