/** Resizing, position tables and patch embedding against Pillow, torchvision, PyTorch and timm. */

import assert from "node:assert/strict";
import { backward } from "../../src/autodiff/backward.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { patchEmbed } from "../../src/ops/patch_embed.ts";
import { resamplePositions } from "../../src/ops/resample_positions.ts";
import { resize } from "../../src/ops/resize.ts";
import { compare } from "../close.ts";
import { openGpu } from "../gpu/shared.ts";
import fixture from "../fixtures/resize.json" with { type: "json" };

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

type Pair = [number, number];
type Filter = "bilinear" | "bicubic";

/** The inputs of tests/python/resize.py. */
function mixed(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => {
    let h = i + 1;
    h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
    h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
    return h ^ (h >>> 16);
  });
}

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const image = (store: Store, shape: readonly number[]): Tensor =>
  store.from("images", "image", shape, mixed(count(shape)).map((h) => h >>> 24), "u8");
const table = (store: Store, shape: readonly number[]): Tensor =>
  store.from("tables", "table", shape, Float32Array.from(mixed(count(shape)), (h) => h / 2 ** 31 - 1));

/** Values of what `record` appends. */
async function run(record: (g: Plan, store: Store) => Tensor[]): Promise<ArrayLike<number>[]> {
  const store = new Store(gpu);
  const plan = new Plan(gpu);
  const outputs = record(plan, store);
  plan.output(...outputs);
  const program = await plan.compile();
  try {
    program.run();
    return await readback(gpu, ...outputs);
  } finally {
    program.destroy();
    store.destroy();
  }
}

/** Offset of torchvision's centre crop: Python rounds halves to even. */
function centered(whole: number, part: number): number {
  const half = (whole - part) / 2;
  return Math.floor(half) + (half % 1 !== 0 && Math.floor(half) % 2 ? 1 : 0);
}

for (const row of fixture.pillow as { from: Pair; to: Pair; filter: Filter; crop?: number; sha256: string }[]) {
  const { from, to: [height, width], filter, crop, sha256 } = row;
  const name = `${filter} ${from.join("x")} to ${height}x${width}${crop ? `, centre ${crop}` : ""}`;
  Deno.test(`resize() gives Pillow's bytes: ${name}`, async () => {
    const part = crop && {
      crop: { top: centered(height, crop), left: centered(width, crop), height: crop, width: crop },
    };
    const [y] = await run((g, store) => [
      resize(g, image(store, [1, ...from, 3]), { height, width, filter, rounding: "pil", ...part }),
    ]);
    const digest = await crypto.subtle.digest("SHA-256", Uint8Array.from(y!));
    assert.equal(Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join(""), sha256);
  });
}

// PyTorch computes coordinates, weights and sums in f32: a coordinate near 37 is off by up to 2e-6, and so is a weight.
const TOL = { nmse: 1e-11, max: 1e-5 };

for (const row of fixture.float as { from: Pair; to: Pair; filter: Filter; antialias: boolean; y: number[] }[]) {
  const { from, to: [height, width], filter, antialias, y: wanted } = row;
  const name = `${filter} ${from.join("x")} to ${height}x${width}, antialias ${antialias}`;
  Deno.test(`resize() agrees with F.interpolate: ${name}`, async () => {
    const [y] = await run((g, store) => [
      resize(g, image(store, [1, ...from, 3]), { height, width, filter, antialias }),
    ]);
    assert.equal(compare(y!, wanted, TOL).text, "");
  });
}

const RULES: Record<string, { filter?: Filter; antialias?: boolean; offset?: number }> = {
  timm: {},
  hf: { antialias: false },
  dinov2: { antialias: false, offset: 0.1 },
  bilinear: { filter: "bilinear", antialias: false },
};

for (
  const row of fixture.positions as { rule: string; from: Pair; to: Pair; prefix: number; width: number; y: number[] }[]
) {
  const { rule, from, to, prefix, width, y: wanted } = row;
  Deno.test(`resamplePositions() agrees with the ${rule} rule: ${from.join("x")} to ${to.join("x")}`, async () => {
    const [y] = await run((g, store) => [
      resamplePositions(g, table(store, [prefix + from[0] * from[1], width]), { from, to, prefix, ...RULES[rule] }),
    ]);
    assert.equal(compare(y!, wanted, TOL).text, "");
  });
}

for (const { images, patch, dim, mean, std, y: wanted, dweight } of fixture.patches) {
  Deno.test(`patchEmbed() agrees with conv2d: ${images.join("x")}, patch ${patch}`, async () => {
    const [y, grad] = await run((g, store) => {
      const weight = table(store, [dim, 3, patch, patch]);
      weight.requiresGrad = true;
      const options = { patch, mean: mean as [number, number, number], std: std as [number, number, number] };
      const y = patchEmbed(g, image(store, images), weight, table(store, [dim]), options);
      return [y, backward(g, [{ tensor: y, grad: table(store, y.shape) }]).of(weight)!];
    });
    assert.equal(compare(y!, wanted, TOL).text, "");
    assert.equal(compare(grad!, dweight, TOL).text, "");
  });
}
