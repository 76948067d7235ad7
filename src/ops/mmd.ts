/**
 * Maximum mean discrepancy between two sets of as many points, with a sum of Gaussian kernels.
 *
 * Points are rows: k(d) = sum over a in 10, 15, 20, 50 of exp(-d / 2a), d the squared distance;
 * L = mean over N x N pairs of k(y_i, y_j) + k(x_i, x_j) - 2 k(y_i, x_j), pairs of a point with itself included. Kernels are
 * taken minus 4, which cancels in L and keeps digits where distances are short. Dot products are made in blocks of rows and
 * never kept: memory grows with N, not with N squared, beyond one block.
 *
 * Source: SEAL, `seal/losses/gene_loss.py`.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { expectShape, formatShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";
import { runMatmul } from "./matmul_run.ts";
import { reduceMiddle } from "./partials.ts";

/** Options of {@linkcode mmd}. */
export interface MmdOptions {
  /** Most bytes of one block of kernels; default 32 MiB. */
  blockBytes?: number;
}

/** Rows of a block are a multiple of this, so that its slices start where bindings may. */
const ROWS = 64;

interface Points {
  /** `[N, E]`. */
  readonly rows: Tensor;
  /** Squared lengths `[N]`. */
  readonly norms: Tensor;
}

const matrix = (x: Tensor): Tensor => x.reshape([1, ...x.shape]);

function part(x: Tensor, at: number, rows: number): Tensor {
  if (rows === x.dim(0)) return x;
  const row = x.size / x.dim(0);
  return x.slice(at * row, [rows, ...x.shape.slice(1)]);
}

function pointsOf(g: Plan, rows: Tensor): Points {
  const [N, E] = [rows.dim(0), rows.dim(1)];
  return { rows, norms: reduceMiddle(g, "sum", rows, [N, E, 1], { w: rows }).reshape([N]) };
}

/** Kernels of points `at .. at + rows` of `a` with all of `b`. */
function kernels(g: Plan, f: "value" | "slope", a: Points, b: Points, at: number, rows: number): Tensor {
  const s = g.tensor([rows, b.norms.size], "f32", "mmd.kernels");
  runMatmul(g, "nt", { a: matrix(part(a.rows, at, rows)), b: matrix(b.rows), y: matrix(s) });
  g.run(k.mmd_kernel, { s, na: part(a.norms, at, rows), nb: b.norms }, { f });
  return s;
}

function mmdBackward(g: Plan, Y: Points, X: Points, step: number, dloss: Tensor): Tensor {
  const y = Y.rows;
  const [N, E] = [y.dim(0), y.dim(1)];
  const dy = g.tensor(y.shape, "f32", "mmd.dy");
  for (let at = 0; at < N; at += step) {
    const R = Math.min(step, N - at);
    const [ru, uy, rv, vx] = [Y, X].flatMap((other) => {
      const w = kernels(g, "slope", Y, other, at, R);
      const product = g.tensor([R, E], "f32", "mmd.product");
      runMatmul(g, "nn", { a: matrix(w), b: matrix(other.rows), y: matrix(product) });
      return [reduceMiddle(g, "sum", w, [R, N, 1]).reshape([R]), product];
    }) as [Tensor, Tensor, Tensor, Tensor];
    g.run(k.mmd_bwd, { y, ru, rv, uy, vx, dloss, dy }, { at, factor: -4 / (N * N) });
  }
  return dy;
}

/**
 * Appends the discrepancy.
 *
 * @param y `[N, E]`, f32.
 * @param x `[N, E]`, f32; gets no gradient.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ or are empty.
 */
export function mmd(g: Plan, y: Tensor, x: Tensor, options: MmdOptions = {}): Tensor {
  if (y.shape.length !== 2 || !y.size) {
    throw new ShapeError(`Cannot run mmd: y is ${formatShape(y.shape)}, wanted [N, E] with an element`);
  }
  expectShape("mmd", "x", x.shape, y.shape);
  const N = y.dim(0);
  const bytes = Math.min(options.blockBytes ?? 32 << 20, g.gpu.caps.limits.maxStorageBufferBindingSize);
  const fit = Math.floor(bytes / (4 * N * ROWS)) * ROWS;
  const step = fit >= N ? N : Math.max(ROWS, fit);
  const [Y, X] = [pointsOf(g, y), pointsOf(g, x)];
  let loss: Tensor | undefined;
  for (let at = 0; at < N; at += step) {
    const R = Math.min(step, N - at);
    for (const [a, b, weight] of [[Y, Y, 1], [Y, X, -2], [X, X, 1]] as const) {
      const values = kernels(g, "value", a, b, at, R);
      const sum = reduceMiddle(g, "sum", values, [1, R * N, 1], { scale: weight / (N * N) }).reshape([1]);
      const before = loss;
      loss = before ? g.tensor([1], "f32", "mmd.loss") : sum;
      if (before) g.run(k.sum_pair, { a: before, b: sum, y: loss });
    }
  }
  g.record("mmd", [y], [loss!], ([dloss]) => [mmdBackward(g, Y, X, step, dloss!)]);
  return loss!;
}

/** Cost of the forward pass. */
export function mmdCost(N: number, E: number): Cost {
  return { flops: 3 * N * N * (2 * E + 20), bytes: 8 * N * E };
}
