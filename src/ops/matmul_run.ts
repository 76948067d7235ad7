/**
 * What `matmul` and `linear` share: the dispatches of one product. Nothing here is recorded on the tape.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type Layout, type MatmulChoice, type MatmulExtents, matmulOn, type MatmulOverride } from "./matmul_choice.ts";

/** Activation after a linear layer. `swiglu` halves the width: silu(first half) * second half, as timm's SwiGLUPacked. */
export type Act = "none" | "gelu" | "silu" | "swiglu";

/** Operands of one product. */
export interface MatmulTensors {
  /** `[B, M, K]`, or `[B, K, M]` for tn. */
  readonly a: Tensor;
  /** `[B, N, K]` for nt, else `[B, K, N]`. */
  readonly b: Tensor;
  /** LoRA: `[M, R]`, with `e`. */
  readonly h?: Tensor | undefined;
  /** LoRA: `[N, R]` for nt, `[R, N]` for nn. */
  readonly e?: Tensor | undefined;
  readonly bias?: Tensor | undefined;
  readonly gamma?: Tensor | undefined;
  readonly residual?: Tensor | undefined;
  readonly pre?: Tensor | undefined;
  /** `[B, M, N]`, or `[1, M, N/2]` for swiglu. */
  readonly y: Tensor;
}

function extentsOf(layout: Layout, { a, b }: MatmulTensors): MatmulExtents {
  const [B = 1, first = 0, second = 0] = a.shape;
  const [M, K] = layout === "tn" ? [second, first] : [first, second];
  return { B, M, N: b.dim(layout === "nt" ? 1 : 2), K };
}

/** One dispatch that writes `y`, or `part` where that is given. */
function product(
  g: Plan,
  layout: Layout,
  { a, b, h, e, bias, gamma, residual, pre }: Omit<MatmulTensors, "y">,
  out: { y?: Tensor; part?: Tensor },
  options: { alpha: number; act: Act } & Pick<MatmulChoice, "flat" | "matrix" | "tune">,
): void {
  const { alpha, act, flat, matrix, tune } = options;
  const of = <K>(tiled: K, barrierFree: K, units: K): K => flat ? barrierFree : matrix ? units : tiled;
  if (layout === "nt") {
    const tensors = { a, b, h, e, bias, gamma, residual, pre, y: out.y, part: out.part };
    g.run(of<typeof k.matmul_nt>(k.matmul_nt, k.matmul_nt_flat, k.matmul_nt_matrix), tensors, { alpha, act, tune });
  } else if (layout === "nn") {
    const tensors = { a, b, h, e, y: out.y, part: out.part };
    g.run(of<typeof k.matmul_nn>(k.matmul_nn, k.matmul_nn_flat, k.matmul_nn_matrix), tensors, { alpha, tune });
  } else {
    const tensors = { a, b, y: out.y, part: out.part };
    g.run(of<typeof k.matmul_tn>(k.matmul_tn, k.matmul_tn_flat, k.matmul_tn_matrix), tensors, { alpha, tune });
  }
}

/**
 * Appends one product: one dispatch, or two when the reduction is split. Epilogue tensors and `act` are for nt only.
 *
 * @throws {ConfigError} If slices are asked for and B is not 1.
 */
export function runMatmul(
  g: Plan,
  layout: Layout,
  tensors: MatmulTensors,
  options: { alpha?: number; act?: Act } & MatmulOverride = {},
): void {
  const { alpha = 1, act = "none" } = options;
  const extents = extentsOf(layout, tensors);
  const { B, M, N } = extents;
  const { y, bias, gamma, residual, pre, ...factors } = tensors;
  if (options.slices && B !== 1) {
    throw new ConfigError(`Cannot split a product: ${B} products in the batch, wanted 1`);
  }
  const wide = Object.values(tensors).every((tensor) => !tensor || tensor.dim(-1) % 4 === 0);
  const { tile, slices: asked } = options;
  const override = { ...(tile !== undefined && { tile }), ...(asked !== undefined && { slices: asked }) };
  const kind = { layout, a: factors.a.dtype, b: factors.b.dtype, pair: act === "swiglu", wide };
  const { slices } = matmulOn(g.gpu, kind, extents, { pair: false, override });
  // Sums leave as f32 whatever the activations are: a weight gradient under f16 activations needs no second pass.
  const raw = slices > 1 || y.dtype !== factors.a.dtype;
  const pair = act === "swiglu" && !raw;
  const choice = matmulOn(g.gpu, kind, extents, { pair, override });
  if (!raw) return product(g, layout, tensors, { y }, { alpha, act, ...choice });
  const plain = slices === 1 && y.dtype === "f32" && act === "none" && !bias && !gamma && !residual && !pre;
  const part = plain ? y : g.tensor([slices * B, M, N], "f32", "matmul.part");
  product(g, layout, factors, { part }, { alpha, act: "none", ...choice });
  if (plain) return;
  const sums = { part: part.reshape([slices, B * M, N]), bias, gamma, residual, pre };
  const flatY = y.reshape([-1, act === "swiglu" ? N / 2 : N]);
  g.run(k.matmul_reduce, { ...sums, y: flatY }, { act, tune: { WG: g.gpu.caps.flat ? 8 : 64 } });
}
