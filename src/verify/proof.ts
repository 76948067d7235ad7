/**
 * What a training method brings to be proved on a device: its plans, and steps whose losses are known.
 *
 * @module
 */

import type { Dtype } from "../core/dtype.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Program } from "../graph/program.ts";
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
  /** Storage of frozen weights; default f16, with which activations are f16 too where the device computes with it. */
  readonly dtype?: Dtype;
  /** What is seen; noise without. */
  readonly images?: Images | undefined;
  /** `key=value` of the configuration. */
  readonly keys: readonly (readonly [string, string])[];
}

/** How a training step is built to be profiled. */
export interface StepRequest {
  /** Such as `random:vit-b16`. */
  readonly encoder: string;
  /** Items of a step. */
  readonly batch: number;
  /** Items in memory at a time; fewer than the batch cache gradients. */
  readonly micro: number;
  /** Genes of the vocabulary. */
  readonly genes: number;
  /** Storage of frozen weights. */
  readonly dtype: Dtype;
  /** `key=value` of the configuration. */
  readonly keys: readonly (readonly [string, string])[];
}

/** A training step that has run once, on data that formulas make. */
export interface BuiltStep {
  /** What a step runs, in order. */
  readonly sequence: readonly { readonly name: string; readonly program: Program }[];
  destroy(): void;
}

/** What of a method is proved. */
export interface MethodProof {
  /** What it is called in messages. */
  readonly label: string;
  /** Trains steps from weights and data that formulas make. */
  steps(gpu: Gpu, steps: number): Promise<KnownSteps>;
  /** The step that training runs, to be profiled. */
  step(gpu: Gpu, request: StepRequest): Promise<BuiltStep>;
  /** Plans of training and evaluation of an encoder, each recorded when it is called. */
  plans(gpu: Gpu, encoder: EncoderSpec, request: PlanRequest): (() => RecordedPlan[])[];
}
