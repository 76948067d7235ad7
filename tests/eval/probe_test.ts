/** The linear probe next to scikit-learn and scipy. */

import assert from "node:assert/strict";
import { DataError, NumericsError } from "../../src/core/errors.ts";
import { ALPHAS, chooseAlpha, searchText } from "../../src/eval/cross_validate.ts";
import { meanSquaredError, pearson, ranks, rSquared, spearman } from "../../src/eval/correlation.ts";
import { sealFolds } from "../../src/eval/bench/folds.ts";
import { fitPca, pcaScores } from "../../src/eval/linalg/pca.ts";
import { findProtocol } from "../../src/eval/protocol.ts";
import { probe, type ProbeSet } from "../../src/eval/probe.ts";
import { fitRidge, predictLinear, ridgeAlpha } from "../../src/eval/ridge.ts";
import { smoothRank } from "../../src/eval/smooth_rank.ts";
import { fitCentring, fitStandardizer, standardize } from "../../src/eval/linalg/standardize.ts";
import { percentile, roundTo } from "../../src/eval/linalg/statistics.ts";
import { table, takeRows } from "../../src/eval/linalg/table.ts";
import fixture from "../fixtures/eval/probe.json" with { type: "json" };
import { features, noise, rowsOf, targets } from "./inputs.ts";

/** Largest distance, relative to the largest number wanted. */
function far(got: ArrayLike<number | null>, want: readonly number[]): number {
  assert.equal(got.length, want.length);
  const scale = Math.max(...want.map(Math.abs));
  return Math.max(...want.map((value, i) => got[i] === null ? Infinity : Math.abs(got[i]! - value))) / scale;
}

function near(got: ArrayLike<number | null>, want: readonly number[], tolerance: number, what: string): void {
  const distance = far(got, want);
  assert.ok(distance <= tolerance, `${what}: ${distance} of the largest away, ${tolerance} allowed`);
}

const table2 = (rows: readonly (readonly number[])[]) =>
  table(rows.length, rows[0]!.length, Float64Array.from(rows.flat()));
const genesOf = (n: number) => Array.from({ length: n }, (_, j) => `G${j}`);

for (const want of fixture.probes) {
  Deno.test(`probe() equals scikit-learn's: ${want.name}`, async () => {
    const x = features(want.kind, 1, want.rows + want.test, want.columns);
    const y = targets(x, 2, want.genes);
    const side = (from: number, to: number): ProbeSet => ({
      features: rowsOf(x, from, to),
      targets: rowsOf(y, from, to),
    });
    const protocol = {
      ...findProtocol("hest-bench/1"),
      components: want.components ?? undefined,
      standardise: want.standardise,
    };
    const [train, test] = [side(0, want.rows), side(want.rows, want.rows + want.test)];
    const got = await probe({ train, test, genes: genesOf(want.genes) }, protocol);
    assert.equal(got.model.alpha, want.alpha);
    // Columns that are not centred lie far from zero together: products of them have that many digits less.
    const digits = want.kind === "offset" && !want.standardise ? 1e-6 : 1e-8;
    near(got.predictions.data.subarray(0, 7 * want.genes), want.predictions, digits, "predictions");
    near(got.perGene.map((gene) => gene.pearson), want.pearson, digits, "Pearson");
    near(got.perGene.map((gene) => gene.spearman), want.spearman, 1e-12, "Spearman");
    near(got.perGene.map((gene) => gene.r2), want.r2, digits, "R2");
    near(got.perGene.map((gene) => gene.r2Intercept), want.r2Intercept, digits, "R2 with intercept");
    near(got.perGene.map((gene) => gene.mse), want.mse, digits, "mean squared error");
    assert.equal(got.degenerate.length, 0);
    assert.ok(Math.abs(got.pearsonMean - want.pearson.reduce((a, b) => a + b) / want.genes) < digits);
    // All test spots are of one slide: the same numbers.
    assert.equal(got.slidePearsonMean, got.pearsonMean);
    if (want.scatter) {
      const a = standardize(train.features, fitStandardizer(train.features));
      const pca = await fitPca(a, want.components);
      near(pca.scatter, want.scatter, 1e-12, "scatter");
      const scores = pcaScores(pca, a);
      const own = Float64Array.from(scores.data).reduce(
        (sum, value, at) => at % scores.columns === 0 ? sum + value * value : sum,
        0,
      );
      assert.ok(Math.abs(own / want.scatter[0]! - 1) < 1e-12);
    }
  });
}

Deno.test("fitRidge() equals scikit-learn's with and without intercept, on ill-conditioned columns too", () => {
  for (const want of fixture.ridges) {
    const x = features(want.kind, 3, want.rows, want.columns);
    const model = fitRidge(x, targets(x, 4, 3), want);
    const got = predictLinear(model, features(want.kind, 5, 4, want.columns));
    near(got.data, want.predictions, 1e-7, JSON.stringify({ ...want, predictions: undefined }));
  }
});

Deno.test("fitRidge() without penalty refuses columns that depend on each other, and says what helps", () => {
  const x = noise(1, 12, 3);
  for (let r = 0; r < 12; r++) x.data[3 * r + 2] = x.data[3 * r]!;
  assert.throws(
    () => fitRidge(x, noise(2, 12, 1), { alpha: 0 }),
    (error) => error instanceof NumericsError && /larger penalty/.test(error.hint!),
  );
  fitRidge(x, noise(2, 12, 1), { alpha: 1e-3 });
});

Deno.test("a penalty says how many donors it was chosen on, not how many folds were made of them", () => {
  const x = noise(5, 48, 4);
  for (const [donors, said] of [[12, "10 folds of 12 training donors"], [4, "4 training donors"]] as const) {
    const found = chooseAlpha(x, x, Array.from({ length: 48 }, (_, row) => row % donors), "donors");
    assert.equal(searchText(found), said);
  }
  assert.equal(searchText(chooseAlpha(x, x)), "5 parts of the training spots");
});

Deno.test("chooseAlpha() judges penalties as one regression a fold does", () => {
  for (const want of fixture.crossValidated) {
    const x = features("random", 6, want.rows, want.columns);
    const slides = Array.from({ length: want.rows }, (_, r) => Math.floor(r * want.slides / want.rows));
    const got = chooseAlpha(x, targets(x, 7, want.genes), slides);
    near(got.errors, want.errors, 1e-10, "errors");
    assert.equal(got.alpha, ALPHAS[want.errors.indexOf(Math.min(...want.errors))]);
    assert.deepEqual([got.by, got.folds], ["slides", Math.min(10, want.slides)]);
  }
});

Deno.test("the cross-validated protocol has an intercept, names its folds, and leaves test rows alone", async () => {
  const x = features("random", 1, 90, 12);
  const y = targets(x, 2, 4);
  const slides = Array.from({ length: 60 }, (_, r) => `S${r % 3}`);
  const test = { features: rowsOf(x, 60, 90), targets: rowsOf(y, 60, 90) };
  const input = { train: { features: rowsOf(x, 0, 60), targets: rowsOf(y, 0, 60), slides }, test, genes: genesOf(4) };
  const got = await probe(input, "hest-bench-cv/1");
  assert.equal(got.model.chosen?.by, "slides");
  assert.equal(got.model.alpha, got.model.chosen!.alpha);
  got.perGene.forEach(({ r2, r2Intercept }) => assert.equal(r2, r2Intercept));
  const other = { ...test, targets: noise(9, 30, 4) };
  assert.equal((await probe({ ...input, test: other }, "hest-bench-cv/1")).model.alpha, got.model.alpha);
});

Deno.test("the headline's penalty is chosen over whole donors: serial sections of one never stand on both sides", async () => {
  const x = features("random", 1, 90, 12);
  const y = targets(x, 2, 4);
  const side = (from: number, to: number) => ({ features: rowsOf(x, from, to), targets: rowsOf(y, from, to) });
  const slides = Array.from({ length: 60 }, (_, r) => `S${r % 6}`);
  const donors = Array.from({ length: 60 }, (_, r) => `D${r % 3}`);
  const test = side(60, 90);
  const of = async (train: ProbeSet) => (await probe({ train, test, genes: genesOf(4) }, "depth-cv/1")).model;
  const byDonor = await of({ ...side(0, 60), slides, donors });
  assert.deepEqual([byDonor.chosen?.by, byDonor.chosen?.folds], ["donors", 3]);
  // Donors as slides: the same numbers, which slides of one donor apart would not give.
  const asSlides = await of({ ...side(0, 60), slides: donors });
  assert.deepEqual(byDonor.chosen!.errors, asSlides.chosen!.errors);
  assert.notDeepEqual(byDonor.chosen!.errors, (await of({ ...side(0, 60), slides })).chosen!.errors);
  // One donor alone, or none known: slides; one slide: rows.
  assert.equal((await of({ ...side(0, 60), slides, donors: donors.map(() => "D") })).chosen?.by, "slides");
  assert.equal((await of(side(0, 60))).chosen?.by, "rows");
});

Deno.test("features as they are: neither scaled nor centred, so that their size counts", async () => {
  const x = features("random", 1, 90, 12);
  const y = targets(x, 2, 4);
  for (let at = 0; at < x.data.length; at += 12) x.data[at]! *= 1e-3;
  const side = (from: number, to: number) => ({ features: rowsOf(x, from, to), targets: rowsOf(y, from, to) });
  const [train, test] = [side(0, 60), side(60, 90)];
  const got = await probe({ train, test, genes: genesOf(4) }, "hest-bench-raw/1");
  const model = fitRidge(train.features, train.targets, { alpha: ridgeAlpha(12, 4) });
  near(got.predictions.data, [...predictLinear(model, test.features).data], 1e-12, "as a plain ridge");
});

Deno.test("worked numbers of a ridge without intercept, and of alpha", async () => {
  const x = table2([[1, 2], [0, 1], [-1, -.5], [.5, -2]]);
  const y = table2([[2], [1], [.5], [-1]]);
  const test = table2([[1, -1], [.2, .3], [-.7, 1.5]]);
  const want = [.3, .4, .9];
  for (
    const [alpha, weights, predicted, mse, r2, r] of [
      [ridgeAlpha(2, 1), [.015880, .113522], [-.097642, .037233, .159167], .279518, -3.057514, .922416],
      [.5, [-.015267, .694656], [-.709924, .205344, 1.052672], .360382, -4.231350, .925034],
    ] as const
  ) {
    const model = fitRidge(x, y, { alpha });
    const got = predictLinear(model, test).data;
    weights.forEach((value, i) => assert.ok(Math.abs(model.weights.data[i]! - value) < 1e-6));
    predicted.forEach((value, i) => assert.ok(Math.abs(got[i]! - value) < 1e-6));
    assert.ok(Math.abs(meanSquaredError(got, want) - mse) < 1e-6);
    assert.ok(Math.abs(rSquared(got, want).value! - r2) < 1e-6);
    assert.ok(Math.abs(pearson(got, want).value! - r) < 1e-6);
  }
  assert.equal(ridgeAlpha(2, 1), 50);
  assert.equal(ridgeAlpha(256, 50), .0078125);
  assert.equal(ridgeAlpha(256, 10), .0390625);
  assert.ok(Math.abs(ridgeAlpha(256, 140) - .002790179) < 1e-9);
  // Genes probed in parts: alpha counts the whole panel.
  const input = { train: { features: x, targets: y }, test: { features: x, targets: y }, genes: ["A"] };
  assert.equal((await probe(input, "seal/1", { alphaTargets: 140 })).model.alpha, 100 / (2 * 140));
});

Deno.test("ranks(), spearman() and pearson() equal scipy's; ordinal ranks break ties by place", () => {
  const { a, b } = fixture.tied;
  assert.ok(Math.abs(spearman(a, b).value! - fixture.tied.spearman) < 1e-15);
  assert.ok(Math.abs(pearson(a, b).value! - fixture.tied.pearson) < 1e-15);
  assert.deepEqual([...ranks([0, 0, 1, 2])], [1.5, 1.5, 3, 4]);
  assert.deepEqual([...ranks([0, 0, 1, 2, -0], "ordinal")], [1, 2, 4, 5, 3]);
  assert.ok(Math.abs(spearman([0, 0, 1, 2], [0, 1, 2, 2]).value! - .888889) < 1e-6);
  assert.ok(Math.abs(spearman([0, 0, 1, 2], [0, 1, 2, 2], { ties: "ordinal" }).value! - 1) < 1e-15);
});

Deno.test("percentile() and roundTo() are numpy's", () => {
  const { q, values } = fixture.percentiles;
  near(q.map((percent) => percentile(noise(10, 1, 11).data, percent)), values, 1e-14, "percentiles");
  assert.deepEqual([roundTo(0.125, 2), roundTo(0.375, 2), roundTo(-0.126, 2), roundTo(2.5, 0)], [.12, .38, -.13, 2]);
});

Deno.test("sealFolds() are scikit-learn's splits, row by row", () => {
  for (const want of fixture.splits) {
    const { train, test } = sealFolds(want.n)[want.fold]!;
    assert.deepEqual([train.length, test.length], [want.trainCount, want.testCount]);
    assert.deepEqual([...test.slice(0, 12)], want.test);
    assert.deepEqual([...train.slice(0, 12)], want.train);
  }
});

Deno.test("smoothRank() equals the definition by singular values", () => {
  for (const { kind, rows, columns, value } of fixture.smoothRank) {
    const got = smoothRank(features(kind, 11, rows, columns))!;
    assert.ok(Math.abs(got / value - 1) < 1e-6, `${kind}: ${got}, ${value} wanted`);
  }
  const worked = smoothRank(table2([[1, 0, 2], [0, 3, 1], [2, 1, 0], [1, 1, 1]]))!;
  assert.ok(Math.abs(worked - 2.822033) < 1e-6);
  assert.equal(roundTo(worked, 2), 2.82);
  assert.equal(smoothRank(table2([[0, 0], [0, 0]])), undefined);
  assert.ok(Math.abs(smoothRank(table2([[1, 1], [1, 1], [1, 1]]))! - 1) < 1e-5);
});

Deno.test("degenerate folds: no NaN, and a reason for every score that is not defined", async () => {
  const x = features("random", 1, 40, 6);
  const y = targets(x, 2, 3);
  for (let r = 0; r < 40; r++) y.data[3 * r + 1] = 2;
  const side = (rows: number[], of = x): ProbeSet => ({ features: takeRows(of, rows), targets: takeRows(y, rows) });
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  const genes = ["A", "FLAT", "C"];
  const check = async (train: ProbeSet, test: ProbeSet) => {
    const got = await probe({ train, test, genes }, "hest-bench/1");
    assert.ok(
      [got.pearsonMean, got.spearmanMean, got.slidePearsonMean, ...got.predictions.data].every(Number.isFinite),
    );
    for (const gene of got.perGene) {
      const scores = [gene.pearson, gene.spearman, gene.r2, gene.r2Intercept, gene.mse];
      assert.ok(scores.every((value) => value === null || Number.isFinite(value)), JSON.stringify(gene));
      assert.equal(gene.pearson === null, gene.reason !== undefined);
    }
    return got;
  };
  const constant = await check(side(range(0, 30)), side(range(30, 40)));
  assert.deepEqual(constant.degenerate, [{ gene: "FLAT", reason: "constant target" }]);
  assert.ok(
    Math.abs(constant.pearsonMean - (constant.perGene[0]!.pearson! + constant.perGene[2]!.pearson!) / 3) < 1e-15,
  );
  assert.deepEqual(constant.perSlide.map(({ undefinedGenes }) => undefinedGenes), [1]);

  const single = await check(side(range(0, 30)), side([30]));
  assert.deepEqual(single.degenerate.map(({ reason }) => reason), Array(3).fill("fewer than two spots"));
  assert.equal(single.pearsonMean, 0);

  const few = await check(side([0, 1, 2]), side(range(30, 40)));
  assert.deepEqual([few.model.components, few.model.rank], [3, 2]);
  assert.equal(few.model.alpha, 100 / (3 * 3));
  const one = await check(side([0]), side(range(30, 40)));
  assert.deepEqual([one.model.components, one.model.rank], [1, 0]);

  const same = table(40, 6, new Float64Array(240).fill(3.7));
  const equal = await check(side(range(0, 30), same), side(range(30, 40), same));
  assert.equal(equal.model.rank, 0);
  assert.deepEqual(equal.degenerate.map(({ reason }) => reason), [
    "constant prediction",
    "constant target",
    "constant prediction",
  ]);
});

Deno.test("probe() refuses what it cannot use, and says which side it is", async () => {
  const x = features("random", 1, 20, 4);
  const good: ProbeSet = { features: x, targets: noise(2, 20, 2) };
  const nan = table(20, 2, Float64Array.from(good.targets.data, (value, i) => i === 7 ? NaN : value));
  for (
    const [train, test, message] of [
      [{ ...good, features: table(0, 4, new Float64Array(0)) }, good, /training set has no spots/],
      [good, { ...good, targets: nan }, /test set has targets that are not finite in row 3/],
      [
        good,
        { features: features("random", 1, 20, 5), targets: good.targets },
        /test set has features of 5 dimensions, 4/,
      ],
      [{ ...good, targets: noise(2, 19, 2) }, good, /training set has 19 rows of targets, 20 wanted/],
      [{ ...good, targets: noise(2, 20, 3) }, good, /3 targets, one for each of 2 genes/],
    ] as const
  ) {
    await assert.rejects(
      probe({ train, test, genes: ["A", "B"] }, "hest-bench/1"),
      (error) => error instanceof DataError && message.test(error.message),
    );
  }
  await assert.rejects(probe({ train: good, test: good, genes: ["A", "B"] }, "hest-bench/2"), /no such protocol/);
});

Deno.test("per-slide scores are blind to offsets between slides, pooled ones are not", async () => {
  const [n, d] = [200, 8];
  const x = noise(1, 2 * n, d);
  const y = noise(2, 2 * n, 1);
  // Two slides that differ in a feature and in expression; within a slide nothing can be predicted.
  const slides = Array.from({ length: n }, (_, r) => r % 2 ? "odd" : "even");
  for (let r = 0; r < 2 * n; r++) {
    if (r % 2 === 0) continue;
    x.data[r * d]! += 3;
    y.data[r]! += 3;
  }
  const side = (from: number): ProbeSet => ({
    features: rowsOf(x, from, from + n),
    targets: rowsOf(y, from, from + n),
    slides,
  });
  const got = await probe({ train: side(0), test: side(n), genes: ["A"] }, "hest-bench/1");
  assert.ok(got.pearsonMean > 0.9, `pooled ${got.pearsonMean}`);
  assert.ok(Math.abs(got.slidePearsonMean) < 0.2, `per slide ${got.slidePearsonMean}`);
  assert.deepEqual(got.perSlide.map(({ slide, spots }) => [slide, spots]), [["even", 100], ["odd", 100]]);
});

Deno.test("fitPca() of fewer rows than columns spans the same directions as of the transposed problem", async () => {
  const x = features("random", 1, 9, 30);
  const a = standardize(x, fitCentring(x));
  const { components, rank } = await fitPca(a, 256);
  assert.deepEqual([components.rows, rank], [9, 8]);
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j <= i; j++) {
      let dot = 0;
      for (let c = 0; c < 30; c++) dot += components.data[i * 30 + c]! * components.data[j * 30 + c]!;
      assert.ok(Math.abs(dot - (i === j ? 1 : 0)) < 1e-10);
    }
  }
  assert.ok(components.data.subarray(8 * 30).every((value) => value === 0));
});
