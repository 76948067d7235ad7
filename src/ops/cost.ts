/**
 * Cost of an op, from its shapes, and of a dispatch, from its kernel's card: what benches divide time by.
 *
 * @module
 */

import { dtypeBytes } from "../core/dtype.ts";
import type { Dispatch } from "../graph/plan.ts";

/** Work of one call. */
export interface Cost {
  /** Floating-point operations; a multiply-add counts two. */
  readonly flops: number;
  /** Bytes that must cross memory once: inputs read, outputs written. */
  readonly bytes: number;
}

/** Bytes of one place in memory that a dispatch reads or writes. */
interface Crossing {
  readonly whole: number;
  touched: number;
}

/**
 * Cost of a dispatch: operations as its card states them; each place in memory that it binds crosses once if it is read and
 * once if it is written, however often it is bound, and only as far as the card says it is touched.
 */
export function dispatchCost({ kernel, dims, variant, options, bound }: Dispatch): Cost {
  const env: Record<string, number> = { ...dims, ...variant.tune };
  for (const { name } of kernel.params) env[name] = options[name] as number;
  const crossings = new Map<unknown, Map<string, Crossing>>();
  for (const { slot, tensor } of bound) {
    const touched = kernel.touch[slot.name];
    const bytes = touched ? touched(env) * dtypeBytes(tensor.dtype) : tensor.bytes;
    const places = crossings.get(tensor.storage) ?? new Map<string, Crossing>();
    crossings.set(tensor.storage, places);
    for (const way of slot.access === "inout" ? ["in", "out"] : [slot.access]) {
      const place = `${way} ${tensor.byteOffset}`;
      const known = places.get(place) ?? { whole: tensor.bytes, touched: 0 };
      known.touched += bytes;
      places.set(place, known);
    }
  }
  let bytes = 0;
  for (const places of crossings.values()) {
    for (const { whole, touched } of places.values()) bytes += Math.min(whole, touched);
  }
  return { flops: kernel.flops(env), bytes };
}
