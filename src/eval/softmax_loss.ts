/**
 * The loss of logistic regression with its gradient and products with its Hessian.
 *
 * Coefficients are one array: `[vectors, D]`, then one intercept each; one vector for two classes, else one a class. With
 * probabilities p and one-hot labels y: gradient XT (s (p - y)) + W; Hessian times V: XT (s (p o u - p (p . u))) + V, u = X V.
 *
 * @module
 */

import type { Table } from "./linalg/table.ts";

/** What the loss is made of beside the rows. */
export interface SoftmaxOptions {
  readonly classes: number;
  /** Weight of each row, C included. */
  readonly weights: Float64Array;
}

/** The loss of one data set. */
export class SoftmaxLoss {
  /** Vectors of coefficients. */
  readonly vectors: number;
  /** Numbers in the array of coefficients. */
  readonly size: number;
  readonly #x: Table;
  readonly #labels: Uint32Array;
  readonly #weights: Float64Array;
  /** Probabilities at the last point of {@linkcode SoftmaxLoss.at}, `[n, vectors]`. */
  readonly #p: Float64Array;

  /** @param labels Class of each row, from 0. */
  constructor(x: Table, labels: Uint32Array, { classes, weights }: SoftmaxOptions) {
    this.vectors = classes === 2 ? 1 : classes;
    this.size = this.vectors * (x.columns + 1);
    this.#x = x;
    this.#labels = labels;
    this.#weights = weights;
    this.#p = new Float64Array(x.rows * this.vectors);
  }

  /** Value and gradient. */
  at(w: Float64Array): { value: number; gradient: Float64Array } {
    const value = this.#forward(w, this.#p) + this.#penalty(w);
    const [k, error] = [this.vectors, new Float64Array(this.#p.length)];
    for (let r = 0; r < this.#x.rows; r++) {
      for (let c = 0; c < k; c++) {
        const truth = this.#labels[r] === (k === 1 ? 1 : c) ? 1 : 0;
        error[r * k + c] = this.#weights[r]! * (this.#p[r * k + c]! - truth);
      }
    }
    return { value, gradient: this.#back(error, w) };
  }

  /** Value alone. */
  value(w: Float64Array): number {
    return this.#forward(w, new Float64Array(this.#p.length)) + this.#penalty(w);
  }

  /** Hessian at the last point times a direction. */
  curvature(v: Float64Array): Float64Array {
    const [k, p] = [this.vectors, this.#p];
    const u = this.#scores(v);
    for (let r = 0, at = 0; r < this.#x.rows; r++, at += k) {
      if (k === 1) u[at]! *= this.#weights[r]! * p[at]! * (1 - p[at]!);
      else {
        let mean = 0;
        for (let c = 0; c < k; c++) mean += p[at + c]! * u[at + c]!;
        for (let c = 0; c < k; c++) u[at + c] = this.#weights[r]! * p[at + c]! * (u[at + c]! - mean);
      }
    }
    return this.#back(u, v);
  }

  #penalty(w: Float64Array): number {
    let sum = 0;
    for (let i = 0; i < this.vectors * this.#x.columns; i++) sum += w[i]! * w[i]!;
    return sum / 2;
  }

  /** X wT + intercepts, `[n, vectors]`. */
  #scores(w: Float64Array): Float64Array {
    const { rows, columns: d, data } = this.#x;
    const k = this.vectors;
    const out = new Float64Array(rows * k);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < k; c++) {
        let sum = w[k * d + c]!;
        for (let i = r * d, j = c * d, end = i + d; i < end; i++, j++) sum += data[i]! * w[j]!;
        out[r * k + c] = sum;
      }
    }
    return out;
  }

  /** errorT X in front of the sums of the errors, and the penalty's share. */
  #back(error: Float64Array, w: Float64Array): Float64Array {
    const { rows, columns: d, data } = this.#x;
    const k = this.vectors;
    const out = new Float64Array(this.size);
    out.set(w.subarray(0, k * d));
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < k; c++) {
        const factor = error[r * k + c]!;
        for (let i = r * d, j = c * d, end = i + d; i < end; i++, j++) out[j]! += factor * data[i]!;
        out[k * d + c]! += factor;
      }
    }
    return out;
  }

  /** Fills in probabilities and returns the weighted cross entropy. */
  #forward(w: Float64Array, p: Float64Array): number {
    const k = this.vectors;
    const scores = this.#scores(w);
    let loss = 0;
    for (let r = 0, at = 0; r < this.#x.rows; r++, at += k) {
      if (k === 1) {
        const z = scores[at]!;
        p[at] = 1 / (1 + Math.exp(-z));
        // ln(1 + e^z) - y z without overflow.
        loss += this.#weights[r]! *
          (Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - (this.#labels[r] === 1 ? z : 0));
        continue;
      }
      let most = -Infinity;
      for (let c = 0; c < k; c++) most = Math.max(most, scores[at + c]!);
      let sum = 0;
      for (let c = 0; c < k; c++) sum += p[at + c] = Math.exp(scores[at + c]! - most);
      for (let c = 0; c < k; c++) p[at + c]! /= sum;
      loss += this.#weights[r]! * (Math.log(sum) + most - scores[at + this.#labels[r]!]!);
    }
    return loss;
  }
}
