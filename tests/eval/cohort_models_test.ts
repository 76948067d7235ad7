/** Scores and models of cohorts against scikit-learn, scipy and scikit-survival, to 1e-9, and against hostile input. */

import assert from "node:assert/strict";
import { resamples, summarizeDraws } from "../../src/eval/bootstrap.ts";
import {
  balancedAccuracy,
  cohenKappa,
  confusionMatrix,
  deLong,
  f1Scores,
  macroAuc,
  macroAveragePrecision,
  predictedClasses,
  rocAuc,
} from "../../src/eval/classification.ts";
import type { UnitTargets } from "../../src/eval/cohort/cohort.ts";
import { openFold } from "../../src/eval/cohort/models.ts";
import { pearson, spearman } from "../../src/eval/correlation.ts";
import { fitCox, predictRisk } from "../../src/eval/cox.ts";
import { CoxLoss } from "../../src/eval/cox_loss.ts";
import { fitCoxnet } from "../../src/eval/coxnet.ts";
import { fitLogistic, logisticProbabilities } from "../../src/eval/logistic.ts";
import { scoreSets, standardizedTargets } from "../../src/eval/pathways.ts";
import { fitChosenRidge } from "../../src/eval/ridge_choice.ts";
import { concordanceIndex } from "../../src/eval/survival.ts";
import type { Table } from "../../src/eval/linalg/table.ts";

const FIXTURE = JSON.parse(
  await Deno.readTextFile(new URL("../fixtures/eval/cohort.json", import.meta.url)),
);

/** Largest distance of two lists. */
function apart(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  assert.equal(found.length, wanted.length);
  return Array.from(found, (value, i) => Math.abs(value - wanted[i]!)).reduce((a, b) => Math.max(a, b), 0);
}

function near(found: ArrayLike<number> | number | null, wanted: ArrayLike<number> | number, within = 1e-9): void {
  const [a, b] = [found, wanted].map((x) => (typeof x === "number" ? [x] : x ?? [NaN])) as [number[], number[]];
  const most = apart(a, b);
  assert.ok(most <= within, `${most} apart: ${a}, wanted ${b}`);
}

function tableOf(rows: number[][]): Table {
  return { rows: rows.length, columns: rows[0]!.length, data: Float64Array.from(rows.flat()) };
}

// The vectors of a published specification of slide-level tasks, in six digits.
const T = [5, 3, 8, 3, 6, 2, 7, 6], E = [1, 1, 0, 1, 1, 0, 1, 0];
const ETA = Float64Array.of(.2, -.5, .1, .7, 0, .3, -.4, .6);
const Y = [0, 1, 0, 1, 1, 0, 0, 1, 0, 0];
const A = [0.1, 0.8, 0.4, 0.4, 0.9, 0.3, 0.4, 0.6, 0.2, 0.7];
const B = [0.2, 0.6, 0.5, 0.3, 0.7, 0.4, 0.1, 0.5, 0.3, 0.6];

Deno.test("scores of classes equal scikit-learn's, kappa with each kind of weights among them", () => {
  for (const one of FIXTURE.classification) {
    const confusion = confusionMatrix(one.labels, predictedClasses(one), one.classes);
    near(macroAuc(one), one.auc);
    near(macroAveragePrecision(one), one.average_precision);
    near(balancedAccuracy(confusion), one.balanced_accuracy);
    for (const weights of ["none", "linear", "quadratic"] as const) {
      near(cohenKappa(confusion, weights), one.kappa[weights]);
    }
    near(f1Scores(confusion).macro, one.macro_f1);
    near(f1Scores(confusion).weighted, one.weighted_f1);
  }
  assert.equal(cohenKappa([[3, 0], [0, 0]]), null);
});

Deno.test("a fold whose test part defines no score says why", () => {
  const units = Array.from({ length: 6 }, (_, i) => ({ name: `u${i}`, case: `c${i}`, slides: [`s${i}`] }));
  const fold = { name: "fold_0", train: [0, 1, 2], test: [3, 4, 5] };
  const problems = (targets: UnitTargets) => openFold({ units, targets, folds: [fold] }, fold).problems;
  const followed = (times: number[], events: number[]) => {
    return problems({ kind: "survival", times: [1, 2, 3, ...times], events: [1, 1, 1, ...events] });
  };
  assert.deepEqual(followed([4, 5, 5], [0, 1, 1]), ["no two test units whose order is known"]);
  assert.deepEqual(followed([4, 5, 5], [0, 0, 0]), ["no event among the test units"]);
  // An event before another, and one at the time at which another was lost.
  assert.deepEqual([followed([4, 5, 5], [1, 0, 1]), followed([4, 5, 5], [0, 1, 0])], [[], []]);
  const raw = () => tableOf([[1, 2], [2, 1], [3, 3], [7, 4], [7, 5], [7, 4]]);
  assert.deepEqual(problems({ kind: "regression", names: ["a", "b"], raw }), ["the same in all test units: a"]);
});

Deno.test("DeLong, bootstrap and correlations equal numpy's and scipy's", () => {
  const { covariance, se, z, p } = deLong(Y, A, B)!;
  near(covariance.flat(), FIXTURE.delong.covariance.flat());
  near([se, z!, p!], [FIXTURE.delong.se, FIXTURE.delong.z, FIXTURE.delong.p]);
  const drawn = summarizeDraws(
    [...resamples(10)].map((rows) => rocAuc([...rows].map((i) => Y[i]!), [...rows].map((i) => A[i]!))),
  );
  near([drawn.mean!, ...drawn.interval!], [FIXTURE.bootstrap.mean, ...FIXTURE.bootstrap.interval]);
  assert.equal(drawn.draws - drawn.undefinedDraws, FIXTURE.bootstrap.draws);
  const { a, b } = FIXTURE.correlation;
  near([pearson(a, b).value!, spearman(a, b).value!], [FIXTURE.correlation.pearson, FIXTURE.correlation.spearman]);
});

Deno.test("logistic regression with balanced classes equals scikit-learn's, and so do its probabilities", () => {
  for (const { x, y, coef, intercept, probabilities } of FIXTURE.logistic) {
    const model = fitLogistic(tableOf(x), y, { c: 0.5, balanced: true, tolerance: 1e-12 });
    near(model.weights.data, coef.flat());
    near(model.intercepts, intercept);
    const classes = intercept.length === 1 ? 2 : intercept.length;
    near(logisticProbabilities(model, tableOf(x), classes), probabilities.flat());
  }
  const model = fitLogistic(tableOf([[0], [1], [2], [4]]), [1, 3, 1, 3]);
  const p = logisticProbabilities(model, tableOf([[1]]), 4);
  assert.deepEqual([p[0], p[2]], [0, 0], "classes that were never seen");
  near(p[1]! + p[3]!, 1);
});

Deno.test("ridge chosen by leaving out rows equals RidgeCV; by leaving out groups, refitting", () => {
  for (const one of FIXTURE.ridge) {
    const [x, y] = [tableOf(one.x), tableOf(one.y)];
    const fitted = fitChosenRidge(x, y, undefined, one.alphas);
    near(fitted.errors, one.errors);
    assert.equal(fitted.alpha, one.alpha);
    near(fitted.weights.data, one.coef.flat());
    near(fitted.intercept, one.intercept);
    near(fitChosenRidge(x, y, one.groups, one.alphas).errors, one.group_errors);
  }
  assert.throws(() => fitChosenRidge(tableOf([[1], [2]]), tableOf([[1], [2]]), ["a", "a"]), /1 groups of 2 rows/);
});

Deno.test("concordance: pairs and ties as scikit-survival counts them", () => {
  const follow = { times: T, events: E };
  const found = concordanceIndex(follow, [.9, .4, .1, .7, 0, .8, -.4, -.2]);
  assert.deepEqual(found, { value: 14 / 18, concordant: 14, discordant: 4, tiedRisk: 0, tiedTime: 1 });
  const ties = concordanceIndex(follow, [.4, .4, .1, .7, 0, .8, .1, 0]);
  assert.deepEqual(ties, { value: 14.5 / 18, concordant: 13, discordant: 2, tiedRisk: 3, tiedTime: 1 });
  for (const { times, events, risks, cindex } of FIXTURE.survival) {
    const { value, concordant, discordant, tiedRisk, tiedTime } = concordanceIndex({ times, events }, risks);
    near(value, cindex[0]);
    assert.deepEqual([concordant, discordant, tiedRisk, tiedTime], cindex.slice(1));
  }
  assert.equal(concordanceIndex({ times: [1, 2], events: [0, 0] }, [1, 2]).value, null);
  assert.equal(concordanceIndex({ times: [2, 2], events: [1, 1] }, [1, 2]).value, null, "events at one time");
  assert.throws(() => concordanceIndex({ times: [1, NaN], events: [1, 1] }, [1, 2]), /case 1 has the time NaN/);
  assert.throws(() => concordanceIndex({ times: [1, 2], events: [1, 1] }, [1, NaN]), /case 1 is NaN/);
  assert.throws(() => concordanceIndex({ times: [1], events: [1] }, [1, 2]), /1 times and 1 events given, 2/);
});

Deno.test("Cox's loss and gradient with Breslow's and Efron's ties; its Hessian is the slope of the gradient", () => {
  const wanted = {
    breslow: [1.625308, [-.100129, -.171252, .262935, -.104554, -.074732, 0, -.040522, .228254]],
    efron: [1.591567, [-.094810, -.177118, .267748, -.124030, -.070377, 0, -.037603, .236189]],
  } as const;
  for (const ties of ["breslow", "efron"] as const) {
    const loss = new CoxLoss({ times: T, events: E }, ties);
    const { value, gradient } = loss.at(ETA);
    near(value / loss.events, wanted[ties][0], 6e-7);
    near(gradient.map((g) => g / loss.events), wanted[ties][1], 6e-7);
    const v = Float64Array.of(.3, -1, .2, .9, -.4, .1, .6, -.2);
    const product = loss.curvature(v);
    const side = (step: number) => loss.at(ETA.map((eta, i) => eta + step * v[i]!)).gradient;
    const [up, down] = [side(1e-5), side(-1e-5)];
    near(product, up.map((g, i) => (g - down[i]!) / 2e-5), 1e-9);
    const far = loss.at(ETA.map((eta) => eta + 800)).value;
    near(far, value, 1e-9);
  }
  assert.throws(() => new CoxLoss({ times: T, events: E.map(() => 0) }), /none of 8 cases has an event/);
});

Deno.test("Cox's model equals scikit-survival's, with and without ties and penalty, also with more features than cases", () => {
  for (const one of [...FIXTURE.survival, FIXTURE.small]) {
    for (const { ties, alpha, coef } of one.cox) {
      const { coefficients, converged } = fitCox(tableOf(one.x), one, { ties, alpha });
      assert.ok(converged);
      near(coefficients, coef, 2e-9);
    }
  }
  const { x, times, events } = FIXTURE.small;
  const { coefficients } = fitCox(tableOf(x), FIXTURE.small, { alpha: 0.1 });
  near(coefficients, [-.100360, -.172704, -.741825], 6e-7);
  near(concordanceIndex({ times, events }, predictRisk(tableOf(x), coefficients)).value, .683333, 6e-7);
  assert.throws(
    () => fitCox(tableOf([[1, 1], [2, 2], [3, 3]]), { times: [1, 2, 3], events: [1, 1, 1] }),
    /2 features of 3 cases depend on each other/,
  );
});

Deno.test("the elastic net's path equals scikit-survival's, and its slopes obey the optimum's conditions", () => {
  for (const one of FIXTURE.survival) {
    const x = tableOf(one.x);
    const path = fitCoxnet(x, one, { count: 12 });
    // It ends its path where the deviance no longer falls.
    const steps = one.path.alphas.length;
    assert.ok(steps > 8);
    near(path.alphas.slice(0, steps), one.path.alphas);
    path.coefficients.slice(0, steps).forEach((own, i) => near(own, one.path.coef[i], 1e-6));
    const chosen = fitCoxnet(x, one, { alphas: one.net.alphas });
    assert.deepEqual(chosen.converged, [true, true, true]);
    chosen.coefficients.forEach((own, i) => {
      near(own, one.net.coef[i], 1e-6);
      const { gradient } = new CoxLoss(one).at(predictRisk(x, own));
      const [lasso, ridge] = [one.net.alphas[i] / 2, one.net.alphas[i] / 2];
      own.forEach((beta, j) => {
        const slope = gradient.reduce((sum, g, r) => sum + g * x.data[r * x.columns + j]!, 0) / x.rows + ridge * beta;
        if (beta === 0) assert.ok(Math.abs(slope) <= lasso + 1e-10);
        else near(slope, -lasso * Math.sign(beta), 1e-9);
      });
    });
  }
  const { x, times, events, net } = FIXTURE.small;
  const [own] = fitCoxnet(tableOf(x), FIXTURE.small, { alphas: net.alphas }).coefficients;
  near(own!, net.coef[0], 1e-7);
  // As it stops by default, above the optimum in the fourth digit.
  near(own!, [-.031894, -.145298, -.620480], 1e-4);
  near(concordanceIndex({ times, events }, predictRisk(tableOf(x), own!)).value, .666667, 6e-7);
  assert.throws(() => fitCoxnet(tableOf(x), FIXTURE.small, { alphas: [-1] }), /alpha is -1/);
  assert.throws(() => fitCoxnet(tableOf(x), FIXTURE.small, { l1Ratio: 0 }), /l1 is 0/);
});

Deno.test("gene sets are scored on the scale of the training cases alone", () => {
  const values = tableOf([[1, 10, 5], [3, 10, 5], [5, 40, 5], [100, -7, 9]]);
  const scores = scoreSets(values, [[0, 1], [2]], [0, 1, 2]);
  // Genes 0 and 1: means 3 and 20, deviations sqrt(8/3) and sqrt(200).
  const z = (g0: number, g1: number) => ((g0 - 3) / Math.sqrt(8 / 3) + (g1 - 20) / Math.sqrt(200)) / 2;
  near(scores.data, [z(1, 10), 0, z(3, 10), 0, z(5, 40), 0, z(100, -7), 0], 1e-12);
  const { targets, constant } = standardizedTargets(scores, [0, 1, 2]);
  assert.deepEqual(constant, [1], "a set whose genes are constant in training");
  const own = [0, 1, 2].map((r) => targets.data[2 * r]!);
  near([own[0]! + own[1]! + own[2]!, own.reduce((sum, v) => sum + v * v, 0)], [0, 3], 1e-12);
});
