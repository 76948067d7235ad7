/**
 * What `matmul` and `linear` share: the choice of kernel, tile and number of slices for a shape, and the dispatches of one
 * product. Nothing here is recorded on the tape.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";

/** Stored layouts in BLAS letters: `t` is a matrix whose transpose enters the product. */
export type Layout = "nt" | "nn" | "tn";

/** Activation after a linear layer. `swiglu` halves the width: silu(first half) * second half, as timm's SwiGLUPacked. */
export type Act = "none" | "gelu" | "silu" | "swiglu";

/** Extents of a product: `B` products of `[M, K]` by `[K, N]`. */
export interface MatmulExtents {
  readonly B: number;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** How a product is computed. */
export interface MatmulChoice {
  /** Tune constants of the kernel. */
  readonly tune: Readonly<Record<string, number>>;
  /** Slices of the reduction summed by a second kernel; 1 is a single pass. */
  readonly slices: number;
}

/** What the choice depends on beside the extents. */
export interface MatmulVariant {
  /** Barrier-free kernels. */
  readonly flat: boolean;
  /** Invocations that keep the device busy. */
  readonly invocations: number;
  /** Columns n and n + N/2 belong to one invocation, for swiglu. */
  readonly pair: boolean;
  /** The last extent of every operand is a multiple of four. */
  readonly wide: boolean;
}

/** Overrides of the choice, for tests and tuning. */
export interface MatmulOverride {
  /** Edge of the square tile: 32, 64 or 128 of a workgroup (GPU path); 4, 8 or 16 of an invocation (flat path). */
  readonly tile?: number;
  /** Slices of the reduction; only for B = 1. */
  readonly slices?: number;
}

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

export const TILES: Readonly<Record<number, Readonly<Record<string, number>>>> = {
  32: { TX: 8, TY: 8, MG: 1, NG: 1, LOADS: 1 },
  64: { TX: 8, TY: 8, MG: 2, NG: 2, LOADS: 2 },
  128: { TX: 16, TY: 16, MG: 2, NG: 2, LOADS: 1 },
};
/** Workgroups worth having on a CPU. */
const FULL_FLAT = 8;

const groupsOf = ({ B, M, N }: MatmulExtents, rows: number, cols: number): number =>
  B * Math.ceil(M / rows) * Math.ceil(N / cols);

/** Smallest power of two that is at least `n` and at most `most`. */
function powerOfTwo(n: number, most: number): number {
  let p = 1;
  while (p < n && p < most) p *= 2;
  return p;
}

function slicesOf({ B, K }: MatmulExtents, groups: number, full: number, least: number): number {
  if (B !== 1 || !groups || groups * 2 > full) return 1;
  return Math.max(1, Math.min(Math.floor(full / groups), Math.floor(K / least), 32));
}

/**
 * Large tiles where they are enough to fill the device, else smaller ones, else slices of the reduction. The barrier-free
 * kernels take the tile their work pays for: 16 x 16 sums an invocation run twice as fast as 4 x 4 on llvmpipe but take
 * ten times as long to compile.
 */
function chooseTiled(extents: MatmulExtents, { pair, invocations }: MatmulVariant, tile?: number): MatmulChoice {
  const { M, N } = extents;
  const skinny = Math.min(M, N) <= 32;
  const full = (edge: number): number => invocations / (TILES[edge]!.TX! * TILES[edge]!.TY!);
  const asked = tile !== undefined && tile in TILES;
  let edge = asked ? tile : 32;
  if (!asked && !skinny) {
    if (groupsOf(extents, 128, 128) >= full(128)) edge = 128;
    else if (groupsOf(extents, 64, 64) >= full(64) / 4) edge = 64;
  }
  if (pair && edge === 32) edge = 64;
  const { NG = 1, ...rest } = TILES[edge]!;
  const tune = { ...rest, NG: pair ? NG / 2 : NG, ...(pair ? { GV: 2 } : {}) };
  return { tune, slices: slicesOf(extents, groupsOf(extents, edge, edge), full(edge), 256) };
}

function chooseFlat(extents: MatmulExtents, { pair, wide }: MatmulVariant, tile?: number): MatmulChoice {
  const { B, M, N, K } = extents;
  const work = B * M * N * K;
  // Scalar loads make the text of a large tile so long that it never pays for its compilation.
  const paying = work >= 2 ** 26 && wide ? 4 : work >= 2 ** 18 ? 2 : 1;
  const most = tile !== undefined && tile <= 16 ? tile / 4 : paying;
  const MG = powerOfTwo(M / 4, most);
  const across = powerOfTwo(N / 4, pair ? Math.max(2, most) : most);
  const LN = powerOfTwo(N / (across * 4), 8);
  const LM = Math.min(8 / LN, powerOfTwo(M / (MG * 4), 8));
  const tune: MatmulChoice["tune"] = pair
    ? { MG, NG: Math.max(1, across / 2), GV: 2, LN, LM }
    : { MG, NG: across, LN, LM };
  return { tune, slices: slicesOf(extents, groupsOf(extents, LM * MG * 4, LN * across * 4), FULL_FLAT, 512) };
}

/** The kernel variant for a shape. */
export function chooseMatmul(e: MatmulExtents, variant: MatmulVariant, override: MatmulOverride = {}): MatmulChoice {
  const choice = (variant.flat ? chooseFlat : chooseTiled)(e, variant, override.tile);
  return override.slices ? { ...choice, slices: override.slices } : choice;
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
  options: { alpha: number; act: Act; tune: Readonly<Record<string, number>> },
): void {
  const { flat } = g.gpu.caps;
  const { alpha, act, tune } = options;
  if (layout === "nt") {
    const tensors = { a, b, h, e, bias, gamma, residual, pre, y: out.y, part: out.part };
    g.run(flat ? k.matmul_nt_flat : k.matmul_nt, tensors, { alpha, act, tune });
  } else if (layout === "nn") {
    g.run(flat ? k.matmul_nn_flat : k.matmul_nn, { a, b, h, e, y: out.y, part: out.part }, { alpha, tune });
  } else {
    g.run(flat ? k.matmul_tn_flat : k.matmul_tn, { a, b, y: out.y, part: out.part }, { alpha, tune });
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
  const { flat, invocations } = g.gpu.caps;
  const wide = Object.values(tensors).every((tensor) => !tensor || tensor.dim(-1) % 4 === 0);
  const { slices } = chooseMatmul(extents, { flat, invocations, wide, pair: false }, options);
  // Sums leave as f32 whatever the activations are: a weight gradient under f16 activations needs no second pass.
  const raw = slices > 1 || y.dtype !== factors.a.dtype;
  const pair = act === "swiglu" && !raw;
  const { tune } = chooseMatmul(extents, { flat, invocations, wide, pair }, options);
  if (!raw) return product(g, layout, tensors, { y }, { alpha, act, tune });
  const plain = slices === 1 && y.dtype === "f32" && act === "none" && !bias && !gamma && !residual && !pre;
  const part = plain ? y : g.tensor([slices * B, M, N], "f32", "matmul.part");
  product(g, layout, factors, { part }, { alpha, act: "none", tune });
  if (plain) return;
  const sums = { part: part.reshape([slices, B * M, N]), bias, gamma, residual, pre };
  const flatY = y.reshape([-1, act === "swiglu" ? N / 2 : N]);
  g.run(k.matmul_reduce, { ...sums, y: flatY }, { act, tune: { WG: flat ? 8 : 64 } });
}
