/**
 * The choice of kernel, tile and number of slices for a product: by a rule, or as it was measured on the device.
 *
 * @module
 */

import type { Dtype } from "../core/dtype.ts";
import type { Gpu } from "../gpu/device.ts";
import type { MatrixUnits } from "../gpu/matrix_units.ts";
import { bucketOf } from "../gpu/tuning.ts";
import { matrixTune, suitsMatrix } from "./matmul_matrix.ts";
import { MATMUL_VARIANTS } from "./matmul_variants.ts";

/** Stored layouts in BLAS letters: `t` is a matrix whose transpose enters the product. */
export type Layout = "nt" | "nn" | "tn";

/** Extents of a product: `B` products of `[M, K]` by `[K, N]`. */
export interface MatmulExtents {
  readonly B: number;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** How a product is computed. */
export interface MatmulChoice {
  /** By the barrier-free kernels. */
  readonly flat: boolean;
  /** By matrix units. */
  readonly matrix: boolean;
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
  /** Largest edge of a workgroup's tile that is taken unasked; default 128. */
  readonly largestTile?: 64 | 128;
  /** Invocations of a workgroup of the barrier-free kernels: 8 (default) are the lanes of a CPU. */
  readonly lanes?: 8 | 64;
  /** Columns n and n + N/2 belong to one invocation, for swiglu. */
  readonly pair: boolean;
  /** The last extent of every operand is a multiple of four. */
  readonly wide: boolean;
  /** Matrix units, where they take these operands. */
  readonly matrix?: MatrixUnits | undefined;
}

/** Overrides of the choice, for tests and tuning. */
export interface MatmulOverride {
  /** Edge of the square tile: 32, 64 or 128 of a workgroup (GPU path); 4, 8 or 16 of an invocation (flat path). */
  readonly tile?: number;
  /** Slices of the reduction; only for B = 1. */
  readonly slices?: number;
}

/** Tune constants of a workgroup's tile by its edge. */
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
function chooseTiled(extents: MatmulExtents, variant: MatmulVariant, tile?: number): MatmulChoice {
  const { pair, invocations, largestTile = 128, matrix } = variant;
  const { M, N } = extents;
  const skinny = Math.min(M, N) <= 32;
  const full = (edge: number): number => invocations / (TILES[edge]!.TX! * TILES[edge]!.TY!);
  const asked = tile !== undefined && tile in TILES;
  let edge = asked ? tile : 32;
  if (!asked && !skinny) {
    if (largestTile === 128 && groupsOf(extents, 128, 128) >= full(128)) edge = 128;
    else if (groupsOf(extents, 64, 64) >= full(64) / 4) edge = 64;
  }
  if (pair && edge === 32) edge = 64;
  const { NG = 1, ...rest } = TILES[edge]!;
  const tune = matrix
    ? matrixTune(matrix, edge, pair)
    : { ...rest, NG: pair ? NG / 2 : NG, ...(pair ? { GV: 2 } : {}) };
  const slices = slicesOf(extents, groupsOf(extents, edge, edge), full(edge), 256);
  return { flat: false, matrix: matrix !== undefined, tune, slices };
}

function chooseFlat(extents: MatmulExtents, variant: MatmulVariant, tile?: number): MatmulChoice {
  const { pair, wide, invocations, lanes = 8 } = variant;
  const { B, M, N, K } = extents;
  const work = B * M * N * K;
  // Scalar loads make the text of a large tile so long that it never pays for its compilation.
  const paying = work >= 2 ** 26 && wide ? 4 : work >= 2 ** 18 ? 2 : 1;
  const most = tile !== undefined && tile <= 16 ? tile / 4 : paying;
  const MG = powerOfTwo(M / 4, most);
  const across = powerOfTwo(N / 4, pair ? Math.max(2, most) : most);
  const LN = powerOfTwo(N / (across * 4), 8);
  const LM = Math.min(lanes / LN, powerOfTwo(M / (MG * 4), 8));
  const tune: MatmulChoice["tune"] = pair
    ? { MG, NG: Math.max(1, across / 2), GV: 2, LN, LM }
    : { MG, NG: across, LN, LM };
  const full = lanes === 8 ? FULL_FLAT : invocations / lanes;
  const slices = slicesOf(extents, groupsOf(extents, LM * MG * 4, LN * across * 4), full, 512);
  return { flat: true, matrix: false, tune, slices };
}

/** The kernel variant for a shape. */
export function chooseMatmul(e: MatmulExtents, variant: MatmulVariant, override: MatmulOverride = {}): MatmulChoice {
  const choice = (variant.flat ? chooseFlat : chooseTiled)(e, variant, override.tile);
  return override.slices ? { ...choice, slices: override.slices } : choice;
}

/** What a class of products has in common beside its extents. */
export interface MatmulKind {
  readonly layout: Layout;
  /** Types of both operands. */
  readonly a: Dtype;
  readonly b: Dtype;
  readonly pair: boolean;
  readonly wide: boolean;
}

/** The class of a product: extents as they are, but for the rows of the batch, which are rounded up to a power of two. */
export function matmulClass({ layout, a, b, pair }: MatmulKind, { B, M, N, K }: MatmulExtents): string {
  const extents = layout === "tn" ? [B, M, N, bucketOf(K)] : [B, bucketOf(M), N, K];
  return `matmul ${layout}${pair ? " in pairs" : ""} ${a} by ${b} ${extents.join("x")}`;
}

/** What a class says; undefined of what is none. */
export function parseMatmulClass(name: string): { kind: MatmulKind; extents: MatmulExtents } | undefined {
  const found = /^matmul (nt|nn|tn)( in pairs)? (f32|f16) by (f32|f16|bf16) (\d+)x(\d+)x(\d+)x(\d+)$/.exec(name);
  if (!found) return undefined;
  const [, layout, pairs, a, b, ...extents] = found;
  const [B, M, N, K] = extents.map(Number) as [number, number, number, number];
  const kind = { layout: layout as Layout, a: a as Dtype, b: b as Dtype, pair: pairs !== undefined, wide: true };
  return { kind, extents: { B, M, N, K } };
}

/** How a device computes a product: as it was measured, else by the rule. `pair` false is for its partial sums. */
export function matmulOn(
  gpu: Gpu,
  kind: MatmulKind,
  extents: MatmulExtents,
  { pair, override }: { pair: boolean; override: MatmulOverride },
): MatmulChoice {
  const { flat, software, invocations, largestTile } = gpu.caps;
  const matrix = suitsMatrix(kind, extents) ? gpu.caps.matrix : undefined;
  const variant = { flat, invocations, largestTile, pair, wide: kind.wide, matrix };
  const name = override.tile === undefined && kind.wide ? gpu.tuning?.picks.get(matmulClass(kind, extents)) : undefined;
  const picked = name !== undefined && Object.hasOwn(MATMUL_VARIANTS, name) ? MATMUL_VARIANTS[name] : undefined;
  if (!picked) return chooseMatmul(extents, variant, override);
  const how = { flat: picked.flat, lanes: software ? 8 : 64, matrix: picked.matrix && matrix } as const;
  const choice = chooseMatmul(extents, { ...variant, ...how }, { ...override, tile: picked.tile });
  // Pairs of columns take a tile of 64 where one of 32 is picked, which fetches other blocks.
  if (pair && picked.tile === 32) return choice;
  return { ...choice, tune: { ...choice.tune, ...picked.tune } };
}
