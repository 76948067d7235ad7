/** Cases judged: intervals of one fold, errors over several, baselines on the same cases, and files that read back. */

import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import { ShapeError } from "../../src/core/errors.ts";
import {
  classificationOf,
  type JudgedCase,
  type JudgedFold,
  majorityClass,
} from "../../src/evidence/classification.ts";
import { classificationSummary } from "../../src/evidence/classification_summary.ts";
import { parseCsv } from "../../src/io/csv.ts";
import { classification as checkOf } from "../../src/report/classification_schema.ts";

const LABELS = [0, 1, 0, 1, 1, 0, 0, 1, 0, 0];
const A = [0.1, 0.8, 0.4, 0.4, 0.9, 0.3, 0.4, 0.6, 0.2, 0.7];
const B = [0.2, 0.6, 0.5, 0.3, 0.7, 0.4, 0.1, 0.5, 0.3, 0.6];

const cases = (labels: readonly number[], prefix = "t"): JudgedCase[] =>
  labels.map((label, i) => ({ id: `${prefix}${i}`, slides: [`${prefix}${i}_s`], label }));
const both = (p: readonly number[]) => p.flatMap((one) => [1 - one, one]);
const place = {
  path: "classification",
  fail(path: string, found: string, expected: string): never {
    throw new RangeError(`${path}: ${found}, expected ${expected}`);
  },
};

const FOLD: JudgedFold = { name: "fold_0", train: cases([0, 0, 0, 1], "r"), test: cases(LABELS) };
const common = { task: "status", classes: ["no", "yes"], ordinal: false, unit: "case" } as const;
const trained = (probabilities: readonly number[][]) =>
  ({ id: "abmil", label: "ABMIL", role: "trained", probabilities }) as const;

function near(found: number | null | undefined, wanted: number): void {
  assert.ok(typeof found === "number" && Math.abs(found - wanted) < 6e-7, `${found}, wanted ${wanted}`);
}

Deno.test("one fold has the bootstrap's interval, DeLong's test beside a baseline, and reads back", () => {
  const { classification, files } = classificationOf({
    ...common,
    folds: [FOLD],
    predictors: [
      trained([both(A)]),
      { id: "mean", label: "Mean", role: "baseline", probabilities: [both(B)] },
      majorityClass([FOLD], 2),
    ],
  });
  const [own, mean, majority] = classification.predictors;
  const auc = own!.scores.auc!;
  near(auc.value, 0.875);
  near(auc.draws_mean, 0.864626);
  near(auc.low, 0.577083);
  near(auc.high, 1);
  assert.deepEqual([auc.over, auc.units, auc.draws, auc.se], ["cases", 10, 100, undefined]);
  near(mean!.scores.auc!.value, 0.770833);
  // It ranks nothing, and is right as often as the class is frequent.
  assert.equal(majority!.scores.auc!.value, 0.5);
  assert.equal(majority!.scores.balanced_accuracy!.value, 0.5);
  assert.deepEqual(majority!.folds[0]!.confusion, [[6, 0], [4, 0]]);
  const delta = classification.differences.find(({ score, baseline }) => score === "auc" && baseline === "mean")!;
  near(delta.value, 0.875 - 0.770833333);
  near(delta.delong_se, 0.079422);
  near(delta.delong_p, 0.189669);
  assert.ok(delta.low! <= 0.104167 && delta.high! >= 0.104167);
  assert.equal(own!.scores.kappa, undefined, "classes without an order have no kappa");
  assert.deepEqual(
    [classification.cases, classification.patients, classification.slides, classification.overlap],
    [14, 14, 14, 0],
  );
  assert.deepEqual(checkOf(JSON.parse(JSON.stringify(classification)), place), classification);
  const [head, ...rows] = parseCsv(files.get("evaluation/cases.csv")!, "cases.csv");
  assert.deepEqual(head!.fields, ["predictor", "fold", "case", "patient", "label", "predicted", "p_no", "p_yes"]);
  assert.equal(rows.length, 30);
  assert.deepEqual(rows[1]!.fields, ["abmil", "fold_0", "t1", "t1", "yes", "yes", "0.2", "0.8"]);
});

Deno.test("several slides of a patient are resampled together, which widens the interval", () => {
  const rng = new Rng(3);
  const patients = Array.from({ length: 12 }, (_, p) => ({ label: p % 2, score: (p % 2) * 0.3 + rng.uniform() }));
  const test = patients.flatMap(({ label }, p) =>
    [0, 1, 2, 3].map((s) => ({ id: `s${p}_${s}`, patient: `p${p}`, slides: [`s${p}_${s}`], label }))
  );
  const scores = patients.flatMap(({ score }) => [0, 1, 2, 3].map(() => Math.min(1, score)));
  const width = (one: (typeof test)[number][] | JudgedCase[]) => {
    const { predictors: [own] } = classificationOf({
      ...common,
      unit: "slide",
      folds: [{ ...FOLD, test: one }],
      predictors: [trained([both(scores)])],
    }).classification;
    const { low, high, over, units } = own!.scores.auc!;
    return { width: high! - low!, over, units };
  };
  const grouped = width(test);
  const single = width(test.map(({ patient: _, ...one }) => one));
  assert.deepEqual([grouped.over, grouped.units, single.over, single.units], ["patients", 12, "cases", 48]);
  assert.ok(grouped.width > 1.4 * single.width, `${grouped.width} against ${single.width}`);
});

Deno.test("several folds give mean, population deviation and its error, no interval, and say which cases recur", () => {
  const folds = [FOLD, { ...FOLD, name: "fold_1", test: cases([0, 1, 0, 1, 1, 0], "t") }];
  const { classification } = classificationOf({
    ...common,
    classes: ["low", "middle", "high"],
    ordinal: true,
    folds,
    predictors: [
      trained([
        LABELS.flatMap((y) => [1 - y, y / 2, y / 2]),
        [0, 0, 2, 1, 1, 0].flatMap((y) => [0, 1, 2].map((k) => Number(k === y))),
      ]),
      majorityClass(folds, 3),
    ],
  });
  const [own] = classification.predictors;
  const { value, std, se, low, over, units, reason } = own!.scores.balanced_accuracy!;
  near(value, (1 + 2 / 3) / 2);
  near(std, 1 / 6);
  near(se, 1 / 6 / Math.SQRT2);
  assert.deepEqual([low, over, units, reason], [undefined, "folds", 2, undefined]);
  assert.equal(classification.overlap, 6);
  assert.deepEqual(own!.folds[0]!.auc_per_class[2], null);
  assert.match(own!.folds[0]!.reason!, /no test case of high/);
  // 1 and 0: a case of the first class that is put into the last counts four times; without weights it were 0.43.
  near(own!.scores.kappa!.value, 0.5);
  const delta = classification.differences.find(({ score }) => score === "balanced_accuracy")!;
  near(delta.value, (0.5 + 1 / 6) / 2);
  assert.deepEqual([delta.by_fold!.length, delta.better, delta.worse, delta.low], [2, 2, 0, undefined]);
});

Deno.test("few cases or one class give a reason in place of a number", () => {
  const judge = (labels: readonly number[]) =>
    classificationOf({
      ...common,
      folds: [{ ...FOLD, test: cases(labels) }],
      predictors: [trained([both(labels.map(() => 0.5))])],
    }).classification.predictors[0]!.scores.auc!;
  assert.match(judge([0, 1, 0, 1]).reason!, /4 cases, an interval takes 5/);
  assert.equal(judge([0, 1, 0, 1]).low, undefined);
  assert.deepEqual([judge([1, 1, 1, 1, 1, 1]).value, judge([1, 1, 1, 1, 1, 1]).reason], [null, "no test case of no"]);
});

Deno.test("what does not fit is refused, in memory and in files", () => {
  const predictors = [trained([both(A)]), majorityClass([FOLD], 2)];
  assert.throws(
    () => classificationOf({ ...common, folds: [FOLD, FOLD], predictors }),
    (error: Error) => error instanceof ShapeError && /abmil: probabilities of 1 folds, 2 wanted/.test(error.message),
  );
  assert.throws(
    () => classificationOf({ ...common, folds: [FOLD], predictors: [trained([[0.5]])] }),
    /1 probabilities of 10 cases, 20 wanted/,
  );
  const whole = JSON.stringify(classificationOf({ ...common, folds: [FOLD], predictors }).classification);
  const damage: [(tree: ReturnType<typeof JSON.parse>) => void, RegExp][] = [
    [(tree) => tree.classes.pop(), /classification\.classes: 1 classes, expected at least 2/],
    [(tree) => tree.folds[0].test = 9, /folds\[0\]\.test_classes: 10 cases, expected 9/],
    [
      (tree) => tree.predictors[0].folds[0].confusion[1][1]++,
      /predictors\[0\]\.folds\[0\]\.confusion\[1\]: 5 cases, expected 4/,
    ],
    [(tree) => tree.predictors[0].folds[0].scores.auc = 1.2, /scores\.auc: 1\.2, expected 0 to 1/],
    [(tree) => tree.predictors[1].id = "abmil", /predictors\[1\]\.id: abmil again/],
    [(tree) => tree.differences[0].baseline = "none", /differences\[0\]\.baseline: none, expected the id/],
    [
      (tree) => tree.predictors[0].scores.auc.value = "good",
      /predictors\[0\]\.scores\.auc\.value: "good", expected a number/,
    ],
    [(tree) => tree.predictors[0].role = "seal", /role: "seal", expected trained or baseline/],
  ];
  for (const [act, complaint] of damage) {
    const tree = JSON.parse(whole);
    act(tree);
    assert.throws(() => checkOf(tree, place), complaint);
  }
});

Deno.test("the summary has a line a predictor with its spread, gains beside baselines, and values as JSON", () => {
  const of = (folds: readonly JudgedFold[]) =>
    classificationSummary(
      classificationOf({
        ...common,
        folds,
        predictors: [trained(folds.map(() => both(A))), majorityClass(folds, 2)],
      }).classification,
    );
  const one = of([FOLD]);
  const text = one.lines.join("\n");
  assert.match(text, /status, 10 test cases of 10 patients +auc/);
  assert.match(text, /ABMIL +0\.875 \(0\.577 to 1\.000\)/);
  assert.match(text, /Majority class +0\.500/);
  assert.match(text, /ABMIL less Majority class: AUC \+0\.375 \([+-]0\.\d{3} to \+0\.500\)/);
  const json = one.json.classification as { predictors: Record<string, Record<string, number>> };
  assert.equal(json.predictors.abmil!.auc, 0.875);
  const two = of([FOLD, { ...FOLD, name: "fold_1" }]).lines.join("\n");
  assert.match(two, /status, 2 folds, 14 cases of 14 patients/);
  assert.match(two, /ABMIL +0\.875 \+- 0\.000/);
  assert.match(two, /AUC \+0\.375, better on 2 and worse on 0 folds/);
});
