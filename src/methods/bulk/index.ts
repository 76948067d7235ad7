/**
 * Bulk RNA: stored features of slides, or the encoder of their tiles, changed so that the patient's expression can be told from
 * bags of tiles, directly or by contrast.
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
import type { Host } from "../../train/host.ts";
import { openSession } from "./session.ts";
import { bulkTraining } from "./training.ts";

async function open(gpu: Gpu, config: BulkConfig, data: BulkData, host: Host): Promise<MethodRun> {
  const session = await openSession(gpu, config, data, host);
  return {
    training: bulkTraining(session),
    describe() {
      const { all, trainable } = session.parameters.count();
      const of = (part: string) => data.slides.filter((slide) => slide.part === part).length;
      const what = session.encoder ? `${session.encoder.opened.name}, ` : "";
      return `Model: ${what}${config.model.arms.join(", ")}, ${all} parameters, ${trainable} train; ` +
        `${data.patients.length} patients, ` +
        `${of("train")} slides to train on, ${of("val")} to watch, ${
          of("test")
        } to test on; ${data.genes.length} genes in ` +
        `${data.unit}`;
    },
    before: () => session.tiles.before(),
    evidence: (context) => bulkEvidence(session, context, host.disk),
    close: () => session.close(),
  };
}

/** The method. */
export const method: Method<typeof BULK_KEYS, BulkData> = {
  name: "bulk",
  summary: "features or encoder of slides, and bulk RNA of their patients: direct and contrastive arms",
  config: BULK_CONFIG,
  outputs: ({ cache }) => cache.cache_dir === null ? [] : [cache.cache_dir],
  encoders: ({ input }) => input.train === "encoder" ? [input.encoder] : [],
  runName: () => "bulk",
  check,
  openData,
  open,
  features: featureRun,
};
