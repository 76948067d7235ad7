/** k-means on the device next to f64 loops with the same draws: streamed and whole, empty clusters, refusals; Rand index. */

import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import { DataError, LimitError } from "../../src/core/errors.ts";
import { kmeans, rowsInMemory } from "../../src/eval/kmeans.ts";
import { adjustedRand } from "./rand_index.ts";
import { kernelPaths, openGpu } from "../gpu/shared.ts";
import { kmeansRef, lloydRef } from "../ref/kmeans.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const POINTS = Float32Array.from([0, 0, 0, 1, 1, 0, 5, 5, 6, 5, 5, 6, 9, 0, 10, 0]);

function near(got: ArrayLike<number>, wanted: ArrayLike<number>, within: number, what: string): void {
  assert.equal(got.length, wanted.length, what);
  for (let i = 0; i < got.length; i++) {
    const scale = Math.max(1, Math.abs(wanted[i]!));
    assert.ok(Math.abs(got[i]! - wanted[i]!) <= within * scale, `${what} ${i} is ${got[i]}, wanted ${wanted[i]}`);
  }
}

/** Points around centres that overlap a little. */
function cloud(count: number, dim: number, centres: number, seed: number): Float32Array {
  const rng = new Rng(seed, 5);
  const at = rng.normals(centres * dim, 4);
  const x = rng.normals(count * dim);
  for (let i = 0; i < x.length; i++) x[i]! += at[(Math.floor(i / dim) * 7 % centres) * dim + i % dim]!;
  return x;
}

for (const { path, on } of kernelPaths(gpu)) {
  Deno.test(`Lloyd's iterations from given points reach the fixed point: ${path}`, async () => {
    const start = [0, 3, 4].flatMap((r) => [POINTS[2 * r]!, POINTS[2 * r + 1]!]);
    const { path } = lloydRef(POINTS, 2, start);
    near(path, [78, 11.861111, 3.166667, 3.166667], 1e-6, "inertia of the reference");
    const rows = rowsInMemory("points", POINTS, 2);
    const found = await kmeans(on, rows, { clusters: 3, seed: 0, start: Float32Array.from(start) });
    near([found.inertia], [3.166667], 1e-5, "inertia");
    near(found.centroids, [1 / 3, 1 / 3, 16 / 3, 16 / 3, 9.5, 0], 1e-6, "centroid");
    assert.deepEqual([...found.labels], [0, 0, 0, 1, 1, 1, 2, 2]);
  });

  Deno.test(`the same draws give the reference's clusters, in blocks and whole: ${path}`, async () => {
    for (const [count, dim, clusters] of [[203, 5, 4], [150, 8, 7]] as const) {
      const x = cloud(count, dim, clusters, count);
      const rows = rowsInMemory(`cloud ${count}`, x, dim);
      const wanted = kmeansRef(rows.name, x, dim, { clusters, seed: 3, restarts: 3 });
      for (const block of [256, 64]) {
        const found = await kmeans(on, rows, { clusters, seed: 3, restarts: 3, block });
        assert.deepEqual([...found.labels], wanted.labels, `labels in blocks of ${block}`);
        near(found.centroids, wanted.centroids, 1e-5, "centroid");
        near([found.inertia], [wanted.inertia], 1e-5, "inertia");
      }
    }
  });
}

Deno.test("blocks of 4,096 rows and one of all give the same bits", async () => {
  const rows = rowsInMemory("cloud", cloud(9000, 8, 5, 2), 8);
  const options = { clusters: 5, seed: 4, restarts: 1, iterations: 4 };
  assert.deepEqual(await kmeans(gpu, rows, { ...options, block: 9000 }), await kmeans(gpu, rows, options));
});

Deno.test("the same seed gives the same bits", async () => {
  const rows = rowsInMemory("cloud", cloud(500, 12, 6, 1), 12);
  const once = await kmeans(gpu, rows, { clusters: 6, seed: 9, restarts: 2 });
  const again = await kmeans(gpu, rows, { clusters: 6, seed: 9, restarts: 2 });
  assert.deepEqual(again, once);
  assert.notDeepEqual((await kmeans(gpu, rows, { clusters: 6, seed: 10, restarts: 1 })).centroids, once.centroids);
});

Deno.test("a cluster that lost all rows takes the farthest of the largest, and is named", async () => {
  const rows = rowsInMemory("points", POINTS, 2);
  const start = [0, 0, 100, 100, 200, 0];
  const found = await kmeans(gpu, rows, { clusters: 3, seed: 0, start: Float32Array.from(start) });
  assert.deepEqual(found.refilled.map(({ cluster }) => cluster), [1, 2]);
  const wanted = lloydRef(POINTS, 2, start);
  assert.deepEqual([...found.labels], wanted.labels);
  near([found.inertia], [wanted.inertia], 1e-5, "inertia");
  assert.equal(new Set(found.labels).size, 3);
});

Deno.test("too few rows, too few that differ, and no number of clusters are refused by name", async () => {
  const few = rowsInMemory("Lung", new Float32Array(6), 2);
  await assert.rejects(kmeans(gpu, few, { clusters: 4, seed: 0 }), (error: DataError) => {
    assert.ok(error instanceof DataError);
    assert.match(error.message, /^Cannot cluster Lung: 3 rows, expected 4 or more$/);
    return true;
  });
  await assert.rejects(kmeans(gpu, few, { clusters: 2, seed: 0 }), (error: DataError) => {
    assert.match(error.message, /^Cannot cluster Lung: 1 different rows of 3, expected 2 or more$/);
    return true;
  });
  const alike = { clusters: 2, seed: 0, start: Float32Array.from([0, 0, 5, 5]) };
  await assert.rejects(kmeans(gpu, few, alike), /cluster 1 is empty and all 3 rows of the largest are alike/);
  await assert.rejects(kmeans(gpu, few, { clusters: 0, seed: 0 }), LimitError);
});

Deno.test("a cluster that stays empty ends in an error", async () => {
  // Rows that differ by less than the squares of their lengths are told in f32.
  const rows = rowsInMemory("far", Float32Array.from([1e6, 0, 1e6, 0, 1e6 + 1 / 16, 0]), 2);
  const start = Float32Array.from([1e6, 0, 1e6 + 1 / 16, 0]);
  await assert.rejects(kmeans(gpu, rows, { clusters: 2, seed: 0, iterations: 3, start }), (error: DataError) => {
    assert.ok(error instanceof DataError);
    assert.match(error.message, /^Cannot cluster far: cluster 1 is empty after 7 iterations$/);
    assert.equal(error.code, "empty-cluster");
    return true;
  });
});

Deno.test("the adjusted Rand index", () => {
  near([adjustedRand([0, 0, 1, 1, 2, 2], [0, 0, 1, 2, 2, 2])], [0.444444], 1e-6, "index");
  assert.equal(adjustedRand([0, 0, 1, 1], [5, 5, 3, 3]), 1);
  assert.equal(adjustedRand([0, 0, 0], [1, 1, 1]), 1);
  assert.throws(() => adjustedRand([0], [0, 1]), /groups of 1 and 2 rows/);
});
