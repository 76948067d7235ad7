/** What the plans of SPADE pick on a GPU. */

import { backwardFrom } from "../../../src/autodiff/backward.ts";
import { nearestRows } from "../../../src/eval/kmeans.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { Plan } from "../../../src/graph/plan.ts";
import { Store } from "../../../src/graph/store.ts";
import { mixRows } from "../../../src/methods/spade/bank.ts";
import { createExpert, expertLoss } from "../../../src/methods/spade/expert.ts";
import { Parameters } from "../../../src/nn/parameters.ts";
import { addTexts, type Coverage, type Texts } from "../../gpu/plan_texts.ts";

const LOSS = { loss_temperature: 1, detach_targets: false, l2_norm: false };

/** Clustering, a training step of an expert, and the experts in use. */
function spadeTexts(texts: Texts, gpu: Gpu): void {
  const sizes = [[1024, 7968, 256, 128, 240, 16], [1536, 2000, 256, 128, 64, 4], [1000, 350, 50, 33, 9, 3]] as const;
  for (const [dim, genes, width, batch, centroids, count] of sizes) {
    const name = `features of ${dim}, ${genes} genes`;
    const inputs = new Store(gpu);
    const tensor = (label: string, ...shape: number[]) => inputs.tensor(label, label, shape);
    const clusters = new Plan(gpu);
    const sums = nearestRows(clusters, tensor("rows", 4096, dim), {
      weight: tensor("weight", 16, dim),
      bias: tensor("bias", 16),
    });
    clusters.output(sums.index, sums.score, ...sums.sums);
    addTexts(texts, clusters, `clusters of ${name}`);
    const shape = { inputs: { img: dim, gene: genes }, width, dropout: 0.1 };
    for (const training of [true, false]) {
      const parameters = new Parameters(gpu);
      const expert = createExpert(parameters, "expert", shape);
      const g = new Plan(gpu);
      g.random = inputs.tensor("random", "random", [4], "u32");
      const batches = { image: tensor("image", batch, dim), gene: tensor("gene", batch, genes) };
      const loss = expertLoss(g, expert, batches, LOSS, training);
      if (training) backwardFrom(g, loss);
      addTexts(texts, g, `${training ? "step" : "validation"} of an expert on ${name}`);
    }
    const frozen = new Parameters(gpu, false);
    const experts = Array.from({ length: count }, (_, e) => createExpert(frozen, `experts.${e}`, shape));
    const g = new Plan(gpu);
    mixRows(g, { x: tensor("x", 1024, dim), gene: tensor("genes", 1024, genes) }, {
      weight: tensor("centroids", centroids, dim),
      bias: tensor("lengths", centroids),
      table: tensor("table", centroids, count),
      temperature: 0.1,
      experts,
    });
    addTexts(texts, g, `${count} experts on ${name}`);
  }
}

/** Adds all texts. */
export const coverage: Coverage = (texts, { gpuLike }) => {
  for (const f16 of [true, false]) spadeTexts(texts, gpuLike(f16));
};
