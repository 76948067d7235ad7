/**
 * What of SEAL `verify` proves on a device.
 *
 * @module
 */

import type { MethodProof } from "../../../verify/proof.ts";
import { buildProfiledStep } from "./profiled.ts";
import { inferencePlan, trainingPlans } from "./plans.ts";
import { runSealSteps } from "./steps.ts";

/** The proof. */
export const proof: MethodProof = {
  label: "SEAL",
  steps: runSealSteps,
  step: buildProfiledStep,
  plans(gpu, encoder, { batch, genes, images, keys, dtype = "f16" }) {
    const common = { batch, micro: batch, genes, images, dtype } as const;
    // What is configured comes last, so that it wins.
    const of = (...own: [string, string][]): [string, string][] => [
      ...own,
      ...keys.map(([key, value]): [string, string] => [key, value]),
    ];
    return [
      () => trainingPlans(gpu, encoder, { ...common, keys: of(["partial_blocks", "1"]), cached: "f16" }),
      () => trainingPlans(gpu, encoder, { ...common, keys: of(["partial_blocks", "-1"]), micro: Math.ceil(batch / 4) }),
      () => trainingPlans(gpu, encoder, { ...common, keys: of(["use_lora", "false"], ["partial_blocks", "1"]) }),
      () => [inferencePlan(gpu, encoder, { ...common, keys: of() })],
    ];
  },
};
