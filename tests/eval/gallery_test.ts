/** The gallery on the device against f64, on both kernel paths: ranks, nearest rows, several buffers, f16, invalid rows. */

import assert from "node:assert/strict";
import { roundTo } from "../../src/core/dtype.ts";
import { Rng } from "../../src/core/rng.ts";
import { Gallery, gpuRanks } from "../../src/eval/gallery.ts";
import { cpuRanks, unitRows } from "../../src/eval/ranks.ts";
import { retrieval } from "../../src/eval/retrieval.ts";
import { openGpu } from "../gpu/shared.ts";
import { assertFinite } from "./finite.ts";

const gpu = await openGpu();
const paths = [true, false].map((flat) => [flat ? "flat" : "gpu", gpu.withCaps({ flat })] as const);

function pairs(N: number, width: number, noise = 1): { queries: Float32Array; gallery: Float32Array; width: number } {
  const rng = new Rng(N, width);
  const queries = Float32Array.from(rng.normals(N * width));
  return { queries, gallery: queries.map((v) => v + noise * rng.normal()), width };
}

for (const [path, device] of paths) {
  Deno.test(`gpuRanks() agrees with f64 ranks, several query blocks and buffers (${path})`, async () => {
    // A gallery of several buffers, since a binding holds 40 KiB.
    const limits = { ...device.caps.limits, maxStorageBufferBindingSize: 40 << 10 };
    const small = device.withCaps({ limits });
    for (const [N, width] of [[700, 24], [333, 7]] as const) {
      const input = pairs(N, width, 1.5);
      const gallery = new Gallery(small, N, width);
      if (N === 700) assert.ok(gallery.parts.length > 1);
      await gallery.destroy();
      const [got, wanted] = [await gpuRanks(small, input, { queriesAtOnce: 128 }), cpuRanks(input)];
      assert.deepEqual(got, { ...wanted, precision: "f32 on the GPU" });
    }
  });

  Deno.test(`ties, invalid rows and collapse are as in f64 (${path})`, async () => {
    const input = pairs(90, 8);
    // Copies of spot 3, a zero image, a NaN gene and an infinite one.
    for (const row of [10, 11, 12]) {
      for (const side of [input.queries, input.gallery]) side.copyWithin(row * 8, 3 * 8, 4 * 8);
    }
    input.queries.fill(0, 20 * 8, 21 * 8);
    input.gallery[30 * 8 + 2] = NaN;
    input.gallery[31 * 8] = Infinity;
    const wanted = cpuRanks(input);
    assert.deepEqual([...wanted.equal.subarray(10, 13)], [3, 3, 3]);
    assert.deepEqual([wanted.valid, wanted.invalid.reduce((a, b) => a + b)], [88, 3]);
    assert.deepEqual(await gpuRanks(device, input), { ...wanted, precision: "f32 on the GPU" });
    const flat = { ...input, gallery: new Float32Array(90 * 8).fill(0.1).map((v, at) => v * (1 + (at >> 3))) };
    assert.deepEqual((await gpuRanks(device, flat)).equal, cpuRanks(flat).equal);
    const report = await retrieval(
      { image: input.queries, gene: flat.gallery, width: 8 },
      { rank: (given) => gpuRanks(device, given) },
    );
    assert.equal(report.across.imageToGene.recall[1], null);
    assert.match(report.across.imageToGene.reason!, /collapsed/);
    assertFinite(report);
  });

  Deno.test(`copies among rows written after a search tie too (${path})`, async () => {
    const { gallery } = pairs(128, 24);
    const held = Gallery.from(device, gallery, 24);
    const query = gallery.slice(0, 24);
    assert.deepEqual((await held.ranks(query, [0])).equal, Uint32Array.of(0));
    for (const row of [5, 77]) gallery.copyWithin(row * 24, 0, 24);
    held.write(0, gallery);
    const { above, equal } = await held.ranks(query, [77]);
    assert.deepEqual([above[0], equal[0]], [0, 2]);
    await held.destroy();
  });

  Deno.test(`nearest() finds the rows a sort finds, also of a gallery in f16 (${path})`, async () => {
    const { queries, gallery, width } = pairs(600, 16);
    for (const storage of ["f32", "f16"] as const) {
      const held = Gallery.from(device, gallery, width, { storage, queriesAtOnce: 32 });
      const asked = queries.subarray(0, 50 * width);
      const { rows, scores } = await held.nearest(asked, 7);
      const { above } = await held.ranks(asked, Array.from({ length: 50 }, (_, q) => q));
      const unit = roundTo(unitRows(gallery, width).unit, storage);
      const given = unitRows(asked, width).unit;
      for (let q = 0; q < 50; q++) {
        const all = Array.from({ length: 600 }, (_, n) => {
          let dot = 0;
          for (let e = 0; e < width; e++) dot += given[q * width + e]! * unit[n * width + e]!;
          return { n, dot };
        });
        assert.equal(above[q], all.filter(({ dot }) => dot > all[q]!.dot).length, `${storage} rank of ${q}`);
        const best = all.toSorted((a, b) => b.dot - a.dot).slice(0, 7);
        assert.deepEqual([...rows.subarray(q * 7, q * 7 + 7)], best.map(({ n }) => n), `${storage} query ${q}`);
        best.forEach(({ dot }, j) => assert.ok(Math.abs(dot - scores[q * 7 + j]!) < 1e-6));
      }
      await held.destroy();
    }
  });
}

Deno.test("Gallery refuses what does not fit", async () => {
  const gallery = new Gallery(gpu, 200, 4);
  assert.throws(() => gallery.write(5, new Float32Array(4)), { name: "ShapeError" });
  assert.throws(() => gallery.write(128, new Float32Array(4 * 73)), { name: "ShapeError" });
  await assert.rejects(gallery.ranks(new Float32Array(4), [200]), { name: "ShapeError" });
  await assert.rejects(gallery.ranks(new Float32Array(4), [0, 1]), { name: "ShapeError" });
  await assert.rejects(gallery.nearest(new Float32Array(4), 201), { name: "LimitError" });
  assert.throws(() => new Gallery(gpu, 0, 4), { name: "LimitError" });
  await gallery.destroy();
});

Deno.test.afterAll(() => gpu.destroy());
