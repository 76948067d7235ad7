/** Expression retrieval and neighbour agreement: by hand, and the synthetic oracles' published numbers. */

import assert from "node:assert/strict";
import { windows } from "../../src/data/synth/crop.ts";
import { Fields } from "../../src/data/synth/fields.ts";
import { drawExpression, geneModel, GENES, VISIBLE_GENES } from "../../src/data/synth/genes.ts";
import { probe, type Table } from "../../src/data/synth/oracle.ts";
import { planSynth, slidesOf } from "../../src/data/synth/plan.ts";
import { assertFinite } from "./finite.ts";
import { columnMoments, expressionRetrieval, neighbourAgreement, type Rows } from "../../src/eval/morphology.ts";

const near = (a: number | null | undefined, b: number, tol = 1e-6) =>
  assert.ok(a != null && Math.abs(a - b) < tol, `${a}, wanted ${b}`);

Deno.test("expressionRetrieval() ranks within slides, after centring and scaling", () => {
  // Slide a: predictions order the spots as the truth does, on another level and scale a gene.
  const truth = { data: [0, 1, 1, 0, 2, 2, 9, 9, 8, 8], columns: 2 };
  const predicted = { data: [10, -4.9, 10.1, -5, 10.2, -4.8, 1, 0, 2, 3], columns: 2 };
  const slides = ["a", "a", "a", "b", "b"];
  const found = expressionRetrieval(predicted, truth, { slides, trainStd: [1, 1], ks: [1, 2] });
  // Slide b's two spots are opposite after centring, and the prediction points the other way.
  assert.deepEqual(found.recall, { 1: 3 / 5, 2: 1 });
  near(found.chance[1], (3 * (1 / 3) + 2 * (1 / 2)) / 5);
  near(found.mrr, (3 + 2 * 0.5) / 5);
  assert.deepEqual([found.spots, found.slides, found.reason], [5, 2, undefined]);
});

Deno.test("expressionRetrieval() of constant predictions and of lone spots has a reason and no NaN", () => {
  const truth = { data: [0, 1, 1, 0, 2, 2], columns: 2 };
  const flat = { data: new Float64Array(6).fill(3), columns: 2 };
  const options = { slides: ["a", "a", "a"], trainStd: [1, 0], ks: [1] };
  const found = expressionRetrieval(flat, truth, options);
  assert.equal(found.recall[1], null);
  assert.match(found.reason!, /length zero/);
  const lone = expressionRetrieval(truth, truth, { ...options, slides: ["a", "b", "b"] });
  assert.match(lone.reason!, /1 slides of one spot/);
  assert.deepEqual([lone.spots, lone.recall[1]], [2, 1]);
  const none = expressionRetrieval(truth, truth, { ...options, slides: ["a", "b", "c"] });
  assert.deepEqual([none.recall[1], none.chance[1], none.spots], [null, null, 0]);
  assertFinite([found, lone, none]);
  assert.throws(() => expressionRetrieval(truth, truth, { ...options, trainStd: [1] }), { name: "ShapeError" });
});

Deno.test("neighbourAgreement() by hand: one neighbour each, programmes equal or opposite", () => {
  // Features on a line of angles 0, 10, 100, 110 degrees; programmes +, +, -, + before standardising.
  const at = [0, 10, 100, 110].map((degree) => degree * Math.PI / 180);
  const features = { data: at.flatMap((a) => [Math.cos(a), Math.sin(a)]), columns: 2 };
  const programme = { data: [1, 0, 1, 0, 0, 1, 1, 0], columns: 2 };
  const train = { mean: new Float64Array(2), std: Float64Array.from([1, 1]) };
  const found = neighbourAgreement(features, programme, { slides: ["s", "s", "s", "s"], train, k: 1 });
  // 0 and 1 find each other and agree; 2 and 3 find each other and are opposite.
  near(found.value, (1 + 1 - 1 - 1) / 4);
  // Standardising by training moments changes who is near: the second axis counts for nothing.
  const squeezed = { mean: new Float64Array(2), std: Float64Array.from([1, 1e9]) };
  const axis = neighbourAgreement(features, programme, { slides: ["s", "s", "s", "s"], train: squeezed, k: 1 });
  near(axis.value, (1 + 1 - 1 - 1) / 4);
  const apart = neighbourAgreement(features, programme, { slides: ["s", "t", "u", "v"], train });
  assert.deepEqual([apart.value, apart.spots], [null, 0]);
  assert.match(apart.reason!, /4 slides have no more than 10 spots/);
  assert.throws(() => neighbourAgreement(features, programme, { slides: ["s"], train }), { name: "ShapeError" });
});

const plan = planSynth({ profile: "ci" });
const model = geneModel(plan.seed);
const drawn = slidesOf(plan).map((slide) => {
  const spatial = Float64Array.from(slide.spots.flatMap(({ x, y }) => [x / slide.pixelSize, y / slide.pixelSize]));
  const kept = windows(slide, "current", 224, spatial).map(({ spot }) => spot);
  return { ...drawExpression(slide, new Fields(slide), model), kept };
});

function table(first: number, last: number, width: number, value: (part: typeof drawn[0], row: number) => number[]) {
  const rows = drawn.slice(first, last).flatMap((part) => part.kept.map((row) => value(part, row)));
  return { rows: rows.length, columns: width, data: Float64Array.from(rows.flat()) } satisfies Table & Rows;
}

Deno.test("the synthetic oracles reach their published recall and neighbour agreement", () => {
  const log = (first: number, last: number) =>
    table(
      first,
      last,
      GENES,
      ({ counts }, row) => Array.from({ length: GENES }, (_, g) => Math.log1p(counts[row * GENES + g]!)),
    );
  const fields = (first: number, last: number, count: number) =>
    table(first, last, count, (part, row) => [...part.fields.subarray(row * 8, row * 8 + count)]);
  const [trainY, testY] = [log(0, 16), log(16, 20)];
  const { mean, std } = columnMoments(trainY);
  const centredY = { ...trainY, data: trainY.data.map((v, at) => v - mean[at % GENES]!) };
  const programme = table(
    16,
    20,
    VISIBLE_GENES,
    (part, row) => Array.from({ length: VISIBLE_GENES }, (_, g) => Math.log(part.mean[row * GENES + g]!)),
  );
  const slides = drawn.slice(16).flatMap(({ kept }, j) => kept.map(() => String(j)));
  const published = [
    [8, { 1: .236, 5: .610, 10: .824, 50: .996 }, .826],
    [6, { 1: .154, 5: .464, 10: .677, 50: .973 }, .851],
  ] as const;
  for (const [count, recall, agreement] of published) {
    const [trainX, testX] = [fields(0, 16, count), fields(16, 20, count)];
    const found = expressionRetrieval(probe(trainX, centredY, testX), testY, { slides, trainStd: std });
    for (const [k, wanted] of Object.entries(recall)) near(found.recall[k], wanted, 0.0015);
    const near10 = neighbourAgreement(testX, programme, { slides, train: columnMoments(trainX) });
    near(near10.value, agreement, 0.001);
  }
});
