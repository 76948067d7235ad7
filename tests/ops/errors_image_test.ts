/** Image ops reject what they cannot do, with the right class of error and nothing dispatched. */

import assert from "node:assert/strict";
import { ConfigError, DtypeError, LimitError, ShapeError } from "../../src/core/errors.ts";
import { Plan } from "../../src/graph/plan.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { augment, CHANGE_WORDS, type Reach } from "../../src/ops/augment.ts";
import { normalizeImage } from "../../src/ops/normalize_image.ts";
import { patchEmbed } from "../../src/ops/patch_embed.ts";
import { resamplePositions } from "../../src/ops/resample_positions.ts";
import { resize } from "../../src/ops/resize.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

type Make = (g: Plan) => Tensor;
const mean = [0.5, 0.5, 0.5] as const;
const std = [0.5, 0.5, 0.5] as const;
const flatStd = [0.5, 0, 0.5] as const;

function embed(images: number[], weight: number[], dtype: "u8" | "f32" | "u32" = "u8"): (g: Plan) => [Tensor, Tensor] {
  return (g) => [g.tensor(images, dtype), g.tensor(weight)];
}

const ok = embed([1, 8, 8, 3], [5, 3, 4, 4]);
function changed(
  patches: number[],
  rows: number[],
  types: readonly ["u8" | "f32", "u32" | "f32"] = ["u8", "u32"],
  reach = "blur",
): Make {
  return (g) => augment(g, g.tensor(patches, types[0]), g.tensor(rows, types[1]), reach as Reach);
}

const ROWS: readonly [string, new (text: string) => Error, Make][] = [
  [
    "patchEmbed() rejects images whose height is no multiple of the patch",
    ConfigError,
    (g) => patchEmbed(g, ...embed([1, 9, 8, 3], [5, 3, 4, 4])(g), undefined, { patch: 4, mean, std }),
  ],
  [
    "patchEmbed() rejects images without pixels",
    ConfigError,
    (g) => patchEmbed(g, ...embed([1, 0, 8, 3], [5, 3, 4, 4])(g), undefined, { patch: 4, mean, std }),
  ],
  [
    "patchEmbed() rejects images of four channels",
    ShapeError,
    (g) => patchEmbed(g, ...embed([1, 8, 8, 4], [5, 3, 4, 4])(g), undefined, { patch: 4, mean, std }),
  ],
  ["patchEmbed() rejects a weight of another patch", ShapeError, (g) =>
    patchEmbed(g, ...ok(g), undefined, {
      patch: 8,
      mean,
      std,
    })],
  [
    "patchEmbed() rejects a bias of another width",
    ShapeError,
    (g) => patchEmbed(g, ...ok(g), g.tensor([4]), { patch: 4, mean, std }),
  ],
  [
    "patchEmbed() rejects bytes without mean and std",
    ConfigError,
    (g) => patchEmbed(g, ...ok(g), undefined, { patch: 4 }),
  ],
  [
    "patchEmbed() rejects a standard deviation of zero",
    ConfigError,
    (g) => patchEmbed(g, ...ok(g), undefined, { patch: 4, mean, std: flatStd }),
  ],
  [
    "patchEmbed() rejects u32 images",
    DtypeError,
    (g) => patchEmbed(g, ...embed([1, 8, 8, 3], [5, 3, 4, 4], "u32")(g), undefined, { patch: 4, mean, std }),
  ],
  [
    "patchEmbed() rejects more patches than it can count",
    LimitError,
    (g) => patchEmbed(g, ...embed([2, 1024, 1024, 3], [1, 3, 1, 1])(g), undefined, { patch: 1, mean, std }),
  ],
  ["normalizeImage() rejects f32 images", DtypeError, (g) => normalizeImage(g, g.tensor([1, 2, 2, 3]), { mean, std })],
  ["normalizeImage() rejects one channel", ShapeError, (g) =>
    normalizeImage(g, g.tensor([1, 2, 2, 1], "u8"), {
      mean,
      std,
    })],
  [
    "normalizeImage() rejects a standard deviation of zero",
    ConfigError,
    (g) => normalizeImage(g, g.tensor([1, 2, 2, 3], "u8"), { mean, std: flatStd }),
  ],
  ["resize() rejects three dimensions", ShapeError, (g) => resize(g, g.tensor([4, 4, 3]), { height: 2, width: 2 })],
  ["resize() rejects a width of zero", ConfigError, (g) => resize(g, g.tensor([1, 4, 4, 3]), { height: 2, width: 0 })],
  ["resize() rejects an empty image", ConfigError, (g) => resize(g, g.tensor([1, 0, 4, 3]), { height: 2, width: 2 })],
  ["resize() rejects f16 images", DtypeError, (g) => resize(g, g.tensor([1, 4, 4, 3], "f16"), { height: 2, width: 2 })],
  [
    "resize() rejects Pillow's rounding of f32",
    ConfigError,
    (g) => resize(g, g.tensor([1, 4, 4, 3]), { height: 2, width: 2, rounding: "pil" }),
  ],
  [
    "resize() rejects a crop that leaves the image",
    ConfigError,
    (g) => resize(g, g.tensor([1, 4, 4, 3]), { height: 2, width: 2, crop: { top: 1, left: 0, height: 2, width: 2 } }),
  ],
  [
    "resize() rejects an unknown filter",
    ConfigError,
    (g) => resize(g, g.tensor([1, 4, 4, 3]), { height: 2, width: 2, filter: "lanczos" as "bicubic" }),
  ],
  [
    "resamplePositions() rejects a table with other rows",
    ShapeError,
    (g) => resamplePositions(g, g.tensor([16, 8]), { from: [4, 4], to: [2, 2], prefix: 1 }),
  ],
  [
    "resamplePositions() rejects a grid of no rows",
    ConfigError,
    (g) => resamplePositions(g, g.tensor([16, 8]), { from: [4, 4], to: [0, 2] }),
  ],
  [
    "resamplePositions() rejects a negative offset",
    ConfigError,
    (g) => resamplePositions(g, g.tensor([16, 8]), { from: [4, 4], to: [2, 2], offset: -1 }),
  ],
  ["augment() rejects patches that are no squares", ShapeError, changed([2, 4, 5, 3], [2, CHANGE_WORDS])],
  ["augment() rejects patches of one channel", ShapeError, changed([2, 4, 4, 1], [2, CHANGE_WORDS])],
  ["augment() rejects rows of other patches", ShapeError, changed([2, 4, 4, 3], [3, CHANGE_WORDS])],
  ["augment() rejects short rows", ShapeError, changed([2, 4, 4, 3], [2, CHANGE_WORDS - 1])],
  ["augment() rejects f32 patches", DtypeError, changed([2, 4, 4, 3], [2, CHANGE_WORDS], ["f32", "u32"])],
  ["augment() rejects f32 rows", DtypeError, changed([2, 4, 4, 3], [2, CHANGE_WORDS], ["u8", "f32"])],
  ["augment() rejects an unknown reach", ConfigError, changed([2, 4, 4, 3], [2, CHANGE_WORDS], ["u8", "u32"], "all")],
];

for (const [name, kind, make] of ROWS) {
  Deno.test(name, () => {
    const g = new Plan(gpu);
    assert.throws(() => make(g), kind);
    assert.equal(g.dispatches.length, 0);
  });
}
