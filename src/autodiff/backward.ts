/**
 * Reverse-mode differentiation over the tape of a plan. Appends dispatches; knows no mathematics but the sum of gradients.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { formatShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan, TapeEntry } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";

/** Where backward starts: a tensor and the gradient it is given. */
export interface Seed {
  /** An output. */
  readonly tensor: Tensor;
  /** Its gradient, of the same shape. */
  readonly grad: Tensor;
}

/** Gradients of transient tensors by tensor; parameters hold theirs in `grad`. */
export interface Gradients {
  /** Gradient of a tensor that needs one, or undefined if nothing reached it. */
  of(tensor: Tensor): Tensor | undefined;
}

/** Sum of two gradients; neither is changed. */
function sum(g: Plan, a: Tensor, b: Tensor): Tensor {
  const y = g.tensor(a.shape, a.dtype, "gradient");
  g.run(k.sum_pair, { a, b: b.reshape(a.shape), y });
  const [one, other] = [g.centred(a), g.centred(b.reshape(a.shape))];
  g.noteCentred(y, Math.max(one.from, other.from), Math.min(one.to, other.to));
  return y;
}

/**
 * Appends the backward pass. Gradients of parameters (tensors with `grad`) are added to what `grad` holds; clear them once
 * a step with {@linkcode zeroGradients}.
 *
 * @param seeds Outputs and their gradients; see {@linkcode backwardFrom} for a scalar loss.
 * @param tape Defaults to the tape of the plan, which is emptied.
 */
export function backward(g: Plan, seeds: readonly Seed[], tape?: readonly TapeEntry[]): Gradients {
  const entries = tape ?? g.tape.splice(0);
  const grads = new Map<number, Tensor>();
  const parameters = new Map<number, { readonly target: Tensor; readonly module: string }>();
  const add = (tensor: Tensor, grad: Tensor, module = "") => {
    if (grad.size !== tensor.size) {
      throw new ShapeError(
        `Cannot use a gradient ${formatShape(grad.shape)}: its tensor is ${formatShape(tensor.shape)}`,
        { context: { op: "backward", given: grad.shape, wanted: tensor.shape } },
      );
    }
    const shaped = grad.reshape(tensor.shape);
    const known = grads.get(tensor.id);
    if (tensor.grad) parameters.set(tensor.id, { target: tensor.grad, module });
    grads.set(tensor.id, known ? sum(g, known, shaped) : shaped);
  };
  g.withoutTape(() => {
    for (const { tensor, grad } of seeds) add(tensor, grad);
    for (let i = entries.length - 1; i >= 0; i--) {
      const { name, inputs, outputs, backward, module } = entries[i]!;
      const dys = outputs.map((output) => grads.get(output.id)?.reshape(output.shape));
      if (dys.every((dy) => !dy)) continue;
      const needs = inputs.map((input) => input?.requiresGrad ?? false);
      g.within(module, `${name} backward`, () =>
        backward(dys, needs).forEach((grad, j) => {
          if (grad && needs[j]) add(inputs[j]!, grad, module);
        }));
    }
    for (const [id, { target, module }] of parameters) {
      const grad = grads.get(id)!;
      g.within(module, "gradient", () => g.run(k.accumulate, { y: target, x: grad.reshape(target.shape) }));
    }
  });
  return { of: (tensor) => grads.get(tensor.id)?.reshape(tensor.shape) };
}

/**
 * Appends the backward pass of a scalar loss.
 *
 * @param loss `[1]`, f32.
 * @param scale Gradient of the loss with respect to itself: 1/n when accumulating over n micro-batches.
 * @param factor `[1]`, f32: multiplies it, as a loss scale does that lives on the device.
 */
export function backwardFrom(g: Plan, loss: Tensor, scale = 1, factor?: Tensor): Gradients {
  if (loss.size !== 1) throw new ShapeError(`Cannot start backward at ${formatShape(loss.shape)}: wanted a scalar`);
  const grad = g.tensor(loss.shape, loss.dtype, "gradient of loss");
  if (factor) g.run(k.affine, { x: factor, y: grad }, { a: scale, b: 0 });
  else g.run(k.fill, { y: grad }, { value: scale });
  return backward(g, [{ tensor: loss, grad }]);
}

/** Appends the clearing of gradient buffers, given as flat tensors (see `Store.chunks`). */
export function zeroGradients(g: Plan, chunks: readonly Tensor[]): void {
  for (const y of chunks) g.run(k.fill, { y }, { value: 0 });
}
