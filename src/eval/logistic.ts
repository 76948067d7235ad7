/**
 * Logistic regression with an L2 penalty: C sum(weight x cross entropy) + |W|^2 / 2, intercepts not penalised.
 *
 * Two classes have one vector of coefficients, more have one each (softmax), as scikit-learn has it. Solved by Newton's method
 * whose equations conjugate gradients solve, so that no Hessian is ever formed.
 *
 * Source: scikit-learn's `LogisticRegression` and its solver "newton-cg".
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { dot, multiply } from "./linalg/product.ts";
import { SoftmaxLoss } from "./softmax_loss.ts";
import type { Table } from "./linalg/table.ts";

/** Options of {@linkcode fitLogistic}. */
export interface LogisticOptions {
  /** Weight of the loss against the penalty; default 1. */
  readonly c?: number;
  /** Whether classes weigh the same however many rows they have. */
  readonly balanced?: boolean;
  /** Largest slope that is left; default 1e-8. */
  readonly tolerance?: number;
  /** Most Newton steps; default 100. */
  readonly maxSteps?: number;
}

/** A fitted classifier. */
export interface LogisticModel {
  /** Labels that occur, ascending. */
  readonly classes: readonly number[];
  /** `[1 or classes, D]`. */
  readonly weights: Table;
  readonly intercepts: Float64Array;
  /** Newton steps taken. */
  readonly steps: number;
  readonly converged: boolean;
}

/**
 * Fits a classifier.
 *
 * @param x `[n, D]`; standardise it first.
 * @param labels One integer a row.
 * @throws {DataError} If there are fewer than two classes.
 */
export function fitLogistic(x: Table, labels: ArrayLike<number>, options: LogisticOptions = {}): LogisticModel {
  const { c = 1, balanced = false, tolerance = 1e-8, maxSteps = 100 } = options;
  const classes = [...new Set(Array.from(labels))].sort((a, b) => a - b);
  if (classes.length < 2) {
    throw new DataError(`Cannot fit a classifier: ${classes.length} classes among ${labels.length} rows, 2 wanted`, {
      code: "classes",
    });
  }
  const place = new Map(classes.map((label, i) => [label, i]));
  const of = Uint32Array.from(labels, (label) => place.get(label)!);
  const counts = new Float64Array(classes.length);
  for (const label of of) counts[label]!++;
  const weights = Float64Array.from(of, (label) => c * (balanced ? of.length / (classes.length * counts[label]!) : 1));
  const loss = new SoftmaxLoss(x, of, { classes: classes.length, weights });
  const w = new Float64Array(loss.size);
  let steps = 0;
  let converged = false;
  for (; steps <= maxSteps; steps++) {
    const { value, gradient } = loss.at(w);
    const slope = gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
    converged = slope <= tolerance;
    if (converged || steps === maxSteps) break;
    const step = newtonStep(loss, gradient);
    if (!search(loss, w, { step, value, gradient })) break;
  }
  const columns = loss.vectors;
  return {
    classes,
    weights: { rows: columns, columns: x.columns, data: w.slice(0, columns * x.columns) },
    intercepts: w.slice(columns * x.columns),
    steps,
    converged,
  };
}

/** Solves H s = -g by conjugate gradients, more exactly the smaller g is. */
function newtonStep(loss: SoftmaxLoss, gradient: Float64Array): Float64Array {
  const step = new Float64Array(gradient.length);
  const residual = gradient.map((g) => -g);
  let direction = residual.slice();
  let square = dot(residual, residual);
  const goal = square * Math.min(0.25, Math.sqrt(square)) ** 2;
  for (let i = 0; i < 20 * gradient.length && square > goal && square > 0; i++) {
    const product = loss.curvature(direction);
    const bend = dot(direction, product);
    if (!(bend > 0)) break;
    const length = square / bend;
    for (let j = 0; j < step.length; j++) {
      step[j]! += length * direction[j]!;
      residual[j]! -= length * product[j]!;
    }
    const next = dot(residual, residual);
    direction = direction.map((value, j) => residual[j]! + next / square * value);
    square = next;
  }
  return step;
}

/** Halves the step until the loss falls enough (Armijo), and takes it. False where rounding leaves no way down. */
function search(
  loss: SoftmaxLoss,
  w: Float64Array,
  { step, value, gradient }: { step: Float64Array; value: number; gradient: Float64Array },
): boolean {
  const slope = dot(step, gradient);
  for (let length = 1; length > 1e-10; length /= 2) {
    const next = w.map((old, j) => old + length * step[j]!);
    if (loss.value(next) <= value + 1e-4 * length * slope + 1e-14 * Math.abs(value)) {
      w.set(next);
      return true;
    }
  }
  return false;
}

/** The most probable label of each row. */
export function predictLogistic({ classes, weights, intercepts }: LogisticModel, x: Table): number[] {
  const scores = multiply(x, weights);
  return Array.from({ length: x.rows }, (_, r) => {
    if (weights.rows === 1) return classes[scores.data[r]! + intercepts[0]! > 0 ? 1 : 0]!;
    let best = 0;
    let most = -Infinity;
    for (let k = 0; k < weights.rows; k++) {
      const score = scores.data[r * weights.rows + k]! + intercepts[k]!;
      if (score > most) [most, best] = [score, k];
    }
    return classes[best]!;
  });
}

/**
 * Probabilities of classes 0 to `classes - 1`, `[rows, classes]`; 0 of those that the model never saw.
 *
 * @param classes More than the largest label of the model.
 */
export function logisticProbabilities(model: LogisticModel, x: Table, classes: number): Float64Array {
  const { weights, intercepts } = model;
  const scores = multiply(x, weights).data;
  const out = new Float64Array(x.rows * classes);
  for (let r = 0; r < x.rows; r++) {
    const own = Array.from(intercepts, (value, k) => value + scores[r * weights.rows + k]!);
    if (weights.rows === 1) own.unshift(0);
    const most = Math.max(...own);
    const powers = own.map((value) => Math.exp(value - most));
    const sum = powers.reduce((a, b) => a + b, 0);
    model.classes.forEach((label, k) => out[r * classes + label] = powers[k]! / sum);
  }
  return out;
}

/** Mean over classes of the share of their rows that are predicted right; NaN without rows. */
export function balancedAccuracy(predicted: ArrayLike<number>, labels: ArrayLike<number>): number {
  const right = new Map<number, [hits: number, count: number]>();
  for (let r = 0; r < labels.length; r++) {
    const entry = right.get(labels[r]!) ?? [0, 0];
    right.set(labels[r]!, [entry[0] + (predicted[r] === labels[r] ? 1 : 0), entry[1] + 1]);
  }
  const shares = [...right.values()].map(([hits, count]) => hits / count);
  return shares.reduce((a, b) => a + b, 0) / shares.length;
}
