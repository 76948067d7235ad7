/** The probe on the synthetic data set's true fields reaches the numbers of its calibration. */

import assert from "node:assert/strict";
import { windows } from "../../src/data/synth/crop.ts";
import { Fields } from "../../src/data/synth/fields.ts";
import { drawExpression, geneModel, GENES } from "../../src/data/synth/genes.ts";
import { CALIBRATION } from "../../src/data/synth/oracle.ts";
import { selectPanel } from "../../src/data/synth/panel.ts";
import { planSynth, slidesOf } from "../../src/data/synth/plan.ts";
import { probe, type ProbeSet } from "../../src/eval/probe.ts";
import { visiblePearson } from "../../src/eval/synthetic.ts";
import { table } from "../../src/eval/linalg/table.ts";

const model = geneModel(planSynth({ profile: "ci" }).seed);
const drawn = slidesOf(planSynth({ profile: "ci" })).map((slide) => {
  const spatial = Float64Array.from(slide.spots.flatMap(({ x, y }) => [x / slide.pixelSize, y / slide.pixelSize]));
  const kept = windows(slide, "current", 224, spatial).map(({ spot }) => spot);
  return { ...drawExpression(slide, new Fields(slide), model), kept };
});
const panel = selectPanel(drawn.slice(0, 16).map(({ counts }) => counts), model);
const genes = panel.map((g) => model.names[g]!);

function side(from: number, to: number, fields: number): ProbeSet {
  const rows = drawn.slice(from, to).flatMap((part, i) => part.kept.map((spot) => ({ part, spot, slide: from + i })));
  const numbers = (width: number, of: (row: typeof rows[number]) => number[]) =>
    table(rows.length, width, Float64Array.from(rows.flatMap(of)));
  return {
    features: numbers(fields, ({ part, spot }) => [...part.fields.subarray(8 * spot, 8 * spot + fields)]),
    targets: numbers(panel.length, ({ part, spot }) => panel.map((g) => Math.log1p(part.counts[spot * GENES + g]!))),
    slides: rows.map(({ slide }) => slide),
  };
}

Deno.test("hest-bench/1 on the true fields reaches the oracles of the calibration, pooled and for visible genes", async () => {
  for (const [fields, want] of [[8, CALIBRATION.oracleAll], [6, CALIBRATION.oracleVisible]] as const) {
    const got = await probe({ train: side(0, 16, fields), test: side(16, 20, fields), genes }, "hest-bench/1");
    assert.ok(Math.abs(got.pearsonMean - want.pcc) < 0.001, `${fields} fields: ${got.pearsonMean}`);
    assert.ok(Math.abs(visiblePearson(got.perGene)! - want.pccVisible) < 0.001, `${fields} fields`);
    assert.equal(got.perSlide.length, 4);
    assert.deepEqual([got.nTrain, got.nTest, got.model.components], [3168, 792, fields]);
  }
});
