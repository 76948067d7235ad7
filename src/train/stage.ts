/**
 * A stage of training: what is trained in which order at which rates, or work of the host between two of those. A method
 * gives a list of stages; the loop runs them one after another.
 *
 * @module
 */

import type { Schedule } from "./schedule.ts";

/** Learning rates by the names that parameter groups have; a rate of 0 leaves its parameters as they are. */
export type Rates = Readonly<Record<string, number>>;

/** A compiled stage. */
export interface StageRunner {
  /** Rows in memory at a time, where those of a batch are more. */
  readonly micro?: number;
  /** Tells the step how many batches were submitted before. */
  seek(batches: number): void;
  /** Submits a step. */
  submit(rates: Rates, step: number): Promise<void>;
  /** Metrics of the steps since the last call. */
  read(): Promise<Record<string, number>[]>;
  /** Frees the plans. */
  destroy(): void;
}

/** What a checkpoint is chosen by, and when training stops early. */
export interface Selection {
  /** Name of a number that {@linkcode TrainedStage.evaluate} gives. */
  readonly metric: string;
  /** Whether more is better; default `max`. */
  readonly mode?: "max" | "min";
  /** Evaluations without a better one after which the stage stops; 0 never stops. */
  readonly patience: number;
  /** Epochs that are trained in any case; none by default. */
  readonly after?: number;
  /** Least difference that counts as better. */
  readonly minDelta: number;
  /** Whether the stage ends in its best weights, from which the next one begins; default: in those of its last step. */
  readonly restore?: boolean;
}

/** A stage that trains. */
export interface TrainedStage {
  readonly name: string;
  readonly schedule: Schedule;
  /** What its items are; default pairs. */
  readonly unit?: "pairs" | "bags";
  /** Learning rates of a step of the stage, from 0. */
  rates(step: number): Rates;
  /** Columns of the metrics that hold a learning rate, with its name. */
  readonly rateColumns: Readonly<Record<string, string>>;
  /** What metrics of an evaluation are called where they are printed; their names by default. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Epochs between two evaluations; 0: at the end. */
  readonly evaluateEvery: number;
  /** How the best checkpoint is chosen; without it the stage chooses none. */
  readonly select?: Selection | undefined;
  /**
   * Builds the plans, when the stage begins.
   *
   * @param mostMicro Rows in memory at a time before the run was interrupted: with as many it goes on to the same bytes.
   */
  compile(mostMicro?: number): Promise<StageRunner>;
  /** What is evaluated, as rows of metrics name it; default `test`. */
  readonly split?: "val" | "test";
  /** Numbers on what is held out, by the names of metrics; none where nothing is. */
  evaluate(): Promise<Record<string, number>>;
}

/** Work of the host before, between or after training, such as a clustering; what it makes is part of the checkpoint. */
export interface HostStage {
  readonly name: string;
  /** Does it. A run that is interrupted in it begins it anew. */
  work(signal: AbortSignal): Promise<void>;
}

/** A stage. */
export type Stage = TrainedStage | HostStage;
