/**
 * Sums over a cross-correlation matrix without the matrix.
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
import { mul, sub } from "../ops/binary.ts";
import { matmul } from "../ops/matmul.ts";
import { mean, sumAll } from "../ops/reduce.ts";

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
