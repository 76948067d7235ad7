/**
 * Cox's proportional hazards with an elastic net: -(1/n) log partial likelihood + alpha (l1 |beta|_1 + (1 - l1) |beta|_2^2 / 2), on a
 * path of penalties, each begun where the one before ended.
 *
 * Newton steps on the exact second-order form of the likelihood, each solved by coordinate descent over the features whose
 * slopes exceed the penalty, with a search along the step.
 *
 * Source: Simon et al., Journal of Statistical Software 39 (2011); objective and path as in scikit-survival's
 * `CoxnetSurvivalAnalysis`, Breslow's ties.
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";
import { CoxLoss } from "./cox_loss.ts";
import { dot } from "./linalg/product.ts";
import type { Table } from "./linalg/table.ts";
import type { FollowUp } from "./survival.ts";

/** Options of {@linkcode fitCoxnet}. */
export interface CoxnetOptions {
  /** Share of the absolute values in the penalty, above 0 and at most 1; default 0.5. */
  readonly l1Ratio?: number;
  /** Penalties, the largest first; by default a path from the least that leaves nothing. */
  readonly alphas?: readonly number[];
  /** Penalties of that path; default 100. */
  readonly count?: number;
  /** Last of the path as a share of the first; default 0.0001, with no more cases than features 0.01. */
  readonly minRatio?: number;
  /** Largest slope that is left; default 1e-11. */
  readonly tolerance?: number;
  /** Most Newton steps a penalty; default 200. */
  readonly maxSteps?: number;
}

/** Models by penalty. */
export interface CoxnetModel {
  readonly alphas: readonly number[];
  /** Coefficients `[features]` of each. */
  readonly coefficients: readonly Float64Array[];
  /** Whether each reached the tolerance, or where rounding ends. */
  readonly converged: readonly boolean[];
}

/**
 * Fits models on a path.
 *
 * @param x `[cases, features]`; not standardised here.
 * @throws {DataError} If there is no event, or a time is none.
 * @throws {LimitError} If a penalty or the share is out of range.
 */
export function fitCoxnet(x: Table, follow: FollowUp, options: CoxnetOptions = {}): CoxnetModel {
  const { l1Ratio = 0.5, tolerance = 1e-11, maxSteps = 200 } = options;
  if (!(l1Ratio > 0 && l1Ratio <= 1)) {
    throw new LimitError(`Cannot fit an elastic net: l1 is ${l1Ratio}, above 0 and at most 1 wanted`);
  }
  const bad = options.alphas?.find((alpha) => !(alpha >= 0 && alpha < Infinity));
  if (bad !== undefined) throw new LimitError(`Cannot fit an elastic net: alpha is ${bad}, 0 or more wanted`);
  const net = new Net(x, new CoxLoss(follow), l1Ratio);
  const alphas = options.alphas ?? net.path(options);
  const fitted = alphas.map((alpha) => net.fit(alpha, tolerance, maxSteps));
  return {
    alphas,
    coefficients: fitted.map(({ coefficients }) => coefficients),
    converged: fitted.map(({ converged }) => converged),
  };
}

/** The state on a path. */
class Net {
  readonly #n: number;
  readonly #d: number;
  /** Centred columns, one behind the other. */
  readonly #columns: Float64Array;
  readonly #beta: Float64Array;
  #eta: Float64Array;

  constructor(x: Table, readonly loss: CoxLoss, readonly l1: number) {
    [this.#n, this.#d] = [x.rows, x.columns];
    this.#columns = new Float64Array(this.#n * this.#d);
    for (let j = 0; j < this.#d; j++) {
      let sum = 0;
      for (let r = 0; r < this.#n; r++) sum += x.data[r * this.#d + j]!;
      for (let r = 0; r < this.#n; r++) this.#columns[j * this.#n + r] = x.data[r * this.#d + j]! - sum / this.#n;
    }
    this.#beta = new Float64Array(this.#d);
    this.#eta = new Float64Array(this.#n);
  }

  #column(j: number): Float64Array {
    return this.#columns.subarray(j * this.#n, (j + 1) * this.#n);
  }

  /** Slope of the likelihood's part by feature. */
  #slope(gradient: Float64Array): Float64Array {
    return Float64Array.from({ length: this.#d }, (_, j) => dot(this.#column(j), gradient) / this.#n);
  }

  path({ count = 100, minRatio = this.#n > this.#d ? 1e-4 : 1e-2 }: CoxnetOptions): number[] {
    const slope = this.#slope(this.loss.at(new Float64Array(this.#n)).gradient);
    const most = slope.reduce((a, b) => Math.max(a, Math.abs(b)), 0) / this.l1;
    return Array.from({ length: count }, (_, i) => most * minRatio ** (count === 1 ? 0 : i / (count - 1)));
  }

  fit(alpha: number, tolerance: number, maxSteps: number): { coefficients: Float64Array; converged: boolean } {
    const [lasso, ridge] = [alpha * this.l1, alpha * (1 - this.l1)];
    let left = Infinity;
    for (let step = 0; step < maxSteps; step++) {
      const { value, gradient } = this.loss.at(this.#eta);
      const slope = this.#slope(gradient);
      left = 0;
      const active: number[] = [];
      for (let j = 0; j < this.#d; j++) {
        const own = this.#beta[j]!;
        const full = slope[j]! + ridge * own;
        const excess = own === 0 ? Math.max(0, Math.abs(full) - lasso) : Math.abs(full + lasso * Math.sign(own));
        left = Math.max(left, excess);
        if (own !== 0 || excess > 0) active.push(j);
      }
      if (left <= tolerance) break;
      const move = this.#direction(active, slope, { lasso, ridge, tolerance: Math.min(1e-3 * left, 1e-6) });
      if (!this.#search(active, move, { lasso, ridge, value: value / this.#n })) break;
    }
    // Where rounding stops the search, what is left is below what a reader of coefficients sees.
    return { coefficients: this.#beta.slice(), converged: left <= Math.max(tolerance, 1e-8) };
  }

  /** Step of the active features that minimises the second-order form with the penalty. */
  #direction(active: readonly number[], slope: Float64Array, { lasso, ridge, tolerance }: Solving): Float64Array {
    const bent = active.map((j) => this.loss.curvature(this.#column(j)));
    const bend = active.map((j, k) => dot(this.#column(j), bent[k]!) / this.#n + ridge);
    const move = new Float64Array(active.length);
    const sum = new Float64Array(this.#n);
    for (let sweep = 0; sweep < 10_000; sweep++) {
      let most = 0;
      for (let k = 0; k < active.length; k++) {
        const j = active[k]!;
        if (!(bend[k]! > 0)) continue;
        const at = this.#beta[j]! + move[k]!;
        const pull = slope[j]! + dot(this.#column(j), sum) / this.#n + ridge * at;
        const free = bend[k]! * at - pull;
        const next = Math.sign(free) * Math.max(0, Math.abs(free) - lasso) / bend[k]!;
        const change = next - at;
        if (change === 0) continue;
        move[k]! += change;
        const own = bent[k]!;
        for (let r = 0; r < sum.length; r++) sum[r]! += change * own[r]!;
        most = Math.max(most, Math.abs(change) * bend[k]!);
      }
      if (most <= tolerance) break;
    }
    return move;
  }

  /** Halves the step until the objective does not rise, and takes it; false where none is left. */
  #search(active: readonly number[], move: Float64Array, at: { lasso: number; ridge: number; value: number }): boolean {
    const { lasso, ridge } = at;
    const along = new Float64Array(this.#n);
    active.forEach((j, k) => this.#column(j).forEach((value, r) => along[r]! += move[k]! * value));
    const penalty = (length: number) =>
      active.reduce((sum, j, k) => {
        const value = this.#beta[j]! + length * move[k]!;
        return sum + lasso * Math.abs(value) + ridge * value * value / 2;
      }, 0);
    const before = at.value + penalty(0);
    for (let length = 1; length > 1e-8; length /= 2) {
      const eta = this.#eta.map((value, r) => value + length * along[r]!);
      const after = this.loss.at(eta).value / this.#n + penalty(length);
      if (!(after <= before + 1e-14 * Math.abs(before))) continue;
      this.#eta = eta;
      let moved = false;
      active.forEach((j, k) => {
        const next = this.#beta[j]! + length * move[k]!;
        moved ||= next !== this.#beta[j];
        this.#beta[j] = next;
      });
      return moved;
    }
    return false;
  }
}

type Solving = Readonly<Record<"lasso" | "ridge" | "tolerance", number>>;
