/**
 * A step of the alignment: images and expression of pairs, brought together.
 *
 * @module
 */

import type { RowInput } from "../../train/row_input.ts";
import type { StepModel } from "../../train/step_model.ts";
import type { SealModel } from "./model.ts";

/** What a step needs to know beside the model. */
export interface AlignOptions {
  /** Pairs a batch, B. */
  readonly batch: number;
  /** Standard deviation of each gene, `[G]`. */
  readonly std: ArrayLike<number>;
  /** Whether the objective wants slide ids. */
  readonly slides?: boolean;
  /** Organ id of a pair, for models with an organ token. */
  readonly organ?: ((pair: number) => number) | undefined;
}

/** Rows as the model embeds them: the encoder's, then what follows it, with the organ of each where it is wanted. */
function modelRows(model: SealModel, rows: RowInput, organOf: AlignOptions["organ"]): RowInput {
  if (!model.organs) {
    return { ...rows, record: (g, tensors, options) => model.embed(g, rows.record(g, tensors, options)) };
  }
  return {
    ...rows,
    tensors: (store, count) => [...rows.tensors(store, count), store.tensor("organ", "organ", [count], "u32")],
    record: (g, tensors, options) =>
      model.embed(g, rows.record(g, tensors.slice(0, -1), options), tensors[tensors.length - 1]),
    async load(store, tensors, views, again) {
      store.write(tensors[tensors.length - 1]!, Uint32Array.from(views, ({ pair }) => organOf!(pair)));
      await rows.load(store, tensors.slice(0, -1), views, again);
    },
  };
}

/** The step's model; a batch has the fields `x` (expression `[B, G]`) and, with `slides`, `slide` (ids `[B]`). */
export function alignModel(
  model: SealModel,
  rows: RowInput,
  { batch, std, slides = false, organ }: AlignOptions,
): StepModel {
  const { genes } = model.gene;
  return {
    parameters: model.parameters,
    rows: { input: modelRows(model, rows, organ), dim: model.dim },
    fields: (store) => ({
      x: store.tensor("batch", "x", [batch, genes]),
      std: store.from("std", "std", [genes], std),
      ...(slides && { slide: store.tensor("slide", "slide", [batch], "u32") }),
    }),
    objective: (g, z, { x, std, slide }) => model.objective(g, z!, { x: x!, std: std!, slide }),
  };
}
