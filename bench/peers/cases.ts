/**
 * The work that every peer does: seeded operands, operation counts, references.
 *
 * @module
 */

import * as ref from "./reference.ts";
import {
  type AttentionSpec,
  BLOCK_PARAMS,
  type BlockParam,
  type BlockParams,
  type BlockSpec,
  type GemmSpec,
  type HostTensor,
  type HostTensors,
  type LayerNormSpec,
  type Peer,
  type Work,
} from "./types.ts";

/** Operand sets that the timed iterations rotate through, so that neither a cache nor memoisation can help. */
export const SETS = 3;

/** One row of the comparison. */
export interface Case {
  readonly name: string;
  /** Nominal floating-point operations: products and sums of the matrix products; for layer norm 8 per element. */
  readonly flops: number;
  /** Largest error admitted by the gate. */
  readonly tolerance: number;
  /** Readies the work in a peer; undefined where the peer cannot do it. */
  readonly prepare: (peer: Peer) => Promise<Work> | undefined;
  /** Float64 outputs for operand set 0. */
  readonly reference: () => ref.Reference;
}

/** Uniform values in `[-scale, scale)`, plus `shift`; mulberry32. */
function tensor(shape: readonly number[], seed: number, scale: number, shift = 0): HostTensor {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  let state = seed >>> 0;
  for (let i = 0; i < data.length; i++) {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    data[i] = shift + scale * (((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1);
  }
  return { shape, data };
}

function sets(make: (seed: number) => HostTensors): HostTensors[] {
  return Array.from({ length: SETS }, (_, i) => make(1000 * (i + 1)));
}

function gemm(spec: GemmSpec): Case {
  const { m, n, k } = spec;
  const operands = sets((seed) => ({ x: tensor([m, k], seed, 1), w: tensor([n, k], seed + 1, 1) }));
  return {
    name: `gemm_nt ${m}x${k}x${n} f32`,
    flops: 2 * m * n * k,
    tolerance: 1e-4,
    prepare: (peer) => peer.gemm?.(spec, operands),
    reference: () => ref.gemm(spec, operands[0]!),
  };
}

function layernorm(spec: LayerNormSpec): Case {
  const { rows, width } = spec;
  const operands = sets((seed) => ({
    x: tensor([rows, width], seed, 2, 0.5),
    g: tensor([width], seed + 1, 0.5, 1),
    b: tensor([width], seed + 2, 0.5),
  }));
  return {
    name: `layernorm ${rows}x${width} f32`,
    flops: 8 * rows * width,
    tolerance: 1e-4,
    prepare: (peer) => peer.layernorm?.(spec, operands),
    reference: () => ref.layernorm(spec, operands[0]!),
  };
}

function attention(spec: AttentionSpec): Case {
  const { tokens, heads, headDim } = spec, shape = [tokens, heads * headDim];
  const operands = sets((seed) => ({
    q: tensor(shape, seed, 2),
    k: tensor(shape, seed + 1, 2),
    v: tensor(shape, seed + 2, 1),
  }));
  return {
    name: `attention ${tokens}x${heads}x${headDim} f32`,
    flops: 4 * tokens * tokens * heads * headDim,
    tolerance: 1e-4,
    prepare: (peer) => peer.attention?.(spec, operands),
    reference: () => ref.attention(spec, operands[0]!),
  };
}

function blockParams({ width: w, mlp }: BlockSpec): BlockParams {
  const shapes: Record<BlockParam, readonly number[]> = {
    ...{ g1: [w], b1: [w], wqkv: [3 * w, w], bqkv: [3 * w], wproj: [w, w], bproj: [w] },
    ...{ g2: [w], b2: [w], wfc1: [mlp, w], bfc1: [mlp], wfc2: [w, mlp], bfc2: [w] },
  };
  const params = BLOCK_PARAMS.map((name, i) => {
    const shape = shapes[name];
    // Weights keep the variance of their input; gains lie around 1, offsets around 0.
    const scale = shape.length === 2 ? Math.sqrt(3 / shape[1]!) : 0.3;
    return [name, tensor(shape, 77 + i, scale, name.startsWith("g") ? 1 : 0)];
  });
  return Object.fromEntries(params) as BlockParams;
}

function block(spec: BlockSpec, backward: boolean): Case {
  const { tokens: n, width: w, heads, mlp } = spec;
  const params = blockParams(spec);
  const operands = sets((seed) => ({ x: tensor([n, w], seed, 1.7), dy: tensor([n, w], seed + 1, 1) }));
  const forward = 2 * n * w * (4 * w + 2 * mlp) + 4 * n * n * w;
  return {
    name: `vit_block_${backward ? "fwd_bwd" : "fwd"} ${n}x${w} h${heads} mlp${mlp} f32`,
    flops: backward ? 3 * forward : forward,
    tolerance: 5e-4,
    prepare: (peer) => (backward ? peer.blockGrad : peer.block)?.call(peer, spec, operands, params),
    reference: () => ref.block(spec, operands[0]!, params, backward),
  };
}

const VIT_B: BlockSpec = { tokens: 197, width: 768, heads: 12, mlp: 3072, eps: 1e-6 };

/** Makers of all cases, in the order of the table; a maker is called only where its case is wanted. */
export const CASES: Readonly<Record<string, () => Case>> = {
  gemm512: () => gemm({ m: 512, n: 512, k: 512 }),
  gemm1024: () => gemm({ m: 1024, n: 1024, k: 1024 }),
  gemm_fc1: () => gemm({ m: 197, n: 3072, k: 768 }),
  layernorm: () => layernorm({ rows: 197, width: 768, eps: 1e-6 }),
  attention: () => attention({ tokens: 197, heads: 12, headDim: 64 }),
  block: () => block(VIT_B, false),
  block_grad: () => block(VIT_B, true),
};
