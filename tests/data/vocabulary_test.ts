import assert from "node:assert/strict";
import { ConfigError, DataError, FormatError } from "../../src/core/errors.ts";
import { expression } from "../../src/data/counts.ts";
import { dense } from "../../src/data/matrix.ts";
import { preprocess, type Preprocessed } from "../../src/data/genes/preprocess.ts";
import { mix } from "../../src/data/image/stripes.ts";
import {
  applyVocabulary,
  formatVocabulary,
  lossStatistics,
  parseVocabulary,
  VocabularyBuilder,
  vocabularyHash,
} from "../../src/data/genes/vocabulary.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A sample whose gene of name A.. has the given counts in each of two spots. */
function sample(name: string, counts: Record<string, [number, number]>, geneNorm?: "none"): Preprocessed {
  const genes = Object.keys(counts);
  const data = [0, 1].flatMap((i) => genes.map((gene) => counts[gene]![i]!));
  const table = expression(name, [`${name}-0`, `${name}-1`], genes, dense(2, genes.length, data));
  const array = { technology: "Xenium", rows: [], columns: [] };
  return preprocess(table, array, geneNorm ? { geneNorm, minSpotCounts: 0 } : { minSpotCounts: 0 });
}

Deno.test("Genes are ranked by samples that chose them, then mean rank, then name", () => {
  const builder = new VocabularyBuilder({ criterion: "heg", perSample: 3 });
  builder.add(sample("S1", { D: [90, 90], B: [50, 50], A: [40, 40], C: [5, 5] }));
  builder.add(sample("S2", { A: [90, 90], C: [50, 50], B: [40, 40], E: [5, 5] }));
  const vocabulary = builder.finish(4);
  assert.deepEqual(vocabulary.genes, ["A", "B", "D", "C"]);
  assert.deepEqual([...vocabulary.chosen], [2, 2, 1, 1]);
  assert.deepEqual([...vocabulary.spots], [4, 4, 2, 4]);
  assert.throws(() => builder.finish(5), /of 5 genes: 4 among the best of 2 samples/);
  assert.throws(() => builder.add(sample("S3", { A: [1, 2], B: [2, 2] }, "none")), ConfigError);
});

Deno.test("Genes that are asked for are in the vocabulary whatever their rank, in the place of the last", () => {
  const builder = new VocabularyBuilder({ criterion: "heg", perSample: 3 });
  builder.add(sample("S1", { D: [90, 90], B: [50, 50], A: [40, 40], C: [5, 5], Y: [3, 4] }));
  builder.add(sample("S2", { A: [90, 90], C: [50, 50], B: [40, 40], E: [5, 5] }));
  // By rank A, B, D, C; nothing but A is both asked for and among the first.
  assert.deepEqual(builder.finish(4, ["E", "A", "Y", "X", "E"]).genes, ["A", "B", "E", "Y"]);
  assert.deepEqual(builder.finish("all", ["Y"]).genes, ["A", "B", "D", "C", "Y"]);
  assert.ok(!builder.known.has("X") && builder.known.has("Y"));
  assert.throws(() => builder.finish(1, ["A", "E"]), (error: DataError) => /n_train_genes=2/.test(error.hint!));
  const { std, spots } = builder.finish(4, ["Y"]);
  assert.ok(std[3]! > 0 && spots[3] === 2);
});

Deno.test("Statistics over samples equal those over all spots at once, ddof 1", () => {
  const builder = new VocabularyBuilder({ criterion: "heg" });
  const values: number[] = [];
  for (let s = 0; s < 5; s++) {
    const [a, b] = [1 + mix(s) % 50, 1 + mix(s + 99) % 50];
    const one = sample(`S${s}`, { A: [a, b], B: [10, 10] });
    builder.add(one);
    values.push(...[0, 1].map((i) => one.own.matrix.data[i * 2]!));
  }
  const { mean, std, genes } = builder.finish(2);
  const j = genes.indexOf("A");
  const wanted = values.reduce((x, y) => x + y) / 10;
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - wanted) ** 2, 0) / 9);
  assert.ok(Math.abs(mean[j]! - wanted) < 1e-9 && Math.abs(std[j]! - deviation) < 1e-9);
});

Deno.test("applyVocabulary() orders, fills and reports; a rare gene is zero, not missing", () => {
  const builder = new VocabularyBuilder({ criterion: "heg" });
  builder.add(sample("T", { A: [90, 10], B: [50, 50], C: [40, 40], D: [30, 30] }));
  const vocabulary = builder.finish(4);
  const other = sample("U", { D: [5, 0], A: [5, 10], C: [1, 1], Z: [7, 7] });
  const zero = applyVocabulary(vocabulary, other);
  const order = vocabulary.genes.map((name) => other.own.genes.indexOf(name));
  const { data, columns } = other.own.matrix as { data: Float32Array; columns: number };
  const want = [0, 1].flatMap((i) => order.map((j) => j < 0 ? 0 : data[i * columns + j]!));
  assert.deepEqual([...zero.data], want);
  const { warning, ...facts } = zero.coverage;
  assert.deepEqual(facts, { sample: "U", present: 2, rare: ["C"], missing: ["B"], coverage: 0.75, fill: "zero" });
  assert.match(warning!, /^U has 3 of 4 genes of the vocabulary \(75\.0 %\); the others are zero$/);
  const filled = applyVocabulary(vocabulary, other, { fill: "mean", layer: "own" });
  const b = vocabulary.genes.indexOf("B");
  assert.equal(filled.data[b], Math.fround(vocabulary.mean[b]!));
  assert.equal(filled.data[vocabulary.genes.indexOf("C")], 0);
  assert.throws(() => applyVocabulary(vocabulary, sample("V", { X: [9, 9] })), DataError);
  assert.throws(() => applyVocabulary(vocabulary, sample("V", { A: [9, 9] }, "none")), ConfigError);
});

Deno.test("genes.json comes back as written, and lies are refused", () => {
  const builder = new VocabularyBuilder({ criterion: "heg", layer: "context", perSample: 7 });
  builder.add(sample("T", { A: [90, 10], B: [50, 50] }));
  const vocabulary = builder.finish(2);
  const text = formatVocabulary(vocabulary);
  const again = parseVocabulary(bytes(text), "genes.json");
  assert.deepEqual([again.genes, again.origin, again.spots], [vocabulary.genes, vocabulary.origin, vocabulary.spots]);
  assert.equal(formatVocabulary(again), text);
  assert.equal(vocabularyHash(again), vocabularyHash(vocabulary));
  const wrong: [string | RegExp, string][] = [
    ['"version": 1', '"version": 2'],
    [/"hash": ".{3}/, '"hash": "fff'],
    [/"std": \[[^,]*/, '"std": [null'],
    ['"genes": ["', '"genes": ["X'],
    [/"genes": \[.*\]/, '"genes": ["A","A"]'],
    ['"layer":"context"', '"layer":"other"'],
    [/"mean": \[[^,]*,/, '"mean": ['],
    ["{", "["],
  ];
  for (const [from, to] of wrong) {
    assert.notEqual(text.replace(from, to), text);
    assert.throws(() => parseVocabulary(bytes(text.replace(from, to)), "genes.json"), FormatError, String(from));
  }
});

Deno.test("lossStatistics() keeps a constant gene from dividing by nothing", () => {
  const builder = new VocabularyBuilder({ criterion: "heg" });
  builder.add(sample("T", { A: [90, 90], B: [50, 50] }));
  assert.deepEqual([...lossStatistics(builder.finish(2)).std], [Math.fround(1e-3), Math.fround(1e-3)]);
});
