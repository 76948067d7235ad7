/** Cases of batchnorm: worked values, training and evaluation, primes, two rows, constant columns, large offsets, no affine. */

import { batchnorm, batchnormCost, type BatchnormTensors } from "../../src/ops/batchnorm.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { given, type Input, normal, type OpCase, uniform } from "../case.ts";
import { batchnormRef } from "../ref/batchnorm.ts";

const TRAIN = { training: true, eps: 1e-5, momentum: 0.1 };
const EVAL = { ...TRAIN, training: false };

function state(D: number): Record<string, Input> {
  return { gamma: normal([D], 0.3, 1), beta: normal([D], 0.3), mean: normal([D], 1), variance: uniform([D], 0.5, 2) };
}

function tensors(t: Record<string, Tensor>): BatchnormTensors {
  return { gamma: t.gamma, beta: t.beta, runningMean: t.mean, runningVar: t.variance, tracked: t.tracked };
}

/** One training step: the result, then the running statistics and the counter it leaves behind. */
function train(M: number, D: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `train ${M}x${D}`,
    inputs: { x: normal([M, D], 2, 0.5), ...state(D), tracked: given([1], [41], "u32") },
    run: (g, t) => [batchnorm(g, t.x!, tensors(t)), t.mean!, t.variance!, t.tracked!],
    ref: (a) => {
      const { y, runningMean, runningVar } = batchnormRef(a.x!, { ...a, mean: a.mean!, variance: a.variance! }, TRAIN);
      return [y, runningMean, runningVar, Float64Array.of(a.tracked![0]! + 1)];
    },
    wrt: ["x", "gamma", "beta"],
    ...extra,
  };
}

function evaluate(M: number, D: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `eval ${M}x${D}`,
    inputs: { x: normal([M, D], 2, 0.5), ...state(D) },
    run: (g, t) => batchnorm(g, t.x!, tensors(t), { training: false }),
    ref: (a) => batchnormRef(a.x!, { ...a, mean: a.mean!, variance: a.variance! }, EVAL).y,
    wrt: ["x", "gamma", "beta"],
    ...extra,
  };
}

/** Neither affine nor running statistics. */
function standardize(M: number, D: number, extra: Partial<OpCase> = {}): OpCase {
  const none = new Float64Array(D);
  return train(M, D, {
    name: `standardise ${M}x${D}`,
    inputs: { x: normal([M, D], 2, 0.5) },
    run: (g, t) => batchnorm(g, t.x!),
    ref: (a) => batchnormRef(a.x!, { mean: none, variance: none }, TRAIN).y,
    wrt: ["x"],
    ...extra,
  });
}

const X = [1, 2, 3, 0, 5, -1, 7, 3];

/** Case table. */
export const cases: readonly OpCase[] = [
  // The worked values of a fresh torch.nn.BatchNorm1d, given digit for digit: a step, then evaluation.
  train(4, 2, {
    name: "worked step 4x2",
    inputs: {
      x: given([4, 2], X),
      mean: given([2], [0, 0]),
      variance: given([2], [1, 1]),
      tracked: given([1], [0], "u32"),
    },
    ref: () => [
      Float64Array.of(-1.341639, 0.632454, -0.447213, -0.632454, 0.447213, -1.264909, 1.341639, 1.264909),
      Float64Array.of(0.4, 0.1),
      Float64Array.of(1.566667, 1.233333),
      Float64Array.of(1),
    ],
    // The gradient of these values is in errors_norm_test: it is one of a given cotangent.
    wrt: [],
  }),
  evaluate(4, 2, {
    name: "worked evaluation 4x2",
    inputs: { x: given([4, 2], X), mean: given([2], [0.4, 0.1]), variance: given([2], [1 + 17 / 30, 1 + 7 / 30]) },
    ref: () => Float64Array.of(0.479360, 1.710849, 2.077226, -0.090045, 3.675091, -0.990491, 5.272957, 2.611295),
    wrt: [],
  }),
  train(33, 31, { f16: ["x"] }),
  train(7, 130),
  train(3, 65),
  // Two rows are normalised to 1 and -1 whatever they are: the gradient in x is what eps leaves of terms that cancel, some
  // 1e-4 of them, so that rounding is 1e-3 of it.
  train(2, 33, { gradTol: { nmse: 1e-5, max: 3e-2 } }),
  train(129, 1),
  train(6, 3, {
    name: "train constant column 6x3",
    inputs: {
      x: { shape: [6, 3], make: (rng) => rng.normals(18).map((v, i) => (i % 3 === 1 ? 5 : v)) },
      ...state(3),
      tracked: given([1], [0], "u32"),
    },
    // rstd of the constant column is 316 and its centred values are zero: differences have no digits left in x.
    wrt: ["gamma", "beta"],
  }),
  train(50, 8, {
    name: "train large offset 50x8",
    inputs: { x: normal([50, 8], 1, 1000), ...state(8), tracked: given([1], [0], "u32") },
  }),
  evaluate(33, 31, { f16: ["x"] }),
  evaluate(1, 65),
  evaluate(3, 8, { name: "eval forward 3x8", wrt: [] }),
  evaluate(0, 5, { name: "eval no rows 0x5" }),
  standardize(9, 12, { f16: ["x"] }),
  train(256, 512, { perf: batchnormCost([256, 512]), benchOnly: true }),
  evaluate(256, 512, { perf: batchnormCost([256, 512]), benchOnly: true }),
];
