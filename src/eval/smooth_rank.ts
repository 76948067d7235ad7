/**
 * Smooth rank of embeddings (RankMe): how many directions they use. p = s / sum(s) + 1e-7 of the singular values s,
 * exp(-sum p ln p).
 *
 * Source: Garrido et al., "RankMe", ICML 2023; SEAL's `smooth_rank_measure`.
 *
 * @module
 */

import { crossProduct, type Factor, rowProducts } from "./linalg/product.ts";
import { symmetricEigenvalues } from "./linalg/symmetric_eigen.ts";

/** Smooth rank, at most min(n, D); undefined for embeddings that are all zero, or none. */
export function smoothRank(x: Factor): number | undefined {
  const size = Math.min(x.rows, x.columns);
  if (size === 0) return undefined;
  const products = x.rows < x.columns ? rowProducts(x) : crossProduct(x, x);
  const singular = symmetricEigenvalues(products, size).map((value) => Math.sqrt(Math.max(0, value)));
  const sum = singular.reduce((a, b) => a + b, 0);
  if (!(sum > 0)) return undefined;
  return Math.exp(
    -singular.reduce((entropy, s) => {
      const p = s / sum + 1e-7;
      return entropy + p * Math.log(p);
    }, 0),
  );
}
