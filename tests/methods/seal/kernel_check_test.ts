/**
 * Kernels checked on a device: sound ones pass, and each of a list of seeded faults is named with kernel and shape.
 *
 * @seconds 26
 */

import assert from "node:assert/strict";
import { findEncoder } from "../../../src/models/encoder_registry.ts";
import type { EncoderSpec } from "../../../src/models/encoder_spec.ts";
import { checkPlan } from "../../../src/verify/kernel_check.ts";
import { trainingPlans } from "../../../src/methods/seal/proof/plans.ts";
import { embedPlan, type RecordedPlan } from "../../../src/verify/plans.ts";
import { openGpu } from "../../gpu/shared.ts";
import { assertNamed, type Fault } from "../../verify/fault.ts";

const base = await openGpu();
Deno.test.afterAll(() => base.destroy());
// Few invocations, so that products of a small encoder take the tiles of large ones.
const gpu = base.withCaps({ flat: false, invocations: 512 });

/** An encoder of 64 features, 50 tokens an image: edges on all tiles. */
function small(): EncoderSpec {
  const spec = findEncoder("dinov2-s-reg");
  return {
    ...spec,
    arch: { ...spec.arch, width: 64, heads: 1, hidden: 256, depth: 2, imageSize: 98 },
    input: { ...spec.input, size: 98 },
    output: { pooling: "cls+mean", dim: 128 },
  };
}

const embedding = (): RecordedPlan => embedPlan(gpu, small(), "f16", 2, 98)!;
const KEYS = [["partial_blocks", "-1"], ["lora_dropout", "0"], ["vae_dropout", "0.1"]] as const;
const training = (keys: readonly (readonly [string, string])[] = KEYS): RecordedPlan[] =>
  trainingPlans(gpu, small(), {
    keys,
    dtype: "f16",
    batch: 4,
    micro: 2,
    genes: 40,
  });

Deno.test("sound kernels pass: embedding and training, against barrier-free kernels and f64", async () => {
  const seen = new Set<string>();
  const kinds = new Set<string>();
  for (const recorded of [embedding(), ...training()]) {
    for (const finding of await checkPlan(gpu, recorded, { seen })) {
      assert.equal(
        finding.fault,
        undefined,
        `${finding.kernel} ${finding.shapes}: ${finding.fault} (${finding.error})`,
      );
      for (const check of finding.checks) kinds.add(check);
    }
    recorded.destroy();
  }
  assert.deepEqual([...kinds].sort(), ["barrier-free", "f64"]);
  assert.ok(seen.size > 60, `${seen.size} texts and shapes`);
});

// Of mmd a kernel works in place on what another wrote; the transformer sorts tokens by gene; weights have gradients too.
for (
  const keys of [
    [["gene_loss", "mmd"]],
    [["gene_loss", "negbin"], ["gene_model", "transformer"], ["contrast_method", "soft_clip"]],
    [["use_lora", "false"], ["partial_blocks", "1"], ["organ_token", "true"]],
  ] as const
) {
  Deno.test(`sound kernels pass, each sampled in f64: ${keys.map(([key, value]) => `${key}=${value}`).join(" ")}`, async () => {
    const seen = new Set<string>();
    for (const recorded of training(keys)) {
      for (const { kernel, shapes, fault, checks, error } of await checkPlan(gpu, recorded, { seen })) {
        assert.equal(fault, undefined, `${kernel} ${shapes}: ${fault} (${error})`);
        assert.ok(!checks.includes("rerun"), kernel);
      }
      recorded.destroy();
    }
  });
}

interface PlanFault extends Fault {
  /** The end of the name of the training plan that is checked; embedding without. */
  readonly plan?: string;
}

const [BACKWARD, OBJECTIVE, UPDATE] = ["images, backward", "objective", "update"];

const FAULTS: readonly PlanFault[] = [
  { name: "a wrong tile constant", kernel: "matmul_nt", from: "TY * MG;", to: "TY * MG * 2u;" },
  { name: "a dropped barrier", kernel: "matmul_nt", from: "//!end\n      workgroupBarrier();", to: "//!end" },
  { name: "a swapped stride", kernel: "matmul_nt", from: "vec4u(p.M - 1u))) * p.K", to: "vec4u(p.M - 1u))) * p.N" },
  { name: "a bias left out", kernel: "matmul_nt", from: "v += bias_load4(n);", to: "" },
  { name: "a residual left out", kernel: "matmul_nt", from: "v += residual_load4(i);", to: "" },
  { name: "a scale left out", kernel: "attention_fwd", from: "s[$i] * p.scale", to: "s[$i]" },
  { name: "a mask one key too wide", kernel: "attention_fwd", from: "< vec4u(p.Nk);", to: "< vec4u(p.Nk + 1u);" },
  {
    name: "a maximum that is not carried",
    kernel: "attention_fwd",
    from: "total = total * shrink",
    to: "total = total",
  },
  { name: "a variance with too much added", kernel: "layernorm_fwd", from: "+ p.eps", to: "+ p.eps + 0.5" },
  { name: "a channel's shift left out", kernel: "patch_embed", from: "shiftOf(c))", to: "vec4f())" },
  {
    name: "steps of a reduction left out",
    kernel: "matmul_nn",
    from: "k0 < end + STEPS",
    to: "k0 < end",
    plan: BACKWARD,
  },
  { name: "delta left out", kernel: "attention_bwd_query", from: "(e[$i] - delta$i)", to: "e[$i]", plan: BACKWARD },
  { name: "delta left out", kernel: "attention_bwd_key", from: "(e[$i] - d)", to: "(e[$i])", plan: BACKWARD },
  { name: "half of a sum left out", kernel: "layernorm_bwd_input", from: "- x$q * means.y", to: "", plan: BACKWARD },
  {
    name: "the pair itself counted once",
    kernel: "info_nce_grad",
    from: "0.0, 2.0, j",
    to: "0.0, 1.0, j",
    plan: OBJECTIVE,
  },
  {
    name: "a temperature left out",
    kernel: "info_nce_columns",
    from: "power(score(scale[0] * s[",
    to: "power(score(s[",
    plan: OBJECTIVE,
  },
  { name: "a temperature left out", kernel: "info_nce_loss", from: "- scale[0] * dot", to: "- dot", plan: OBJECTIVE },
  { name: "a biased variance kept", kernel: "batchnorm_train", from: "f32(p.M - 1u)", to: "f32(p.M)", plan: OBJECTIVE },
  { name: "a mean left out", kernel: "batchnorm_bwd", from: "(b + xh * c)", to: "(xh * c)", plan: OBJECTIVE },
  { name: "a slope left out", kernel: "planar_flow_bwd", from: "dots.x, t,", to: "dots.x, 1.0,", plan: OBJECTIVE },
  {
    name: "a mask of another rate",
    kernel: "dropout",
    from: "u(p.threshold)",
    to: "u(p.threshold / 2u)",
    plan: OBJECTIVE,
  },
  {
    name: "a kink in the wrong place",
    kernel: "activation_bwd",
    from: "s > zero)",
    to: "s > zero + 0.2)",
    plan: OBJECTIVE,
  },
  { name: "a factor left out", kernel: "activation_bwd", from: "2.0 * d * s", to: "d * s", plan: OBJECTIVE },
  { name: "a sign turned round", kernel: "binary_fwd", from: "a - b", to: "b - a", plan: OBJECTIVE },
  { name: "a factor halved", kernel: "affine", from: "let a = p.a;", to: "let a = 0.5 * p.a;", plan: OBJECTIVE },
  { name: "a second gradient left out", kernel: "sum_pair", from: "+ f32(b[i])", to: "", plan: BACKWARD },
  { name: "another slope", kernel: "matmul_bwd_act", from: "d *= geluSlope4", to: "d *= siluSlope4", plan: BACKWARD },
  { name: "what was there left out", kernel: "accumulate", from: "y[i] + f32", to: "f32", plan: BACKWARD },
  { name: "a bias not corrected", kernel: "adamw", from: "v1 / state[6]", to: "v1", plan: UPDATE },
  { name: "a gradient not squared", kernel: "adamw", from: "p.rest2 * g * g", to: "p.rest2 * g", plan: UPDATE },
  {
    name: "a norm not clipped",
    kernel: "adamw_prepare",
    from: "min(1.0, p.clip / (norm + 1e-6))",
    to: "1.0",
    plan: UPDATE,
  },
  { name: "weights that do not decay", kernel: "adamw", from: "lr * hyper[row * 2u + 1u]", to: "0.0", plan: UPDATE },
];

for (const fault of FAULTS) {
  Deno.test(`a seeded fault is named: ${fault.name} in ${fault.kernel}`, () =>
    assertNamed(
      gpu,
      fault.plan === undefined ? embedding() : training().find(({ name }) => name.endsWith(fault.plan!))!,
      fault,
    ));
}
