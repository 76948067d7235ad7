/**
 * Cox's partial likelihood of a batch of cases, from linear predictors on the device and tables of who is at risk.
 *
 * L = -(1 / D) sum over events i of [eta_i - log sum_j w_ij e^eta_j], D the events of the batch. Breslow: w_ij is 1 where
 * t_j >= t_i. Efron: of the d events at one time the l-th, l = 0 .. d - 1, counts all of them 1 - l / d. Row i of log w + eta
 * has at i the logarithm of a softmax that is the term of event i, so that no kernel of its own is needed.
 *
 * Source: Breslow, Biometrics 30 (1974); Efron, JASA 72 (1977).
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { expectShape } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { add, mul } from "../ops/binary.ts";
import { sumAll } from "../ops/reduce.ts";
import { affine } from "../ops/scale.ts";
import { logSoftmax } from "../ops/softmax.ts";

/** Logarithm of the weight of those not at risk: its exponential is 0 beside any that is. */
const NEVER = -1e30;

/** Tables of a batch on the device. */
export interface CoxTensors {
  /** log w `[B, B]`, f32. */
  readonly risk: Tensor;
  /** 1 / D on the diagonal of events, else 0: `[B, B]`, f32. */
  readonly target: Tensor;
  /** What log w of the events themselves adds, `[1]`, f32; 0 by Breslow. */
  readonly offset: Tensor;
}

/**
 * Appends the loss.
 *
 * @param eta `[B, 1]`.
 * @param tables See {@linkcode coxTables}.
 * @returns `[1]`; 0, with gradient 0, of a batch without events.
 * @throws {ShapeError} If shapes do not fit.
 */
export function coxLoss(g: Plan, eta: Tensor, { risk, target, offset }: CoxTensors): Tensor {
  expectShape("coxLoss", "eta", eta.shape, [null, 1]);
  const B = eta.dim(0);
  expectShape("coxLoss", "risk", risk.shape, [B, B]);
  expectShape("coxLoss", "target", target.shape, [B, B]);
  expectShape("coxLoss", "offset", offset.shape, [1]);
  const terms = logSoftmax(g, add(g, risk, eta.reshape([1, B])));
  return add(g, affine(g, sumAll(g, mul(g, terms, target)), -1), offset);
}

/** Times and events of the cases of a batch. */
export interface BatchFollowUp {
  readonly times: ArrayLike<number>;
  /** 1 for an event, 0 for a censored case. */
  readonly events: ArrayLike<number>;
}

/** Content of {@linkcode CoxTensors}. */
export interface CoxTables {
  readonly risk: Float32Array;
  readonly target: Float32Array;
  readonly offset: Float32Array;
}

/**
 * Makes the tables of a batch.
 *
 * @param size Cases the plan has room for; those behind the last count nothing.
 * @throws {ConfigError} If there are more cases than room, or times and events differ in number.
 */
export function coxTables(
  { times, events }: BatchFollowUp,
  { ties = "breslow", size = times.length }: { ties?: "breslow" | "efron"; size?: number } = {},
): CoxTables {
  const n = times.length;
  if (events.length !== n || n > size) {
    throw new ConfigError(`Cannot make tables of risk: ${n} times and ${events.length} events, wanted up to ${size}`);
  }
  const risk = new Float32Array(size * size).fill(NEVER);
  const target = new Float32Array(size * size);
  let [D, offset] = [0, 0];
  for (let i = 0; i < n; i++) D += events[i] ? 1 : 0;
  for (let i = 0; i < n; i++) {
    if (!events[i]) continue;
    const tied = Array.from({ length: n }, (_, j) => j).filter((j) => events[j] && times[j] === times[i]);
    const own = ties === "efron" ? Math.log(1 - tied.indexOf(i) / tied.length) : 0;
    for (let j = 0; j < n; j++) {
      if (times[j]! < times[i]!) continue;
      risk[i * size + j] = events[j] && times[j] === times[i] ? own : 0;
    }
    target[i * size + i] = 1 / D;
    offset += own / D;
  }
  return { risk, target, offset: Float32Array.of(offset) };
}
