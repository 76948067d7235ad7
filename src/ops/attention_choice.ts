/**
 * The choice of kernel for attention: by a rule, or as it was measured on the device.
 *
 * @module
 */

import type { Dtype } from "../core/dtype.ts";
import type { Gpu } from "../gpu/device.ts";
import { bucketOf } from "../gpu/tuning.ts";
import type { Tensor } from "../graph/tensor.ts";
import { matrixTune, suitsMatrix } from "./attention_matrix.ts";

/** Which kernel of attention: the forward pass, gradients of queries, gradients of keys and values. */
export type AttentionPart = "forward" | "query" | "key";

/** What the choice depends on. */
export interface AttentionCall {
  readonly q: Tensor;
  readonly kv: Tensor;
  readonly heads: number;
  /** Channels of all heads. */
  readonly D: number;
}

/** How a kernel of attention runs. */
export interface AttentionChoice {
  /** By the barrier-free kernel. */
  readonly flat: boolean;
  /** By tiles of 64 queries; forward alone. */
  readonly tall: boolean;
  /** By matrix units. */
  readonly matrix: boolean;
  /** Tune constants. */
  readonly tune: Readonly<Record<string, number>>;
}

/** A way to compute attention. */
interface AttentionVariant {
  readonly flat: boolean;
  readonly tall?: true;
  readonly kept?: true;
  readonly rows?: number;
  /** Maxima of rows are exchanged by subgroups. */
  readonly subgroups?: true;
  readonly matrix?: true;
}

/**
 * Ways that are measured, by name: tiles of 32 rows in workgroup memory, with queries that stay there for all keys where heads
 * have 64 channels at most, or 64 queries; rows in registers: so many an invocation, or as many as stay in the cache of a core; or
 * by matrix units. By subgroups is to the same bits as without.
 */
export const ATTENTION_VARIANTS: Readonly<Record<string, AttentionVariant>> = {
  workgroup: { flat: false },
  "workgroup, kept": { flat: false, kept: true },
  "workgroup 64": { flat: false, tall: true },
  "workgroup, subgroups": { flat: false, subgroups: true },
  "workgroup, kept, subgroups": { flat: false, kept: true, subgroups: true },
  "workgroup 64, subgroups": { flat: false, tall: true, subgroups: true },
  registers: { flat: true },
  "registers 1": { flat: true, rows: 1 },
  "registers 2": { flat: true, rows: 2 },
  matrix: { flat: false, matrix: true },
};

/** Quarters of head widths whose queries fit 16 KiB of workgroup memory beside all else. */
const KEPT_WIDTHS: readonly number[] = [4, 5, 6, 8, 10, 12, 16];

/** Names of the ways of a part that are measured on a device. Its gradients exchange nothing in their loops. */
export function attentionVariants({ caps }: Gpu, part: AttentionPart): string[] {
  return Object.entries(ATTENTION_VARIANTS).filter(([, { tall, kept, subgroups, matrix }]) =>
    (part === "forward" || !(tall || kept || subgroups)) && (!subgroups || caps.subgroups) && (!matrix || caps.matrix)
  ).map(([name]) => name);
}

/** Rows an invocation of a barrier-free kernel keeps, times E/4: more spill beyond L1 and take seconds to compile. */
const FLAT_ROWS: Readonly<Record<AttentionPart, number>> = { forward: 80, query: 48, key: 32 };

/** Extents of a call: `B` times `H` heads of `E` channels, `Nq` queries and `Nk` keys. */
export type AttentionExtents = Readonly<Record<"B" | "H" | "E" | "Nq" | "Nk", number>>;

/** The class of a call: heads of all images are rounded up to a power of two. */
export function attentionClass(part: AttentionPart, dtype: Dtype, { B, H, E, Nq, Nk }: AttentionExtents): string {
  return `attention ${part} ${dtype} of ${E} channels ${bucketOf(B * H)}x${Nq}x${Nk}`;
}

/** What a class says; undefined of what is none. */
export function parseAttentionClass(
  name: string,
): { part: AttentionPart; dtype: "f32" | "f16"; extents: AttentionExtents } | undefined {
  const found = /^attention (forward|query|key) (f32|f16) of (\d+) channels (\d+)x(\d+)x(\d+)$/.exec(name);
  if (!found) return undefined;
  const [, part, dtype, ...numbers] = found;
  const [E, all, Nq, Nk] = numbers.map(Number) as [number, number, number, number];
  const H = Math.min(all, 8);
  return {
    part: part as AttentionPart,
    dtype: dtype as "f32" | "f16",
    extents: { B: all / H, H, E, Nq, Nk },
  };
}

/** How a device computes a part of attention: as it was measured, else by the rule. */
export function attentionOn(gpu: Gpu, { q, kv, heads: H, D }: AttentionCall, part: AttentionPart): AttentionChoice {
  const E = D / H;
  const E4 = E / 4;
  const [B, Nq, Nk] = [kv.dim(0), q.dim(1), kv.dim(1)];
  const name = gpu.tuning?.picks.get(attentionClass(part, kv.dtype, { B, H, E, Nq, Nk }));
  const picked = name !== undefined && Object.hasOwn(ATTENTION_VARIANTS, name) ? ATTENTION_VARIANTS[name] : undefined;
  const kept = part === "key" ? Nk : Nq;
  const byRule = kept <= 8 ? 1 : Math.min(5, Math.max(1, Math.round(FLAT_ROWS[part] / E4)));
  const EG = Math.ceil(E4 / 8);
  const units = gpu.caps.matrix;
  if (units && (picked ? picked.matrix : !gpu.caps.flat) && suitsMatrix(units, kv.dtype, { E, Nq, Nk })) {
    return { flat: false, tall: false, matrix: true, tune: matrixTune(units, part, E) };
  }
  const SUBGROUPS = picked?.subgroups && gpu.caps.subgroups ? 1 : 0;
  if (picked?.tall && part === "forward") {
    const EC4 = [4, 3, 2, 1].find((width) => E4 % width === 0)!;
    return { flat: false, tall: true, matrix: false, tune: { E4, EC4, EG, WX: EG > 3 ? 2 : 4, SUBGROUPS } };
  }
  if (picked?.kept && part === "forward" && KEPT_WIDTHS.includes(E4)) {
    const EC4 = [4, 5, 6].find((width) => E4 % width === 0)!;
    const tune = { E4, EC4, CU: EC4 === 5 ? 1 : 2, EG, WX: EG === 1 ? 4 : 2, KEEP: 1, SUBGROUPS };
    return { flat: false, tall: false, matrix: false, tune };
  }
  const EC4 = [8, 7, 6, 5, 4].find((width) => E4 % width === 0)!;
  const tune = { E4, EC4, CU: EC4 % 2 === 0 ? 2 : 1, EG, WX: E4 > 16 ? 4 : 8, SUBGROUPS };
  const flat = picked?.flat ?? gpu.caps.flat;
  return { flat, tall: false, matrix: false, tune: { ...tune, LR: picked?.rows ?? byRule } };
}
