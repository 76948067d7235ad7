/**
 * The same numbers as another element type, where activations of one precision meet those of another.
 *
 * y = x, rounded to even; beyond the range of f16 an infinity. Same as torch.Tensor.to.
 *
 * @module
 */

import { type Shape, sizeOf } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { copyBlock } from "./block.ts";
import type { Cost } from "./cost.ts";

/** Types of activations. */
export type Activations = "f32" | "f16";

function copied(g: Plan, x: Tensor, dtype: Activations, label: string): Tensor {
  const y = g.tensor(x.shape, dtype, label);
  copyBlock(g, x, y, { rows: 1, count: x.size, xStep: 0, xAt: 0, yStep: 0, yAt: 0 });
  return y;
}

/**
 * Rounds or widens every element.
 *
 * @param x Of any shape: f32, f16, or frozen weights stored as bf16.
 * @returns `x` itself where it is of that type.
 */
export function cast(g: Plan, x: Tensor, dtype: Activations): Tensor {
  if (x.dtype === dtype) return x;
  const y = copied(g, x, dtype, "cast.y");
  g.record("cast", [x], [y], ([dy]) => {
    const dx = copied(g, dy!, x.dtype === "f16" ? "f16" : "f32", "cast.dx");
    const { from, to } = g.centred(dy!);
    g.noteCentred(dx, from, to);
    return [dx];
  });
  return y;
}

/** Cost of the forward pass between f32 and f16. */
export function castCost(shape: Shape): Cost {
  return { flops: 0, bytes: 6 * sizeOf(shape) };
}
