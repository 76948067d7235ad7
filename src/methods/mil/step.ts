/**
 * Training of a model of bags as the engine runs steps: a row is a feature vector, its embedding is the model's layer of
 * rows, and the objective pools the rows of each bag. So a batch of bags that does not fit in memory is trained exactly, by
 * gradient caching.
 *
 * @module
 */

import type { Store } from "../../graph/store.ts";
import { vectorInput } from "../../train/row_input.ts";
import type { StepBatch, StepModel } from "../../train/step_model.ts";
import { attend, overSlides } from "./attention.ts";
import type { BagBatch } from "./batch.ts";
import type { Goal } from "./goal.ts";
import type { MilModel } from "./model.ts";

/** A feature vector, `[d]`. */
export type FeatureRow = Float32Array;

/** Room of a batch. */
export interface BatchRoom {
  /** Bags. */
  readonly bags: number;
  /** Slides, where a bag is the mean of its slides; undefined where it is all their rows. */
  readonly slides?: number | undefined;
}

/** What a step trains. */
export function milStep(model: MilModel, goal: Goal, { bags, slides }: BatchRoom): StepModel<FeatureRow> {
  return {
    parameters: model.parameters,
    rows: { input: vectorInput(model.dim, (g, x, { training }) => model.embed(g, x, training)), dim: model.width },
    fields: (store: Store) => ({
      bound: store.tensor("bound", "bound", [bags + 1], "u32"),
      ...(slides !== undefined && {
        slide_bound: store.tensor("slide_bound", "slide_bound", [slides + 1], "u32"),
        first_slide: store.tensor("first_slide", "first_slide", [bags + 1], "u32"),
        slide_weight: store.tensor("slide_weight", "slide_weight", [slides, 1]),
      }),
      ...goal.fields(store, bags),
    }),
    objective(g, z, fields) {
      const { bound, slide_bound, first_slide, slide_weight } = fields;
      const h = z!;
      const scores = model.scores(g, h, true);
      let { pooled } = attend(g, h, scores, { bound: slide_bound ?? bound! });
      if (slide_bound) pooled = overSlides(g, pooled, slide_weight!, first_slide!);
      const { output } = model.head(g, pooled, true);
      const said = { output, scores, bound: bound!, instances: model.instances?.(g, h) };
      return { loss: goal.loss(g, said, fields) };
    },
  };
}

/**
 * A batch as a step takes it.
 *
 * @param batch Bags, of which those behind the last pick are empty.
 * @param picks Their numbers.
 */
export function stepBatch(
  model: Pick<MilModel, "dim">,
  goal: Goal,
  { x, bound, slides }: BagBatch,
  picks: readonly number[],
): StepBatch<FeatureRow> {
  const { dim } = model;
  const rows = Array.from({ length: x.length / dim }, (_, i) => x.subarray(i * dim, (i + 1) * dim));
  const parts = slides && { slide_bound: slides.bound, first_slide: slides.first, slide_weight: slides.weight };
  return { rows, fields: { bound, ...parts, ...goal.values(picks, bound.length - 1) } };
}
