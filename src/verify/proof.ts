/**
 * What a training method brings to be proved on a device: its plans, and steps whose losses are known.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import type { EncoderSpec } from "../models/encoder_spec.ts";
import type { Images, RecordedPlan } from "./plans.ts";

/** How far the losses of a method's first steps are from those of the reference. */
export interface KnownSteps {
  readonly steps: number;
  /** Largest relative difference of any loss. */
  readonly error: number;
  /** The loss and step it is of. */
  readonly worst: string;
  /** Losses of the last step, bits of f32 as hexadecimal: equal on equal devices. */
  readonly last: Readonly<Record<string, string>>;
}

/** How the plans of a method are recorded. */
export interface PlanRequest {
  /** Items of a training step, and images of an evaluation. */
  readonly batch: number;
  /** Genes of the vocabulary. */
  readonly genes: number;
  /** What is seen; noise without. */
  readonly images?: Images | undefined;
  /** `key=value` of the configuration. */
  readonly keys: readonly (readonly [string, string])[];
}

/** What of a method is proved. */
export interface MethodProof {
  /** What it is called in messages. */
  readonly label: string;
  /** Trains steps from weights and data that formulas make. */
  steps(gpu: Gpu, steps: number): Promise<KnownSteps>;
  /** Plans of training and evaluation of an encoder, each recorded when it is called. */
  plans(gpu: Gpu, encoder: EncoderSpec, request: PlanRequest): (() => RecordedPlan[])[];
}
