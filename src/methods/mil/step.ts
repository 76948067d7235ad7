/**
 * Training of a model of bags as the engine runs steps: a row is a feature vector, its embedding is the model's layer of
 * rows, and the objective pools the rows of each bag. So a batch of bags that does not fit in memory is trained exactly, by
 * gradient caching.
 *
 * @module
 */

import type { Store } from "../../graph/store.ts";
import type { RowInput } from "../../train/row_input.ts";
import type { StepBatch, StepModel } from "../../train/step_model.ts";
import { attend } from "./attention.ts";
import type { BagBatch } from "./batch.ts";
import type { MilModel } from "./model.ts";
import { classTargets, squaredError, targetCrossEntropy } from "./objective.ts";

/** A feature vector, `[d]`. */
export type FeatureRow = Float32Array;

/** Rows of stored features, and the layer of the model that embeds them. */
export function featureInput(model: MilModel): RowInput<FeatureRow> {
  return {
    tensors: (store, count) => [store.tensor("features", "features", [count, model.dim])],
    record: (g, [x], { training }) => model.embed(g, x!, training),
    // deno-lint-ignore require-await
    async load(store, [x], rows) {
      const all = new Float32Array(x!.size);
      rows.forEach((row, i) => all.set(row, i * model.dim));
      store.write(x!, all);
    },
  };
}

/**
 * What a step trains.
 *
 * @param bags Bags of a batch.
 * @param task `classes` by cross-entropy, `numbers` by squared error.
 */
export function milStep(
  model: MilModel,
  { bags, task }: { bags: number; task: "classes" | "numbers" },
): StepModel<FeatureRow> {
  return {
    parameters: model.parameters,
    rows: { input: featureInput(model), dim: model.dim },
    fields: (store: Store) => ({
      bound: store.tensor("bound", "bound", [bags + 1], "u32"),
      target: store.tensor("target", "target", [bags, model.outputs]),
      ...(task === "numbers" && { weight: store.tensor("weight", "weight", [bags, 1]) }),
    }),
    objective(g, z, { bound, target, weight }) {
      const h = z!;
      const { pooled } = attend(g, h, model.scores(g, h, true), { bound: bound! });
      const { output } = model.head(g, pooled, true);
      const loss = weight ? squaredError(g, output, target!, weight) : targetCrossEntropy(g, output, target!);
      return { loss };
    },
  };
}

/** The rows of a batch, and where bags begin. */
function rowsOf({ x, bound }: BagBatch, dim: number) {
  const rows = Array.from({ length: x.length / dim }, (_, i) => x.subarray(i * dim, (i + 1) * dim));
  return { rows, bound };
}

/**
 * A batch of bags with classes.
 *
 * @param batch Bags, of which those behind the last label are empty.
 * @param weights Of classes; all 1 by default.
 */
export function classBatch(
  model: MilModel,
  batch: BagBatch,
  labels: readonly number[],
  weights?: ArrayLike<number>,
): StepBatch<FeatureRow> {
  const { rows, bound } = rowsOf(batch, model.dim);
  const size = bound.length - 1;
  const target = classTargets(labels, { classes: model.outputs, size, ...(weights && { weights }) });
  return { rows, fields: { bound, target } };
}

/**
 * A batch of bags with numbers.
 *
 * @param batch Bags, of which those behind the last target are empty.
 * @param targets K numbers a bag.
 */
export function numberBatch(
  model: MilModel,
  batch: BagBatch,
  targets: readonly ArrayLike<number>[],
): StepBatch<FeatureRow> {
  const { rows, bound } = rowsOf(batch, model.dim);
  const size = bound.length - 1;
  const target = new Float32Array(size * model.outputs);
  targets.forEach((values, b) => target.set(values, b * model.outputs));
  const weight = new Float32Array(size).fill(1 / (targets.length * model.outputs), 0, targets.length);
  return { rows, fields: { bound, target, weight } };
}
