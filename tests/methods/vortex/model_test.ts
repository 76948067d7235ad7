/** Vectors of the model's parts, geometry of patches, and what the model must and must not see. @seconds 20 */

import assert from "node:assert/strict";
import { readback } from "../../../src/gpu/readback.ts";
import { Plan } from "../../../src/graph/plan.ts";
import { Store } from "../../../src/graph/store.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import { backward } from "../../../src/autodiff/backward.ts";
import { inverseCount, maskedMse } from "../../../src/losses/masked_mse.ts";
import { writeDepthCode } from "../../../src/methods/vortex/depth_code.ts";
import { patchDepths, readPatch, readPlane, reflected, samplePlane } from "../../../src/methods/vortex/sampler.ts";
import { maskedAttention } from "../../../src/nn/masked_attention.ts";
import { inflate, tubeletEmbed } from "../../../src/nn/tubelet_embed.ts";
import { layernorm } from "../../../src/ops/layernorm.ts";
import { matmul } from "../../../src/ops/matmul.ts";
import { patchEmbed } from "../../../src/ops/patch_embed.ts";
import { Rng } from "../../../src/core/rng.ts";
import { memoryVolume } from "../../../src/volumes/volume.ts";
import { kernelPaths, openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const close = (found: ArrayLike<number>, wanted: readonly number[], most: number) => {
  assert.equal(found.length, wanted.length);
  wanted.forEach((value, i) => assert.ok(Math.abs(found[i]! - value) <= most, `${i}: ${found[i]}, wanted ${value}`));
};

/** Runs a plan of given tensors. */
async function run(
  on: typeof gpu,
  tensors: Record<string, { shape: number[]; data: ArrayLike<number> }>,
  record: (g: Plan, t: Record<string, Tensor>) => Tensor[],
): Promise<Float32Array[]> {
  const store = new Store(on);
  const t = Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [name, store.from(name, name, shape, data)]),
  );
  store.allocate();
  const g = new Plan(on);
  const outputs = record(g, t);
  outputs.forEach((output) => g.output(output));
  const program = await g.compile();
  program.run();
  const found = await readback(on, ...outputs);
  program.destroy();
  store.destroy();
  return found as Float32Array[];
}

Deno.test("the code of a depth is the published vector; no depth is [0 | 1]", () => {
  const code = new Float32Array(8);
  writeDepthCode(12, code);
  close(code, [-0.536573, 0.932039, 0.119712, 0.012, 0.843854, 0.362358, 0.992809, 0.999928], 1e-6);
  writeDepthCode(0, code);
  assert.deepEqual([...code], [0, 0, 0, 0, 1, 1, 1, 1]);
});

for (const { path, on } of kernelPaths(gpu)) {
  Deno.test(`pooling by one query and the masked mean square are the worked numbers: ${path}`, async () => {
    const ones = { shape: [2], data: [1, 1] };
    const [out] = await run(on, {
      ...{ q: { shape: [1, 2], data: [0.5, -0.5] }, tokens: { shape: [3, 2], data: [1, 2, 0, -1, 3, 1] } },
      ...{ ones, zeros: { shape: [2], data: [0, 0] }, mask: { shape: [1, 3], data: [0, 0, 0] } },
      // W_k above W_v.
      kv: { shape: [4, 2], data: [1, 0, 0.5, 1, 0.2, 0.8, -0.4, 0.6] },
    }, (g, t) => {
      const norm = (x: Tensor) => layernorm(g, x, t.ones!, t.zeros!, { eps: 1e-5 });
      const packed = matmul(g, norm(t.tokens!), t.kv!, { transB: true }).reshape([1, 3, 4]);
      return [g.withoutTape(() => maskedAttention(g, norm(t.q!).reshape([1, 1, 2]), packed, t.mask!, { heads: 1 }))];
    });
    close(out!, [-0.532132, -0.886886], 1e-5);
    const measured = [1, 0, 1, 1];
    const [loss, dy] = await run(on, {
      ...{ y: { shape: [2, 2], data: [1, 2, 0, 1] }, x: { shape: [2, 2], data: [0.5, 9, 1, 1] } },
      ...{ m: { shape: [2, 2], data: measured }, inverse: { shape: [1], data: inverseCount(measured) } },
    }, (g, t) => {
      t.y!.requiresGrad = true;
      const loss = maskedMse(g, t.y!, t.x!, t.m!, t.inverse!);
      const one = g.constant("one", [1], "f32", () => [1]);
      return [loss, backward(g, [{ tensor: loss, grad: one }]).of(t.y!)!];
    });
    close(loss!, [0.416667], 1e-6);
    close(dy!, [0.333333, 0, -0.666667, 0], 1e-6);
  });

  Deno.test(`inflated tubelets of equal slices are the slice's tokens: ${path}`, async () => {
    const rng = new Rng(1, 1);
    const [image, weight, bias] = [rng.normals(8 * 8 * 3), rng.normals(5 * 3 * 16, 0.1), rng.normals(5)];
    for (const t of [2, 4]) {
      const [deep, flat] = await run(on, {
        stack: { shape: [1, t, 8, 8, 3], data: Float32Array.from({ length: t * 192 }, (_, i) => image[i % 192]!) },
        image: { shape: [1, 8, 8, 3], data: image },
        w3: { shape: [t, 5, 3, 4, 4], data: inflate(weight, t) },
        w2: { shape: [5, 3, 4, 4], data: weight },
        bias: { shape: [5], data: bias },
      }, (g, x) =>
        g.withoutTape(() => [
          tubeletEmbed(g, x.stack!, x.w3!, x.bias),
          patchEmbed(g, x.image!, x.w2!, x.bias, { patch: 4 }),
        ]));
      close(deep!, [...flat!], 1e-5);
    }
  });
}

const cube = memoryVolume(
  Float32Array.from({ length: 27 }, (_, n) => n + n * n / 10),
  { shape: [3, 3, 3], spacing: [1, 1, 1] },
);

Deno.test("interpolation between voxels is the worked number, and exact at voxels", async () => {
  const at = async (z: number, y: number, x: number) => {
    const plane = await readPlane(cube, z, [0, 3, 0, 3], [0, 1000]);
    const out = new Float32Array(1);
    samplePlane(plane, [x, y], { field: 1, side: 1 }, cube, out);
    return out[0]! * 1000;
  };
  assert.ok(Math.abs(await at(0.25, 1.5, 0.75) - 14.8875) < 1e-4);
  assert.ok(Math.abs(await at(1, 1, 1) - 29.9) < 1e-4);
});

Deno.test("patches of a ramp are its values at their places, whatever the spacing; a ball is round in µm", async () => {
  const [shape, spacing] = [[12, 40, 50], [4, 1, 2]] as const;
  const size = shape[0] * shape[1] * shape[2];
  const place = (i: number) => [i % 50 * 2, Math.floor(i / 50) % 40, Math.floor(i / 2000) * 4] as const;
  const ramp = (x: number, y: number, z: number) => 0.1 + 0.002 * x + 0.005 * y + 0.004 * z;
  const volume = memoryVolume(Float32Array.from({ length: size }, (_, i) => ramp(...place(i))), { shape, spacing });
  const patch = { field: 12, side: 5, slices: 4, step: 3 };
  const middle = [41.3, 20.7, 21.1] as const;
  const { pixels, distance, inside } = await readPatch(volume, middle, patch, [0, 1]);
  assert.deepEqual(distance, [-6, -3, 0, 3]);
  assert.ok(inside.every(Boolean));
  let at = 0;
  for (const dz of distance) {
    for (let i = 0; i < 5; i++) {
      for (let j = 0; j < 5; j++) {
        const wanted = ramp(middle[0] + (j - 2) * 2.4, middle[1] + (i - 2) * 2.4, middle[2] + dz);
        assert.ok(Math.abs(pixels[at++]! - wanted) <= 1e-4);
      }
    }
  }
  const ball = memoryVolume(
    Float32Array.from({ length: size }, (_, i) => {
      const [x, y, z] = place(i);
      return Math.hypot(x - 48, y - 20, z - 24) <= 14 ? 1 : 0;
    }),
    { shape, spacing },
  );
  const seen = await readPatch(ball, [48, 20, 24], { field: 40, side: 40, slices: 11, step: 4 }, [0, 1]);
  const across = (along: number[]) => along.filter((i) => seen.pixels[i]! > 0.5).length;
  const row = Array.from({ length: 40 }, (_, i) => 5 * 1600 + 20 * 40 + i);
  const column = Array.from({ length: 40 }, (_, i) => 5 * 1600 + i * 40 + 20);
  const down = Array.from({ length: 11 }, (_, k) => k * 1600 + 20 * 40 + 20);
  // A voxel is 2 µm along x, 1 along y, 4 along z.
  assert.ok(Math.abs(across(row) - 28) <= 2 && Math.abs(across(column) - 28) <= 1, `${across(row)} ${across(column)}`);
  assert.ok(Math.abs(across(down) * 4 - 28) <= 4, String(across(down)));
});

Deno.test("at the volume's own resolution a patch is its voxels, cut out: what alternates from voxel to voxel stays", async () => {
  const [shape, spacing] = [[1, 12, 12], [4, 2, 3]] as const;
  const checker = Float32Array.from({ length: 144 }, (_, i) => (Math.floor(i / 12) + i) % 2);
  const volume = memoryVolume(checker, { shape, spacing });
  const cut = async (
    x: number,
    y: number,
    field: number,
    side: number,
  ) => [...(await readPatch(volume, [x, y, 0], { field, side, slices: 1, step: 4 }, [0, 1])).pixels];
  // Rows are voxels, columns are not: 4 pixels of 2 µm over voxels of 3 µm.
  const one = await cut(15, 10, 8, 4);
  const rows = [0, 1, 2, 3].map((i) => one.slice(4 * i, 4 * i + 4));
  // Four voxels around 5 are 3 to 6; a voxel on, all values turn over.
  rows.slice(1).forEach((row, i) => row.forEach((value, j) => assert.ok(Math.abs(value + rows[i]![j]! - 1) < 1e-6)));
  assert.ok(rows[0]!.some((value) => value > 0.55 || value < 0.45));
  const square = memoryVolume(checker, { shape, spacing: [4, 2, 2] });
  const at = async (
    x: number,
  ) => [...(await readPatch(square, [x, 10, 0], { field: 8, side: 4, slices: 1, step: 4 }, [0, 1])).pixels.slice(0, 4)];
  // Row 3 of the volume: columns 3 to 6 around voxel 5, and for as far as half a voxel on either side.
  assert.deepEqual(await at(10), [0, 1, 0, 1]);
  assert.deepEqual([await at(9.1), await at(10.9)], [[0, 1, 0, 1], [1, 0, 1, 0]]);
});

Deno.test("slices shift inward by whole steps; those beyond the ends do not count; the border is reflected", async () => {
  const volume = memoryVolume(new Float32Array(10).fill(1), { shape: [10, 1, 1], spacing: [4, 1, 1] });
  const of = (z: number, slices: number, step = 4) => patchDepths(volume, z, { slices, step });
  assert.deepEqual(of(20, 8).distance, [-16, -12, -8, -4, 0, 4, 8, 12]);
  assert.deepEqual(of(0, 4).distance, [0, 4, 8, 12]);
  assert.deepEqual(of(36, 4).distance, [-12, -8, -4, 0]);
  assert.deepEqual(of(1, 4).distance, [0, 4, 8, 12]);
  const thick = of(18, 12);
  assert.equal(thick.inside.filter(Boolean).length, 9);
  assert.deepEqual(thick.distance.slice(0, 9), [-16, -12, -8, -4, 0, 4, 8, 12, 16]);
  assert.deepEqual([-3, -1, 0, 4, 5, 8].map((i) => reflected(i, 5)), [3, 1, 0, 4, 3, 0]);
  const { pixels } = await readPatch(cube, [0, 1, 1], { field: 5, side: 5, slices: 1, step: 1 }, [0, 1000]);
  const first = [...pixels.slice(0, 5)].map((value) => Math.round(value * 1e4) / 10);
  // Columns -2 to 2 of row -1, which is row 1.
  const row = [0, 1, 2].map((x) => (9 + 3 + x) + (9 + 3 + x) ** 2 / 10);
  close(first, [row[2]!, row[1]!, row[0]!, row[1]!, row[2]!], 0.06);
  // From the last column on: 0 to 2 and back to 0, of rows 0 to 2 and back.
  const far = await readPatch(cube, [2, 2, 1], { field: 5, side: 5, slices: 1, step: 1 }, [0, 1000]);
  const last = [...far.pixels.slice(20)].map((value) => Math.round(value * 1e4) / 10);
  const top = [0, 1, 2].map((x) => (9 + x) + (9 + x) ** 2 / 10);
  close(last, [top[0]!, top[1]!, top[2]!, top[1]!, top[0]!], 0.06);
});

Deno.test("a voxel that is no number is named", async () => {
  const voxels = new Float32Array(64).fill(0.5);
  voxels[37] = NaN;
  const volume = memoryVolume(voxels, { name: "scan", shape: [4, 4, 4], spacing: [1, 1, 1] });
  await assert.rejects(
    readPatch(volume, [1, 1, 2], { field: 4, side: 4, slices: 3, step: 1 }, [0, 1]),
    /Cannot use scan: a voxel at z 2, y 1, x 1 is not a finite number/,
  );
});
