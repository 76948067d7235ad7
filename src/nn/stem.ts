/**
 * The part of a transformer block that no trained weight changes, so that training computes it once per image and keeps it.
 *
 * Three cuts, from the one that always holds to the deepest: `input` keeps the tokens x that enter the block; `qkv` keeps x
 * and W0 norm1(x) + b where only a low-rank update of qkv trains; `attention` keeps the residual stream after attention
 * where nothing before the MLP trains. What follows the cut is the block itself: `finishBlock(stem(x)) = applyBlock(x)`, up
 * to rounding for `qkv`, whose low-rank product is added after the large one and not within it.
 *
 * @module
 */

import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { crossAttention, selfAttention } from "../ops/attention.ts";
import { slice } from "../ops/slice.ts";
import {
  afterAttention,
  applyBlock,
  applyBlockToFirst,
  attentionResidual,
  type Block,
  type BlockForward,
  mlpResidual,
} from "./block.ts";
import { applyLinear, applyLora, applyNorm, linearRows } from "./layers.ts";

/** Where a block is cut. */
export type StemKind = "input" | "qkv" | "attention";

/** How a block is cut and run. */
export interface StemForward extends BlockForward {
  /** The block computes the first token only, as `applyBlockToFirst`. */
  readonly first: boolean;
}

const trains = (...tensors: (Tensor | undefined)[]): boolean => tensors.some((tensor) => tensor?.grad !== undefined);

/** The deepest cut at which nothing before it trains. */
export function deepestStem({ norm1, qkv, proj, ls1 }: Block): StemKind {
  if (trains(norm1.weight, norm1.bias, qkv.weight, qkv.bias)) return "input";
  if (qkv.lora) return "qkv";
  return proj.lora || trains(proj.weight, proj.bias, ls1) ? "input" : "attention";
}

/** Shapes of what {@linkcode applyStem} gives for one image of `tokens` tokens of width `width`. */
export function stemShapes(kind: StemKind, tokens: number, width: number, first: boolean): readonly [number, number][] {
  if (kind === "attention") return [[first ? 1 : tokens, width]];
  const input: [number, number] = [tokens, width];
  if (kind === "input") return [input];
  return first ? [input, [1, width], [tokens, 2 * width]] : [input, [tokens, 3 * width]];
}

/**
 * Appends what comes before the cut; nothing of it is recorded for gradients.
 *
 * @param x Tokens `[B, N, D]`.
 * @returns As {@linkcode stemShapes} says, each with B in front.
 */
export function applyStem(g: Plan, block: Block, x: Tensor, kind: StemKind, { heads, first }: StemForward): Tensor[] {
  const D = x.dim(-1);
  return g.withoutTape(() => {
    if (kind === "input") return [x];
    const h = applyNorm(g, block.norm1, x);
    const base = { ...block.qkv, lora: undefined };
    if (kind === "qkv") {
      if (!first) return [x, applyLinear(g, base, h)];
      const q = applyLinear(g, linearRows(g, base, 0, D), slice(g, h, 1, 0, 1));
      return [x, q, applyLinear(g, linearRows(g, base, D, 2 * D), h)];
    }
    if (!first) return [attentionResidual(g, block, x, selfAttention(g, applyLinear(g, base, h), { heads }))];
    const q = applyLinear(g, linearRows(g, base, 0, D), slice(g, h, 1, 0, 1));
    const attended = crossAttention(g, q, applyLinear(g, linearRows(g, base, D, 2 * D), h), { heads });
    return [attentionResidual(g, block, slice(g, x, 1, 0, 1), attended)];
  });
}

/**
 * Appends the rest of the block.
 *
 * @param stem What {@linkcode applyStem} gave for `kind`.
 * @returns Tokens `[B, N, D]`, or `[B, 1, D]` with `first`.
 */
export function finishBlock(
  g: Plan,
  block: Block,
  stem: readonly Tensor[],
  kind: StemKind,
  forward: StemForward,
): Tensor {
  const { heads, training = false, first } = forward;
  const x = stem[0]!;
  if (kind === "input") return (first ? applyBlockToFirst : applyBlock)(g, block, x, forward);
  if (kind === "attention") return mlpResidual(g, block, x, forward);
  const D = x.dim(-1);
  const h = applyNorm(g, block.norm1, x);
  if (!first) {
    const packed = applyLora(g, block.qkv, h, stem[1]!, { training });
    return afterAttention(g, block, x, selfAttention(g, packed, { heads }), forward);
  }
  const q = applyLora(g, linearRows(g, block.qkv, 0, D), slice(g, h, 1, 0, 1), stem[1]!, { training });
  const kv = applyLora(g, linearRows(g, block.qkv, D, 2 * D), h, stem[2]!, { training });
  return afterAttention(g, block, slice(g, x, 1, 0, 1), crossAttention(g, q, kv, { heads }), forward);
}
