/**
 * Cross-entropy of logits against class labels, averaged over the rows that count.
 *
 * loss = mean over rows of -sum_c t_c * log softmax(x)_c, t = (1 - s) * onehot(label) + s / C. Same as
 * torch.nn.functional.cross_entropy with reduction "mean" and label_smoothing s, but for a batch of ignored rows only: its
 * loss and gradient are 0, not NaN. The two sums have a fixed order. Saves two numbers a row.
 *
 * @module
 */

import { ConfigError, ShapeError } from "../core/errors.ts";
import { expectShape, formatShape, type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/** Options of {@linkcode crossEntropy}. */
export interface CrossEntropyOptions {
  /** Share of the target spread evenly over all classes, in [0, 1); default 0. */
  labelSmoothing?: number;
  /** Label of rows that count nothing; default 2^32 - 1, which is -1 stored as u32. */
  ignoreIndex?: number;
}

/**
 * Mean cross-entropy.
 *
 * @param logits `[B, C]`.
 * @param labels `[B]`, u32, below C or `ignoreIndex`; any other label makes the loss and its row's gradient NaN.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If logits are not `[B, C]` with a class or labels not `[B]`.
 * @throws {DtypeError} If labels are not u32.
 * @throws {ConfigError} If an option is out of range.
 */
export function crossEntropy(g: Plan, logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { labelSmoothing: smoothing = 0, ignoreIndex: ignore = 2 ** 32 - 1 } = options;
  if (logits.shape.length !== 2 || !logits.dim(1)) {
    throw new ShapeError(
      `Cannot run crossEntropy: logits are ${formatShape(logits.shape)}, wanted [B, C] with a class`,
      {
        context: { op: "crossEntropy", tensor: "logits", given: logits.shape },
      },
    );
  }
  expectShape("crossEntropy", "labels", labels.shape, [logits.dim(0)]);
  check("labelSmoothing", smoothing, smoothing >= 0 && smoothing < 1, "at least 0 and below 1");
  check("ignoreIndex", ignore, Number.isInteger(ignore) && ignore >= 0 && ignore < 2 ** 32, "a u32");
  const { flat } = g.gpu.caps;
  const [M, D] = [logits.dim(0), logits.dim(1)];
  const saves = g.needsGrad(logits);
  const terms = g.tensor([M, 2], "f32", "cross_entropy.terms");
  const stats = saves ? g.tensor([M, 2], "f32", "cross_entropy.stats") : undefined;
  const share = saves ? g.tensor([1], "f32", "cross_entropy.share") : undefined;
  const loss = g.tensor([1], "f32", "cross_entropy.loss");
  const rows = { x: logits, labels, terms, stats };
  if (flat) g.run(k.cross_entropy_rows_flat, rows, { smoothing, ignore });
  else g.run(k.cross_entropy_rows, rows, { smoothing, ignore, tune: { WG: D <= 128 ? 32 : D <= 1024 ? 64 : 256 } });
  g.run(k.cross_entropy_mean, { terms, loss, share });
  g.record("cross_entropy", [logits, labels], [loss], ([dloss]) => {
    const dx = g.tensor(logits.shape, logits.dtype, "cross_entropy.dx");
    const tensors = { x: logits, labels, stats: stats!, share: share!, dloss: dloss!, dx };
    g.run(k.cross_entropy_bwd, tensors, { smoothing, ignore, tune: { WG: flat ? 8 : D <= 128 ? 32 : 64 } });
    return [dx];
  });
  return loss;
}

function check(key: string, given: number, holds: boolean, wanted: string): void {
  if (holds) return;
  throw new ConfigError(`Cannot run crossEntropy: ${key} is ${given}, wanted ${wanted}`, {
    context: { op: "crossEntropy", key, given: String(given) },
  });
}

/** Cost of the forward pass over logits of this shape. */
export function crossEntropyCost(shape: Shape): Cost {
  const n = sizeOf(shape);
  return { flops: 6 * n, bytes: 4 * n };
}
