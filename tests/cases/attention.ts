/**
 * Cases of attention: one token, edges on both sides of every tile of 32, head widths of encoders and odd ones, one query
 * row for a whole batch, a long row.
 */

import { attentionCost, crossAttention, selfAttention } from "../../src/ops/attention.ts";
import { normal, type OpCase } from "../case.ts";
import { attentionGradRef, attentionRef, pack, unpack } from "../ref/attention.ts";

type Extents = readonly [B: number, N: number, H: number, E: number];

/** Queries, keys and values of the same tokens. */
function self([B, N, H, E]: Extents, extra: Partial<OpCase> & { scale?: number } = {}): OpCase {
  const { scale, ...rest } = extra;
  const D = H * E;
  const x = { B, Nq: N, Nk: N, H, E, scale: scale ?? 1 / Math.sqrt(E) };
  return {
    name: `self ${B}x${N}x${H}x${E}`,
    inputs: { qkv: normal([B, N, 3 * D]) },
    run: (g, t) => selfAttention(g, t.qkv!, scale === undefined ? { heads: H } : { heads: H, scale }),
    ref: (a) => {
      const [q, k, v] = unpack(a.qkv!, 3, D);
      return attentionRef(q!, k!, v!, x);
    },
    refGrad: (a, [dy]) => {
      const [q, k, v] = unpack(a.qkv!, 3, D);
      return { qkv: pack(attentionGradRef(q!, k!, v!, dy!, x), D) };
    },
    wrt: ["qkv"],
    ...rest,
  };
}

/** Queries of other rows than the keys; `shared` gives the whole batch the same. */
function cross(
  [B, Nq, H, E]: Extents,
  Nk: number,
  { shared, ...rest }: Partial<OpCase> & { shared?: boolean } = {},
): OpCase {
  const D = H * E;
  const x = { B, Nq, Nk, H, E, scale: 1 / Math.sqrt(E) };
  return {
    name: `cross ${B}x${Nq}x${H}x${E} to ${Nk}${shared ? ", shared queries" : ""}`,
    inputs: { q: normal([shared ? 1 : B, Nq, D]), kv: normal([B, Nk, 2 * D]) },
    run: (g, t) => crossAttention(g, t.q!, t.kv!, { heads: H }),
    ref: (a) => {
      const [k, v] = unpack(a.kv!, 2, D);
      return attentionRef(a.q!, k!, v!, x);
    },
    refGrad: (a, [dy]) => {
      const [k, v] = unpack(a.kv!, 2, D);
      const [q, ...kv] = attentionGradRef(a.q!, k!, v!, dy!, x);
      return { q, kv: pack(kv, D) };
    },
    wrt: ["q", "kv"],
    ...rest,
  };
}

/** Case table. Most widths compile anew, which takes llvmpipe seconds: edges are tested at few of them. */
export const cases: readonly OpCase[] = [
  self([1, 1, 1, 16]),
  self([2, 2, 1, 16], { scale: 0.5 }),
  self([2, 7, 3, 16], { f16: ["qkv"] }),
  self([2, 7, 3, 5]),
  self([2, 33, 1, 32]),
  self([1, 65, 2, 32]),
  self([2, 31, 1, 64]),
  self([1, 33, 1, 80]),
  self([1, 7, 2, 128]),
  // Without gradients no logarithms are kept, which is another kernel text: head widths of encoders and of the gene model.
  ...[16, 64, 80, 96].map((E) => self([1, 33, 1, E], { name: `self forward 1x33x1x${E}`, wrt: [], paths: ["gpu"] })),
  // One query for the whole batch, as in attentional pooling.
  ...[64, 96].map((E) => cross([2, 1, 1, E], 33, { shared: true, paths: ["gpu"] })),
  // Scores near 100: one key takes all, and exponentials overflow unless the largest score is subtracted.
  self([1, 8, 1, 16], { name: "self large scores 1x8x1x16", inputs: { qkv: normal([1, 8, 48], 6) } }),
  self([1, 197, 3, 64]),
  self([1, 1370, 1, 32], { wrt: [] }), // too many pairs for differences
  cross([3, 2, 2, 16], 7, { shared: true, f16: ["q", "kv"] }),
  cross([2, 9, 1, 32], 65),
  cross([1, 7, 1, 16], 3),
  cross([2, 1, 2, 7], 5, { shared: true }),
  self([1, 197, 12, 64], { benchOnly: true, perf: attentionCost(1, 197, 197, 12, 64) }),
  self([1, 261, 16, 96], { benchOnly: true, perf: attentionCost(1, 261, 261, 16, 96) }),
  cross([4, 1, 8, 64], 785, { benchOnly: true, shared: true, perf: attentionCost(4, 1, 785, 8, 64) }),
];
