/** An embedding of no encoder, for the tests of its file. */

import type { FeatureTable } from "../../src/embed/formats.ts";

const COUNT = 53;
const DIM = 11;

/** Rows `from` up to `to`: any numbers, the same for everyone. */
export function exampleRows(from: number, to: number): Float32Array {
  return Float32Array.from({ length: (to - from) * DIM }, (_, i) => {
    const at = from * DIM + i;
    return Math.sin(at * 1.7) * 10 ** (at % 9 - 4);
  });
}

/** All but the features, with everything a table may have. */
export function exampleTable(): FeatureTable {
  return {
    count: COUNT,
    dim: DIM,
    attributes: {
      encoder: "random:vit_tiny",
      adapter: "none",
      weights_sha256: "0".repeat(64),
      patch_size: 224,
      pixel_size: 0.5,
      precision: "f32",
      software: "seal-webgpu 0.1.0",
    },
    rowNames: { kind: "barcode", values: Array.from({ length: COUNT }, (_, i) => `SPOT${i}-1`) },
    coords: Int32Array.from({ length: 2 * COUNT }, (_, i) => 100 * i - 7),
    coordsAttributes: { patch_size: 224, patch_size_level0: 29, coords_of: "top-left" },
  };
}
