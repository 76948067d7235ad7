/**
 * What losses between image and gene embeddings share: their options, their keys and their entry. Each is a file of
 * `contrastive/`, by the name that configurations use.
 *
 * @module
 */

import type { Keys, NoKeys, Rule, ValuesOf } from "../core/config_key.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { constant } from "../nn/init.ts";
import type { Parameters } from "../nn/parameters.ts";
import { l2Normalize } from "../ops/l2_normalize.ts";

/** Options of losses with a temperature. */
export interface ContrastiveOptions {
  /** Fixed temperature; default 0.05. */
  temperature?: number;
  /** Brings both sides to length one first; default true. */
  l2Norm?: boolean;
}

/** Configuration keys that several losses read. */
export const CONTRASTIVE_KEYS = {
  l2_norm: { kind: "flag", default: true, doc: "Bring embeddings to length one before the loss between them" },
  temperature: { kind: "number", default: 0.05, min: 0, open: true, doc: "Temperature of clip and soft_clip" },
} as const satisfies Keys;

/** Appends a loss between image and gene embeddings `[B, E]`, its options set; returns `[1]`, f32. */
export type ContrastiveLoss = (g: Plan, image: Tensor, gene: Tensor) => Tensor;

/** Values of the shared keys and of a loss's own. */
export type ContrastiveValues<K extends Keys> = ValuesOf<typeof CONTRASTIVE_KEYS> & ValuesOf<K>;

/** What the file of a contrastive loss exports as `entry`. */
export interface ContrastiveEntry<K extends Keys = NoKeys> {
  /** Configuration keys of its own. */
  readonly keys: K;
  /** Adds what the loss trains, if anything, and returns it with its options set. */
  create(values: ContrastiveValues<K>, parameters: Parameters): ContrastiveLoss;
  /** Rules on its keys, which hold whatever loss is chosen. @param chosen Value of `contrast_method`. */
  rules?(values: ContrastiveValues<K>, chosen: string): Rule[];
}

/** Adds a scalar `[1]` that trains. */
export function trainedScalar(parameters: Parameters, name: string, value: number): Tensor {
  return parameters.add(name, [1], { trainable: true, init: constant(value) });
}

/** Both sides at length one, unless that is off. */
export function directions(g: Plan, a: Tensor, b: Tensor, l2Norm: boolean): [Tensor, Tensor] {
  return l2Norm ? [l2Normalize(g, a), l2Normalize(g, b)] : [a, b];
}

/** A number on the device, `[1]`. */
export function scalar(g: Plan, value: number): Tensor {
  return g.constant(`scalar ${value}`, [1], "f32", () => [value]);
}
