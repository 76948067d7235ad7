/** Which calls of attention matrix units compute, and that what every unit is given is whole, allowed by the card, and fits. */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { Dtype } from "../../src/core/dtype.ts";
import { requestGpu } from "../../src/gpu/device.ts";
import { expand } from "../../src/gpu/expand.ts";
import type { Kernel } from "../../src/gpu/kernel.ts";
import * as k from "../../src/gpu/kernels.gen.ts";
import type { MatrixUnits } from "../../src/gpu/matrix_units.ts";
import { Store } from "../../src/graph/store.ts";
import { attentionOn, attentionVariants } from "../../src/ops/attention_choice.ts";
import { matrixTune, suitsMatrix } from "../../src/ops/attention_matrix.ts";
import { needsOf } from "../gpu/wgsl_limits.ts";

const WIDTHS = [16, 20, 24, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128];
const UNITS: readonly MatrixUnits[] = ([[8, 8, 8], [16, 16, 16], [8, 16, 16], [16, 8, 16], [16, 16, 8]] as const)
  .flatMap(([M, N, K]) => [8, 16, 32, 64].map((subgroup) => ({ M, N, K, subgroup })));
const ROWS = { Nq: 197, Nk: 197 };

const PARTS = ["forward", "query", "key"] as const;
const KERNELS = {
  forward: k.attention_fwd_matrix,
  query: k.attention_bwd_query_matrix,
  key: k.attention_bwd_key_matrix,
} as const;

/** Constants of one text are whole, allowed by the card, and ask for no more than a device with units has. */
function checkTexts(units: MatrixUnits, part: typeof PARTS[number], E: number): void {
  const kernel = KERNELS[part] as Kernel;
  const tune = matrixTune(units, part, E);
  const { SM, SN, SK, SG, W, BK, EK, EN } = tune as Record<string, number>;
  const what = JSON.stringify({ part, units, E, tune });
  deepEqual([EK! * SK!, EN! * SN!, BK! % SN!, BK! % SK!, SG! % SM!], [E, E, 0, 0, 0], what);
  // Columns of a row are shared out in fours.
  equal(BK! % (4 * SG! / SM!), 0, what);
  for (const [name, value] of Object.entries(tune)) ok(kernel.tune[name]!.includes(value), `${name} of ${what}`);
  const present = kernel.tensors.map(({ name }) => name).filter((name) => name !== "part");
  const text = expand(kernel, { T: "f16", weights: {}, present, options: {}, tune, vec: 4 });
  match(text, /^enable chromium_experimental_subgroup_matrix;\nenable subgroups;\nenable f16;\n/);
  const { workgroupBytes, invocations } = needsOf(text);
  equal(invocations, W! * SG!, what);
  ok(workgroupBytes <= 17408 && invocations <= 256, `${workgroupBytes} bytes, ${invocations}: ${what}`);
}

Deno.test("heads that a unit divides are whole in it, allowed by the card, and fit a workgroup; others are refused", () => {
  for (const units of UNITS) {
    const taken = WIDTHS.filter((E) => suitsMatrix(units, "f16", { E, ...ROWS }));
    const edge = Math.max(units.N, units.K);
    deepEqual(
      taken,
      units.subgroup < units.M || units.subgroup > 4 * units.M ? [] : WIDTHS.filter((E) => E % edge === 0),
      JSON.stringify(units),
    );
    for (const E of taken) for (const part of PARTS) checkTexts(units, part, E);
  }
});

Deno.test("matrix units take attention in f16 of rows enough, on the kernels for GPUs, unless another way was measured", async () => {
  const gpu = await requestGpu(navigator.gpu);
  const store = new Store(gpu);
  const on = gpu.withCaps({ flat: false, matrix: UNITS[0]! });
  const way = (dtype: Dtype, [Nq, Nk, E]: readonly [number, number, number], device = on, part = "forward") => {
    const label = `${dtype} ${Nq} ${Nk} ${E}`;
    const q = store.tensor(`q ${label}`, "q", [1, Nq, 2 * E], dtype);
    const kv = store.tensor(`kv ${label}`, "kv", [1, Nk, 4 * E], dtype);
    return attentionOn(device, { q, kv, heads: 2, D: 2 * E }, part as "forward").matrix;
  };
  equal(way("f16", [8, 8, 64]), true);
  equal(way("f16", [7, 8, 64]), false);
  equal(way("f16", [8, 7, 64]), false);
  equal(way("f16", [8, 8, 20]), false);
  equal(way("f32", [8, 8, 64]), false);
  for (const part of ["query", "key"]) {
    equal(way("f16", [8, 8, 64], on, part), true);
    equal(way("f16", [8, 8, 20], on, part), false);
  }
  equal(way("f16", [8, 8, 64], on.withCaps({ matrix: UNITS.find(({ M, N }) => M === 8 && N === 16) })), true);
  equal(way("f16", [8, 8, 72], on.withCaps({ matrix: UNITS.find(({ M, N }) => M === 8 && N === 16) })), false);
  equal(way("f16", [8, 8, 64], gpu.withCaps({ flat: true, matrix: UNITS[0]! })), false);
  equal(way("f16", [8, 8, 64], gpu.withCaps({ flat: false })), false);
  const measured = (pick: string) => on.withTuning({ file: "", mark: "", picks: { get: () => pick } });
  equal(way("f16", [8, 8, 64], measured("workgroup, kept")), false);
  equal(way("f16", [8, 8, 64], measured("matrix")), true);
  // A class of f32 was never measured so; what a file says of it is no reason to round.
  equal(way("f32", [8, 8, 64], measured("matrix")), false);
  equal(attentionVariants(on, "forward").includes("matrix"), true);
  deepEqual(attentionVariants(on, "key"), ["workgroup", "registers", "registers 1", "registers 2", "matrix"]);
  equal(attentionVariants(gpu, "forward").includes("matrix"), false);
  store.destroy();
  gpu.destroy();
});
