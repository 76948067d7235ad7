/**
 * Trained experts in use: stored features of patches become the experts' embeddings.
 *
 * @module
 */

import { WeightsError } from "../../core/errors.ts";
import { checkFacts, featureFacts } from "../../data/feature_facts.ts";
import type { FoundCheckpoint } from "../../train/run.ts";
import type { FeatureRun } from "../method.ts";
import { ExpertBank } from "./bank.ts";
import { readSaved, type SpadeFacts } from "./checkpoint.ts";
import type { SpadeConfig } from "./config.ts";
import type { ExpertShape } from "./expert.ts";
import { expertName } from "./session.ts";

/** A run, for features that it has not seen. @throws {WeightsError} If the checkpoint lacks a file, or one is damaged. */
export function featureRun(config: SpadeConfig, found: FoundCheckpoint): FeatureRun {
  const shape = (bank: string, { dim, genes, width }: SpadeFacts): ExpertShape => ({
    inputs: { img: dim, gene: genes },
    width: bank === "wide" ? width * config.clusters.coarse : width,
    dropout: 0,
  });
  const { facts, clusters, experts } = readSaved(found.read, found.path, shape);
  const names = Array.from({ length: facts.experts }, (_, e) => expertName({ name: "spade" }, e));
  const missing = clusters === undefined ? "the clusters" : names.find((name) => !experts.has(name));
  if (missing !== undefined) {
    throw new WeightsError(
      `Cannot use ${found.path}: ${missing} is not trained, expected ${names.length || "all"} experts`,
      {
        hint: "Let the run finish: give its train command again",
        context: { file: found.path, missing },
      },
    );
  }
  const { organs } = clusters!;
  return {
    dim: facts.dim,
    forms: ["routed", "concat"],
    columns: ["expert", "weight", "entropy", "centroid", "organ", "distance", "out_of_distribution"],
    check: (file) => checkFacts(facts.encoder, featureFacts(file), file.name),
    async open(gpu, form, half = false) {
      const bank = await ExpertBank.compile(gpu, {
        router: { ...clusters!, temperature: facts.temperature },
        shape: shape("spade", facts),
        values: names.map((name) => experts.get(name)!),
        half: half && gpu.caps.f16,
      });
      const { width, dim } = facts;
      return {
        dim: form === "concat" ? dim + width : width,
        async run(rows) {
          const { img, routing } = await bank.run(rows);
          const count = rows.length / dim;
          const { expert, entropy, nearest, distance, outside, weights } = routing;
          const table = Array.from({ length: count }, (_, r) => [
            expert[r]!,
            weights[r * facts.experts + expert[r]!]!,
            entropy[r]!,
            nearest[r]!,
            organs[nearest[r]!]!,
            distance[r]!,
            outside[r]!,
          ]);
          if (form !== "concat") return { features: img, table };
          const features = new Float32Array(count * (dim + width));
          for (let r = 0; r < count; r++) {
            features.set(rows.subarray(r * dim, (r + 1) * dim), r * (dim + width));
            features.set(img.subarray(r * width, (r + 1) * width), r * (dim + width) + dim);
          }
          return { features, table };
        },
        close: () => bank.destroy(),
      };
    },
  };
}
