/**
 * Exact search of the nearest rows of a gallery by cosine, in blocks of the gallery; the matrix of all similarities never
 * exists.
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";
import { expectShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";
import { runMatmul } from "./matmul_run.ts";

/** Result of {@linkcode cosineTopk}, largest first. */
export interface Topk {
  /** `[Q, k]`, f32. */
  readonly scores: Tensor;
  /** Rows of the gallery, `[Q, k]`, u32; equal scores are ordered by lower row. */
  readonly indices: Tensor;
}

/** Options of {@linkcode cosineTopk}. */
export interface TopkOptions {
  /** Results a query, 1 to 256. */
  k: number;
  /** Most bytes of one block of similarities; default 32 MiB. */
  blockBytes?: number;
}

/** Columns a first-stage list covers; the kernel's constant. */
const SEGMENT = 512;
const MAX_K = 256;

/**
 * Appends the search.
 *
 * Rows must have length one for scores to be cosines (see `l2Normalize`). Rows whose score is NaN are never found; a list that
 * cannot be filled ends in index 4294967295.
 *
 * @param queries `[Q, E]`, f32.
 * @param gallery `[N, E]`, f32, f16 or bf16, or several of them whose rows are counted through: more than one binding holds.
 * @throws {LimitError} If k is not a whole number from 1 to 256, or larger than the gallery.
 * @throws {ShapeError} If the widths differ.
 */
export function cosineTopk(g: Plan, queries: Tensor, gallery: Tensor | readonly Tensor[], options: TopkOptions): Topk {
  const parts = Array.isArray(gallery) ? gallery as readonly Tensor[] : [gallery as Tensor];
  const [Q, E] = [queries.dim(0), queries.dim(1)];
  parts.forEach((part, i) => expectShape("cosineTopk", `gallery ${i}`, part.shape, [null, E]));
  const N = parts.reduce((sum, part) => sum + part.dim(0), 0);
  expectCount(options.k, N);
  const scores = g.tensor([Q, options.k], "f32", "topk.scores");
  const indices = g.tensor([Q, options.k], "u32", "topk.indices");
  const bytes = Math.min(options.blockBytes ?? 32 << 20, g.gpu.caps.limits.maxStorageBufferBindingSize);
  const most = Math.max(SEGMENT, Math.floor(bytes / (4 * Math.max(1, Q) * SEGMENT)) * SEGMENT);
  let at = 0;
  for (const part of parts) {
    for (let first = 0; first < part.dim(0); first += most) {
      const rows = Math.min(most, part.dim(0) - first);
      const block = rows === part.dim(0) ? part : part.slice(first * E, [rows, E]);
      const s = g.tensor([Q, rows], "f32", "topk.similarities");
      const factors = { a: queries.reshape([1, Q, E]), b: block.reshape([1, rows, E]), y: s.reshape([1, Q, rows]) };
      // Never in slices, which a small last block would be: copies of a row score the same in every block.
      runMatmul(g, "nt", factors, { slices: 1 });
      addBest(g, s, { scores, indices }, at);
      at += rows;
    }
  }
  return { scores, indices };
}

/**
 * Appends the search among scores that are there.
 *
 * @param s `[Q, N]`, f32; NaN is never found.
 * @param count Results a row, as {@linkcode TopkOptions.k}.
 * @throws {LimitError} As {@linkcode cosineTopk}.
 */
export function rowTopk(g: Plan, s: Tensor, count: number): Topk {
  const [Q, N] = [s.dim(0), s.dim(1)];
  expectCount(count, N);
  const scores = g.tensor([Q, count], "f32", "topk.scores");
  const indices = g.tensor([Q, count], "u32", "topk.indices");
  addBest(g, s, { scores, indices }, 0);
  return { scores, indices };
}

/** Merges the best of a block, whose first column is row `at` of the gallery, into those found before. */
function addBest(g: Plan, s: Tensor, { scores, indices }: Topk, at: number): void {
  const shape = [s.dim(0), Math.ceil(s.dim(1) / SEGMENT), scores.dim(1)];
  const score = g.tensor(shape, "f32", "topk.segment_scores");
  const index = g.tensor(shape, "u32", "topk.segment_indices");
  const tune = { WG: g.gpu.caps.flat ? 8 : 64 };
  g.run(k.topk_segments, { s, score, index }, { at, tune });
  g.run(k.topk_merge, { score, index, best: scores, found: indices }, { at, tune });
}

function expectCount(count: number, N: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= Math.min(MAX_K, N)) return;
  throw new LimitError(`Cannot find the best ${count} of ${N} rows: wanted 1 to ${Math.min(MAX_K, N)}`, {
    context: { op: "cosineTopk", limit: "k", given: String(count), max: Math.min(MAX_K, N) },
  });
}

/** Cost of a search. */
export function topkCost(Q: number, N: number, E: number): Cost {
  return { flops: 2 * Q * N * E, bytes: 4 * (Q + N) * E };
}
