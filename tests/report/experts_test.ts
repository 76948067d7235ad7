/** Experts of a run's page: spots lie over the image of their section, as large as they are; charts name what they show. */

import assert from "node:assert/strict";
import { experts } from "../../src/report/experts.ts";
import type { ExpertsEvidence } from "../../src/report/experts_evidence.ts";
import type { Markup } from "../../src/report/html.ts";
import { EVIDENCE_SCHEMA, type SampleMap } from "../../src/report/run_evidence.ts";

const found: ExpertsEvidence = {
  ...{ schema: EVIDENCE_SCHEMA, temperature: 0.1, compared: [], notes: [] },
  experts: [0, 1].map((e) => ({ name: String(e), organs: ["Breast"], clusters: 1, pairs: 9, held: 2 })),
  sections: ["S1", "S2"].map((sample) => ({
    ...{ sample, x: [100, 300, 100, 300], y: [100, 100, 300, 300] },
    ...{ expert: [0, 1, 1, 0], outside: 1 },
  })),
  curves: [{ organ: "Breast", rows: 18, clusters: [2, 4], inertia: [4, 1], silhouette: [0.5, 0.2] }],
};

/** Of the first section alone, at half its size. */
const map: SampleMap = {
  ...{ sample: "S1", predicted_by: "SPADE", unit: "log1p", barcodes: [..."abcd"], genes: [] },
  ...{ measured: new Float32Array(), predicted: new Float32Array(), spot_diameter: 100 },
  spatial: Float64Array.of(100, 100, 300, 100, 100, 300, 300, 300),
  thumbnail: { image: { width: 200, height: 200, data: new Uint8Array(200 * 200 * 3).fill(200) }, scale: 0.5 },
};

Deno.test("the expert of each spot is drawn over the section's image; without one the spots stand alone", () => {
  const { text } = experts({ experts: found, maps: [map] }) as Markup;
  const [first, second] = text.split('<div class="map').slice(2) as [string, string];
  assert.match(first, /S1.*<image href="data:image\/[^>]*preserveAspectRatio="none"\/><path/s);
  // Spots of 100 px, 100 px apart by their area: a margin of 150 px, so that 500 px are 360 units and a radius is 36.
  assert.match(first, /x="36" y="36" width="288" height="288"/);
  assert.match(first, /translate\(108 108\) scale\(12\.00\)/);
  assert.ok(second.includes("S2") && !second.includes("<image"));
  assert.match(second, /4 out of distribution/);
});

Deno.test("charts of the number of clusters name their heights", () => {
  const { text } = experts({ experts: found }) as Markup;
  for (const name of ["Inertia, share", "Mean silhouette", "clusters"]) {
    assert.ok(text.includes(`>${name}</text>`), name);
  }
});
