import assert from "node:assert/strict";
import { ConfigError, DataError } from "../../src/core/errors.ts";
import { Mt19937 } from "../../src/core/mt19937.ts";
import { type Expression, expression, selectSpots } from "../../src/data/counts.ts";
import { expressedGenes } from "../../src/data/genes/heg.ts";
import { cutEdges, seuratGenes } from "../../src/data/genes/hvg_seurat.ts";
import { seuratV3Genes } from "../../src/data/genes/hvg_seurat_v3.ts";
import { loess } from "../../src/data/genes/loess.ts";
import { columnSums, dense, type Matrix, selectColumns, toCsr, toDense } from "../../src/data/matrix.ts";
import { columnMoments, descending } from "../../src/data/genes/moments.ts";
import { logNormalize } from "../../src/data/genes/normalise.ts";
import { preprocess, type PreprocessOptions, rankGenes, selectPreprocessed } from "../../src/data/genes/preprocess.ts";
import { mix } from "../../src/data/image/stripes.ts";
import fixture from "../fixtures/omics/preprocess.json" with { type: "json" };
import { hashedSample } from "./hashed_sample.ts";

/** Each number within `tolerance`; null stands for NaN. */
function near(got: ArrayLike<number>, want: readonly (number | null)[], tolerance: number, what = ""): void {
  assert.equal(got.length, want.length, what);
  want.forEach((value, i) => {
    if (value === null) assert.ok(Number.isNaN(got[i]), `${what}[${i}] is ${got[i]}, NaN wanted`);
    else assert.ok(Math.abs(got[i]! - value) <= tolerance, `${what}[${i}] is ${got[i]}, ${value} wanted`);
  });
}

const row = (matrix: Matrix, i: number): number[] => [
  ...toDense(matrix).data.subarray(i * matrix.columns, (i + 1) * matrix.columns),
];
const range = (n: number): number[] => [...Array(n).keys()];
const named = (counts: number[][]): Expression =>
  expression(
    "S",
    counts.map((_, i) => `spot${i}`),
    counts[0]!.map((_, j) => `G${j}`),
    dense(counts.length, counts[0]!.length, counts.flat()),
  );

const SMALL = named([
  [0, 5, 1, 0, 12, 3, 0, 2, 1, 0],
  [1, 4, 0, 0, 9, 0, 2, 7, 1, 0],
  [0, 6, 2, 3, 15, 1, 0, 0, 1, 1],
  [4, 5, 0, 0, 8, 0, 9, 1, 1, 0],
  [0, 3, 8, 0, 11, 6, 0, 3, 1, 1],
  [2, 7, 0, 1, 10, 0, 1, 0, 1, 0],
]);
const SMALL_ARRAY = { technology: "Visium", rows: [0, 0, 1, 1, 2, 2], columns: [0, 2, 1, 3, 0, 2] };

Deno.test("preprocess() reproduces the small worked example: smoothing, filter, both layers", () => {
  const raw = preprocess(SMALL, SMALL_ARRAY, { geneNorm: "none" });
  assert.deepEqual(raw.own.genes, range(9).map((j) => `G${j}`));
  assert.deepEqual(raw.report.rareGenes, ["G9"]);
  const smoothed = [
    [0, 5.25, 1.25, .75],
    [1.333333, 4.5, .333333, .5],
    [.3, 5.5, 2.1, 1.9],
    [3.166667, 5.166667, 0, .166667],
    [0, 3.75, 6.5, .75],
    [2, 6.5, .333333, 1.166667],
  ];
  smoothed.forEach((want, i) => near(row(raw.context.matrix, i).slice(0, 4), want, 1e-6, `row ${i}`));
  const { own, context } = preprocess(SMALL, SMALL_ARRAY);
  near(row(own.matrix, 0), [0, 7.642204, 6.034684, 0, 8.517393, 7.131699, 0, 6.726633, 6.034684], 1e-6);
  near(
    row(context.matrix, 0),
    [0, 7.650169, 6.216606, 5.707110, 8.537192, 6.908755, 0, 6.398595, 5.993961],
    1e-6,
  );
});

Deno.test("seuratGenes() reproduces the small worked example, ties in column order", () => {
  const { own } = preprocess(SMALL, SMALL_ARRAY);
  for (const matrix of [own.matrix, toCsr(own.matrix)]) {
    const found = seuratGenes(matrix, { bins: 3 });
    near(
      found.means,
      [6.131346, 7.584425, 6.407142, 5.542553, 8.332999, 6.365365, 6.621886, 6.735511, 5.957849],
      2e-6,
    );
    near(
      found.dispersions,
      [6.651540, 5.616583, 7.355883, 6.633340, 5.415509, 7.000815, 7.646598, 7.257901, 1.956561],
      2e-6,
    );
    near(cutEdges(found.means, 3), [5.539762, 6.472702, 7.402851, 8.332999], 2e-6);
    assert.deepEqual([...found.bins], [0, 2, 0, 0, 2, 0, 1, 1, 0]);
    near(found.scores, [.327462, .707107, .642590, .319319, -.707107, .483730, .707107, -.707107, -1.773101], 3e-6);
    assert.deepEqual([...found.order], [1, 6, 2, 5, 0, 3, 4, 7, 8]);
  }
  assert.deepEqual([...seuratGenes(own.matrix).scores], Array(9).fill(1));
});

Deno.test("seuratGenes() reproduces the larger worked example", () => {
  const count = (i: number, j: number): number => {
    const r = (37 * i + 61 * j + 13 * i * j + 7 * i * i) % 101;
    return Math.floor(r * (1 + (5 * j * j + 3 * j) % 23) / 100);
  };
  const table = named(range(24).map((i) => range(60).map((j) => count(i, j))));
  assert.deepEqual(row(table.matrix, 5).slice(0, 10), [0, 7, 0, 2, 0, 2, 0, 4, 12, 15]);
  const array = { technology: "Xenium", rows: [], columns: [] };
  const sample = preprocess(table, array);
  assert.equal(sample.context, sample.own);
  assert.equal(sample.report.notSmoothed, "technology Xenium");
  const dropped = table.genes.filter((name) => !sample.own.genes.includes(name));
  assert.deepEqual(dropped, ["G0", "G4", "G23", "G27", "G46", "G50"]);
  const { matrix, genes } = sample.own;
  near([columnSums(matrix).reduce((a, b) => a + b)], [5572.071321], 1e-3);
  near(row(matrix, 0).slice(0, 5), [5.048565, 0, 5.383202, 0, 5.633495], 1e-6);
  const found = seuratGenes(matrix);
  near([Math.min(...found.means), Math.max(...found.means)], [2.639538, 5.938749], 2e-6);
  const bins = range(20).map((k) => found.bins.filter((bin) => bin === k).length);
  assert.deepEqual(bins, [2, 2, 1, 0, 3, 1, 1, 2, 1, 0, 0, 0, 4, 0, 5, 5, 5, 8, 8, 6]);
  const best = [55, 13, 38, 39, 58, 6, 42, 5, 17, 48, 51, 22, 41, 54, 35];
  assert.deepEqual(rankGenes(sample, "hvg", 15), best.map((j) => `G${j}`));
  const scores = [1.407314, 1.268934, 1.251810, 1.233434, 1.186133, 1.105767, 1.042099, 1, 1, 1, 1];
  near(best.map((j) => found.scores[genes.indexOf(`G${j}`)]!), [...scores, .969943, .935576, .873767, .774861], 1e-5);
});

function hashedLayers(options: PreprocessOptions = {}, layout: (m: Matrix) => Matrix = (m) => m) {
  const { table, rows, columns } = hashedSample();
  return preprocess({ ...table, matrix: layout(table.matrix) }, { technology: "Visium", rows, columns }, options);
}

Deno.test("preprocess() agrees with scanpy: names, spots, both layers", () => {
  const { table } = hashedSample();
  assert.equal(columnSums(table.matrix).reduce((a, b) => a + b), fixture.rawTotal);
  for (const layout of [(m: Matrix) => m, toCsr]) {
    const { own, context, keep, report } = hashedLayers({}, layout);
    assert.deepEqual([own.genes, own.spots], [fixture.genes, fixture.spots]);
    assert.deepEqual(report.genes.controls, ["BLANK_0003", "NEGCONTROLPROBE_0001", "AMBIGUOUS-1"]);
    assert.deepEqual(report.genes.duplicates, ["GENE3"]);
    assert.deepEqual([report.emptySpots, keep[5], report.smoothed], [["spot5"], 6, true]);
    for (const i of [0, 7, 60]) {
      const key = String(i) as "0";
      near(row(own.matrix, i), fixture.own[key], 1e-5, `own ${i}`);
      near(row(context.matrix, i), fixture.context[key], 1e-5, `context ${i}`);
    }
    near(columnSums(own.matrix), fixture.ownSums, 1e-3);
    near(columnSums(context.matrix), fixture.contextSums, 1e-3);
    near(columnMoments(own.matrix).variance.map(Math.sqrt), fixture.std, 1e-5);
  }
});

Deno.test("Both flavours and the means choose scanpy's genes", () => {
  const sample = hashedLayers();
  const seurat = seuratGenes(sample.own.matrix);
  near(seurat.means, fixture.seurat.means, 1e-5);
  near(seurat.scores, fixture.seurat.scores, 1e-5);
  assert.deepEqual(rankGenes(sample, "hvg", 100).sort(), fixture.seurat.top);
  assert.deepEqual(rankGenes(sample, "heg", 100), fixture.heg);
  const raw = hashedLayers({ geneNorm: "none" });
  const v3 = seuratV3Genes(raw.own.matrix);
  v3.scores.forEach((score, j) => near([score / fixture.seuratV3.scores[j]!], [1], 1e-5));
  // Two genes of equal counts in other spots score the same; numpy's sort swaps them.
  const scoreOf = new Map(raw.own.genes.map((name, j) => [name, v3.scores[j]!]));
  near(rankGenes(raw, "hvg", 100).map((g) => scoreOf.get(g)!), fixture.seuratV3.top.map((g) => scoreOf.get(g)!), 1e-9);
  assert.deepEqual(rankGenes(raw, "hvg", 100).sort(), [...fixture.seuratV3.top].sort());
});

Deno.test("loess() agrees with scikit-misc, equal positions included", () => {
  const x = Float64Array.from(range(300), (i) => mix(i + 5) % 500 / 100);
  const y = Float64Array.from(range(300), (i) => Math.sin(x[i]!) + mix(i + 3000) % 100 / 200);
  for (const span of ["0.3", "0.75"] as const) {
    near(loess(x, y, { span: Number(span) }), fixture.loess[span], 1e-9, span);
  }
  const parabola = x.map((v) => 1 + 2 * v - v * v);
  near(loess(x, parabola), [...parabola], 0.05);
  assert.throws(() => loess(new Float64Array(9).fill(2), new Float64Array(9)), DataError);
  assert.throws(() => loess(Float64Array.of(1), Float64Array.of(1)), DataError);
});

Deno.test("preprocess() filters genes, then spots; says why it did not smooth; refuses what is left empty", () => {
  const table = named([[5, 0, 1], [0, 0, 1], [4, 3, 0]]);
  const array = { technology: "Spatial Transcriptomics", rows: [], columns: [] };
  const sample = preprocess(table, array);
  assert.deepEqual([sample.own.genes, sample.own.spots], [["G0", "G1"], ["spot0", "spot2"]]);
  assert.deepEqual(preprocess(table, array, { minGeneSpots: 2 }).own.genes, ["G0"]);
  assert.deepEqual(preprocess(table, array, { minSpotGenes: 2 }).own.spots, ["spot2"]);
  assert.throws(() => preprocess(table, array, { minGeneCounts: 100 }), DataError);
  assert.throws(() => preprocess(table, { ...array, technology: "Visium" }), /0 rows and 0 columns of the array, 3/);
  const lost = preprocess(table, { technology: "Visium", rows: [0, 0, NaN], columns: [0, 1, 2] });
  assert.equal(lost.report.notSmoothed, "no place on the array for spot spot2");
  const one = preprocess(selectSpots(table, [0]), { technology: "Visium", rows: [0], columns: [0] });
  assert.equal(one.report.notSmoothed, "a single spot");
  assert.throws(() => preprocess(table, array, { geneNorm: "log" as "none" }), ConfigError);
  assert.deepEqual(selectPreprocessed(sample, [1]).keep, Uint32Array.of(2));
});

Deno.test("logNormalize() leaves rows of zeros; descending() puts NaN last and keeps ties in order", () => {
  assert.deepEqual(row(logNormalize(dense(2, 2, [0, 0, 1, 0])), 0), [0, 0]);
  assert.deepEqual([...descending([1, NaN, 2, 1, -Infinity, NaN])], [2, 0, 3, 4, 1, 5]);
  assert.deepEqual([...expressedGenes(dense(2, 3, [1, 2, 1, 1, 2, 1])).order], [1, 0, 2]);
  const constant = seuratGenes(selectColumns(dense(3, 2, [0, 1, 0, 2, 0, 3]), [0, 1]));
  assert.ok(Number.isNaN(constant.scores[0]));
  assert.deepEqual([...constant.order], [1, 0]);
});

Deno.test("Permutations equal those numpy drew", () => {
  for (const [key, want] of Object.entries(fixture.permutations)) {
    const [seed, n] = key.split(",").map(Number) as [number, number];
    assert.deepEqual([...new Mt19937(seed).permutation(n)], want, key);
  }
});
