/**
 * Operations on token sequences `[B, N, D]`: class and register tokens before them, and their mean. The class token itself
 * is `select(g, x, 1, 0)`, a range of tokens `slice(g, x, 1, start, count)`.
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";
import { expectShape, type Shape, sizeOf } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { copyBlock, padBlock, rangeOf, sumBlock } from "./block.ts";
import type { Cost } from "./cost.ts";

/**
 * Puts the same tokens before the tokens of every sample.
 *
 * @param tokens `[R, D]`, f32 or stored as f16 or bf16. Its gradient is summed over the batch in order.
 * @param x `[B, N, D]`.
 * @returns `[B, R + N, D]`, the type of `x`.
 * @throws {ShapeError} If the widths differ or a rank is wrong.
 */
export function prependTokens(g: Plan, tokens: Tensor, x: Tensor): Tensor {
  expectShape("prependTokens", "x", x.shape, [null, null, null]);
  const [B, N, D] = x.shape as [number, number, number];
  expectShape("prependTokens", "tokens", tokens.shape, [null, D]);
  const R = tokens.dim(0);
  const y = g.tensor([B, R + N, D], x.dtype, "prepend_tokens.y");
  const whole = { yStep: (R + N) * D, rows: B };
  copyBlock(g, tokens, y, { ...whole, count: R * D, xStep: 0, xAt: 0, yAt: 0 });
  copyBlock(g, x, y, { ...whole, count: N * D, xStep: N * D, xAt: 0, yAt: R * D });
  g.record("prependTokens", [tokens, x], [y], ([dy], [needTokens, needX]) => {
    let dtokens: Tensor | undefined;
    let dx: Tensor | undefined;
    if (needTokens) {
      dtokens = g.tensor(tokens.shape, tokens.dtype === "f32" ? "f32" : dy!.dtype, "prepend_tokens.dtokens");
      // One row of B blocks, of which the first R tokens are summed.
      sumBlock(g, dy!, dtokens, { length: B, start: 0, count: B, inner: R * D, step: (R + N) * D });
    }
    if (needX) {
      dx = g.tensor(x.shape, dy!.dtype, "prepend_tokens.dx");
      copyBlock(g, dy!, dx, { rows: B, count: N * D, xStep: (R + N) * D, xAt: R * D, yStep: N * D, yAt: 0 });
    }
    return [dtokens, dx];
  });
  return y;
}

/** Range of {@linkcode meanTokens}. */
export interface MeanTokensOptions {
  /** First token; 0 by default, 1 leaves out a class token. */
  start?: number;
  /** Number of tokens; all that follow by default. */
  count?: number;
}

/**
 * Mean over tokens, in order.
 *
 * @param x `[B, N, D]`.
 * @returns `[B, D]`, the type of `x`.
 * @throws {ShapeError} If `x` has not three dimensions.
 * @throws {LimitError} If the range is empty or leaves the sequence.
 */
export function meanTokens(g: Plan, x: Tensor, options: MeanTokensOptions = {}): Tensor {
  expectShape("meanTokens", "x", x.shape, [null, null, null]);
  const [B, N, D] = x.shape as [number, number, number];
  const { start = 0, count = N - start } = options;
  if (!Number.isInteger(start) || !Number.isInteger(count) || start < 0 || count < 1 || start + count > N) {
    throw new LimitError(`Cannot average tokens: ${count} from ${start} on, there are ${N}`, {
      context: { op: "meanTokens", given: [start, count], max: N },
    });
  }
  const y = g.tensor([B, D], x.dtype, "mean_tokens.y");
  const range = rangeOf(x.shape, 1, start, count);
  sumBlock(g, x, y, range, 1 / count);
  g.record("meanTokens", [x], [y], ([dy]) => {
    const dx = g.tensor(x.shape, dy!.dtype, "mean_tokens.dx");
    padBlock(g, dy!, dx, range, 1 / count, true);
    const zeros = g.centred(dy!);
    g.noteCentred(dx, zeros.from, zeros.to);
    return [dx];
  });
  return y;
}

/** Cost of {@linkcode prependTokens} for a result of this shape, forward. */
export function prependTokensCost(shape: Shape): Cost {
  return { flops: 0, bytes: 8 * sizeOf(shape) };
}

/** Cost of {@linkcode meanTokens}, forward. */
export function meanTokensCost(shape: Shape): Cost {
  return { flops: sizeOf(shape), bytes: 4 * sizeOf(shape) };
}
