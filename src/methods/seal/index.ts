/**
 * SEAL: an encoder fine-tuned on pairs of patches and expression. Source: arXiv 2602.14177.
 *
 * @module
 */

import { findSamples } from "../../data/data_folder.ts";
import { planTrainingSet } from "../../data/plan_training_set.ts";
import type { TrainingSet } from "../../data/training_set.ts";
import { ConfigError } from "../../core/errors.ts";
import { panelOf } from "../../evidence/panel.ts";
import { summaryOf } from "../../evidence/summary.ts";
import type { Gpu } from "../../gpu/device.ts";
import type { Host } from "../../train/host.ts";
import type { Method, MethodRun } from "../method.ts";
import { SEAL_CONFIG, type SealConfig } from "./config.ts";
import { dataOptions, openData } from "./data.ts";
import { demo } from "./demo.ts";
import { frozenFeatures, frozenViews, sealEvidence } from "./evidence.ts";
import type { SEAL_KEYS } from "./keys.ts";
import { trainedRun } from "./open.ts";
import { openSession, organsOf } from "./session.ts";
import { sealTraining } from "./training.ts";

/** Refuses what can be checked of the inputs before samples are read: names, places, paths, donors. */
async function check(config: SealConfig, host: Host): Promise<void> {
  const { input: { encoder, adapter, omics, data, exclude_samples }, genes, cache } = config;
  if (!data.length) {
    throw new ConfigError("Cannot train: no data folder is given", {
      hint: "Pass --data DIR, or no argument at all for the demo",
    });
  }
  await host.checkEncoder(encoder, adapter ?? undefined);
  for (const path of [genes.gene_list, omics]) if (path !== null) (await host.openFile(path)).close?.();
  if (cache.cache === "disk" && cache.cache_dir !== null) host.checkFolder(cache.cache_dir, "cache_dir");
  organsOf(planTrainingSet(host.disk, dataOptions(config, host)).order, config);
  const found = new Set(findSamples(host.disk, data).map(({ id }) => id));
  const unknown = exclude_samples.filter((id) => !found.has(id));
  if (unknown.length > 0) host.reporter.warn(`exclude_samples: the folders have no ${unknown.join(", ")}`);
}

async function open(gpu: Gpu, config: SealConfig, set: TrainingSet, host: Host): Promise<MethodRun> {
  const panel = panelOf(config, set);
  const session = await openSession(gpu, config, set, host);
  let frozen = new Float32Array();
  let views: Float32Array[] = [];
  return {
    training: sealTraining(session, panel.columns),
    describe() {
      const { all, trainable } = session.model.parameters.count();
      const train = set.pairs("train").length;
      return `Model: ${session.opened.name}, ${all} parameters, ${trainable} train; ${set.genes} genes; ` +
        `${train} training pairs, ${set.count - train} held out`;
    },
    async before() {
      frozen = await frozenFeatures(session) as Float32Array<ArrayBuffer>;
      views = await frozenViews(session);
    },
    evidence: (context) => sealEvidence(session, { ...context, frozen, views, panel }),
    close: () => session.close(),
  };
}

/** The method. */
export const method: Method<typeof SEAL_KEYS, TrainingSet> = {
  name: "seal",
  summary: "patches and expression of spots, aligned (SEAL)",
  config: SEAL_CONFIG,
  runName: ({ input }) => input.encoder,
  outputs: ({ cache }) => cache.cache_dir === null ? [] : [cache.cache_dir],
  encoders: ({ input }) => [input.encoder],
  check,
  openData,
  open,
  demo,
  proof: async () => (await import("./proof/index.ts")).proof,
  trained: trainedRun,
  resultJson: (results) => summaryOf(results).json,
};
