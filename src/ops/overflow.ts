/**
 * Counts of elements that are not finite: stores beyond the range of f16 are infinities, which later layers may hide.
 *
 * found[slot, g] += number of x[i] that are infinite or NaN, i of workgroup g.
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";

/** Workgroups that share a tensor: enough to read at the speed of memory on a large GPU. */
export const OVERFLOW_GROUPS = 512;

/**
 * Adds to one row of the counts.
 *
 * @param x Of any shape, f16 or f32.
 * @param found `[S, OVERFLOW_GROUPS]`, u32, persistent.
 * @param slot Row of `found`.
 * @throws {LimitError} If there is no such row.
 */
export function countOverflow(g: Plan, x: Tensor, found: Tensor, slot: number): void {
  if (!(slot >= 0 && slot < found.dim(0))) {
    throw new LimitError(`Cannot count in row ${slot}: there are ${found.dim(0)}`, { context: { op: "overflow" } });
  }
  g.run(k.overflow, { x: x.reshape([-1]), found }, { slot, tune: { WG: g.gpu.caps.flat ? 8 : 256 } });
}
