/**
 * The kernel texts that plans pick on a GPU, found by recording alone: nothing is compiled and no weights are made. Used
 * to prove that every text a user's GPU will be given is run by some case.
 */

import { backwardFrom } from "../../src/autodiff/backward.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { expand } from "../../src/gpu/expand.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import { createMil, MIL_MODELS } from "../../src/methods/mil/model.ts";
import { squaredError, targetCrossEntropy } from "../../src/methods/mil/objective.ts";
import { add } from "../../src/ops/binary.ts";
import { matmul } from "../../src/ops/matmul.ts";
import { cosineRank } from "../../src/ops/rank.ts";
import { cosineTopk } from "../../src/ops/topk.ts";

/** Texts by what is shown of them when no case runs one: kernel, options, and the first plan that picked it. */
export type Texts = Map<string, { kernel: string; options: string; plan: string }>;

/** Texts by kernel and variant, since plans repeat few of them many times. */
const expanded = new Map<string, string>();

/** Adds the texts of a plan. */
export function addTexts(texts: Texts, g: Plan, plan: string): void {
  for (const { kernel, variant } of g.dispatches) {
    const options = JSON.stringify(variant);
    const key = `${kernel.name} ${options}`;
    let text = expanded.get(key);
    if (text === undefined) expanded.set(key, text = expand(kernel, variant));
    if (!texts.has(text)) texts.set(text, { kernel: kernel.name, options, plan });
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

/** Plans of slide-level models: training steps of one bag and of eight, and inference over blocks of rows. */
export function milTexts(texts: Texts, gpu: Gpu): void {
  const sizes = [[1024, 1, 2048, 1, 2], [1536, 8, 8 * 2048, 4, 3], [384, 2, 4096, 1, 5], [
    1000,
    1,
    2000,
    2,
    50,
  ]] as const;
  for (const kind of MIL_MODELS) {
    for (const [dim, bags, count, most, outputs] of sizes) {
      const heads = kind === "meanmil" ? 1 : most;
      const model = createMil(gpu, { kind, dim, outputs, heads });
      const inputs = new Store(gpu);
      const x = inputs.tensor("x", "x", [count, dim]);
      const bound = inputs.tensor("bound", "bound", [bags + 1], "u32");
      const mask = inputs.tensor("mask", "mask", [count], "u32");
      const target = inputs.tensor("target", "target", [bags, outputs]);
      const weight = inputs.tensor("weight", "weight", [bags, 1]);
      const random = inputs.tensor("random", "random", [4], "u32");
      const name = `${kind} of ${bags} bags in ${count} rows of ${dim}`;
      for (const form of ["classes", "targets", "masked"] as const) {
        const g = new Plan(gpu);
        g.random = random;
        const { output } = model.forward(g, x, { bound, ...(form === "masked" && { mask }) }, form !== "masked");
        const loss = form === "targets"
          ? squaredError(g, output, target, weight)
          : targetCrossEntropy(g, output, target);
        backwardFrom(g, loss);
        addTexts(texts, g, `${name}, ${form}`);
      }
      const g = new Plan(gpu);
      g.withoutTape(() => model.forward(g, x, { bound, mask }, false));
      addTexts(texts, g, `inference on ${name}`);
    }
  }
}
