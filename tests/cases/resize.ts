/** Cases of resize: up, down, unequal axes, one pixel, extents kept, crops, each filter, Pillow's bytes. */

import { resize, resizeCost, type ResizeOptions } from "../../src/ops/resize.ts";
import { type Input, integers, normal, type OpCase } from "../case.ts";
import { resizeRef } from "../ref/resize.ts";

type Shape4 = readonly [number, number, number, number];

function of(name: string, image: Input, options: ResizeOptions, extra: Partial<OpCase> = {}): OpCase {
  const { height, width, filter = "bilinear", antialias = true, rounding, crop } = options;
  const [B, , , C] = image.shape as Shape4;
  return {
    name,
    inputs: { image },
    run: (g, t) => resize(g, t.image!, options),
    ref: (a) => {
      const pil = rounding === "pil";
      const y = resizeRef(a.image!, image.shape as Shape4, [height, width], { filter, antialias }, pil);
      if (!crop) return y;
      const part: number[] = [];
      for (let b = 0; b < B; b++) {
        for (let i = crop.top; i < crop.top + crop.height; i++) {
          const start = ((b * height + i) * width + crop.left) * C;
          part.push(...y.subarray(start, start + crop.width * C));
        }
      }
      return Float64Array.from(part);
    },
    // Bytes have no gradient.
    wrt: image.dtype === "u8" ? [] : ["image"],
    ...extra,
  };
}

const bytes = (shape: Shape4) => integers(shape, 256, "u8");
const extremes = (shape: Shape4): Input => ({
  shape,
  dtype: "u8",
  make: (rng) => Uint32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 255 * rng.below(2)),
});
const bicubic = { filter: "bicubic" } as const;

/** Case table. */
export const cases: readonly OpCase[] = [
  of("f32 2x9x13x3 to 5x17", normal([2, 9, 13, 3]), { height: 5, width: 17 }),
  of("f32 bicubic 1x11x7x4 to 4x3", normal([1, 11, 7, 4]), { height: 4, width: 3, ...bicubic }),
  of("f32 bicubic without antialias 1x8x5x3 to 3x11", normal([1, 8, 5, 3]), {
    height: 3,
    width: 11,
    antialias: false,
    ...bicubic,
  }),
  of("f32 without antialias 1x6x10x1 to 13x4", normal([1, 6, 10, 1]), { height: 13, width: 4, antialias: false }),
  of("one pixel 1x1x1x3 to 3x2", normal([1, 1, 1, 3]), { height: 3, width: 2, ...bicubic }),
  of("to one pixel 2x5x4x3 to 1x1", normal([2, 5, 4, 3]), { height: 1, width: 1 }),
  of("no image 0x4x4x3 to 2x2", normal([0, 4, 4, 3]), { height: 2, width: 2 }),
  of("bytes to f32 1x12x10x3 to 7x5", bytes([1, 12, 10, 3]), { height: 7, width: 5, ...bicubic }),
  of("Pillow 1x37x29x3 to 17x22", bytes([1, 37, 29, 3]), { height: 17, width: 22, rounding: "pil" }),
  of("Pillow bicubic, black and white 2x21x19x3 to 32x11", extremes([2, 21, 19, 3]), {
    height: 32,
    width: 11,
    rounding: "pil",
    ...bicubic,
  }),
  of("Pillow, width kept 1x15x9x1 to 7x9", bytes([1, 15, 9, 1]), { height: 7, width: 9, rounding: "pil" }),
  of("Pillow, extents kept but cropped 1x6x9x3", bytes([1, 6, 9, 3]), {
    height: 6,
    width: 9,
    rounding: "pil",
    crop: { top: 1, left: 2, height: 4, width: 5 },
  }),
  of("Pillow, 28 to 32 cropped to 28", bytes([1, 28, 28, 3]), {
    height: 32,
    width: 32,
    rounding: "pil",
    crop: { top: 2, left: 2, height: 28, width: 28 },
    ...bicubic,
  }),
  of("f32 cropped 1x7x8x2 to 5x6", normal([1, 7, 8, 2]), {
    height: 5,
    width: 6,
    crop: { top: 2, left: 1, height: 2, width: 4 },
  }),
  of("Pillow 16x256 to 224", bytes([16, 256, 256, 3]), { height: 224, width: 224, rounding: "pil", ...bicubic }, {
    benchOnly: true,
    perf: resizeCost([16, 256, 256, 3], { height: 224, width: 224, ...bicubic }),
  }),
];
