/**
 * One minus the mean correlation of predicted and measured spots within a gene, over the batch: what probes are judged by.
 *
 * Columns are standardised by the batch (biased variance + 1e-9), r_g = mean of their products, L = 1 - mean r. A gene that does
 * not vary has r = 0. The loss fixes neither level nor scale of a prediction.
 *
 * Source: the correlation of evaluation (HEST-Benchmark), as a loss; SEAL's own `pcc` correlates genes within a spot.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { batchnorm } from "../../ops/batchnorm.ts";
import { mul } from "../../ops/binary.ts";
import { meanAll } from "../../ops/reduce.ts";
import { affine } from "../../ops/scale.ts";
import { expectPair, geneLoss, type GeneLossEntry } from "../gene_loss.ts";

/**
 * Appends the loss.
 *
 * @param y Prediction `[B, G]`, at least 2 rows.
 * @param x Target `[B, G]`.
 * @returns `[1]`, f32, from 0 to 2.
 * @throws {ShapeError} If the shapes differ, are empty or have one row.
 */
export function pccGenes(g: Plan, y: Tensor, x: Tensor): Tensor {
  expectPair("pcc_genes", y, x, 2);
  const [u, v] = [y, x].map((of) => batchnorm(g, of, {}, { eps: 1e-9 })) as [Tensor, Tensor];
  return affine(g, meanAll(g, mul(g, u, v)), -1, 1);
}

/** How it is trained with. */
export const entry: GeneLossEntry = geneLoss(pccGenes, { scale: 1, rows: 2, levels: false });
