/**
 * SPADE: a mixture of experts on stored features. Features are clustered within organs and over them, each cluster trains an
 * expert that aligns features with expression, and a feature vector is embedded by the experts near it.
 *
 * Source: arXiv 2506.21857, from its description; what is not published is said in the configuration.
 *
 * @module
 */

import type { Gpu } from "../../gpu/device.ts";
import { summaryOf } from "../../evidence/summary.ts";
import type { Host } from "../../train/host.ts";
import type { Method, MethodRun } from "../method.ts";
import { SPADE_CONFIG, type SPADE_KEYS, type SpadeConfig } from "./config.ts";
import { check, openData, type SpadeData } from "./data.ts";
import { spadeEvidence } from "./evidence.ts";
import { openSession } from "./session.ts";
import { featureRun } from "./trained.ts";
import { spadeTraining } from "./training.ts";

function open(gpu: Gpu, config: SpadeConfig, data: SpadeData, host: Host): Promise<MethodRun> {
  const session = openSession(gpu, config, data, host);
  return Promise.resolve({
    training: spadeTraining(session),
    describe() {
      const { set, dim } = data;
      const train = set.pairs("train").length;
      return `Model: at most ${config.clusters.coarse} experts of width ${config.experts.width} on features of ${dim}, ` +
        `beside ${config.experts.controls.join(", ") || "no control"}; ${set.genes} genes; ${train} training pairs, ` +
        `${set.count - train} held out`;
    },
    evidence: (context) => spadeEvidence(session, context),
    close: () => session.close(),
  });
}

/** The method. */
export const method: Method<typeof SPADE_KEYS, SpadeData> = {
  name: "spade",
  summary: "experts on clusters of stored features, aligned with expression of spots (SPADE)",
  config: SPADE_CONFIG,
  runName: () => "spade",
  check,
  openData,
  open,
  features: featureRun,
  resultJson: (results) => summaryOf(results).json,
};
