/** Embeddings are PyTorch's on both kernel paths, and a wrong kernel is placed at a stage. */

import assert from "node:assert/strict";
import type { Kernel } from "../../src/gpu/kernel.ts";
import { layernorm_fwd, matmul_nt, patch_embed, sum_block } from "../../src/gpu/kernels.gen.ts";
import { compareVectors, VECTOR_ENCODERS, type VectorsFinding } from "../../src/verify/vectors.ts";
import { kernelPaths, openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

for (const { path, on } of kernelPaths(gpu)) {
  Deno.test(`embeddings are PyTorch's: plain, SwiGLU, registers, pooler, heads of 80, a block of full width; ${path}`, async () => {
    assert.equal(VECTOR_ENCODERS.length, 5);
    for (const encoder of VECTOR_ENCODERS) {
      for (const dtype of ["f32", "f16"] as const) {
        const found = await compareVectors(on, { encoder, dtype, path, images: encoder.includes("dim=") ? 4 : 2 });
        assert.ok(found.ok && found.parts === undefined, JSON.stringify(found));
        assert.ok(found.difference < (dtype === "f32" ? 2e-5 : 5e-3), JSON.stringify(found));
      }
    }
  });
}

/** Embeds with a kernel that is changed meanwhile. */
async function withFault(kernel: Kernel, from: string, to: string): Promise<VectorsFinding> {
  const own = kernel as { source: string; libs: readonly string[] };
  const { source, libs } = own;
  const edit = (text: string) => text.replace(from, () => to);
  own.source = edit(source);
  own.libs = libs.map(edit);
  assert.ok(own.source !== source || own.libs.some((lib, i) => lib !== libs[i]), `${kernel.name} has ${from}`);
  try {
    const encoder = VECTOR_ENCODERS.find((name) => name.includes("virchow2"))!;
    return await compareVectors(gpu.withCaps({ flat: false }), { encoder, dtype: "f32", path: "gpu", images: 2 });
  } finally {
    Object.assign(own, { source, libs });
  }
}

const FAULTS: readonly (readonly [what: string, kernel: Kernel, from: string, to: string, parts: string])[] = [
  ["a residual", matmul_nt, "v += residual_load4(i);", "", "block_00"],
  ["a bias of the patches", patch_embed, "v += bias_load4(n);", "", "embed"],
  ["the epsilon, a hundredth of a variance", layernorm_fwd, "+ p.eps", "+ 0.01", "block_00"],
  ["a token of the mean", sum_block, "k < p.count", "k + 1u < p.count", "embedding"],
];

for (const [what, kernel, from, to, parts] of FAULTS) {
  Deno.test(`embeddings with a fault are placed at ${parts}: ${what}`, async () => {
    const found = await withFault(kernel as Kernel, from, to);
    assert.ok(!found.ok, JSON.stringify(found));
    assert.equal(found.parts, parts);
  });
}
