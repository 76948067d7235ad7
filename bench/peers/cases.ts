/**
 * The work that every peer does: seeded operands, operation counts, references.
 *
 * @module
 */

import * as ref from "./reference.ts";
import type { Reference } from "./reference.ts";
import { tensor } from "./seeded.ts";
import { jpegFiles, jpegPixels } from "./jpegs.ts";
import type {
  AttentionSpec,
  BlockSpec,
  GemmSpec,
  HostTensors,
  LayerNormSpec,
  LoraSpec,
  Peer,
  VitParams,
  Work,
} from "./types.ts";
import { IMAGES, seededBlock, seededImage, seededImages, vitFlops, vitParams, VITS } from "./vit.ts";

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
  readonly reference: (stored: Stored) => Promise<Reference>;
  /** So slow that one set is enough to warm up. */
  readonly slow?: boolean;
}

/** Computes a reference once: a later call with the same key, in this process or another, reads what was written. */
export type Stored = (key: string, compute: () => Reference) => Promise<Reference>;

function sets(make: (seed: number) => HostTensors): HostTensors[] {
  return Array.from({ length: SETS }, (_, i) => make(1000 * (i + 1)));
}

function gemm(spec: GemmSpec): Case {
  const { m, n, k } = spec;
  const operands = sets((seed) => ({ x: tensor([m, k], seed, 1), w: tensor([n, k], seed + 1, 1) }));
  const name = `gemm ${m}x${k}x${n} f32`;
  return {
    name,
    flops: 2 * m * n * k,
    tolerance: 1e-4,
    prepare: (peer) => peer.gemm?.(spec, operands),
    reference: (stored) => stored(name, () => ref.gemm(spec, operands[0]!)),
  };
}

function layernorm(spec: LayerNormSpec): Case {
  const { rows, width } = spec;
  const operands = sets((seed) => ({
    x: tensor([rows, width], seed, 2, 0.5),
    g: tensor([width], seed + 1, 0.5, 1),
    b: tensor([width], seed + 2, 0.5),
  }));
  const name = `layernorm ${rows}x${width} f32`;
  return {
    name,
    flops: 8 * rows * width,
    tolerance: 1e-4,
    prepare: (peer) => peer.layernorm?.(spec, operands),
    reference: (stored) => stored(name, () => ref.layernorm(spec, operands[0]!)),
  };
}

function attention(spec: AttentionSpec): Case {
  const { tokens, heads, headDim } = spec, shape = [tokens, heads * headDim];
  const operands = sets((seed) => ({
    q: tensor(shape, seed, 2),
    k: tensor(shape, seed + 1, 2),
    v: tensor(shape, seed + 2, 1),
  }));
  const name = `attention ${tokens}x${heads}x${headDim} f32`;
  return {
    name,
    flops: 4 * tokens * tokens * heads * headDim,
    tolerance: 1e-4,
    prepare: (peer) => peer.attention?.(spec, operands),
    reference: (stored) => stored(name, () => ref.attention(spec, operands[0]!)),
  };
}

function block(spec: BlockSpec, backward: boolean): Case {
  const { tokens: n, width: w, heads, mlp } = spec;
  const params = seededBlock(spec, 77);
  const operands = sets((seed) => ({ x: tensor([n, w], seed, 1.7), dy: tensor([n, w], seed + 1, 1) }));
  const forward = 2 * n * w * (4 * w + 2 * mlp) + 4 * n * n * w;
  const name = `vit_block_${backward ? "fwd_bwd" : "fwd"} ${n}x${w} h${heads} mlp${mlp} f32`;
  return {
    name,
    flops: backward ? 3 * forward : forward,
    tolerance: 5e-4,
    prepare: (peer) => (backward ? peer.blockGrad : peer.block)?.call(peer, spec, operands, params),
    reference: (stored) => stored(name, () => ref.block(spec, operands[0]!, params, backward)),
  };
}

function lora(spec: LoraSpec): Case {
  const { tokens: n, width: w, heads, mlp, rank: r } = spec;
  const params = seededBlock(spec, 77);
  const operands = sets((seed) => ({
    x: tensor([n, w], seed, 1.7),
    dy: tensor([n, w], seed + 1, 1),
    a: tensor([r, w], seed + 2, 0.1),
    b: tensor([3 * w, r], seed + 3, 0.1),
  }));
  // Frozen weights have no gradient: two products a layer instead of three, and those of the factors.
  const layers = 2 * n * w * (4 * w + 2 * mlp), attention = 4 * n * n * w, factors = 2 * n * r * 4 * w;
  const name = `vit_block_lora_step ${n}x${w} h${heads} mlp${mlp} r${r} f32`;
  return {
    name,
    flops: 2 * layers + 3 * attention + 3 * factors,
    tolerance: 5e-4,
    prepare: (peer) => peer.lora?.(spec, operands, params),
    reference: (stored) => stored(name, () => ref.lora(spec, operands[0]!, params)),
  };
}

const VIT_B: BlockSpec = { tokens: 197, width: 768, heads: 12, mlp: 3072, eps: 1e-6 };

let latest: { name: string; params: VitParams } | undefined;

/** Parameters of a model; those of the latest one are kept. */
export function paramsOf(name: string): VitParams {
  if (latest?.name !== name) latest = { name, params: vitParams(VITS[name]!) };
  return latest.params;
}

/** Embeddings of operand set 0. */
export async function vitReference(name: string, batch: number, stored: Stored): Promise<Reference> {
  const spec = { ...VITS[name]!, batch };
  const y = new Float64Array(batch * spec.width);
  for (let i = 0; i < batch; i++) {
    const at = i % IMAGES;
    const one = await stored(`${name} image ${at}`, () => ref.vit(spec, seededImage(spec, 0, at).data, paramsOf(name)));
    y.set(one.y!, i * spec.width);
  }
  return { y };
}

function vit(name: string, batch: number): Case {
  const spec = { ...VITS[name]!, batch };
  return {
    name: `${name}_b${batch} f32`,
    flops: vitFlops(spec),
    tolerance: 1e-3,
    slow: true,
    prepare: (peer) =>
      peer.vit?.(spec, Array.from({ length: SETS }, (_, set) => seededImages(spec, set)), paramsOf(name)),
    reference: (stored) => vitReference(name, batch, stored),
  };
}

/** From JPEG files to embeddings. */
function jpegs(name: string, batch: number): Case {
  const spec = { ...VITS[name]!, batch };
  return {
    name: `${name}_b${batch} from JPEG f32`,
    flops: vitFlops(spec),
    tolerance: 1e-3,
    slow: true,
    prepare: (peer) =>
      peer.jpegs?.(spec, Array.from({ length: SETS }, (_, set) => jpegFiles(spec, set)), paramsOf(name)),
    reference: async (stored) => {
      const y = new Float64Array(batch * spec.width);
      for (let i = 0; i < batch; i++) {
        const at = i % IMAGES;
        const one = () => ref.vit(spec, jpegPixels(spec, at).data, paramsOf(name));
        y.set((await stored(`${name} JPEG ${at}`, one)).y!, i * spec.width);
      }
      return { y };
    },
  };
}

/** Makers of all cases, in the order of the table; a maker is called only where its case is wanted. */
export const CASES: Readonly<Record<string, () => Case>> = {
  gemm512: () => gemm({ m: 512, n: 512, k: 512 }),
  gemm1024: () => gemm({ m: 1024, n: 1024, k: 1024 }),
  gemm_fc1: () => gemm({ m: 197, n: 3072, k: 768 }),
  layernorm: () => layernorm({ rows: 197, width: 768, eps: 1e-6 }),
  attention: () => attention({ tokens: 197, heads: 12, headDim: 64 }),
  block: () => block(VIT_B, false),
  block_grad: () => block(VIT_B, true),
  lora_step: () => lora({ ...VIT_B, rank: 16, scale: 2 }),
  vit_s16_b1: () => vit("vit_s16", 1),
  vit_s16_b8: () => vit("vit_s16", 8),
  vit_b16_b1: () => vit("vit_b16", 1),
  vit_b16_b8: () => vit("vit_b16", 8),
  vit_s16_b32: () => vit("vit_s16", 32),
  vit_b16_b32: () => vit("vit_b16", 32),
  jpeg_s16_b1: () => jpegs("vit_s16", 1),
  jpeg_s16_b8: () => jpegs("vit_s16", 8),
  jpeg_b16_b8: () => jpegs("vit_b16", 8),
};
