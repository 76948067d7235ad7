/**
 * What a method of one's own builds on the device.
 *
 * @module
 */

import type { StepBatch, StepModel } from "../train/step_model.ts";

/** What is trained, on the device. */
export interface OwnModel {
  /** Parameters, allocated, and the objective of a batch. */
  readonly step: StepModel<never>;
  /** The batch of some items: values of the step's fields. */
  batch(items: Uint32Array): StepBatch<never>;
  /** Numbers on what is held out, at the end of an epoch and of an open run. */
  evaluate?(): Promise<Record<string, number>>;
  /** What an open run predicts, of whatever it takes. */
  predict?(...input: never[]): unknown;
  /** Frees what it made beside the parameters. */
  close?(): void;
}
