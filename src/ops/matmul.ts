/**
 * Matrix products, single or batched, with either operand stored transposed.
 *
 * y = alpha * op(a) op(b), where op transposes the last two dimensions if asked. Sums are f32 in a fixed order.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { formatShape, sizeOf } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";
import type { Layout, MatmulExtents, MatmulOverride } from "./matmul_choice.ts";
import { runMatmul } from "./matmul_run.ts";

/** Options of {@linkcode matmul}. */
export interface MatmulOptions extends MatmulOverride {
  /** `a` is stored `[..., K, M]`. */
  transA?: boolean;
  /** `b` is stored `[..., N, K]`, as `nn.Linear` keeps its weight. */
  transB?: boolean;
  /** Factor of the result. Default 1. */
  alpha?: number;
}

interface Operands {
  readonly layout: Layout;
  readonly a: Tensor;
  readonly b: Tensor;
  readonly extents: MatmulExtents;
  readonly shape: readonly number[];
}

/** The operands as three-dimensional views, with their layout. */
function operands(a: Tensor, b: Tensor, transA: boolean, transB: boolean): Operands {
  const fail = (what: string): never => {
    throw new ShapeError(`Cannot multiply ${formatShape(a.shape)} by ${formatShape(b.shape)}: ${what}`, {
      context: { op: "matmul", given: [a.shape, b.shape], transA, transB },
    });
  };
  if (a.shape.length < 2 || b.shape.length < 2) fail("wanted two or more dimensions each");
  if (transA && transB) fail("at most one of them may be transposed");
  const layout: Layout = transA ? "tn" : transB ? "nt" : "nn";
  const shared = b.shape.length === 2 && !transA;
  const batch = a.shape.slice(0, -2);
  if (!shared && String(batch) !== String(b.shape.slice(0, -2))) {
    fail(`leading dimensions differ${b.shape.length === 2 ? "; a transposed a needs those of b" : ""}`);
  }
  const [rows, cols] = [a.dim(-2), a.dim(-1)];
  const [M, K] = transA ? [cols, rows] : [rows, cols];
  const [N, bK] = transB ? [b.dim(-2), b.dim(-1)] : [b.dim(-1), b.dim(-2)];
  if (bK !== K) fail(`inner extents are ${K} and ${bK}`);
  // A matrix that all products of a batch share is one product with more rows.
  const B = shared ? 1 : sizeOf(batch);
  return {
    layout,
    a: a.reshape(shared ? [1, sizeOf(batch) * M, K] : [B, rows, cols]),
    b: b.reshape([B, b.dim(-2), b.dim(-1)]),
    extents: { B, M: shared ? sizeOf(batch) * M : M, N, K },
    shape: [...batch, M, N],
  };
}

/**
 * Multiplies two matrices, or each pair of a batch.
 *
 * @param a `[..., M, K]`, or `[..., K, M]` with `transA`.
 * @param b `[..., K, N]`, or `[..., N, K]` with `transB`; without `transA` also two-dimensional, the same for all of a batch.
 * It may be a frozen weight stored as f16 or bf16.
 * @returns `[..., M, N]`, the type of `a`.
 * @throws {ShapeError} If the extents do not fit, or both are transposed.
 * @throws {ConfigError} If `slices` is given for a batch.
 */
export function matmul(g: Plan, a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transA = false, transB = false, alpha = 1, ...override } = options;
  const { layout, a: A, b: W, extents: { B, M, N }, shape } = operands(a, b, transA, transB);
  const out = g.tensor([B, M, N], a.dtype, "matmul.y");
  runMatmul(g, layout, { a: A, b: W, y: out }, { alpha, ...override });
  const y = out.reshape(shape);
  g.record("matmul", [a, b], [y], ([dy], [needA, needB]) => {
    const D = dy!.reshape([B, M, N]);
    const multiply = (like: Tensor, kind: Layout, left: Tensor, right: Tensor): Tensor => {
      const grad = g.tensor(like.shape, like.dtype, "matmul.gradient");
      runMatmul(g, kind, { a: left, b: right, y: grad }, { alpha });
      return grad;
    };
    let da: Tensor | undefined;
    if (needA) {
      da = layout === "nt"
        ? multiply(A, "nn", D, W)
        : layout === "nn"
        ? multiply(A, "nt", D, W)
        : multiply(A, "nt", W, D);
    }
    if (!needB) return [da?.reshape(a.shape)];
    const db = layout === "nt"
      ? multiply(W, "tn", D, A)
      : layout === "nn"
      ? multiply(W, "tn", A, D)
      : multiply(W, "nn", A, D);
    return [da?.reshape(a.shape), db.reshape(b.shape)];
  });
  return y;
}

/** Cost of `B` products of `[M, K]` by `[K, N]`, f32. */
export function matmulCost({ B, M, N, K }: MatmulExtents): Cost {
  return { flops: 2 * B * M * N * K, bytes: 4 * B * (M * K + N * K + M * N) };
}
