/**
 * What compiling does to the list of dispatches before it places memory.
 *
 * @module
 */

import type { Dispatch } from "./plan.ts";
import { type Storage, Tensor } from "./tensor.ts";

/** Removes dispatches whose results nothing reads: neither a later dispatch, nor an output, nor persistent memory. */
export function dropUnused(dispatches: readonly Dispatch[], outputs: ReadonlySet<Storage>): Dispatch[] {
  const needed = new Set<Storage>(outputs);
  const kept: Dispatch[] = [];
  for (let i = dispatches.length - 1; i >= 0; i--) {
    const dispatch = dispatches[i]!;
    const alive = dispatch.bound.some(({ slot, tensor }) =>
      slot.access !== "in" && (tensor.storage.kind === "persistent" || needed.has(tensor.storage))
    );
    if (!alive) continue;
    for (const { slot, tensor } of dispatch.bound) if (slot.access !== "out") needed.add(tensor.storage);
    kept.push(dispatch);
  }
  return kept.reverse();
}

/** An `accumulate` whose source nothing else reads, and which is the first to reach its target. */
function candidates(dispatches: readonly Dispatch[], outputs: ReadonlySet<Storage>): Map<Storage, Tensor> {
  const readers = new Map<Storage, number>();
  for (const { bound } of dispatches) {
    for (const { slot, tensor } of bound) {
      if (slot.access === "in") readers.set(tensor.storage, (readers.get(tensor.storage) ?? 0) + 1);
    }
  }
  const reached = new Map<Storage, Set<number>>();
  const found = new Map<Storage, Tensor>();
  for (const { kernel, bound } of dispatches) {
    if (kernel.name !== "accumulate") continue;
    const [target, source] = bound.map(({ tensor }) => tensor) as [Tensor, Tensor];
    const offsets = reached.get(target.storage) ?? new Set();
    reached.set(target.storage, offsets);
    const first = !offsets.has(target.byteOffset);
    offsets.add(target.byteOffset);
    const { storage } = source;
    const own = storage.kind === "transient" && storage.bytes === target.bytes && source.dtype === "f32" &&
      !outputs.has(storage);
    if (first && own && target.storage.kind === "persistent" && readers.get(storage) === 1) found.set(storage, target);
  }
  return found;
}

/**
 * For plans whose gradients are clear before each run: lets the kernel that makes the first contribution to a parameter's
 * gradient write it in place, which saves a dispatch and a pass over memory for each parameter.
 */
export function writeGradientsInPlace(dispatches: readonly Dispatch[], outputs: ReadonlySet<Storage>): Dispatch[] {
  const targets = candidates(dispatches, outputs);
  return dispatches.flatMap((dispatch) => {
    if (!dispatch.bound.some(({ tensor }) => targets.has(tensor.storage))) return [dispatch];
    if (dispatch.kernel.name === "accumulate") return [];
    const bound = dispatch.bound.map(({ slot, tensor }) => {
      const target = targets.get(tensor.storage);
      if (!target) return { slot, tensor };
      const offset = target.byteOffset + tensor.byteOffset;
      return { slot, tensor: new Tensor(tensor.shape, tensor.dtype, target.storage, offset) };
    });
    return [{ ...dispatch, bound }];
  });
}
