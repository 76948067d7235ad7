/**
 * Barlow Twins between two sets of embeddings; `../correlation.ts` has the formula.
 *
 * Source: Barlow Twins, arXiv 2103.03230 (factor 1, lambda 5e-3, eps 1e-5).
 *
 * @module
 */

import type { Keys } from "../../core/config_key.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { type ContrastiveEntry, directions } from "../contrastive_loss.ts";
import { correlationError } from "../correlation.ts";
import { expectNumber, expectPair } from "../gene_loss.ts";

const keys = {
  barlow_lambda: {
    kind: "number",
    default: 5e-3,
    min: 0,
    doc: "Weight of different columns in contrast_method: barlow",
  },
} as const satisfies Keys;

/** Options of {@linkcode barlowTwins}. */
export interface BarlowOptions {
  /** Weight of the correlations of different columns; default 5e-3. */
  lambda?: number;
  /** Added to the variance; default 1e-5. */
  eps?: number;
}

/**
 * Appends the loss; both sides get gradients.
 *
 * @param a `[B, E]`, at least 2 rows.
 * @param b `[B, E]`.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ, are empty or have one row.
 * @throws {LimitError} If lambda is negative.
 */
export function barlowTwins(g: Plan, a: Tensor, b: Tensor, options: BarlowOptions = {}): Tensor {
  const { lambda = 5e-3, eps = 1e-5 } = options;
  expectPair("barlowTwins", a, b, 2);
  expectNumber("barlowTwins", "lambda", lambda, lambda >= 0, "0 or more");
  return correlationError(g, a, b, { factor: 1, lambda, eps });
}

/** How it is trained with: embeddings as they are, or at length one, where only their directions count. */
export const entry: ContrastiveEntry<typeof keys> = {
  keys,
  create({ l2_norm, barlow_lambda: lambda }) {
    return (g, image, gene) => barlowTwins(g, ...directions(g, image, gene, l2_norm), { lambda });
  },
};
