/**
 * Second stage of two-stage sums: no float atomics anywhere, so that results do not depend on scheduling.
 *
 * @module
 */

import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";

/**
 * Sums the first dimension in order.
 *
 * @param part `[S, ...]`, f32.
 * @returns `[...]`, f32; `part` itself under that shape when S is 1.
 */
export function sumPartials(g: Plan, part: Tensor): Tensor {
  const shape = part.shape.slice(1);
  if (part.dim(0) === 1) return part.reshape(shape);
  const y = g.tensor(shape, "f32", "sum_partials.y");
  g.run(k.sum_partials, { part: part.reshape([part.dim(0), y.size]), y: y.reshape([y.size]) });
  return y;
}
