/** Cases of what models of volumes are composed of: attention with a mask, poolers, tubelets, losses with masks. */

import { boundedInverse, maskedClip, NO_NEGATIVE } from "../../src/losses/masked_clip.ts";
import { maskedMse } from "../../src/losses/masked_mse.ts";
import { applyAttentionPool, type AttentionPool } from "../../src/nn/attention_pool.ts";
import { maskedAttention, NO_KEY } from "../../src/nn/masked_attention.ts";
import { tubeletEmbed } from "../../src/nn/tubelet_embed.ts";
import { given, normal, type OpCase } from "../case.ts";
import {
  maskedAttentionRef,
  maskedClipRef,
  type MaskedExtents,
  maskedMseRef,
  poolRef,
  tubeletRef,
} from "../ref/volumes.ts";

/** Every third key but the first is left out. */
const thirds = (B: number, N: number): number[] =>
  Array.from({ length: B * N }, (_, i) => (i % N % 3 === 1 ? NO_KEY : 0));

function attention(x: MaskedExtents & { readonly shared?: boolean }, extra: Partial<OpCase> = {}): OpCase {
  const { B, Nq, Nk, H, E, shared = false } = x;
  return {
    name: `attention ${B}x${Nq} to ${Nk}, ${H} heads of ${E}${shared ? ", shared query" : ""}`,
    inputs: {
      q: normal([shared ? 1 : B, Nq, H * E]),
      kv: normal([B, Nk, 2 * H * E]),
      mask: given([B, Nk], thirds(B, Nk)),
    },
    run: (g, t) => maskedAttention(g, t.q!, t.kv!, t.mask!, { heads: H }),
    ref: (a) => maskedAttentionRef(a.q!, a.kv!, a.mask!, x),
    wrt: ["q", "kv"],
    ...extra,
  };
}

function pooler(x: { B: number; N: number; C: number; W: number; H: number }): OpCase {
  const { B, N, C, W, H } = x;
  const norm = (width: number) => [normal([width], 0.2, 1), normal([width], 0.2)] as const;
  const linear = (input: number, output: number) =>
    [normal([output, input], 1 / Math.sqrt(input)), normal([output], 0.2)] as const;
  const [[gq, bq], [gk, bk], [go, bo]] = [norm(W), norm(C), norm(W)];
  const [[wq, cq], [wk, ck], [wo, co]] = [linear(W, W), linear(C, 2 * W), linear(W, W)];
  return {
    name: `pooler ${B}x${N}x${C} to ${W}, ${H} heads`,
    inputs: {
      ...{ query: normal([1, W]), tokens: normal([B, N, C]), mask: given([B, N], thirds(B, N)) },
      ...{ gq, bq, gk, bk, go, bo, wq, cq, wk, ck, wo, co },
    },
    run(g, t) {
      const layer = (weight: string, bias: string) => ({
        name: weight,
        weight: t[weight]!,
        bias: t[bias]!,
        lora: undefined,
      });
      const norm = (weight: string, bias: string) => ({ weight: t[weight]!, bias: t[bias]!, eps: 1e-5 });
      const pool: AttentionPool = {
        config: { context: C, width: W, heads: H, bias: true, eps: 1e-5 },
        query: t.query!,
        ...{ normQuery: norm("gq", "bq"), normTokens: norm("gk", "bk"), norm: norm("go", "bo") },
        ...{ toQuery: layer("wq", "cq"), toKeyValue: layer("wk", "ck"), toOutput: layer("wo", "co") },
      };
      return applyAttentionPool(g, pool, t.tokens!, t.mask);
    },
    ref: (a) => poolRef(a, x),
    wrt: ["query", "tokens", "gq", "bq", "gk", "bk", "go", "bo", "wq", "cq", "wk", "wo", "co"],
  };
}

function tubelets(x: { B: number; Z: number; H: number; W: number; P: number; D: number; t: number }): OpCase {
  const { B, Z, H, W, P, D, t } = x;
  return {
    name: `tubelets ${B}x${Z}x${H}x${W} by ${t}x${P} to ${D}`,
    inputs: {
      x: normal([B, Z, H, W, 3]),
      weight: normal([t, D, 3, P, P], 1 / (P * Math.sqrt(3 * t))),
      bias: normal([D], 0.3),
    },
    run: (g, tensors) => tubeletEmbed(g, tensors.x!, tensors.weight!, tensors.bias),
    ref: (a) => tubeletRef(a.x!, a.weight!, a.bias!, x),
    wrt: ["x", "weight", "bias"],
  };
}

function mse(B: number, G: number, kept: (i: number) => boolean, name: string): OpCase {
  const mask = Array.from({ length: B * G }, (_, i) => (kept(i) ? 1 : 0));
  const count = mask.reduce((a: number, b) => a + b, 0);
  return {
    name: `masked MSE ${B}x${G}, ${name}`,
    inputs: {
      y: normal([B, G]),
      x: normal([B, G]),
      mask: given([B, G], mask),
      inverse: given([1], [count ? 1 / count : 0]),
    },
    run: (g, t) => maskedMse(g, t.y!, t.x!, t.mask!, t.inverse!),
    ref: (a) => maskedMseRef(a.y!, a.x!, a.mask!),
    wrt: ["y"],
  };
}

function clip(B: number, E: number, logScale: number, mask: readonly number[], extra: Partial<OpCase> = {}): OpCase {
  const bounds = { least: 0.01, most: 0.5 };
  return {
    name: `masked clip ${B}x${E}, log scale ${logScale}`,
    inputs: {
      a: normal([B, E], 0.5),
      c: normal([B, E], 0.5),
      s: given([1], [logScale]),
      mask: given([B, B], mask),
    },
    run: (g, t) => maskedClip(g, t.a!, t.c!, boundedInverse(g, t.s!, bounds), t.mask!),
    ref: (a) => maskedClipRef(a.a!, a.c!, a.s![0]!, a.mask!, bounds),
    wrt: ["a", "c", "s"],
    ...extra,
  };
}

/** Neighbours along a line are no negatives. */
const line = (B: number): number[] =>
  Array.from({ length: B * B }, (_, i) => (Math.abs(Math.floor(i / B) - i % B) === 1 ? NO_NEGATIVE : 0));

/** Case table. */
export const cases: readonly OpCase[] = [
  attention({ B: 3, Nq: 7, Nk: 7, H: 2, E: 8 }),
  attention({ B: 2, Nq: 1, Nk: 16, H: 3, E: 5, shared: true }),
  attention({ B: 1, Nq: 1, Nk: 1, H: 1, E: 2 }),
  attention({ B: 5, Nq: 8, Nk: 8, H: 12, E: 64 }, { wrt: [] }),
  pooler({ B: 3, N: 5, C: 6, W: 8, H: 2 }),
  pooler({ B: 1, N: 1, C: 3, W: 4, H: 4 }),
  tubelets({ B: 2, Z: 4, H: 8, W: 12, P: 4, D: 5, t: 2 }),
  tubelets({ B: 1, Z: 3, H: 4, W: 4, P: 2, D: 8, t: 3 }),
  mse(3, 5, (i) => i % 4 !== 1, "some missing"),
  mse(1, 1, () => true, "one"),
  mse(4, 3, () => false, "nothing measured"),
  clip(6, 4, 2.5, line(6)),
  clip(7, 3, 1.2, new Array(49).fill(0)),
  clip(1, 3, 2, [0]),
  // Beyond the bounds the gradient of the temperature passes, which differences of the reference do not.
  clip(5, 4, 9, line(5), { wrt: ["a", "c"], name: "masked clip, temperature below its least" }),
  clip(5, 4, -3, line(5), { wrt: ["a", "c"], name: "masked clip, temperature above its most" }),
];
