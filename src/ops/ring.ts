/**
 * Rings of scalars: what a step measures stays on the device and is read many steps later in one wait.
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";

/**
 * Writes a scalar into row `step mod R` of a ring. The step is that of `g.random`.
 *
 * @param ring `[R, C]`, f32, persistent.
 * @param x `[1]`, f32.
 * @param column Column of the ring.
 * @throws {LimitError} If the column does not exist or the plan has no step.
 */
export function ringWrite(g: Plan, ring: Tensor, x: Tensor, column: number): void {
  if (!(column >= 0 && column < ring.dim(1))) {
    throw new LimitError(`Cannot write to a ring: column ${column}, it has ${ring.dim(1)}`);
  }
  if (!g.random) throw new LimitError("Cannot write to a ring: the plan has no step", { hint: "Set plan.random" });
  g.run(k.ring_write, { ring, x: x.reshape([1]), random: g.random }, { column });
}
