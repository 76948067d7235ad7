/** The published table of bulk RNA has the means that were published with it; what all own differences lack is said once. */

import assert from "node:assert/strict";
import type { Markup } from "../../src/report/html.ts";
import { POSTER, POSTER_TASKS } from "../../src/report/poster.ts";
import { probes } from "../../src/report/probes.ts";
import type { ProbesEvidence } from "../../src/report/probes_evidence.ts";
import { EVIDENCE_SCHEMA } from "../../src/report/run_evidence.ts";

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

Deno.test("a reason for no interval that all differences share stands in the caption, others in their cells", () => {
  const page = (reasons: readonly [string, string]) => {
    const found: ProbesEvidence = {
      ...{ schema: EVIDENCE_SCHEMA, train: 13, test: 3, notes: [] },
      tasks: [{ name: "Expression", measure: "mean Pearson over genes" }],
      rows: [{ id: "base", label: "Given", values: [0.1] }, { id: "direct", label: "Direct", values: [0.2] }],
      deltas: reasons.map((reason, task) => ({ id: "direct", task, value: 0.1, reason })),
    };
    return (probes({ probes: found }) as Markup).text;
  };
  const same = page(["3 test patients", "3 test patients"]);
  assert.match(same, /than the given features, without an interval: 3 test patients\./);
  assert.doesNotMatch(same, /no interval/);
  const other = page(["3 test patients", "2 of them have a class"]);
  assert.match(other, /no interval: 2 of them have a class/);
  assert.match(other, /with a 95 % bootstrap interval/);
});
