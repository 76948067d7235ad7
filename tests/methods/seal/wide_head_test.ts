/** Heads of 80 features, SwiGLU, registers, LayerScale, low-rank updates: seeded faults are named with kernel and shape. */

import { findEncoder } from "../../../src/models/encoder_registry.ts";
import type { EncoderSpec } from "../../../src/models/encoder_spec.ts";
import { trainingPlans } from "../../../src/methods/seal/proof/plans.ts";
import { embedPlan, type RecordedPlan } from "../../../src/verify/plans.ts";
import { openGpu } from "../../gpu/shared.ts";
import { assertNamed, type Fault } from "../../verify/fault.ts";

const base = await openGpu();
Deno.test.afterAll(() => base.destroy());
const gpu = base.withCaps({ flat: false });

/** Two heads, 41 tokens: more than a tile of 32 queries. */
function small(): EncoderSpec {
  const spec = findEncoder("virchow2");
  return {
    ...spec,
    arch: { ...spec.arch, width: 160, heads: 2, hidden: 96, depth: 2, imageSize: 84 },
    input: { ...spec.input, size: 84 },
    output: { pooling: "cls+mean", dim: 320 },
  };
}

const embedding = (): RecordedPlan => embedPlan(gpu, small(), "f16", 2, 84)!;
const backward = (): RecordedPlan =>
  trainingPlans(gpu, small(), {
    keys: [["partial_blocks", "-1"], ["lora_dropout", "0"]],
    dtype: "f16",
    batch: 4,
    micro: 2,
    genes: 12,
  })
    .find(({ name }) => name.endsWith("images, backward"))!;

const FAULTS: readonly (Fault & { readonly backward?: true })[] = [
  { name: "a scale left out of the epilogue", kernel: "matmul_nt", from: "v *= gamma_load4(n);", to: "" },
  { name: "the bias of the other half", kernel: "matmul_nt", from: "bias_load4(p.F + f)", to: "bias_load4(f)" },
  {
    name: "halves of a word swapped",
    kernel: "matmul_nt",
    from: "b_load4(base.x + k)",
    to: "b_load4(base.x + k).yxwz",
  },
  { name: "a scale left out", kernel: "layernorm_fwd", from: "out$q *= gamma_load4(d$q);", to: "" },
  {
    name: "a dropped barrier",
    kernel: "attention_fwd",
    from: "//!end\n    workgroupBarrier();\n    for (var c",
    to: "//!end\n    for (var c",
  },
  {
    name: "no largest score taken off",
    kernel: "attention_fwd",
    from: "max(most[$i], rowParts[ty * 8 + ($i * 64 + $x)])",
    to: "0.0",
  },
  {
    name: "a mask one query too wide",
    kernel: "attention_bwd_key",
    from: "i < vec4u(p.Nq)",
    to: "i <= vec4u(p.Nq)",
    backward: true,
  },
  {
    name: "a dropped barrier",
    kernel: "attention_bwd_query",
    from: "//!end\n    workgroupBarrier();\n    for (var c",
    to: "//!end\n    for (var c",
    backward: true,
  },
  {
    name: "strides of the low-rank update swapped",
    kernel: "matmul_nn",
    from: "min(j, p.R - 1u) * p.N + i",
    to: "min(j, p.R - 1u) * p.R + i",
    backward: true,
  },
  {
    name: "a gate that is not gated",
    kernel: "matmul_bwd_act",
    from: "siluSlope4(gate)",
    to: "silu4(gate)",
    backward: true,
  },
];

for (const { backward: behind, ...fault } of FAULTS) {
  Deno.test(`a seeded fault is named: ${fault.name} in ${fault.kernel}, ${behind ? "backward" : "forward"}`, () =>
    assertNamed(gpu, behind ? backward() : embedding(), fault));
}
