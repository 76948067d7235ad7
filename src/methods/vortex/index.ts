/**
 * VORTEX: dense expression of a volume of tissue from its morphology in 3D and a few measured spots.
 *
 * Source: arXiv 2502.17761, as far as it is public: neither code nor sizes are.
 *
 * @module
 */

import type { Gpu } from "../../gpu/device.ts";
import type { Host } from "../../train/host.ts";
import type { Method, MethodRun } from "../method.ts";
import { VORTEX_CONFIG, type VORTEX_KEYS, type VortexConfig } from "./config.ts";
import { pairsOf, type VortexData } from "./data.ts";
import { vortexEvidence } from "./evidence.ts";
import { check, openData } from "./open_data.ts";
import { openSession } from "./session.ts";
import { volumeRun } from "./trained.ts";
import { vortexTraining } from "./training.ts";

async function open(gpu: Gpu, config: VortexConfig, data: VortexData, host: Host): Promise<MethodRun> {
  const session = await openSession(gpu, config, data, host);
  const { patch, model } = config;
  return {
    training: vortexTraining(session),
    describe() {
      const { all, trainable } = session.parameters.count();
      const before = data.volumes.flatMap((_, v) => (v === data.voi ? [] : pairsOf(data, v, "train"))).length;
      return `Model: ${all} parameters, ${trainable} train; patches of ${patch.slices} slices x ${session.shape.side} px, ` +
        `${patch.slice_step} µm x ${patch.field} µm, by ${model.aggregate}; ${data.genes.length} genes; ` +
        `${before} pairs of ${session.heads.filter((head) => head >= 0).length} volumes, ` +
        `${session.voiPairs.length} of that of interest`;
    },
    evidence: (context) => vortexEvidence(session, context, host),
    close: () => session.close(),
  };
}

/** The method. */
export const method: Method<typeof VORTEX_KEYS, VortexData> = {
  name: "vortex",
  summary: "volumes of tissue with a few measured sections: dense expression in 3D (VORTEX)",
  config: VORTEX_CONFIG,
  runName: ({ input }) => (input.voi === null ? "vortex" : `vortex-${input.voi.replace(/[^\w.-]+/g, "_")}`),
  encoders: ({ input }) => [input.encoder],
  check,
  openData,
  open,
  volumes: volumeRun,
};
