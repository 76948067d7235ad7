/** Scores of classifiers against scikit-learn's, with ties, missing classes and hostile input. */

import assert from "node:assert/strict";
import { ShapeError } from "../../src/core/errors.ts";
import { resamples, summarizeDraws } from "../../src/eval/bootstrap.ts";
import {
  aucPerClass,
  averagePrecision,
  balancedAccuracy,
  checkClassified,
  type Classified,
  cohenKappa,
  confusionMatrix,
  deLong,
  f1Scores,
  macroAuc,
  macroAveragePrecision,
  neighbourVotes,
  normalTail,
  ovoAuc,
  predictedClasses,
  rocAuc,
} from "../../src/eval/classification.ts";
import { ranks } from "../../src/eval/correlation.ts";

const Y = [0, 1, 0, 1, 1, 0, 0, 1, 0, 0];
const A = [0.1, 0.8, 0.4, 0.4, 0.9, 0.3, 0.4, 0.6, 0.2, 0.7];
const B = [0.2, 0.6, 0.5, 0.3, 0.7, 0.4, 0.1, 0.5, 0.3, 0.6];

const THREE: Classified = {
  labels: [0, 1, 2, 2, 1, 0, 2, 0],
  probabilities: [
    [0.5, 0.3, 0.2],
    [0.2, 0.5, 0.3],
    [0.3, 0.3, 0.4],
    [0.2, 0.6, 0.2],
    [0.4, 0.4, 0.2],
    [0.6, 0.2, 0.2],
    [0.1, 0.2, 0.7],
    [0.3, 0.3, 0.4],
  ].flat(),
  classes: 3,
};

function near(found: number | null | undefined, wanted: number): void {
  assert.ok(typeof found === "number" && Math.abs(found - wanted) < 6e-7, `${found}, wanted ${wanted}`);
}

Deno.test("areas under curves count ties half, and equal scores as one threshold", () => {
  assert.deepEqual([...ranks(A)], [1, 9, 5, 5, 10, 3, 5, 7, 2, 8]);
  near(rocAuc(Y, A), 0.875);
  near(averagePrecision(Y, A), 0.830357);
  near(rocAuc(Y, B), 0.770833);
  assert.equal(rocAuc([1, 1], [0, 1]), null);
  assert.equal(rocAuc([], []), null);
  assert.equal(averagePrecision([0, 0], [0, 1]), null);
  assert.equal(rocAuc([0, 1, 0, 1], [3, 3, 3, 3]), 0.5);
  assert.equal(averagePrecision([0, 1, 0, 1], [3, 3, 3, 3]), 0.5);
});

Deno.test("DeLong's covariance, standard error and probability of two classifiers of the same cases", () => {
  const { auc, covariance: [[aa, ab], [ba, bb]], difference, se, z, p } = deLong(Y, A, B)!;
  const wanted = [0.875, 0.770833, 0.012616, 0.016377, 0.016377, 0.026447, 0.104167, 0.079422, 1.311558, 0.189669];
  [...auc, aa, ab, ba, bb, difference, se, z!, p!].forEach((value, i) => near(value, wanted[i]!));
  assert.deepEqual([deLong(Y, A, A)!.se, deLong(Y, A, A)!.p], [0, null]);
  assert.equal(deLong([1, 0, 0], [1, 2, 3], [1, 2, 3]), undefined, "one case has no variance");
  near(normalTail(0), 0.5);
  near(normalTail(1.959963984540054), 0.025);
  // scipy.stats.norm.sf
  for (const [at, tail] of [[4.2, 1.334574901590631e-5], [4.3, 8.539905470991794e-6], [8, 6.22096057427174e-16]]) {
    assert.ok(Math.abs(normalTail(at!) / tail! - 1) < 1e-8, `${at}: ${normalTail(at!)}`);
  }
});

Deno.test("resamples() draws as numpy's RandomState(0).choice, summarizeDraws() leaves undefined draws out and counts them", () => {
  const [first] = resamples(10);
  assert.deepEqual([...first!], [5, 0, 3, 3, 7, 9, 3, 5, 2, 4]);
  const auc = (indices: Uint32Array) => rocAuc([...indices].map((i) => Y[i]!), [...indices].map((i) => A[i]!));
  const { mean, interval, draws, undefinedDraws } = summarizeDraws([...resamples(10)].map(auc));
  near(mean, 0.864626);
  near(interval![0], 0.577083);
  near(interval![1], 1);
  assert.equal(draws, 100);
  const rare = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  const found = summarizeDraws(
    [...resamples(10)].map((rows) => rocAuc([...rows].map((i) => rare[i]!), [...rows].map((i) => A[i]!))),
  );
  // (9/10)^10 of all draws lack the one case.
  assert.ok(undefinedDraws < 5 && found.undefinedDraws > 20 && found.undefinedDraws < 50, `${found.undefinedDraws}`);
  assert.deepEqual(summarizeDraws([null, null]), { mean: null, interval: undefined, draws: 2, undefinedDraws: 2 });
});

Deno.test("three classes: areas, predictions, balanced accuracy, kappa and F1", () => {
  const areas = aucPerClass(THREE);
  [0.9, 0.833333, 0.733333].forEach((wanted, k) => near(areas[k], wanted));
  near(macroAuc(THREE), 0.822222);
  near(ovoAuc(THREE), 0.819444);
  const predicted = predictedClasses(THREE);
  assert.deepEqual(predicted, [0, 1, 2, 1, 0, 0, 2, 2]);
  const confusion = confusionMatrix(THREE.labels, predicted, 3);
  assert.deepEqual(confusion, [[2, 0, 1], [1, 1, 0], [0, 1, 2]]);
  near(balancedAccuracy(confusion), 0.611111);
  near(cohenKappa(confusion, "quadratic"), 0.5);
  near(f1Scores(confusion).macro, 0.611111);
  near(f1Scores(confusion).weighted, 0.625);
});

Deno.test("of two classes the second's area counts, whatever the first's probabilities are", () => {
  const two = { labels: Y, probabilities: A.flatMap((p) => [1 - p, p]), classes: 2 };
  near(macroAuc(two), 0.875);
  near(macroAveragePrecision(two), 0.830357);
});

Deno.test("classes without cases are left out of means and keep their place in kappa", () => {
  const missing = { ...THREE, labels: THREE.labels.map((label) => label === 1 ? 0 : label) };
  const areas = aucPerClass(missing);
  assert.equal(areas[1], null);
  near(macroAuc(missing), (areas[0]! + areas[2]!) / 2);
  assert.equal(macroAuc({ ...THREE, labels: new Array(8).fill(2) }), null);
  assert.equal(ovoAuc({ ...THREE, labels: new Array(8).fill(2) }), null);
  near(balancedAccuracy([[2, 0, 1], [0, 0, 0], [0, 1, 2]]), 2 / 3);
  near(f1Scores([[2, 0, 1], [0, 0, 0], [1, 0, 2]]).macro, 2 / 3);
  near(cohenKappa([[2, 0, 1], [0, 0, 0], [1, 0, 2]], "quadratic"), 1 / 3);
  assert.equal(cohenKappa([[3, 0], [0, 0]], "quadratic"), null);
  assert.deepEqual([balancedAccuracy([[0, 0], [0, 0]]), f1Scores([[0, 0], [0, 0]]).macro], [null, null]);
});

Deno.test("checkClassified() names the extent or the case that is wrong", () => {
  checkClassified(THREE);
  for (
    const [bad, complaint] of [
      [{ ...THREE, classes: 1 }, /1 classes, at least 2/],
      [{ ...THREE, probabilities: [1] }, /1 probabilities of 8 cases, 24 wanted/],
      [{ ...THREE, labels: [...THREE.labels.slice(1), 3] }, /label 3 of case 7, 0 to 2 wanted/],
      [{ ...THREE, probabilities: new Float32Array(24).fill(NaN) }, /NaN of case 0, a finite number/],
    ] as const
  ) {
    assert.throws(
      () => checkClassified(bad),
      (error: Error) => error instanceof ShapeError && complaint.test(error.message),
    );
  }
});

Deno.test("neighbourVotes() counts hits, votes whose ties hold the label, and average precision over k", () => {
  const near5 = [[0, 1, 0, 0, 2], [1, 2, 2, 1, 1], [2, 0, 0, 1, 1]];
  const at = (k: number) => neighbourVotes([0, 1, 2], near5, k);
  assert.deepEqual(at(1), { k: 1, any: 1, vote: 1, meanAveragePrecision: 1 });
  assert.equal(at(3).any, 1);
  near(at(3).vote, 0.333333);
  near(at(3).meanAveragePrecision, 0.407407);
  assert.equal(at(5).any, 1);
  near(at(5).vote, 0.666667);
  near(at(5).meanAveragePrecision, 0.367778);
  assert.throws(
    () => at(6),
    (error: Error) => error instanceof ShapeError && /5 of query 0, 6 of each/.test(error.message),
  );
});
