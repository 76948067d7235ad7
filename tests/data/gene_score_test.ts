/** Scores of gene sets are scanpy's: the fixture is made by `tests/python/gene_scores.py`. */

import assert from "node:assert/strict";
import { logNormalize } from "../../src/data/genes/normalise.ts";
import { scoreGenes } from "../../src/data/genes/score.ts";
import { csr, dense } from "../../src/data/matrix.ts";

interface Case {
  spots: number;
  genes: number;
  dense: boolean;
  /** Row, column and count of every entry above 0. */
  counts: number[];
  sets: number[][];
  scores: number[][];
}

const fixture = new URL("../fixtures/gene_scores.json", import.meta.url);
const cases: Case[] = JSON.parse(Deno.readTextFileSync(fixture));

function matrixOf({ spots, genes, dense: full, counts }: Case) {
  const data = new Float32Array(spots * genes);
  for (let i = 0; i < counts.length; i += 3) data[counts[i]! * genes + counts[i + 1]!] = counts[i + 2]!;
  if (full) return logNormalize(dense(spots, genes, data));
  const indptr = [0];
  const [indices, values]: [number[], number[]] = [[], []];
  for (let i = 0; i < spots; i++) {
    for (let j = 0; j < genes; j++) {
      if (data[i * genes + j]! > 0) indices.push(j), values.push(data[i * genes + j]!);
    }
    indptr.push(values.length);
  }
  return logNormalize(csr(spots, genes, indptr, indices, values));
}

for (const one of cases) {
  Deno.test(`scores are scanpy's: ${one.spots} spots, ${one.genes} genes, ${one.dense ? "dense" : "sparse"}`, () => {
    const { values } = scoreGenes(matrixOf(one), one.sets);
    one.scores.forEach((scores, set) =>
      scores.forEach((score, spot) => {
        const found = values[spot * one.sets.length + set]!;
        assert.ok(Math.abs(found - score) < 1e-6, `set ${set}, spot ${spot}: ${found}, wanted ${score}`);
      })
    );
  });
}

Deno.test("a set without genes, or without controls, has no score", () => {
  const matrix = csr(1, 2, [0, 2], [0, 1], [1, 2]);
  assert.deepEqual(scoreGenes(matrix, [[], [0, 1], [0]]), {
    values: Float64Array.of(NaN, NaN, -1),
    controls: [0, 0, 1],
  });
});
