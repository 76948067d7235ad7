/** Cases of normalizeImage: all bytes, sizes that end within a word. Bytes have no gradient. */

import { normalizeImage, normalizeImageCost } from "../../src/ops/normalize_image.ts";
import { given, type Input, integers, type OpCase } from "../case.ts";
import { normalizeImageRef } from "../ref/normalize_image.ts";

const mean = [0.707223, 0.578729, 0.703617] as const;
const std = [0.211883, 0.230117, 0.177517] as const;

function of(name: string, images: Input, extra: Partial<OpCase> = {}): OpCase {
  return {
    name,
    inputs: { images },
    run: (g, t) => normalizeImage(g, t.images!, { mean, std }),
    ref: (a) => normalizeImageRef(a.images!, mean, std),
    wrt: [],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of("every byte 1x16x16", given([1, 16, 16, 3], Uint32Array.from({ length: 768 }, (_, i) => Math.floor(i / 3)), "u8")),
  of("2x7x5", integers([2, 7, 5, 3], 256, "u8")),
  of("1x1x1", integers([1, 1, 1, 3], 256, "u8")),
  of("3x13x11", integers([3, 13, 11, 3], 256, "u8")),
  of("64x224", integers([64, 224, 224, 3], 256, "u8"), {
    benchOnly: true,
    perf: normalizeImageCost([64, 224, 224, 3]),
  }),
];
