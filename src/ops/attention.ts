/**
 * Multi-head softmax attention over packed projections, without a matrix of scores in memory.
 *
 * o = softmax(scale * q k^T) v for each head. Same as torch.nn.functional.scaled_dot_product_attention on the heads of
 * timm's fused qkv layer. The forward pass works online (Dao et al. 2022, arXiv:2205.14135) and saves 4 bytes a row and
 * head, the logarithm of the sum of exponentials; backward recomputes the probabilities from it, once by rows for dq and
 * once by columns for dk and dv, so that no sum depends on scheduling.
 *
 * @module
 */

import { ConfigError, DtypeError, LimitError, ShapeError } from "../core/errors.ts";
import { expectShape, formatShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { attentionOn } from "./attention_choice.ts";
import type { Cost } from "./cost.ts";
import { reduceMiddle } from "./partials.ts";

/** Options of {@linkcode selfAttention} and {@linkcode crossAttention}. */
export interface AttentionOptions {
  /** Number of heads, H. */
  heads: number;
  /** Factor of the scores; default 1 / sqrt(E), E being the width of a head. */
  scale?: number;
}

/** Head widths with kernels of their own; others are copied to the next. */
const WIDTHS = [16, 20, 24, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128];

/** What all kernels of one call need. */
interface Call {
  readonly name: string;
  readonly q: Tensor;
  readonly kv: Tensor;
  readonly heads: number;
  readonly scale: number;
  /** Column of `kv` where k begins; v follows. */
  readonly first: number;
  /** Channels of all heads, D. */
  readonly D: number;
}

/** Gradients of one call; `dq` and `dkv` may be the same tensor. */
function gradients(g: Plan, call: Call, o: Tensor, lse: Tensor, dy: Tensor, needs: { q: boolean; kv: boolean }) {
  const { name, q, kv, heads, first, scale, D } = call;
  const [B, Nq] = [kv.dim(0), q.dim(1)];
  const delta = g.tensor([B, heads, Nq], "f32", `${name}.delta`);
  g.run(k.attention_delta, { o, dy, delta });
  const tensors = { q, kv, dy, lse, delta };
  let dq: Tensor | undefined;
  if (needs.q) {
    const shared = q.dim(0) !== B;
    const out = g.tensor([B, Nq, q.dim(2)], shared ? "f32" : q.dtype, `${name}.dq`);
    const { flat, matrix, tune } = attentionOn(g.gpu, call, "query");
    const tiled = matrix ? k.attention_bwd_query_matrix : k.attention_bwd_query;
    const kernel = flat ? k.attention_bwd_query_flat : tiled;
    const options = { first, scale, tune };
    g.run(kernel, { ...tensors, ...(shared ? { part: out } : { dq: out }) }, options);
    dq = shared ? reduceMiddle(g, "sum", out, [1, B, Nq * D], { dtype: q.dtype as "f32" | "f16" }) : out;
  }
  let dkv: Tensor | undefined;
  if (needs.kv) {
    // Self-attention has one gradient: its columns of q were written above.
    dkv = q === kv ? dq! : g.tensor(kv.shape, kv.dtype, `${name}.dkv`);
    const { flat, matrix, tune } = attentionOn(g.gpu, call, "key");
    const tiled = matrix ? k.attention_bwd_key_matrix : k.attention_bwd_key;
    const kernel = flat ? k.attention_bwd_key_flat : tiled;
    g.run(kernel, { ...tensors, dkv }, { first, scale, tune });
    // What all keys have in common a softmax does not see.
    g.noteCentred(dkv, first, first + D);
  }
  return { dq, dkv };
}

/** Attention of heads whose width has kernels. */
function attend(g: Plan, call: Call): Tensor {
  const { name, q, kv, heads, first, scale, D } = call;
  const [B, Nq] = [kv.dim(0), q.dim(1)];
  const o = g.tensor([B, Nq, D], kv.dtype, `${name}.o`);
  const lse = g.needsGrad(q, kv) ? g.tensor([B, heads, Nq], "f32", `${name}.lse`) : undefined;
  const { flat, tall, matrix, tune } = attentionOn(g.gpu, call, "forward");
  const tiled = matrix ? k.attention_fwd_matrix : tall ? k.attention_fwd_tall : k.attention_fwd;
  const kernel = flat ? k.attention_fwd_flat : tiled;
  g.run(kernel, { q, kv, o, lse }, { first, scale, tune });
  if (q === kv) {
    g.record(name, [q], [o], ([dy]) => [gradients(g, call, o, lse!, dy!, { q: true, kv: true }).dkv]);
  } else {
    g.record(name, [q, kv], [o], ([dy], [needQ = false, needKv = false]) => {
      const { dq, dkv } = gradients(g, call, o, lse!, dy!, { q: needQ, kv: needKv });
      return [dq, dkv];
    });
  }
  return o;
}

/** Heads of width `from` as heads of width `to`, zero-filled or cut. */
function repitch(g: Plan, x: Tensor, from: number, to: number): Tensor {
  const y = g.tensor([...x.shape.slice(0, -1), (x.dim(-1) / from) * to], x.dtype, "attention.repitch");
  g.run(k.attention_repitch, { x, y }, { a: from, b: to });
  g.record("attention.repitch", [x], [y], ([dy]) => {
    const dx = repitch(g, dy!, to, from);
    const zeros = g.centred(dy!);
    g.noteCentred(dx, zeros.from / to * from, zeros.to / to * from);
    return [dx];
  });
  return y;
}

/** Attention of heads of any width: zero channels change neither scores nor results. */
function run(g: Plan, call: Call): Tensor {
  const { q, kv, heads, first, D } = call;
  const E = D / heads;
  const wide = WIDTHS.find((width) => width >= E)!;
  if (wide === E) return attend(g, call);
  const widened = repitch(g, kv, E, wide);
  const wideCall = {
    ...call,
    q: q === kv ? widened : repitch(g, q, E, wide),
    kv: widened,
    first: (first / E) * wide,
    D: heads * wide,
  };
  return repitch(g, attend(g, wideCall), wide, E);
}

/** Channels of all heads and scale, after checking what both forms share. `x` packs `parts` tensors. */
function checked(name: string, label: string, x: Tensor, parts: number, { heads, scale }: AttentionOptions) {
  const refuse = (key: string, given: unknown, wanted: string) =>
    new ConfigError(`Cannot run ${name}: ${key} is ${given}, wanted ${wanted}`, {
      context: { op: name, key, given: String(given), wanted },
    });
  if (!Number.isInteger(heads) || heads < 1) throw refuse("heads", heads, "a positive integer");
  expectShape(name, label, x.shape, [null, null, null]);
  const E = x.dim(2) / (parts * heads);
  if (!Number.isInteger(E) || E < 1 || x.dim(1) < 1) {
    const wanted = `a key or more of ${parts} times ${heads} heads`;
    throw new ShapeError(`Cannot run ${name}: ${label} is ${formatShape(x.shape)}, wanted ${wanted}`, {
      context: { op: name, tensor: label, given: x.shape, heads },
    });
  }
  if (E > WIDTHS.at(-1)!) {
    throw new LimitError(`Cannot run ${name}: heads of ${E} channels, wanted at most ${WIDTHS.at(-1)}`, {
      context: { op: name, limit: "head width", given: E, max: WIDTHS.at(-1) },
    });
  }
  const factor = scale ?? 1 / Math.sqrt(E);
  if (!Number.isFinite(factor)) throw refuse("scale", factor, "a number");
  return { D: heads * E, scale: factor };
}

/**
 * Attention of every token to all tokens of its image.
 *
 * @param qkv `[B, N, 3 * H * E]`: queries, keys, values, each head by head, as timm's `attn.qkv` gives them. E is at most
 * 128; N is not limited.
 * @returns `[B, N, H * E]`, the type of `qkv`.
 * @throws {ShapeError} If qkv does not have that shape.
 * @throws {ConfigError} If heads or scale is unusable.
 * @throws {LimitError} If E is more than 128.
 */
export function selfAttention(g: Plan, qkv: Tensor, options: AttentionOptions): Tensor {
  const name = "selfAttention";
  const { D, scale } = checked(name, "qkv", qkv, 3, options);
  return run(g, { name, q: qkv, kv: qkv, heads: options.heads, scale, first: D, D });
}

/**
 * Attention of queries to the tokens of another sequence, as in attentional pooling.
 *
 * @param q Queries `[B, Nq, H * E]`, or `[1, Nq, H * E]` shared by the batch; their gradient is then summed over it.
 * @param kv Keys and values `[B, Nk, 2 * H * E]`, each head by head. E is at most 128; Nq and Nk are not limited.
 * @returns `[B, Nq, H * E]`, the type of `q`.
 * @throws {ShapeError} If the shapes do not fit.
 * @throws {DtypeError} If q and kv differ in type.
 * @throws {ConfigError} If heads or scale is unusable.
 * @throws {LimitError} If E is more than 128.
 */
export function crossAttention(g: Plan, q: Tensor, kv: Tensor, options: AttentionOptions): Tensor {
  const name = "crossAttention";
  const { D, scale } = checked(name, "kv", kv, 2, options);
  expectShape(name, "q", q.shape, [q.shape[0] === 1 ? 1 : kv.dim(0), null, D]);
  if (q.dtype !== kv.dtype) {
    throw new DtypeError(`Cannot run ${name}: q is ${q.dtype}, wanted ${kv.dtype} like kv`, {
      context: { op: name, tensor: "q", given: q.dtype, wanted: kv.dtype },
    });
  }
  return run(g, { name, q, kv, heads: options.heads, scale, first: 0, D });
}

/** Cost of the forward pass of `[B, Nq, H * E]` queries and Nk keys. */
export function attentionCost(B: number, Nq: number, Nk: number, H: number, E: number): Cost {
  return { flops: 4 * B * H * E * Nq * Nk, bytes: 8 * B * H * E * (Nq + Nk) };
}
