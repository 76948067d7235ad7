/**
 * A run of any method, opened: what the engine of training needs of it.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import type { AdamW } from "../optim/adamw.ts";
import type { ReadFile } from "./checkpoint.ts";
import type { TrainingSettings } from "./settings.ts";
import type { Stage } from "./stage.ts";

/** What a run's checkpoints count on, so that it resumes with the same inputs only. */
export interface RunInputs {
  /** What shapes training; a checkpoint with other settings is another run's. */
  readonly settings: TrainingSettings;
  /** Facts that `trainer_state.json` keeps, in this order, before the settings. */
  readonly facts: Readonly<Record<string, unknown>>;
  /**
   * Compares the state of a checkpoint with them.
   *
   * @param checked Whether the checkpoint has checksums; those of version 0.1 have none.
   * @throws {WeightsError | DataError} Naming what changed.
   */
  agree(state: Readonly<Record<string, unknown>>, path: string, checked: boolean): void;
  /** Makes sure that files are what they were when they were opened. @throws {DataError} Naming the one that is not. */
  verify(): Promise<void>;
}

/** An opened run. */
export interface Training {
  readonly gpu: Gpu;
  readonly optimizer: AdamW;
  /** In the order they run. */
  readonly stages: readonly Stage[];
  /** Columns of the metrics behind step, epoch, stage and split. */
  readonly columns: readonly string[];
  /** How often metrics and checkpoints are written. */
  readonly cadence: { readonly logEvery: number; readonly saveEvery: number; readonly saveEverySteps: number };
  /** What may be done where a loss is not finite, at the first step and later. */
  readonly hints: { readonly first: string; readonly later: string };
  readonly inputs: RunInputs;
  /** Files of a checkpoint, without the state of training. */
  files(): Promise<Map<string, Uint8Array>>;
  /** Puts those back. @throws {WeightsError} If a file is missing, or belongs to a model of other sizes. */
  load(read: ReadFile, where: string): void;
}
