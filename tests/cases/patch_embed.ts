/** Cases of patchEmbed: patch sides of real encoders, odd and single ones, extreme bytes, normalised images. */

import { patchEmbed, patchEmbedCost, type PatchEmbedOptions } from "../../src/ops/patch_embed.ts";
import { type Input, integers, normal, type OpCase } from "../case.ts";
import { normalizeImageRef } from "../ref/normalize_image.ts";
import { patchEmbedRef } from "../ref/patch_embed.ts";

const mean = [0.485, 0.456, 0.406] as const;
const std = [0.229, 0.224, 0.225] as const;

interface Extents {
  B: number;
  H: number;
  W: number;
  P: number;
  D: number;
}

/** Kernel inputs besides the images; weights as spread as a trained one's. */
function kernel({ P, D }: Extents): Record<string, Input> {
  return { weight: normal([D, 3, P, P], 1 / (P * Math.sqrt(3))), bias: normal([D], 0.3) };
}

function bytes(e: Extents, extra: Partial<OpCase> = {}, options: Partial<PatchEmbedOptions> = {}): OpCase {
  const { B, H, W, P, D } = e;
  return {
    name: `bytes ${B}x${H}x${W} patch ${P} to ${D}`,
    inputs: { images: integers([B, H, W, 3], 256, "u8"), ...kernel(e) },
    run: (g, t) => patchEmbed(g, t.images!, t.weight!, t.bias, { patch: P, mean, std, ...options }),
    ref: (a) => patchEmbedRef(normalizeImageRef(a.images!, mean, std), a.weight!, a.bias, e),
    wrt: ["weight", "bias"],
    ...extra,
  };
}

function pixels(e: Extents, extra: Partial<OpCase> = {}): OpCase {
  const { B, H, W, P, D } = e;
  return {
    name: `pixels ${B}x${H}x${W} patch ${P} to ${D}`,
    inputs: { images: normal([B, H, W, 3]), ...kernel(e) },
    run: (g, t) => patchEmbed(g, t.images!, t.weight!, t.bias, { patch: P }),
    ref: (a) => patchEmbedRef(a.images!, a.weight!, a.bias, e),
    wrt: ["images", "weight", "bias"],
    ...extra,
  };
}

const extremes: Input = {
  shape: [2, 16, 24, 3],
  dtype: "u8",
  make: (rng) => Uint32Array.from({ length: 2 * 16 * 24 * 3 }, () => [0, 1, 127, 128, 254, 255][rng.below(6)]!),
};
const large: Extents = { B: 1, H: 48, W: 44, P: 4, D: 132 };
const encoder: Extents = { B: 8, H: 224, W: 224, P: 16, D: 768 };

/** Case table. */
export const cases: readonly OpCase[] = [
  bytes({ B: 1, H: 112, W: 70, P: 14, D: 132 }, { weights: ["weight"] }),
  bytes({ B: 2, H: 16, W: 24, P: 8, D: 36 }, {
    name: "extreme bytes 2x16x24 patch 8 to 36",
    inputs: { images: extremes, ...kernel({ B: 2, H: 16, W: 24, P: 8, D: 36 }) },
  }),
  // Tiles of a large GPU, and the weight's gradient split over its rows.
  bytes(large, {
    name: "tile 128 bytes 1x48x44 patch 4 to 132",
    weights: ["weight"],
    wrt: [],
    invocations: 1,
    paths: ["gpu"],
  }),
  bytes({ B: 1, H: 68, W: 16, P: 4, D: 68 }, {
    name: "tile 64 bytes 1x68x16 patch 4 to 68",
    weights: ["weight"],
    wrt: [],
    invocations: 512,
    paths: ["gpu"],
  }),
  bytes({ B: 1, H: 48, W: 176, P: 4, D: 68 }, {
    name: "tile 64 split bytes 1x48x176 patch 4 to 68",
    invocations: 512,
    paths: ["gpu"],
  }),
  // The same of pixels, as slices of a volume are.
  pixels(large, {
    name: "tile 128 pixels no bias 1x48x44 patch 4 to 132",
    run: (g, t) => patchEmbed(g, t.images!, t.weight!, undefined, { patch: 4 }),
    ref: (a) => patchEmbedRef(a.images!, a.weight!, undefined, large),
    wrt: [],
    invocations: 1,
    paths: ["gpu"],
  }),
  pixels({ B: 1, H: 48, W: 176, P: 4, D: 68 }, {
    name: "tile 64 split pixels 1x48x176 patch 4 to 68",
    wrt: ["weight", "bias"],
    invocations: 512,
    paths: ["gpu"],
  }),
  bytes({ B: 3, H: 20, W: 12, P: 4, D: 7 }),
  bytes({ B: 1, H: 40, W: 20, P: 20, D: 8 }, {
    name: "no bias 1x40x20 patch 20 to 8",
    run: (g, t) => patchEmbed(g, t.images!, t.weight!, undefined, { patch: 20, mean, std }),
    ref: (a) =>
      patchEmbedRef(normalizeImageRef(a.images!, mean, std), a.weight!, undefined, { B: 1, H: 40, W: 20, P: 20, D: 8 }),
    wrt: ["weight"],
  }),
  bytes({ B: 1, H: 32, W: 16, P: 16, D: 16 }, {
    name: "f16 result 1x32x16 patch 16 to 16",
    run: (g, t) =>
      patchEmbed(g, t.images!, t.weight!, t.bias, { patch: 16, mean, std, dtype: g.gpu.caps.f16 ? "f16" : "f32" }),
    // The result is rounded to 11 bits.
    tol: { nmse: 1e-6, max: 1e-2 },
  }),
  pixels({ B: 2, H: 15, W: 12, P: 3, D: 17 }, { f16: ["images"] }),
  pixels({ B: 1, H: 48, W: 64, P: 16, D: 64 }),
  pixels({ B: 2, H: 3, W: 5, P: 1, D: 1 }),
  pixels({ B: 0, H: 8, W: 4, P: 4, D: 8 }),
  bytes(encoder, {
    name: "bytes 8x224",
    wrt: [],
    benchOnly: true,
    perf: patchEmbedCost([8, 224, 224, 3], [768, 3, 16, 16]),
  }),
];
