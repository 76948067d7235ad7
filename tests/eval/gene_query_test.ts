/** Gene-set queries: reading, building of the profile, ranking. */

import assert from "node:assert/strict";
import { DEFAULT_RAISE, geneProfile, parseRaises, rankRows, setQueries } from "../../src/eval/gene_query.ts";

const vocabulary = {
  genes: ["EPCAM", "KRT8", "HLA-A", "CD3E", "FLAT", "MIR-1"],
  mean: Float64Array.from([1, 0.5, 2, 0.25, 3, 0]),
  std: Float64Array.from([0.5, 1, 0.25, 0.75, 0, 0.1]),
};

Deno.test("parseRaises() reads names, deviations and percentiles; names with signs are names", () => {
  assert.deepEqual(parseRaises("epcam, KRT8+3,CD3E-1.5,EPCAM@p95,HLA-A,HLA-A+1,MIR-1", vocabulary.genes), [
    { gene: "EPCAM", std: 2 },
    { gene: "KRT8", std: 3 },
    { gene: "CD3E", std: -1.5 },
    { gene: "EPCAM", percentile: 95 },
    { gene: "HLA-A", std: 2 },
    { gene: "HLA-A", std: 1 },
    { gene: "MIR-1", std: 2 },
  ]);
  for (const bad of ["", " , ", "KRT8@95", "KRT8@p101", "KRT8@pxx"]) {
    assert.throws(() => parseRaises(bad, vocabulary.genes), { name: "ConfigError" }, bad);
  }
});

Deno.test("geneProfile() is the training mean but for the asked genes, never below zero", () => {
  const asked: number[] = [];
  const { x, raised } = geneProfile(vocabulary, [
    { gene: "EPCAM", std: 3 },
    { gene: "CD3E", std: -2 },
    { gene: "KRT8", percentile: 90 },
  ], (g) => (asked.push(g), [5, 1, 2, 3, 4, 0]));
  // numpy.percentile([5, 1, 2, 3, 4, 0], 90) = 4.5
  assert.deepEqual([...x], [2.5, 4.5, 2, 0, 3, 0]);
  assert.deepEqual(asked, [1]);
  assert.deepEqual(raised, [
    { gene: "EPCAM", place: 0, from: 1, to: 2.5 },
    { gene: "CD3E", place: 3, from: 0.25, to: 0 },
    { gene: "KRT8", place: 1, from: 0.5, to: 4.5 },
  ]);
  assert.deepEqual([...vocabulary.mean], [1, 0.5, 2, 0.25, 3, 0]);
});

Deno.test("geneProfile() finds genes whatever their case, and names them as the data do", () => {
  const mixed = {
    genes: ["EPCAM", "C1ORF53"],
    written: ["EPCAM", "C1orf53"],
    mean: Float64Array.of(1, 2),
    std: Float64Array.of(1, 1),
  };
  for (const text of ["c1orf53+3", "C1orf53+3", "C1ORF53+3"]) {
    const { x, raised } = geneProfile(mixed, parseRaises(text, mixed.genes));
    assert.deepEqual([...x], [1, 5]);
    assert.deepEqual(raised, [{ gene: "C1orf53", place: 1, from: 2, to: 5 }]);
  }
  assert.throws(() => geneProfile(mixed, parseRaises("C1orf54", mixed.genes)), {
    hint: "Did you mean C1orf53? Else train with --genes-include C1ORF54",
  });
});

Deno.test("geneProfile() says that a constant gene cannot be raised, and refuses unknown and repeated ones", () => {
  const { x, raised } = geneProfile(vocabulary, [{ gene: "FLAT", std: 5 }]);
  assert.equal(x[4], 3);
  assert.match(raised[0]!.reason!, /constant/);
  assert.throws(() => geneProfile(vocabulary, [{ gene: "EPCAN", std: 1 }]), {
    name: "ConfigError",
    hint: "Did you mean EPCAM? Else train with --genes-include EPCAN",
  });
  assert.throws(() => geneProfile(vocabulary, [{ gene: "CXCL13LIKE", std: 1 }]), {
    name: "ConfigError",
    hint:
      "Name some of its own (genes.json beside the checkpoint lists them), or train with --genes-include CXCL13LIKE",
  });
  const twice = [{ gene: "KRT8", std: 1 }, { gene: "KRT8", std: 2 }];
  assert.throws(() => geneProfile(vocabulary, twice), /twice/);
  assert.throws(() => geneProfile(vocabulary, [{ gene: "KRT8", percentile: 5 }]), /no spots/);
});

Deno.test("rankRows() orders by cosine; equal ones by row; rows without a direction are left out", () => {
  const rows = Float32Array.from([0, 2, 1, 1, 0, 0, NaN, 1, 2, 2, -1, 0]);
  const { rows: order, scores, reason } = rankRows(Float32Array.from([0, 5]), rows);
  assert.deepEqual([...order], [0, 1, 4, 5]);
  [1, Math.SQRT1_2, Math.SQRT1_2, 0].forEach((wanted, i) => assert.ok(Math.abs(scores[i]! - wanted) < 1e-12));
  assert.equal(reason, undefined);
  const none = rankRows(new Float32Array(2), rows);
  assert.deepEqual([none.rows.length, none.reason], [0, "the query's embedding has length zero or is not finite"]);
});

Deno.test("setQueries() raises all genes of a set that the model knows, and tells what it knows nothing of", () => {
  const sets = [
    { name: "EPITHELIUM", genes: ["Epcam", "KRT8", "KRT18"] },
    { name: "NONE", genes: ["KRT18"] },
  ];
  assert.deepEqual(setQueries(sets, vocabulary.genes, "sets.gmt"), {
    queries: [{
      text: "EPITHELIUM",
      raises: [{ gene: "EPCAM", std: DEFAULT_RAISE }, { gene: "KRT8", std: DEFAULT_RAISE }],
      missing: ["KRT18"],
    }],
    without: ["NONE"],
  });
  assert.throws(() => setQueries(sets.slice(1), vocabulary.genes, "sets.gmt"), { name: "ConfigError" });
});
