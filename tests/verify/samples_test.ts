/** Every sampler in f64 is seen to run, on kernels that the op cases prove right, and to name those that are not. */

import assert from "node:assert/strict";
import * as kernels from "../../src/gpu/kernels.gen.ts";
import type { Kernel } from "../../src/gpu/kernel.ts";
import { checkPlan } from "../../src/verify/kernel_check.ts";
import { SAMPLED, samplerOf } from "../../src/verify/samples.ts";
import type { OpCase } from "../case.ts";
import { index } from "../cases/index.gen.ts";
import { openGpu } from "../gpu/shared.ts";
import { recordedCase } from "../runner.ts";
import { assertNamed, type Fault } from "./fault.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

/** Elements of a case at most: the next larger ones say no more. */
const MOST = 60_000;

interface Found {
  readonly test: OpCase;
  readonly path: "flat" | "gpu";
  readonly size: number;
}

/** The largest case that dispatches a kernel, by kernel: few elements would hide the ends of blocks. */
function casesByKernel(): Map<string, Found> {
  const found = new Map<string, Found>();
  for (const test of (Object.values(index) as (readonly OpCase[])[]).flat()) {
    const size = Object.values(test.inputs).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    if (test.benchOnly || size > MOST) continue;
    for (const path of test.paths ?? ["gpu", "flat"] as const) {
      const recorded = recordedCase(gpu, test, path);
      for (const { kernel: { name } } of recorded.plan.dispatches) {
        if (!(found.get(name)?.size! >= size)) found.set(name, { test, path, size });
      }
      recorded.destroy();
    }
  }
  return found;
}

const cases = casesByKernel();
const names = Object.values(kernels as unknown as Record<string, Kernel>).map(({ name }) => name);
// Kernels of matrix units are run by `deno task test:matrix`, on devices that have them.
const here = (name: string) => gpu.caps.matrix !== undefined || !name.endsWith("_matrix");
const sampled = names.filter((name) => samplerOf(name) && here(name));

Deno.test("every sampler is of a kernel, and every kernel that has one is dispatched by a case", () => {
  assert.deepEqual(SAMPLED.filter((name) => !names.includes(name)), []);
  assert.deepEqual(sampled.filter((name) => !cases.has(name)), []);
});

Deno.test("every sampler finds the sound kernel sound", async () => {
  for (const name of sampled) {
    const { test, path } = cases.get(name)!;
    const recorded = recordedCase(gpu, test, path);
    const found = await checkPlan(gpu, recorded, { only: (kernel) => kernel === name });
    recorded.destroy();
    assert.ok(found.length > 0, name);
    for (const { checks, fault, shapes, error } of found) {
      assert.equal(fault, undefined, `${name} ${shapes}: ${fault} (${error})`);
      assert.ok(checks.includes("f64"), name);
    }
  }
});

const MIDDLE = { from: "fn placeOf(i: u32) -> u32 {", to: "fn placeOf(j: u32) -> u32 { let i = j + p.R * p.C / 2u;" };

/** Faults in kernels that nothing else checks, on the cases that dispatch them. */
const FAULTS: readonly (Fault & {
  /** Part of the name of the case; the largest one without. */
  readonly case?: string;
})[] = [
  {
    name: "an offset left out",
    kernel: "copy_block",
    case: "6 from 1 of dimension 1",
    from: "p.x_step + p.x_at",
    to: "p.x_step",
  },
  { name: "the last of a range left out", kernel: "pad_block", from: "l < p.count", to: "l + 1u < p.count" },
  { name: "strides swapped", kernel: "permute", from: "rest * p.s_outer", to: "rest * p.s0" },
  { name: "a row and a column swapped", kernel: "binary_middle", ...MIDDLE },
  { name: "a row and a column swapped", kernel: "reduce_bwd", ...MIDDLE },
  { name: "a key without the row", kernel: "random", from: "random[2] + row - a * p.R", to: "random[2]" },
  { name: "a key without the row", kernel: "dropout", from: "random[2] + r", to: "random[2]" },
  { name: "the last element left out", kernel: "sum_squares", from: "p.n); i +=", to: "p.n - 1u); i +=" },
  { name: "a correction of the first step", kernel: "adamw_prepare", from: "t * p.log_beta1", to: "p.log_beta1" },
  {
    name: "the last row left out",
    kernel: "matmul_bwd_columns",
    from: "m < min(p.M, (wg.y + 1u) * rows)",
    to: "m + 1u < min(p.M, (wg.y + 1u) * rows)",
  },
  { name: "a term left out", kernel: "planar_flow_columns", from: "fma(gs, w[d], gu)", to: "gu" },
  { name: "a mean left out", kernel: "layernorm_bwd_affine", from: "stats[m * 2u]", to: "0.0" },
  {
    name: "a key counted one too high",
    kernel: "segments_bounds",
    from: "sorted[middle] < v",
    to: "sorted[middle] <= v",
  },
  { name: "the last row left out", kernel: "augment_grey", from: "y < p.S;", to: "y + 1u < p.S;" },
  { name: "the last weight left out", kernel: "augment_columns", from: "k <= 2u * radius", to: "k < 2u * radius" },
  { name: "a mean taken of one row", kernel: "augment_apply", from: "/ f32(p.S * p.S)", to: "/ f32(p.S)" },
  { name: "keys in another order", kernel: "segments_place", from: "placed[j] = i;", to: "placed[j] = base;" },
  { name: "an inverse dispersion left out", kernel: "negative_binomial_bwd", from: "p.alpha", to: "(p.alpha + 1.0)" },
  { name: "no largest score taken off", kernel: "softmax_fwd", from: "max(top, max4(x0))", to: "0.0" },
  {
    name: "a wrong constant of the tile of 128",
    kernel: "matmul_nt",
    case: "tile 128",
    from: "(ty + $i * TY) * 4u + $r",
    to: "(ty + $i * (TY - 1u)) * 4u + $r",
  },
  {
    name: "the last row left out of the tile of 128",
    kernel: "matmul_nt",
    case: "tile 128",
    from: "if (m < p.M) {",
    to: "if (m + 1u < p.M) {",
  },
  {
    name: "a sum over half of the workgroup in a wide row",
    kernel: "layernorm_fwd",
    case: "1536",
    from: "i < WG; i += PAIR_FEW",
    to: "i < WG / 2u; i += PAIR_FEW",
  },
];

for (const fault of FAULTS) {
  Deno.test(`a seeded fault is named: ${fault.name} in ${fault.kernel}`, async () => {
    const all = (Object.values(index) as (readonly OpCase[])[]).flat();
    const test = fault.case === undefined
      ? cases.get(fault.kernel)!.test
      : all.find((test) =>
        test.name.includes(fault.case!) &&
        recordedCase(gpu, test, "gpu").plan.dispatches.some(({ kernel }) => kernel.name === fault.kernel)
      )!;
    await assertNamed(gpu, recordedCase(gpu, test, cases.get(fault.kernel)!.path), fault);
  });
}
