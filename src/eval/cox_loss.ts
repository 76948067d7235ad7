/**
 * Cox's partial likelihood in the linear predictors of the cases, with its gradient and products with its Hessian.
 *
 * At every time with events, d of them, the cases still at risk have the sum S of e^eta, those with the event T. Breslow:
 * d log S; Efron: the sum over l = 0 .. d - 1 of log(S - l/d T). From that the predictors of the events are subtracted.
 *
 * Source: Breslow, Biometrics 30 (1974); Efron, JASA 72 (1977).
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { checkFollowUp, countEvents, type FollowUp } from "./survival.ts";

/** What becomes of events at the same time. */
export type TiedEvents = "breslow" | "efron";

/** The negative log-likelihood of some cases, summed over events. */
export class CoxLoss {
  /** Events in all. */
  readonly events: number;
  /** Cases by descending time. */
  readonly #order: Uint32Array;
  /** Ends of the runs of equal times within the order. */
  readonly #ends: readonly number[];
  readonly #event: Uint8Array;
  readonly #ties: TiedEvents;
  /** e^(eta - most) by case, at the last point of {@linkcode CoxLoss.at}. */
  readonly #weight: Float64Array;

  /**
   * @throws {ShapeError | DataError} If the follow-up cannot be used, or has no event.
   */
  constructor(follow: FollowUp, ties: TiedEvents = "breslow") {
    const { times, events } = follow;
    const n = times.length;
    checkFollowUp(follow, n);
    this.events = countEvents(follow);
    if (this.events === 0) {
      throw new DataError(`Cannot fit a survival model: none of ${n} cases has an event, expected one or more`, {
        code: "no-event",
        context: { cases: n },
      });
    }
    this.#ties = ties;
    this.#event = Uint8Array.from({ length: n }, (_, i) => events[i] ? 1 : 0);
    this.#order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => times[b]! - times[a]! || a - b);
    this.#ends = [...this.#order.keys()].filter((k) => times[this.#order[k]!] !== times[this.#order[k + 1]!])
      .map((k) => k + 1);
    this.#weight = new Float64Array(n);
  }

  /** Value and gradient `[cases]` at linear predictors `[cases]`. */
  at(eta: Float64Array): { value: number; gradient: Float64Array } {
    const n = eta.length;
    let most = -Infinity;
    for (const value of eta) most = Math.max(most, value);
    for (let i = 0; i < n; i++) this.#weight[i] = Math.exp(eta[i]! - most);
    let value = 0;
    for (let i = 0; i < n; i++) if (this.#event[i]) value -= eta[i]! - most;
    const runs = this.#runs(undefined, (sum) => value += Math.log(sum));
    return { value, gradient: this.#spread(runs, (i, all, own) => this.#weight[i]! * (all - own) - this.#event[i]!) };
  }

  /** Hessian `[cases, cases]` at the last point of {@linkcode CoxLoss.at} times a vector. */
  curvature(v: ArrayLike<number>): Float64Array {
    const runs = this.#runs(v);
    const bend = this.#spread(runs, (i, all, own) => this.#weight[i]! * v[i]! * (all - own));
    const shared = this.#spread(runs, (i, all, own) => this.#weight[i]! * (all - own), "Q");
    return bend.map((value, i) => value - shared[i]!);
  }

  /**
   * Sums of every run of equal times, in descending order: P = sum of 1/S_l, Pc = sum of c_l/S_l, and with a vector
   * Q and Qc, the same of (U - c V)/S^2, U and V being the sums of weight times vector.
   *
   * @param each Told of every S_l.
   */
  #runs(v?: ArrayLike<number>, each?: (sum: number) => void): Runs {
    const count = this.#ends.length;
    const runs: Runs = { P: [], Pc: [], Q: [], Qc: [] };
    let [at, sum, dot] = [0, 0, 0];
    for (let g = 0; g < count; g++) {
      let [tied, tiedDot, d] = [0, 0, 0];
      for (; at < this.#ends[g]!; at++) {
        const i = this.#order[at]!;
        const weight = this.#weight[i]!;
        const product = v === undefined ? 0 : weight * v[i]!;
        sum += weight;
        dot += product;
        if (!this.#event[i]) continue;
        [tied, tiedDot, d] = [tied + weight, tiedDot + product, d + 1];
      }
      let [p, pc, q, qc] = [0, 0, 0, 0];
      for (let l = 0; l < d; l++) {
        const c = this.#ties === "efron" ? l / d : 0;
        const risk = sum - c * tied;
        each?.(risk);
        const pull = (dot - c * tiedDot) / (risk * risk);
        [p, pc, q, qc] = [p + 1 / risk, pc + c / risk, q + pull, qc + c * pull];
      }
      runs.P.push(p);
      runs.Pc.push(pc);
      runs.Q.push(q);
      runs.Qc.push(qc);
    }
    return runs;
  }

  /** Of every case, from the sums over the runs at or before its time, and its own run's where it has the event. */
  #spread(runs: Runs, of: (i: number, all: number, own: number) => number, what: "P" | "Q" = "P"): Float64Array {
    const out = new Float64Array(this.#order.length);
    let all = 0;
    for (let g = this.#ends.length - 1; g >= 0; g--) {
      all += runs[what][g]!;
      const own = runs[`${what}c`][g]!;
      for (let at = this.#ends[g - 1] ?? 0; at < this.#ends[g]!; at++) {
        const i = this.#order[at]!;
        out[i] = of(i, all, this.#event[i] ? own : 0);
      }
    }
    return out;
  }
}

/** Sums by run of equal times. */
type Runs = Record<"P" | "Pc" | "Q" | "Qc", number[]>;
