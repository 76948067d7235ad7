/**
 * Cox's proportional hazards with an L2 penalty: the negative log partial likelihood, summed over events, + alpha |beta|^2 / 2, by
 * Newton's method.
 *
 * Source: scikit-survival's `CoxPHSurvivalAnalysis`.
 *
 * @module
 */

import { LimitError, NumericsError } from "../core/errors.ts";
import { CoxLoss, type TiedEvents } from "./cox_loss.ts";
import { cholesky, choleskySolve } from "./linalg/cholesky.ts";
import { crossProduct, multiply } from "./linalg/product.ts";
import type { Table } from "./linalg/table.ts";
import type { FollowUp } from "./survival.ts";

/** Options of {@linkcode fitCox}. */
export interface CoxOptions {
  /** Weight of the squared coefficients; default 0. */
  readonly alpha?: number;
  /** Default Breslow's. */
  readonly ties?: TiedEvents;
  /** Largest slope that is left, in shares of the number of events; default 1e-10. */
  readonly tolerance?: number;
  /** Most steps; default 100. */
  readonly maxSteps?: number;
}

/** A fitted model: risk of a row is its product with the coefficients. */
export interface CoxModel {
  /** `[features]`. */
  readonly coefficients: Float64Array;
  readonly steps: number;
  readonly converged: boolean;
}

/**
 * Fits a model.
 *
 * @param x `[cases, features]`.
 * @throws {DataError} If there is no event, or a time is none.
 * @throws {LimitError} If alpha is negative or no number.
 * @throws {NumericsError} If the cases do not determine the coefficients.
 */
export function fitCox(x: Table, follow: FollowUp, options: CoxOptions = {}): CoxModel {
  const { alpha = 0, ties = "breslow", tolerance = 1e-10, maxSteps = 100 } = options;
  if (!(alpha >= 0 && alpha < Infinity)) {
    throw new LimitError(`Cannot fit a survival model: alpha is ${alpha}, 0 or more wanted`);
  }
  const loss = new CoxLoss(follow, ties);
  const beta = new Float64Array(x.columns);
  const value = (b: Float64Array) => loss.at(predictRisk(x, b)).value + alpha * square(b) / 2;
  let converged = false;
  let steps = 0;
  for (; steps <= maxSteps; steps++) {
    const { value: now, gradient } = loss.at(predictRisk(x, beta));
    const slope = crossProduct(x, { rows: x.rows, columns: 1, data: gradient });
    for (let j = 0; j < slope.length; j++) slope[j]! += alpha * beta[j]!;
    converged = slope.every((s) => Math.abs(s) <= tolerance * loss.events);
    if (converged || steps === maxSteps) break;
    const step = newtonStep(x, loss, slope, alpha);
    const total = now + alpha * square(beta) / 2;
    let length = 1;
    while (length > 1e-10) {
      const next = beta.map((old, j) => old - length * step[j]!);
      // A rise within rounding is none: the last steps are below what the value resolves.
      if (value(next) <= total + 1e-13 * Math.abs(total)) {
        beta.set(next);
        break;
      }
      length /= 2;
    }
    if (length <= 1e-10) break;
  }
  if (beta.every(Number.isFinite)) return { coefficients: beta, steps, converged };
  throw notDetermined(`coefficients grow without end on ${x.rows} cases`);
}

function notDetermined(why: string, cause?: unknown): NumericsError {
  return new NumericsError(`Cannot fit a survival model: ${why}, expected cases that determine it`, {
    code: "not-determined",
    hint: "A penalty, alpha above 0, keeps coefficients finite",
    cause,
  });
}

/** Risks `[cases]`: products of rows with coefficients. */
export function predictRisk(x: Table, coefficients: Float64Array): Float64Array {
  return multiply(x, { rows: 1, columns: x.columns, data: coefficients }).data as Float64Array;
}

function square(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}

function newtonStep(x: Table, loss: CoxLoss, slope: Float64Array, alpha: number): Float64Array {
  const { rows, columns } = x;
  const bent = new Float64Array(rows * columns);
  const column = new Float64Array(rows);
  for (let j = 0; j < columns; j++) {
    for (let r = 0; r < rows; r++) column[r] = x.data[r * columns + j]!;
    loss.curvature(column).forEach((value, r) => bent[r * columns + j] = value);
  }
  const hessian = crossProduct(x, { rows, columns, data: bent });
  for (let j = 0; j < columns; j++) hessian[j * columns + j]! += alpha;
  try {
    return choleskySolve(cholesky(hessian, columns), slope);
  } catch (cause) {
    if (!(cause instanceof NumericsError)) throw cause;
    throw notDetermined(`${columns} features of ${rows} cases depend on each other`, cause);
  }
}
