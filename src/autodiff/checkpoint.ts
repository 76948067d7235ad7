/**
 * Recomputation ("checkpointing"): a segment keeps its inputs only and is run again in backward.
 *
 * Source: Chen et al., "Training deep nets with sublinear memory cost", arXiv 1604.06174.
 *
 * @module
 */

import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { backward } from "./backward.ts";

/**
 * Runs `segment` without saving its intermediates. Random numbers go by name and row, so dropout draws the same ones in the
 * second run and the gradients are those of the plain segment, bit for bit.
 *
 * @param parameters Trainable tensors the segment uses beside its inputs.
 */
export function checkpoint(
  g: Plan,
  segment: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  parameters: readonly Tensor[] = [],
): Tensor {
  if (!g.needsGrad(...inputs, ...parameters)) return segment(...inputs);
  const y = g.withoutTape(() => segment(...inputs));
  const view = y.detach();
  g.record("checkpoint", [...inputs, ...parameters], [view], ([dy], needs) => {
    const again = inputs.map((input, i) => {
      const copy = input.detach();
      copy.requiresGrad = needs[i]!;
      return copy;
    });
    const { result, tape } = g.withTape(() => segment(...again));
    const grads = backward(g, [{ tensor: result, grad: dy! }], tape);
    return again.map((input) => grads.of(input));
  });
  return view;
}
