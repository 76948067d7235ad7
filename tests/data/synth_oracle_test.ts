/** The panel of profile `ci`, and what its oracles reach. */

import assert from "node:assert/strict";
import { windows } from "../../src/data/synth/crop.ts";
import { Fields } from "../../src/data/synth/fields.ts";
import { drawExpression, geneModel, GENES, VISIBLE_GENES } from "../../src/data/synth/genes.ts";
import { CALIBRATION, colourStatistics, correlations, probe, type Table } from "../../src/data/synth/oracle.ts";
import { selectPanel } from "../../src/data/synth/panel.ts";
import { makeSample } from "../../src/data/synth/sample.ts";
import { planSynth, slidesOf } from "../../src/data/synth/plan.ts";

const plan = planSynth({ profile: "ci" });
const model = geneModel(plan.seed);
const drawn = slidesOf(plan).map((slide) => {
  const spatial = Float64Array.from(slide.spots.flatMap(({ x, y }) => [x / slide.pixelSize, y / slide.pixelSize]));
  // Only spots with a patch can be predicted from one.
  const kept = windows(slide, "current", 224, spatial).map(({ spot }) => spot);
  return { ...drawExpression(slide, new Fields(slide), model), kept };
});
const [train, test] = [drawn.slice(0, 16), drawn.slice(16)];
const panel = selectPanel(train.map(({ counts }) => counts), model);

function table<P extends { kept: number[] }>(
  parts: readonly P[],
  width: number,
  value: (part: P, row: number) => number[],
): Table {
  const rows = parts.flatMap((part) => part.kept.map((row) => value(part, row)));
  return { rows: rows.length, columns: width, data: Float64Array.from(rows.flat()) };
}

function targets(parts: typeof drawn): Table {
  return table(parts, panel.length, ({ counts }, row) => panel.map((g) => Math.log1p(counts[row * GENES + g]!)));
}

function fieldsOf(parts: typeof drawn, count: number): Table {
  return table(parts, count, ({ fields }, row) => [...fields.subarray(row * 8, row * 8 + count)]);
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

Deno.test("the panel of ci has 39 genes of visible programs, 11 of hidden ones and no other", () => {
  assert.deepEqual(plan.folds, [[16, 17, 18, 19]]);
  assert.equal(panel.filter((g) => g < VISIBLE_GENES).length, 39);
  assert.equal(panel.filter((g) => g >= VISIBLE_GENES && g < 150).length, 11);
});

Deno.test("the oracles reach the correlations of the calibration", () => {
  for (const [count, wanted] of [[8, CALIBRATION.oracleAll], [6, CALIBRATION.oracleVisible]] as const) {
    const predicted = probe(fieldsOf(train, count), targets(train), fieldsOf(test, count));
    const pcc = [...correlations(predicted, targets(test))];
    assert.ok(Math.abs(mean(pcc) - wanted.pcc) < 0.001, `${count} fields: ${mean(pcc)}`);
    const visible = mean(pcc.filter((_, j) => panel[j]! < VISIBLE_GENES));
    assert.ok(Math.abs(visible - wanted.pccVisible) < 0.001, `${count} fields: ${visible}`);
  }
});

Deno.test("colourStatistics() are means, deviations and blocks", () => {
  const rgb = new Uint8Array(8 * 8 * 3).fill(100);
  for (let c = 0; c < 3; c++) rgb[c] = 104;
  const found = colourStatistics(rgb, 8);
  assert.deepEqual([...found.slice(0, 3)], [100.0625, 100.0625, 100.0625]);
  assert.ok(Math.abs(found[3]! - Math.sqrt(16 / 64 - 0.0625 ** 2)) < 1e-9);
  assert.deepEqual([found[6], found[9]], [101, 100]);
});

Deno.test("controls: exchanged counts cannot be predicted, spots off by 300 um hardly", () => {
  const genes = Array.from({ length: VISIBLE_GENES }, (_, g) => g);
  const slides = slidesOf(plan);
  const permuted = planSynth({ profile: "ci", traps: ["permute-counts"] });
  const all = drawn.map((part, j) => {
    const slide = slides[j]!;
    const fields = new Fields(slide);
    const shifted = slide.spots.flatMap(({ x, y }) => [0, 1, 2, 3, 4, 5, 6, 7].map((f) => fields.at(f, x + 300, y)));
    return { ...part, exchanged: makeSample(permuted, slide, model).counts, shifted: Float64Array.from(shifted) };
  });
  type Part = typeof all[number];
  /** Mean correlation within the test slides. */
  function within(counts: (part: Part) => Uint16Array, fields: (part: Part) => Float64Array): number {
    const x = (parts: Part[]) => table(parts, 6, (part, row) => [...fields(part).subarray(row * 8, row * 8 + 6)]);
    const y = (parts: Part[]) =>
      table(parts, 120, (part, row) => genes.map((g) => Math.log1p(counts(part)[row * GENES + g]!)));
    const [trainX, trainY] = [x(all.slice(0, 16)), y(all.slice(0, 16))];
    return mean(all.slice(16).map((part) => mean([...correlations(probe(trainX, trainY, x([part])), y([part]))])));
  }
  const plain = within((part) => part.counts, (part) => part.fields);
  const exchanged = within((part) => part.exchanged, (part) => part.fields);
  const misaligned = within((part) => part.counts, (part) => part.shifted);
  const found = JSON.stringify({ plain, exchanged, misaligned });
  assert.ok(Math.abs(plain - 0.592) < 0.01, found);
  assert.ok(Math.abs(exchanged) < 0.03, found);
  assert.ok(misaligned < 0.6 * plain, found);
});
