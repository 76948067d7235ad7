/**
 * What losses between predicted and measured expression share: their signature, their entry and the check of their inputs.
 * Each is a file of `gene/`, by the name that configurations use.
 *
 * @module
 */

import type { Keys, NoKeys, ValuesOf } from "../core/config_key.ts";
import { LimitError, ShapeError } from "../core/errors.ts";
import { expectShape, formatShape } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";

/** Options of {@linkcode GeneLoss}; each loss reads those it needs. */
export interface GeneLossOptions {
  /** Standard deviation of each gene over the training split, `[G]`, f32: for the standardised losses. */
  std?: Tensor | undefined;
  /** Least standard deviation; default 1e-3. With 0 a gene that never varies is divided by 1e-8, as in SEAL. */
  floor?: number;
  /** What prediction and target are, which `negbin` must know; default `log1p`. */
  space?: "log1p" | "counts";
}

/**
 * Appends a loss of a prediction `y` against a target `x`, both `[B, G]`, f32; returns `[1]`, f32. The target gets no
 * gradient.
 */
export type GeneLoss = (g: Plan, y: Tensor, x: Tensor, options?: GeneLossOptions) => Tensor;

/** What the file of a gene loss exports as `entry`: the loss, and what a training step needs to know of it. */
export interface GeneLossEntry<K extends Keys = NoKeys> {
  /** The loss, without its factor; it is given the values of its own keys besides. */
  loss(g: Plan, y: Tensor, x: Tensor, options?: GeneLossOptions & Partial<ValuesOf<K>>): Tensor;
  /** Factor in the total objective. */
  readonly scale: number;
  /** Whether it needs the standard deviation of each gene. */
  readonly needsStd: boolean;
  /** Fewest rows of a batch. */
  readonly rows: number;
  /** Whether it is a likelihood, which of raw counts (`gene_norm: none`) gives a mean of 0 no chance. */
  readonly likelihood?: true;
  /** False where it fixes neither level nor scale of what is predicted. */
  readonly levels?: false;
  /** Configuration keys of its own. */
  readonly keys: K;
}

/** An entry; by default one row is enough and nothing else is needed. */
export function geneLoss<K extends Keys = NoKeys>(
  loss: GeneLossEntry<K>["loss"],
  { needsStd = false, rows = 1, keys = {} as K, ...rest }:
    & Pick<GeneLossEntry<K>, "scale">
    & Partial<Omit<GeneLossEntry<K>, "loss">>,
): GeneLossEntry<K> {
  return { loss, needsStd, rows, keys, ...rest };
}

/**
 * Checks the two matrices of a loss.
 *
 * @param rows Fewest rows the formula needs.
 * @throws {ShapeError} If they are no matrices of one shape with an element, or have too few rows.
 */
export function expectPair(loss: string, y: Tensor, x: Tensor, rows = 1): void {
  if (y.shape.length !== 2 || !y.size || y.dim(0) < rows) {
    const wanted = rows > 1 ? `[B, G] with at least ${rows} rows` : "[B, G] with an element";
    throw new ShapeError(`Cannot run ${loss}: the first matrix is ${formatShape(y.shape)}, wanted ${wanted}`, {
      ...(rows > 1 && y.shape.length === 2 && { hint: "Drop the last batch of an epoch when one row is left" }),
      context: { op: loss, given: y.shape },
    });
  }
  expectShape(loss, "the second matrix", x.shape, y.shape);
}

/**
 * Checks a number of a loss.
 *
 * @throws {LimitError} If it does not hold.
 */
export function expectNumber(loss: string, key: string, given: number, holds: boolean, wanted: string): void {
  if (holds) return;
  throw new LimitError(`Cannot run ${loss}: ${key} is ${given}, wanted ${wanted}`, {
    context: { op: loss, limit: key, given: String(given) },
  });
}
