/**
 * Sums over a cross-correlation matrix without the matrix, and the correlation error of the barlow losses.
 *
 * For matrices a and b of B rows and G columns, with C = a^T b / n: the diagonal is a mean of products, and
 * |C|_F^2 = sum_ij (a a^T)_ij (b b^T)_ij / n^2 needs two B x B matrices only. Where there are more rows than columns C itself
 * is the smaller one.
 *
 * @module
 */

import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { square } from "../ops/activation.ts";
import { batchnorm } from "../ops/batchnorm.ts";
import { add, mul, sub } from "../ops/binary.ts";
import { matmul } from "../ops/matmul.ts";
import { mean, sumAll } from "../ops/reduce.ts";
import { affine } from "../ops/scale.ts";

/**
 * Subtracts the mean of each column.
 *
 * @param x `[B, G]`.
 * @returns `[B, G]`.
 */
export function centreColumns(g: Plan, x: Tensor): Tensor {
  const centre = (v: Tensor) => sub(g, v, mean(g, v, { dims: 0, keepDims: true }));
  const y = g.withoutTape(() => centre(x));
  g.record("centreColumns", [x], [y], ([dy]) => {
    const dx = centre(dy!);
    g.noteCentred(dx);
    return [dx];
  });
  return y;
}

/**
 * Squared Frobenius norm of a^T b / n.
 *
 * @param a `[B, G]`.
 * @param b `[B, H]`.
 * @returns `[1]`, f32.
 */
export function crossNormSquared(g: Plan, a: Tensor, b: Tensor, n: number): Tensor {
  if (a.dim(0) >= Math.min(a.dim(1), b.dim(1))) {
    return sumAll(g, square(g, matmul(g, a, b, { transA: true, alpha: 1 / n })));
  }
  const gram = (x: Tensor) => matmul(g, x, x, { transB: true, alpha: 1 / n });
  return sumAll(g, mul(g, gram(a), gram(b)));
}

/** Numbers of {@linkcode correlationError}. */
export interface CorrelationError {
  /** Factor of all. */
  readonly factor: number;
  /** Weight of the correlations of different columns. */
  readonly lambda: number;
  /** Added to the variance. */
  readonly eps: number;
}

/**
 * Correlation error of columns over the batch: columns are standardised by the batch (biased variance + eps), c = a^T b / B,
 * L = factor [sum_g (c_gg - 1)^2 + lambda sum_{g != h} c_gh^2]. With lambda 0 only the diagonal is computed; else the sum of
 * all c_gh^2 comes from B x B matrices where there are fewer rows than columns: no G x G matrix then. A column that does not
 * vary has correlation 0 and, with eps 1e-9, a gradient some 3e4 times steeper than one of variance 1: finite. One row is an
 * error, as in batch normalisation.
 *
 * @param a `[B, G]`, at least 2 rows.
 * @param b `[B, G]`.
 * @returns `[1]`, f32.
 */
export function correlationError(g: Plan, a: Tensor, b: Tensor, { factor, lambda, eps }: CorrelationError): Tensor {
  const [u, v] = [a, b].map((x) => batchnorm(g, x, {}, { eps })) as [Tensor, Tensor];
  const c = mean(g, mul(g, u, v), { dims: 0 });
  const diagonal = affine(g, sumAll(g, square(g, affine(g, c, 1, -1))), factor);
  if (!lambda) return diagonal;
  const off = sub(g, crossNormSquared(g, u, v, a.dim(0)), sumAll(g, square(g, c)));
  return add(g, diagonal, affine(g, off, factor * lambda));
}
