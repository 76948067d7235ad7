/**
 * The kernel texts that plans pick on a GPU, found by recording alone: nothing is compiled and no weights are made. Used
 * to prove that every text a user's GPU will be given is run by some case.
 */

import type { Gpu } from "../../src/gpu/device.ts";
import { expand } from "../../src/gpu/expand.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import type { EncoderSpec } from "../../src/models/encoder_spec.ts";
import { add } from "../../src/ops/binary.ts";
import { matmul } from "../../src/ops/matmul.ts";
import { cosineRank } from "../../src/ops/rank.ts";
import { cosineTopk } from "../../src/ops/topk.ts";

/** Texts by what is shown of them when no case runs one: kernel, options, and the first plan that picked it. */
export type Texts = Map<string, { kernel: string; options: string; plan: string }>;

/** Adds what a training method's plans pick, for the registered encoders and on devices as GPUs describe them. */
export type Coverage = (
  texts: Texts,
  on: { readonly specs: readonly EncoderSpec[]; gpuLike(f16: boolean, largestTile?: 64 | 128): Gpu },
) => void;

/** Adds the texts of a plan. */
export function addTexts(texts: Texts, g: Plan, plan: string): void {
  for (const { kernel, variant } of g.dispatches) {
    const text = expand(kernel, variant);
    if (!texts.has(text)) texts.set(text, { kernel: kernel.name, options: JSON.stringify(variant), plan });
  }
}

/** Plans of a search: ranks of partners and nearest rows, and the Gram matrix of a probe. */
export function searchTexts(texts: Texts, gpu: Gpu): void {
  const inputs = new Store(gpu);
  const searches = [[1, 512, "f32"], [48, 768, "f32"], [256, 1536, "f32"], [256, 512, "f16"]] as const;
  for (const [queries, width, dtype] of searches) {
    const gallery = inputs.tensor("gallery", "gallery", [4096, width], dtype);
    const q = inputs.tensor("queries", "queries", [queries, width]);
    const partner = inputs.tensor("partner", "partner", [queries], "u32");
    const g = new Plan(gpu);
    g.withoutTape(() => {
      cosineRank(g, q, [gallery], partner);
      cosineTopk(g, q, [gallery], { k: 10 });
    });
    addTexts(texts, g, `search of ${queries} among rows of ${width} in ${dtype}`);
  }
  for (const columns of [384, 1024, 3072]) {
    const block = inputs.tensor("block", "block", [128, columns]);
    const g = new Plan(gpu);
    g.withoutTape(() => add(g, matmul(g, block, block, { transA: true }), matmul(g, block, block, { transA: true })));
    addTexts(texts, g, `products of ${columns} standardised features`);
  }
}
