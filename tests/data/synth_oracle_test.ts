/** The panel of profile `ci`, and what its oracles reach. */

import assert from "node:assert/strict";
import { windows } from "../../src/data/synth/crop.ts";
import { Fields } from "../../src/data/synth/fields.ts";
import { drawExpression, geneModel, GENES, VISIBLE_GENES } from "../../src/data/synth/genes.ts";
import { CALIBRATION, colourStatistics, correlations, probe, type Table } from "../../src/data/synth/oracle.ts";
import { selectPanel } from "../../src/data/synth/panel.ts";
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

function table(
  parts: typeof drawn,
  width: number,
  value: (part: typeof drawn[number], row: number) => number[],
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
