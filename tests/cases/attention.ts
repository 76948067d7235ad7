/**
 * Cases of attention: one token, edges on both sides of every tile of 32, head widths of encoders and odd ones, one query
 * row for a whole batch, a long row.
 */

import { backward } from "../../src/autodiff/backward.ts";
import { Rng } from "../../src/core/rng.ts";
import { attentionCost, crossAttention, selfAttention } from "../../src/ops/attention.ts";
import { given, type Input, normal, type OpCase } from "../case.ts";
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

/** Gradient of self-attention of two heads of 16 as a result, where the reference has no differences. */
function gradient(name: string, inputs: { readonly qkv: Input; readonly dy: Input }): OpCase {
  const N = inputs.qkv.shape[1]!;
  return {
    name: `gradient where ${name} 1x${N}x2x16`,
    inputs,
    run: (g, t) => {
      t.qkv!.requiresGrad = true;
      return backward(g, [{ tensor: selfAttention(g, t.qkv!, { heads: 2 }), grad: t.dy! }]).of(t.qkv!)!;
    },
    ref: (a) => {
      const [q, k, v] = unpack(a.qkv!, 3, 32);
      return pack(attentionGradRef(q!, k!, v!, a.dy!, { B: 1, Nq: N, Nk: N, H: 2, E: 16, scale: 0.25 }), 32);
    },
    wrt: [],
  };
}

/** Normal numbers `[1, N, D]`, some of them put in their places. */
function normalWith(N: number, D: number, places: readonly (readonly [i: number, d: number, value: number])[]): Input {
  const x = new Rng(5, 0).normals(N * D);
  for (const [i, d, value] of places) x[i * D + d] = value;
  return given([1, N, D], x);
}

/**
 * Queries that are no numbers, on both sides of a tile's edge, make NaN of their rows alone; an infinite key makes NaN of rows
 * whose score it makes infinite, and weighs nothing where it makes it minus infinity; a value's NaN stays in its channel.
 */
const NO_NUMBERS = normalWith(40, 48, [[3, 2, NaN], [31, 0, Infinity], [32, 5, -Infinity], [35, 16 + 7, Infinity]]);
const NO_VALUE = normalWith(33, 48, [[32, 32 + 15, NaN]]);
/** Of two heads, the first one's gradients of keys and values are NaN, and of the one query. */
const NO_QUERY = normalWith(40, 96, [[33, 4, NaN]]);
/** Its head's gradients of keys are NaN, those of values infinite in one channel, that of the query is NaN. */
const NO_GRADIENT = normalWith(40, 32, [[2, 3, Infinity]]);
/** Scores of about -2e31, the same for every key of a query: weights are equal all the same. */
const FAR_BELOW = given(
  [1, 35, 48],
  Array.from({ length: 35 * 48 }, (_, n) => (n % 48 < 16 ? 1e15 + (n / 48 | 0) * 1e12 : n % 48 < 32 ? -5e15 : n % 7)),
);

/** One key takes nearly all; the others, whose weights halves do not hold, have values that count all the same. */
const FAINT = given(
  [1, 130, 48],
  Array.from({ length: 130 * 48 }, (_, n) => n % 48 < 16 ? 1 : n % 48 < 32 ? (n < 48 ? 4.5 : 0) : n < 48 ? 1 : 6e4),
);
/** By matrix units, where the device has them. */
const BY_UNITS = { paths: ["gpu"], tuned: "matrix", f16: ["qkv"] } as const;

/** Case table. Most widths compile anew, which takes llvmpipe seconds: edges are tested at few of them. */
export const cases: readonly OpCase[] = [
  self([1, 40, 1, 16], { name: "self what is no number 1x40x1x16", inputs: { qkv: NO_NUMBERS }, wrt: [] }),
  self([1, 33, 1, 16], { name: "self a value is no number 1x33x1x16", inputs: { qkv: NO_VALUE }, wrt: [] }),
  self([1, 35, 1, 16], { name: "self scores far below 1x35x1x16", inputs: { qkv: FAR_BELOW }, wrt: [] }),
  gradient("a query is no number", { qkv: NO_QUERY, dy: normal([1, 40, 32]) }),
  gradient("a gradient is infinite", { qkv: normal([1, 40, 96]), dy: NO_GRADIENT }),
  self([1, 1, 1, 16]),
  self([2, 2, 1, 16], { scale: 0.5 }),
  self([2, 7, 3, 16], { f16: ["qkv"] }),
  self([2, 7, 3, 5]),
  self([2, 33, 1, 32]),
  self([1, 65, 2, 32]),
  self([2, 31, 1, 64], { f16: ["qkv"] }),
  self([1, 33, 1, 80], { f16: ["qkv"] }),
  self([1, 7, 2, 128]),
  // Without gradients no logarithms are kept, which is another kernel text: rows and head widths of encoders.
  ...([[197, 64], [257, 80], [261, 96]] as const).map(([N, E]) =>
    self([1, N, 1, E], { name: `self forward 1x${N}x1x${E}`, wrt: [], paths: ["gpu"], f16: ["qkv"] })
  ),
  // What the tuner may pick on a GPU beside the tiles. Rows in registers by the rule are those of the barrier-free path.
  ...(["registers 1", "registers 2"] as const).flatMap((tuned) => [
    self([1, 33, 1, 16], { name: `${tuned} self 1x33x1x16`, paths: ["gpu"], f16: ["qkv"], tuned }),
    cross([2, 1, 1, 16], 33, { name: `${tuned} shared`, shared: true, paths: ["gpu"], tuned }),
  ]),
  // Queries that stay: quarters of channels by four, five and six at a time, with and without a rest, what is no number.
  ...([[33, 64], [40, 40], [7, 24], [65, 16]] as const).map(([N, E]) =>
    self([1, N, 1, E], {
      name: `kept 1x${N}x1x${E}`,
      wrt: E === 40 ? ["qkv"] : [],
      ...(E === 40 && { f16: ["qkv"] }),
      paths: ["gpu"],
      tuned: "workgroup, kept",
    })
  ),
  cross([2, 1, 1, 32], 33, { name: "kept, shared", shared: true, paths: ["gpu"], tuned: "workgroup, kept" }),
  self([1, 40, 1, 16], {
    name: "kept, what is no number 1x40x1x16",
    inputs: { qkv: NO_NUMBERS },
    wrt: [],
    paths: ["gpu"],
    tuned: "workgroup, kept",
  }),
  // 64 queries a group: one below and above it, every count of channels staged at a time, scores that are no numbers.
  ...([[63, 24], [64, 40], [65, 64], [129, 20], [33, 128]] as const).map(([N, E]) =>
    self([1, N, 1, E], {
      name: `64 a group 1x${N}x1x${E}`,
      wrt: E === 64 ? ["qkv"] : [],
      ...(E === 64 && { f16: ["qkv"] }),
      paths: ["gpu"],
      tuned: "workgroup 64",
    })
  ),
  self([2, 66, 2, 96], { name: "64 a group forward 2x66x2x96", wrt: [], paths: ["gpu"], tuned: "workgroup 64" }),
  cross([2, 1, 1, 32], 33, { name: "64 a group, shared", shared: true, paths: ["gpu"], tuned: "workgroup 64" }),
  self([1, 40, 1, 16], {
    name: "64 a group, what is no number 1x40x1x16",
    inputs: { qkv: NO_NUMBERS },
    wrt: [],
    paths: ["gpu"],
    tuned: "workgroup 64",
  }),
  self([1, 35, 1, 16], {
    name: "64 a group, scores far below 1x35x1x16",
    inputs: { qkv: FAR_BELOW },
    wrt: [],
    paths: ["gpu"],
    tuned: "workgroup 64",
  }),
  // Maxima exchanged by subgroups: rows beyond a tile and below one, scores that are no numbers.
  ...([["workgroup", 65, 64], ["workgroup, kept", 40, 40], ["workgroup 64", 129, 64]] as const).flatMap(
    ([way, N, E]) => {
      const more = { wrt: [], paths: ["gpu"], tuned: `${way}, subgroups` } as const;
      return [
        self([1, N, 1, E], { ...more, name: `${way}, subgroups 1x${N}x1x${E}`, wrt: ["qkv"], f16: ["qkv"] }),
        self([2, 7, 3, 16], { ...more, name: `${way}, subgroups 2x7x3x16` }),
        self([1, 40, 1, 16], {
          ...more,
          name: `${way}, subgroups, what is no number 1x40x1x16`,
          inputs: { qkv: NO_NUMBERS },
        }),
      ];
    },
  ),
  cross([2, 1, 1, 32], 33, { name: "subgroups, shared", shared: true, paths: ["gpu"], tuned: "workgroup, subgroups" }),
  // By matrix units, where there are such: what is no number, both sides of 16 and 32 rows and keys.
  self([1, 40, 1, 16], {
    name: "units, what is no number 1x40x1x16",
    inputs: { qkv: NO_NUMBERS },
    wrt: [],
    ...BY_UNITS,
  }),
  self([1, 33, 1, 16], {
    name: "units, a value is no number 1x33x1x16",
    inputs: { qkv: NO_VALUE },
    wrt: [],
    ...BY_UNITS,
  }),
  self([1, 130, 1, 16], { name: "units, faint weights 1x130x1x16", inputs: { qkv: FAINT }, wrt: [], ...BY_UNITS }),
  self([1, 32, 1, 16], { name: "units, large scores 1x32x1x16", inputs: { qkv: normal([1, 32, 48], 4) }, ...BY_UNITS }),
  {
    ...gradient("units, a query is no number", { qkv: NO_QUERY, dy: normal([1, 40, 32]) }),
    ...BY_UNITS,
    f16: ["qkv", "dy"],
  },
  ...([[2, 63, 2, 24], [1, 129, 1, 72], [1, 8, 1, 128]] as const)
    .map((extents) => self(extents, { name: `units ${extents.join("x")}`, wrt: [], ...BY_UNITS })),
  cross([2, 65, 1, 48], 17, { name: "units 2x65x1x48 to 17, shared", shared: true, ...BY_UNITS, f16: ["q", "kv"] }),
  // One query for the whole batch, as in attentional pooling.
  ...[64, 96].map((E) => cross([2, 1, 1, E], 33, { shared: true, paths: ["gpu"], f16: ["q", "kv"] })),
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
