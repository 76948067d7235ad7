/** Cross-modal retrieval in f64: worked numbers, a sorting reference, ties, collapse, invalid rows, slides. */

import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import { assertFinite } from "./finite.ts";
import { type PoolMetrics, retrieval } from "../../src/eval/retrieval.ts";

/** What retrieval is by sorting all cosines of each query: no count of greater scores. */
function bySorting(queries: number[][], gallery: number[][], k: number): { recall: number; ranks: number[] } {
  const cosine = (a: number[], b: number[]) =>
    a.reduce((sum, v, i) => sum + v * b[i]!, 0) / (Math.hypot(...a) * Math.hypot(...b));
  const ranks = queries.map((q, i) => {
    const scores = gallery.map((g) => cosine(q, g));
    const own = scores[i]!;
    return scores.toSorted((a, b) => b - a).findIndex((s) => Math.abs(s - own) < 1e-12) + 1;
  });
  return { recall: ranks.filter((rank) => rank <= k).length / ranks.length, ranks };
}

function rows(flat: Float32Array, width: number): number[][] {
  return Array.from({ length: flat.length / width }, (_, i) => [...flat.subarray(i * width, (i + 1) * width)]);
}

const near = (a: number | null | undefined, b: number) => assert.ok(Math.abs(a! - b) < 1e-6, `${a}, wanted ${b}`);
const IMAGE = Float32Array.from([1, 0, .5, .8, .3, .6, -.5, 1, .2]);
const GENE = Float32Array.from([.9, .2, .3, 1, .1, .4, .2, .9, -.4]);

Deno.test("retrieval() gives the worked numbers of three spots", async () => {
  const { across, precision } = await retrieval({ image: IMAGE, gene: GENE, width: 3 }, { ks: [1, 2] });
  near(across.imageToGene.recall[1], 1 / 3);
  near(across.imageToGene.recall[2], 1);
  near(across.geneToImage.recall[1], 2 / 3);
  near(across.geneToImage.recall[2], 1);
  near(across.imageToGene.mrr, (0.5 + 0.5 + 1) / 3);
  near(across.geneToImage.mrr, (1 + 0.5 + 1) / 3);
  assert.deepEqual(across.imageToGene.medianRank, 2);
  assert.deepEqual(across.chance, { 1: 1 / 3, 2: 2 / 3 });
  assert.equal(precision, "f64");
});

Deno.test("retrieval() agrees with sorting all cosines, both ways and within slides", async () => {
  const [N, width] = [157, 11];
  const rng = new Rng(5, 0);
  const image = Float32Array.from(rng.normals(N * width));
  const gene = image.map((v) => v + 1.2 * rng.normal());
  const slides = Array.from({ length: N }, (_, i) => `slide ${i % 3}`);
  const report = await retrieval({ image, gene, width, slides });
  const [a, b] = [rows(image, width), rows(gene, width)];
  for (const k of [1, 5, 10, 50]) {
    near(report.across.imageToGene.recall[k], bySorting(a, b, k).recall);
    near(report.across.geneToImage.recall[k], bySorting(b, a, k).recall);
    const parts = [0, 1, 2].map((s) =>
      bySorting(a.filter((_, i) => i % 3 === s), b.filter((_, i) => i % 3 === s), k).recall
    );
    near(report.within!.mean.imageToGene.recall[k], parts.reduce((x, y) => x + y) / 3);
    near(report.within!.bySlide["slide 1"]!.imageToGene.recall[k], parts[1]!);
  }
  const { ranks } = bySorting(a, b, 1);
  near(report.across.imageToGene.mrr, ranks.reduce((sum, r) => sum + 1 / r, 0) / N);
  near(report.across.imageToGene.medianRank, ranks.toSorted((x, y) => x - y)[78]!);
  assert.equal(report.across.imageToGene.tied, 0);
  assert.equal(report.across.imageToGene.reason, undefined);
});

Deno.test("scores do not depend on the lengths of embeddings", async () => {
  const rng = new Rng(6, 0);
  const image = Float32Array.from(rng.normals(40 * 5));
  const gene = image.map((v) => v + rng.normal());
  const plain = await retrieval({ image, gene, width: 5 });
  const scaled = await retrieval({
    image: image.map((v, at) => v * 2 ** (Math.floor(at / 5) % 7)),
    gene: gene.map((v, at) => v * 4 ** -(Math.floor(at / 5) % 3)),
    width: 5,
  });
  assert.deepEqual(scaled, plain);
});

Deno.test("copies of a spot do not push each other down, and are reported as ties", async () => {
  // Spots 0 and 1 are the same on both sides; 2 and 3 find themselves.
  const image = Float32Array.from([1, 0, 1, 0, 0, 1, -1, 0]);
  const { across } = await retrieval({ image, gene: image, width: 2 }, { ks: [1, 2] });
  assert.deepEqual(across.imageToGene.recall, { 1: 1, 2: 1 });
  assert.equal(across.imageToGene.tied, 2);
  // Of the two copies, one would be first by chance.
  assert.deepEqual(across.imageToGene.recallTies, { 1: (0.5 + 0.5 + 1 + 1) / 4, 2: 1 });
});

Deno.test("half a collapse is told: strict recall stays, recallTies is chance among the equal ones", async () => {
  const rng = new Rng(8, 0);
  const N = 100;
  const image = Float32Array.from(rng.normals(N * 4));
  const gene = image.slice();
  for (let i = 0; i < 80; i++) gene.set([1, 2, 3, 4], i * 4);
  const { imageToGene } = (await retrieval({ image, gene, width: 4 }, { ks: [1] })).across;
  assert.match(imageToGene.reason!, /80 of 100 queries tie/);
  assert.ok(imageToGene.recallTies[1]! < imageToGene.recall[1]!);
});

function nothing(pool: PoolMetrics, why: RegExp): void {
  for (const { recall, recallTies, medianRank, mrr, reason } of [pool.imageToGene, pool.geneToImage]) {
    assert.deepEqual([...Object.values(recall), ...Object.values(recallTies), medianRank, mrr], Array(10).fill(null));
    assert.match(reason!, why);
  }
}

Deno.test("equal embeddings, one pair and no pairs have no values but a reason", async () => {
  const same = new Float32Array(30).fill(0.3);
  nothing((await retrieval({ image: same, gene: same, width: 3 })).across, /same with all 10 rows.*collapsed/);
  // Collinear, of different lengths: equal up to rounding.
  const collinear = same.map((v, at) => v * (1 + Math.floor(at / 3) / 7));
  nothing((await retrieval({ image: collinear, gene: same, width: 3 })).across, /collapsed/);
  const one = Float32Array.from([1, 2, 3]);
  nothing((await retrieval({ image: one, gene: one, width: 3 })).across, /one pair/);
  nothing((await retrieval({ image: new Float32Array(), gene: new Float32Array(), width: 3 })).across, /empty/);
  nothing((await retrieval({ image: new Float32Array(9), gene: GENE, width: 3 })).across, /length zero or not finite/);
});

Deno.test("no report has a NaN in it, whatever the embeddings hold", async () => {
  for (const poison of [NaN, Infinity, -Infinity]) {
    const image = IMAGE.slice();
    image[4] = poison;
    const report = await retrieval({ image, gene: GENE, width: 3, slides: ["a", "a", "b"] }, { ks: [1, 3] });
    assertFinite(report);
    const { imageToGene } = report.across;
    assert.equal(imageToGene.invalid, 1);
    assert.match(imageToGene.reason!, /1 of 3 queries have an embedding/);
    // A miss even at k = N.
    near(imageToGene.recall[3], 2 / 3);
    assert.match(report.within!.mean.imageToGene.reason!, /1 of 2 slides have no value/);
  }
});

Deno.test("a pool smaller than k is found by guessing", async () => {
  const { across } = await retrieval({ image: IMAGE, gene: GENE, width: 3 });
  assert.deepEqual(across.chance, { 1: 1 / 3, 5: 1, 10: 1, 50: 1 });
});

Deno.test("retrieval() refuses sides that do not pair", async () => {
  const given = { image: IMAGE, gene: GENE, width: 3 };
  await assert.rejects(retrieval({ ...given, gene: GENE.subarray(3) }), { name: "ShapeError" });
  await assert.rejects(retrieval({ ...given, slides: ["a"] }), { name: "ShapeError" });
  await assert.rejects(retrieval({ ...given, width: 2 }), { name: "ShapeError" });
  await assert.rejects(retrieval(given, { ks: [0] }), { name: "ConfigError" });
  await assert.rejects(retrieval(given, { ks: [1.5] }), { name: "ConfigError" });
});
