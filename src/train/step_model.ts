/**
 * What a training step is made of: the rows and the objective of a method, and how they are run.
 *
 * @module
 */

import type { MemoryReport } from "../graph/program.ts";
import type { Plan } from "../graph/plan.ts";
import type { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Parameters } from "../nn/parameters.ts";
import type { RowInput } from "./row_input.ts";
import type { ViewOf } from "./stem_cache.ts";

/** Scalars of a step, `[1]` each; `loss` is what is minimised, all are measured. */
export type Losses = { loss: Tensor } & Record<string, Tensor>;

/** Tensors of a batch beside its rows, by name. */
export type Fields = Readonly<Record<string, Tensor>>;

/** What a step trains. */
export interface StepModel<Row = ViewOf> {
  /** Of which the trainable ones train. */
  readonly parameters: Parameters;
  /** Rows of a batch and their embedding, `[R, dim]`; none where the objective reads fields alone. */
  readonly rows?: { readonly input: RowInput<Row>; readonly dim: number } | undefined;
  /** Makes the tensors a batch is written to, and those that never change. */
  fields?(store: Store): Fields;
  /**
   * Appends the objective of a batch.
   *
   * @param z Embeddings of its rows `[R, dim]`; undefined without rows.
   */
  objective(g: Plan, z: Tensor | undefined, fields: Fields): Losses;
}

/** How a step is built. */
export interface StepOptions {
  /** Items the objective sees, B: random numbers of an item go by its place among those of the step. */
  readonly batch: number;
  /** Most rows of a batch, R; by default one an item. */
  readonly rows?: number;
  /** Rows in memory at a time; the most that fit where it is left out. */
  readonly micro?: number | undefined;
  /** Most rows in memory at a time where `micro` is left out: a run resumes with as many as it had. */
  readonly mostMicro?: number | undefined;
  /** Batches a step; gradients are those of their mean loss. */
  readonly accumulate?: number;
  /** Seed of dropout and sampling. */
  readonly seed?: number;
  /** Steps whose metrics are kept; read them at least so often. */
  readonly ring?: number;
  /** Most bytes a plan may take; by default what is free on a GPU, and 6 GiB of main memory on a software adapter. */
  readonly budgetBytes?: number | "device";
  /** Keep nothing of these blocks but their input. */
  readonly recompute?: readonly boolean[];
  /**
   * Told, when metrics are read, that more steps were left out because a gradient was not finite.
   *
   * @param skipped Of the whole run. @param scale The loss scale now; undefined where there is none.
   */
  readonly onSkipped?: (skipped: number, scale: number | undefined) => void;
  /** Told the memory of each plan before it is allocated. */
  readonly onMemory?: (report: MemoryReport) => void;
}

/** The data of one batch. */
export interface StepBatch<Row = ViewOf> {
  /** What is embedded, at most as many rows as the step has. */
  readonly rows?: readonly Row[];
  /** Values of fields by name; those that are left out stay as they are. */
  readonly fields?: Readonly<Record<string, Float32Array | Uint32Array | Int32Array | Uint8Array | undefined>>;
}
