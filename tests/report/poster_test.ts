/** The published table of bulk RNA has the means that were published with it. */

import assert from "node:assert/strict";
import { POSTER, POSTER_TASKS } from "../../src/report/poster.ts";

Deno.test("means of the published table: all ten tasks, those of TCGA and the others", () => {
  assert.equal(POSTER_TASKS.length, 10);
  const means = POSTER.map((
    { label, all, tcga, others },
  ) => [label, ...[all, tcga, others].map((value) => value.toFixed(2))]);
  assert.deepEqual(means.map(([label, all]) => [label, all]), [
    ["Baseline of direct", "67.52"],
    ["Δ direct", "0.53"],
    ["Direct", "68.05"],
    ["Baseline of contrastive", "66.80"],
    ["Δ contrastive", "0.80"],
    ["Contrastive", "67.60"],
  ]);
  assert.deepEqual(means[1]!.slice(2), ["1.38", "-0.75"]);
  assert.deepEqual(means[4]!.slice(2), ["0.98", "0.53"]);
});
