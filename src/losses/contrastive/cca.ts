/**
 * Canonical correlations between two sets of embeddings, to be enlarged.
 *
 * With centred a [B, E] and b [B, F], n = B - 1: A = a^T a / n + r I, D = b^T b / n + r I, C = a^T b / n and
 * T = A^(-1/2) C D^(-1/2). Two forms: "nuclear", -sum of the singular values of T (Andrew et al., ICML 2013), and "trace",
 * -sum of their squares, -tr(A^-1 C D^-1 C^T), which is cheaper and steadier. No eigenvectors: inverses, inverse roots and the
 * polar factor P of T come from Newton-Schulz iterations, gradients from closed forms (dC = -A^(-1/2) P D^(-1/2),
 * dA = A^(-1/2) P T^T A^(-1/2) / 2 for the nuclear form). Singular values below about 1e-5 of the largest count less than
 * their full slope; all of T may be 0. With no more pairs than columns r decides everything, T has singular values near 1 and 0
 * only, and in f32 the gradient of the nuclear form would be rounding: it is rejected there, while the trace form is
 * computed from matrices over pairs, without that loss of digits.
 *
 * @module
 */

import type { Keys } from "../../core/config_key.ts";
import { ConfigError, LimitError, ShapeError } from "../../core/errors.ts";
import { formatShape } from "../../core/shape.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { clamp, sqrt, square } from "../../ops/activation.ts";
import { add, div, mul, sub } from "../../ops/binary.ts";
import { matmul } from "../../ops/matmul.ts";
import { sumAll } from "../../ops/reduce.ts";
import { affine } from "../../ops/scale.ts";
import { centreColumns } from "../correlation.ts";
import { type ContrastiveEntry, directions } from "../contrastive_loss.ts";
import { expectNumber } from "../gene_loss.ts";

const keys = {
  cca_reg: { kind: "number", default: 1e-3, min: 0, open: true, doc: "Added to the variances in cca" },
  cca_form: {
    kind: "choice",
    of: ["nuclear", "trace"],
    default: "nuclear",
    doc: "Sum of the canonical correlations, or of their squares",
  },
} as const satisfies Keys;

/** Options of {@linkcode cca}. */
export interface CcaOptions {
  /** Added to the variances, r; default 1e-3. */
  regularisation?: number;
  /** Sum of canonical correlations, or of their squares; default "nuclear". */
  form?: "nuclear" | "trace";
  /** Newton-Schulz steps; the default 30 serves conditions up to 1e6. */
  iterations?: number;
}

function identity(g: Plan, n: number, value = 1): Tensor {
  const make = () => Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) ? 0 : value));
  return g.constant(`identity ${n} ${value}`, [n, n], "f32", make);
}

/** Frobenius norm, never 0. */
function norm(g: Plan, x: Tensor): Tensor {
  return sqrt(g, clamp(g, sumAll(g, square(g, x)), 1e-30, 3e38));
}

/** Inverse of a positive definite matrix: X <- X (2 I - A X), from I over the norm of A. */
function inverse(g: Plan, A: Tensor, iterations: number): Tensor {
  const n = A.dim(0);
  const X = g.withoutTape(() => {
    let X = div(g, identity(g, n), norm(g, A));
    for (let i = 0; i < iterations; i++) X = matmul(g, X, sub(g, identity(g, n, 2), matmul(g, A, X)));
    return X;
  });
  g.record("inverse", [A], [X], ([dX]) => {
    const right = matmul(g, dX!, X, { transB: true });
    return [matmul(g, X, right, { transA: true, alpha: -1 })];
  });
  return X;
}

/** Inverse root of a positive definite matrix: Y <- Y S, Z <- S Z, S = (3 I - Z Y) / 2. */
function inverseRoot(g: Plan, A: Tensor, iterations: number): Tensor {
  const n = A.dim(0);
  const size = norm(g, A);
  let Y = div(g, A, size);
  let Z = identity(g, n);
  for (let i = 0; i < iterations; i++) {
    const S = sub(g, identity(g, n, 1.5), matmul(g, Z, Y, { alpha: 0.5 }));
    Y = matmul(g, Y, S);
    Z = matmul(g, S, Z);
  }
  return div(g, Z, sqrt(g, size));
}

/** Orthogonal factor of T = P H: X <- X (3 I - X^T X) / 2. */
function polar(g: Plan, T: Tensor, iterations: number): Tensor {
  const n = T.dim(1);
  let X = div(g, T, norm(g, T));
  for (let i = 0; i < iterations; i++) {
    X = matmul(g, X, sub(g, identity(g, n, 1.5), matmul(g, X, X, { transA: true, alpha: 0.5 })));
  }
  return X;
}

function nuclear(g: Plan, A: Tensor, C: Tensor, D: Tensor, iterations: number): Tensor {
  const { L, R, T, P, loss } = g.withoutTape(() => {
    const [L, R] = [inverseRoot(g, A, iterations), inverseRoot(g, D, iterations)];
    const T = matmul(g, matmul(g, L, C), R);
    const P = polar(g, T, iterations);
    return { L, R, T, P, loss: affine(g, sumAll(g, mul(g, P, T)), -1) };
  });
  const around = (outer: Tensor, root: Tensor, dloss: Tensor) =>
    mul(g, matmul(g, matmul(g, root, outer), root, { alpha: 0.5 }), dloss);
  g.record("cca", [A, C, D], [loss], ([dloss], [needA, needC, needD]) => [
    needA ? around(matmul(g, P, T, { transB: true }), L, dloss!) : undefined,
    needC ? mul(g, matmul(g, matmul(g, L, P), R, { alpha: -1 }), dloss!) : undefined,
    needD ? around(matmul(g, T, P, { transA: true }), R, dloss!) : undefined,
  ]);
  return loss;
}

/**
 * The trace form over pairs, for fewer rows than columns: tr(A^-1 C D^-1 C^T) = sum of H_a H_b, element by element, with
 * H = I - r (x x^T / n + r I)^-1 [B, B]. The same number without the cancellation.
 */
function traceOfPairs(g: Plan, u: Tensor, v: Tensor, r: number, iterations: number): Tensor {
  const B = u.dim(0);
  const [P, Q] = [u, v].map((x) => {
    const K = add(g, matmul(g, x, x, { transB: true, alpha: 1 / (B - 1) }), identity(g, B, r));
    return sub(g, identity(g, B), affine(g, inverse(g, K, iterations), r));
  }) as [Tensor, Tensor];
  return affine(g, sumAll(g, mul(g, P, Q)), -1);
}

/**
 * Appends the loss.
 *
 * @param a `[B, E]`, at least 2 rows.
 * @param b `[B, F]`.
 * @returns `[1]`, f32; at least -min(E, F).
 * @throws {ShapeError} If they are no matrices of as many rows, or have one row.
 * @throws {LimitError} If an option is out of range, or the nuclear form has no more rows than columns.
 * @throws {ConfigError} If the form is unknown.
 */
export function cca(g: Plan, a: Tensor, b: Tensor, options: CcaOptions = {}): Tensor {
  const { regularisation: r = 1e-3, form = "nuclear", iterations = 30 } = options;
  if (a.shape.length !== 2 || b.shape.length !== 2 || a.dim(0) !== b.dim(0) || a.dim(0) < 2 || !a.size || !b.size) {
    const given = `${formatShape(a.shape)} and ${formatShape(b.shape)}`;
    throw new ShapeError(`Cannot run cca: the matrices are ${given}, wanted [B, E] and [B, F] with at least 2 rows`);
  }
  expectNumber("cca", "regularisation", r, r > 0, "a positive number");
  expectNumber(
    "cca",
    "iterations",
    iterations,
    Number.isInteger(iterations) && iterations > 0,
    "a whole number above 0",
  );
  if (form !== "nuclear" && form !== "trace") {
    throw new ConfigError(`Cannot run cca: form is "${form}", wanted nuclear or trace`);
  }
  const [B, columns] = [a.dim(0), Math.max(a.dim(1), b.dim(1))];
  if (form === "nuclear" && B <= columns) {
    throw new LimitError(`Cannot run cca: ${B} pairs of ${columns} columns, wanted more pairs than columns`, {
      hint: "Use the trace form (cca_form=trace), a larger batch_size, or fewer columns",
      context: { op: "cca", limit: "columns", given: columns, max: B - 1 },
    });
  }
  const alpha = 1 / (B - 1);
  const [u, v] = [centreColumns(g, a), centreColumns(g, b)];
  if (B <= columns) return traceOfPairs(g, u, v, r, iterations);
  const [A, D] = [u, v].map((x) => add(g, matmul(g, x, x, { transA: true, alpha }), identity(g, x.dim(1), r))) as [
    Tensor,
    Tensor,
  ];
  const C = matmul(g, u, v, { transA: true, alpha });
  if (form === "nuclear") return nuclear(g, A, C, D, iterations);
  const left = matmul(g, inverse(g, A, iterations), C);
  const right = matmul(g, C, inverse(g, D, iterations));
  return affine(g, sumAll(g, mul(g, left, right)), -1);
}

/** How it is trained with: embeddings as they are, or at length one, where only their directions count. */
export const entry: ContrastiveEntry<typeof keys> = {
  keys,
  create({ l2_norm, cca_reg: regularisation, cca_form: form }) {
    return (g, image, gene) => cca(g, ...directions(g, image, gene, l2_norm), { regularisation, form });
  },
};
