/**
 * Exact rank of a known partner among the rows of a gallery by dot product, without the matrix of all products: the tiles of
 * the product stay in registers, and only how many of them are greater than the partner's, and how many equal, leaves a
 * workgroup. Copies of the partner's row are equal to it by their bits, not by their scores: two kernels may round the same
 * sum differently.
 *
 * above[q] = #{n != partner[q]: q_q . g_n > q_q . g_partner}; the rank is above + 1.
 *
 * @module
 */

import { expectShape } from "../core/shape.ts";
import { DtypeError } from "../core/errors.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";
import { TILES } from "./matmul_choice.ts";

/** Result of {@linkcode cosineRank}. */
export interface Rank {
  /** Rows of the gallery that score above the partner, `[Q]`, u32. */
  readonly above: Tensor;
  /** Other rows that score the same, `[Q]`, u32. */
  readonly equal: Tensor;
  /** Score of the partner, `[Q]`, f32; NaN, and no rows above, where the gallery has no such row. */
  readonly own: Tensor;
}

/** Workgroups that keep a large GPU busy, and a processor. */
const FULL = { tiled: 1024, flat: 64 };
/** Most rows of a slice: counts are exact in f32 below 2^24. */
const MOST = 2 ** 23;

/**
 * Appends the count. Scores that are NaN are neither above nor equal; copies of the partner's row are equal.
 *
 * @param queries `[Q, E]`, f32; rows of length one make scores cosines.
 * @param gallery `[N, E]`, f32, f16 or bf16, or several of them whose rows are counted through: more than one binding holds.
 * @param partner `[Q]`, u32: the row of the gallery each query belongs to.
 * @param known Keys of the gallery's rows, which {@linkcode rankKeys} has made; by default they are made at every call.
 * @throws {ShapeError} If extents differ.
 * @throws {DtypeError} If queries are not f32.
 */
export function cosineRank(
  g: Plan,
  queries: Tensor,
  gallery: Tensor | readonly Tensor[],
  partner: Tensor,
  known?: readonly Tensor[],
): Rank {
  const parts = Array.isArray(gallery) ? gallery as readonly Tensor[] : [gallery as Tensor];
  const [Q, E] = [queries.dim(0), queries.dim(1)];
  if (queries.dtype !== "f32") {
    throw new DtypeError(`Cannot run cosineRank: queries are ${queries.dtype}, wanted f32`, {
      context: { op: "cosineRank", tensor: "queries", given: queries.dtype, wanted: "f32" },
    });
  }
  parts.forEach((part, i) => expectShape("cosineRank", `gallery ${i}`, part.shape, [null, E]));
  known?.forEach((key, i) => expectShape("cosineRank", `keys ${i}`, key.shape, [parts[i]!.dim(0), 2]));
  expectShape("cosineRank", "partner", partner.shape, [Q]);
  const { flat } = g.gpu.caps;
  const tune = flat ? flatTile(Q, E) : TILES[Q <= 32 ? 32 : Q <= 64 ? 64 : 128]!;
  const kernel = flat ? k.rank_count_flat : k.rank_count;
  const own = g.tensor([Q], "f32", "rank.own");
  const above = g.tensor([Q], "u32", "rank.above");
  const equal = g.tensor([Q], "u32", "rank.equal");
  const ownKey = g.tensor([Q, 2], "u32", "rank.own_key");
  const keys = known ?? parts.map((b) => g.tensor([b.dim(0), 2], "u32", "rank.keys"));
  if (!known) rankKeys(g, parts, keys);
  let at = 0;
  parts.forEach((b, i) => {
    g.run(kernel, { a: queries, b, partner, key: keys[i]!, partnerKey: ownKey, score: own }, { at, step: 0, tune });
    at += b.dim(0);
  });
  at = 0;
  parts.forEach((b, i) => {
    const { slices, step } = slicesOf(Q, b.dim(0), tune, flat);
    const shape = [slices * (tune.LN ?? 1), Q];
    const more = g.tensor(shape, "f32", "rank.more");
    const same = g.tensor(shape, "f32", "rank.same");
    const keyed = { key: keys[i]!, ownKey };
    g.run(kernel, { a: queries, b, partner, own, ...keyed, above: more, equal: same }, { at, step, tune });
    g.run(k.rank_sum, { more, same, above, equal }, { at, tune: { WG: flat ? 8 : 64 } });
    at += b.dim(0);
  });
  return { above, equal, own };
}

/**
 * Appends the keys by which copies of a row are known, for a gallery that is searched several times.
 *
 * @param parts The gallery's parts.
 * @param keys `[N, 2]` each, u32; filled.
 */
export function rankKeys(g: Plan, parts: readonly Tensor[], keys: readonly Tensor[]): void {
  parts.forEach((b, i) => g.run(k.rank_keys, { b, key: keys[i]! }, { tune: { WG: g.gpu.caps.flat ? 8 : 64 } }));
}

/** Large tiles where the rows are wide enough to be loaded four at a time, and there are queries to fill them. */
function flatTile(Q: number, E: number): Record<string, number> {
  const MG = E % 4 || Q <= 4 ? 1 : Q <= 8 ? 2 : 4;
  return { MG, NG: MG, LN: 8 };
}

/** Slices of a part's rows: whole tiles, enough of them to fill the device. */
function slicesOf(
  Q: number,
  N: number,
  tune: Readonly<Record<string, number>>,
  flat: boolean,
): { slices: number; step: number } {
  const rows = (tune.TY ?? 1) * tune.MG! * 4;
  const columns = (tune.TX ?? tune.LN!) * tune.NG! * 4;
  const tiles = Math.ceil(N / columns);
  const wanted = Math.max(Math.ceil((flat ? FULL.flat : FULL.tiled) / Math.ceil(Q / rows)), Math.ceil(N / MOST));
  const step = Math.ceil(tiles / Math.min(tiles, wanted)) * columns;
  return { slices: Math.ceil(N / step), step };
}

/** Cost of a count. */
export function rankCost(Q: number, N: number, E: number): Cost {
  return { flops: 2 * Q * N * E, bytes: 4 * (Q + N) * E };
}
