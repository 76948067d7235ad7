/** Which products matrix units compute, and that tiles of every unit are whole and allowed by the cards. */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { Dtype } from "../../src/core/dtype.ts";
import { requestGpu } from "../../src/gpu/device.ts";
import { expand, type Variant } from "../../src/gpu/expand.ts";
import * as k from "../../src/gpu/kernels.gen.ts";
import { MATRIX_FEATURE, type MatrixUnits, usableUnits } from "../../src/gpu/matrix_units.ts";
import { matmulOn } from "../../src/ops/matmul_choice.ts";
import { MATMUL_VARIANTS, matmulVariants } from "../../src/ops/matmul_variants.ts";
import { matrixTune } from "../../src/ops/matmul_matrix.ts";
import { needsOf } from "../gpu/wgsl_limits.ts";

const KERNELS = [k.matmul_nt_matrix, k.matmul_nn_matrix, k.matmul_tn_matrix];
const UNITS: readonly MatrixUnits[] = ([[8, 8, 8], [16, 16, 16], [8, 16, 16], [16, 8, 16], [16, 16, 8]] as const)
  .flatMap(
    ([M, N, K]) => [8, 16, 32, 64].map((subgroup) => ({ M, N, K, subgroup })),
  );

/** Everything a text of nt can hold at once. */
function textOf(kernel: typeof KERNELS[number], tune: Record<string, number>, act: string): string {
  const present = kernel.tensors.map(({ name }) => name).filter((name) => name !== "part");
  const weights = { b: "f16" } as const;
  const variant: Variant = { T: "f16", weights, present, options: { act }, tune, vec: 4 };
  return expand(kernel as never, variant);
}

Deno.test("tiles of every unit are whole, fetched whole, allowed by the cards, and fit a workgroup", () => {
  for (const units of UNITS) {
    for (const edge of [32, 64, 128]) {
      for (const pair of edge === 32 ? [false] : [false, true]) {
        const tune = matrixTune(units, edge, pair);
        const { SM, SN, SG, WM, WN, RM, RN, GV, LOADS } = tune as Record<string, number>;
        const what = JSON.stringify({ units, edge, pair, tune });
        deepEqual([WM! * RM! * SM!, WN! * RN! * GV! * SN!], [edge, edge], what);
        equal(LOADS! * WM! * WN! * SG!, 2 * edge, what);
        for (const kernel of pair ? KERNELS.slice(0, 1) : KERNELS) {
          for (const [name, value] of Object.entries(tune)) {
            ok((kernel.tune as Record<string, readonly number[]>)[name]!.includes(value), `${name} of ${what}`);
          }
          const text = textOf(kernel, tune, pair ? "swiglu" : "none");
          match(text, /^enable chromium_experimental_subgroup_matrix;\nenable subgroups;\nenable f16;\n/);
          const { workgroupBytes, invocations } = needsOf(text);
          ok(workgroupBytes <= 17408 && invocations <= 256, `${workgroupBytes} bytes, ${invocations}: ${what}`);
        }
      }
    }
  }
});

Deno.test("matrix units take products of f16 that are worth a tile, on the kernels for GPUs, unless another way was measured", async () => {
  const gpu = await requestGpu(navigator.gpu);
  const units = UNITS[0]!;
  const on = gpu.withCaps({ flat: false, matrix: units });
  const ways = (a: Dtype, b: Dtype, [M, N, K]: readonly [number, number, number], device = on) =>
    matmulOn(device, { layout: "nt", a, b, pair: false, wide: true }, { B: 1, M, N, K }, { pair: false, override: {} })
      .matrix;
  equal(ways("f16", "f16", [64, 64, 64]), true);
  equal(ways("f16", "f32", [64, 64, 64]), true);
  equal(ways("f16", "bf16", [64, 64, 64]), false);
  equal(ways("f32", "f16", [64, 64, 64]), false);
  equal(ways("f16", "f16", [64, 4, 64]), false);
  equal(ways("f16", "f16", [64, 64, 64], gpu.withCaps({ flat: true, matrix: units })), false);
  equal(ways("f16", "f16", [64, 64, 64], gpu.withCaps({ flat: false })), false);
  const measured = (pick: string) => on.withTuning({ file: "", mark: "", picks: { get: () => pick } });
  equal(ways("f16", "f16", [64, 64, 64], measured("workgroup 64")), false);
  equal(ways("f16", "f16", [64, 64, 64], measured("matrix 32")), true);
  // A class of f32 was never measured so; what a file says of it is no reason to round.
  equal(ways("f32", "f32", [64, 64, 64], measured("matrix 32")), false);
  deepEqual(matmulVariants(on).filter((name) => name.startsWith("matrix")), ["matrix 32", "matrix 64", "matrix 128"]);
  ok(matmulVariants(gpu).every((name) => !MATMUL_VARIANTS[name]!.matrix));
  gpu.destroy();
});

Deno.test("units are taken that kernels can use, the largest first; else it is said why not", () => {
  const config = (M: number, N: number, K: number, componentType = "f16", resultComponentType = "f32") => ({
    M,
    N,
    K,
    componentType,
    resultComponentType,
  });
  const adapter = (subgroupMatrixConfigs: object[], sizes = [32, 32], bytes = 32768) =>
    ({
      features: new Set([MATRIX_FEATURE]),
      info: { subgroupMatrixConfigs, subgroupMinSize: sizes[0], subgroupMaxSize: sizes[1] },
      limits: { maxComputeWorkgroupStorageSize: bytes },
    }) as unknown as GPUAdapter;
  const all = [config(8, 8, 8), config(16, 16, 16), config(16, 16, 16, "f16", "f16"), config(16, 8, 32)];
  deepEqual(usableUnits(adapter(all)), [
    { M: 16, N: 16, K: 16, subgroup: 32 },
    { M: 8, N: 8, K: 8, subgroup: 32 },
  ]);
  equal(usableUnits(adapter([])), "its WebGPU offers none");
  match(
    String(usableUnits(adapter([config(16, 8, 32), config(8, 8, 8, "i8", "i32")]))),
    /^it offers 16x8x32 f16 to f32, 8x8x8 i8 to i32, wanted/,
  );
  match(String(usableUnits(adapter(all, [16, 32]))), /^its subgroups have 16 to 32 invocations/);
  match(String(usableUnits(adapter(all, [32, 32], 16384))), /^a workgroup has 16384 bytes of memory/);
});
