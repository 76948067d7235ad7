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
 * Runs `segment` without saving its intermediates. Random streams are rewound for the second run, so dropout draws the
 * same numbers and the gradients are those of the plain segment, bit for bit.
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
  const start = g.stream;
  const y = g.withoutTape(() => segment(...inputs));
  const end = g.stream;
  const view = y.detach();
  g.record("checkpoint", [...inputs, ...parameters], [view], ([dy], needs) => {
    g.stream = start;
    const again = inputs.map((input, i) => {
      const copy = input.detach();
      copy.requiresGrad = needs[i]!;
      return copy;
    });
    const { result, tape } = g.withTape(() => segment(...again));
    g.stream = end;
    const grads = backward(g, [{ tensor: result, grad: dy! }], tape);
    return again.map((input) => grads.of(input));
  });
  return view;
}
