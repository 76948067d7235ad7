/**
 * Bulk RNA: stored features of slides changed so that the patient's expression can be told from them, directly or by contrast.
 *
 * Source: "Enhancing pathology foundation models with transcriptomics", a poster of kaiko.ai, which publishes no sizes.
 *
 * @module
 */

import type { Gpu } from "../../gpu/device.ts";
import type { Method, MethodRun } from "../method.ts";
import { BULK_CONFIG, type BULK_KEYS, type BulkConfig } from "./config.ts";
import { type BulkData, check, openData } from "./data.ts";
import { bulkEvidence } from "./evidence.ts";
import { featureRun } from "./trained.ts";
import { bulkTraining, openSession } from "./training.ts";

async function open(gpu: Gpu, config: BulkConfig, data: BulkData): Promise<MethodRun> {
  const session = await openSession(gpu, config, data);
  return {
    training: bulkTraining(session),
    describe() {
      const { all } = session.parameters.count();
      const of = (part: string) => data.slides.filter((slide) => slide.part === part).length;
      return `Model: ${config.model.arms.join(", ")}, ${all} parameters; ${data.patients.length} patients, ` +
        `${of("train")} slides to train on, ${of("val")} to watch, ${
          of("test")
        } to test on; ${data.genes.length} genes in ` +
        `${data.unit}`;
    },
    evidence: (context) => bulkEvidence(session, context),
    close: () => session.close(),
  };
}

/** The method. */
export const method: Method<typeof BULK_KEYS, BulkData> = {
  name: "bulk",
  summary: "stored features of slides and bulk RNA of their patients: direct and contrastive arms",
  config: BULK_CONFIG,
  runName: () => "bulk",
  check,
  openData,
  open,
  features: featureRun,
};
