/** What SEAL's plans pick on a GPU: training of every registered encoder, and every choice of the objective on a small one. */

import type { Gpu } from "../../../src/gpu/device.ts";
import { CONTRASTIVE_NAMES, GENE_LOSS_NAMES } from "../../../src/losses/registry.ts";
import { inferencePlan, trainingPlans } from "../../../src/methods/seal/proof/plans.ts";
import type { EncoderSpec } from "../../../src/models/encoder_spec.ts";
import { GENE_MODEL_NAMES, geneModelEntry } from "../../../src/models/gene_registry.ts";
import type { Training } from "../../../src/verify/plans.ts";
import { addTexts, type Coverage, type Texts } from "../../gpu/plan_texts.ts";

type Keys = readonly (readonly [string, string])[];

const LORA: readonly Keys[] = [[["partial_blocks", "1"]], [["partial_blocks", "-1"]]];
const WEIGHTS: readonly Keys[] = [
  [["use_lora", "false"], ["partial_blocks", "2"]],
  [["use_lora", "false"], ["partial_blocks", "-1"]],
];

/** What else of a configuration changes the plan of the objective; one at a time, on a small encoder. */
const CHOICES: readonly Keys[] = [
  ...GENE_LOSS_NAMES.map((name): Keys => [["gene_loss", name]]),
  ...CONTRASTIVE_NAMES.map((name): Keys => [["contrast_method", name]]),
  [["contrast_method", "cca"], ["cca_form", "trace"], ["l2_norm", "false"]],
  [["contrast_method", "soft_clip"], ["detach_targets", "false"]],
  [["contrast_method", "s2l"], ["s2l_squared", "false"]],
  [["trainable_temperature", "true"]],
  [["lambda_cca", "0.5"], ["lambda_da", "0.1"]],
  ...GENE_MODEL_NAMES.map((
    name,
  ): Keys => [["gene_model", name], ["lambda_contrast", geneModelEntry(name).fixed ? "0" : "1"]]),
  [["gene_model", "transformer"], ["gene_embeddings", "true"]],
  [["vae_flows", "0"], ["kl_loss", "true"]],
  [["kl_loss", "true"], ["kl_form", "exact"], ["latent", "mc"], ["flow_constraint", "true"]],
  [["vae_dropout", "0.1"], ["dec_dropout", "0.1"], ["dec_batch_norm", "true"], ["latent", "mean"]],
  ...["linear", "mlp", "mlp2"].map((name): Keys => [["projection_head", name]]),
  ...["softplus", "none"].map((name): Keys => [["final_activation", name]]),
  [["use_adapter", "true"], ["organ_token", "true"]],
  [["use_adapter", "true"], ["adapter_residual", "true"]],
  [["use_adapter", "true"], ["adapter_compat_double", "true"]],
  [["lora_dropout", "0"]],
  [["r", "16"], ["lora_rule", "standard"]],
  [["r", "6"]],
];

function trainTexts(texts: Texts, gpu: Gpu, spec: EncoderSpec, training: Training): void {
  for (const recorded of trainingPlans(gpu, spec, training)) addTexts(texts, recorded.plan, recorded.name);
}

/** Training in f32; with f16 activations and weights; with f16 weights alone, on devices that do not compute with f16. */
function encoderTexts(texts: Texts, gpuOf: (f16: boolean, largestTile?: 64 | 128) => Gpu, spec: EncoderSpec): void {
  const kinds = [["f32", true], ["f16", true], ["f16", false]] as const;
  for (const [dtype, f16] of kinds) {
    // Devices of smaller tiles take them where others take the largest.
    const small = gpuOf(f16, 64);
    for (const keys of [...LORA, ...WEIGHTS]) {
      trainTexts(texts, small, spec, { keys, dtype, batch: 64, micro: 64, genes: 2000 });
    }
    const gpu = gpuOf(f16);
    const train = (keys: Keys, extra: Partial<Training>): void =>
      trainTexts(texts, gpu, spec, { keys, dtype, batch: 64, micro: 64, genes: 2000, ...extra });
    for (const keys of LORA) {
      train(keys, {});
      train(keys, { batch: 384, micro: 48 });
      train(keys, { batch: 384, micro: 384, cached: "f16" });
      train(keys, { cached: "f32", recompute: true });
      train(keys, { batch: 6, micro: 6, cached: "f16" });
    }
    // Trained weights are f32 whatever the frozen ones are.
    for (const keys of dtype === "f16" && !f16 ? [] : WEIGHTS) {
      train(keys, { batch: 384, micro: 48 });
      train(keys, { micro: 16, cached: "f16", recompute: true });
      train(keys, { batch: 6, micro: 6 });
    }
  }
}

/** Adds all texts. */
export const coverage: Coverage = (texts, { specs, gpuLike }) => {
  for (const spec of specs) encoderTexts(texts, gpuLike, spec);
  const small = specs.find(({ name }) => name === "vit-s16")!;
  for (const f16 of [true, false]) {
    const device = gpuLike(f16);
    for (const keys of CHOICES) {
      // CCA needs more pairs than columns; the transformer has a token a gene.
      const pairs = keys.some(([, value]) => value === "transformer") ? [32, 17] : [768, 387];
      for (const [batch, genes] of [[pairs[0]!, 2000], [pairs[1]!, 1999]] as const) {
        const training = { keys, dtype: "f16" as const, batch, micro: batch, cached: "f16" as const, genes };
        trainTexts(texts, device, small, training);
        const { plan, name } = inferencePlan(device, small, training);
        addTexts(texts, plan, name);
      }
    }
  }
};
