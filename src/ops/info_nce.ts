/**
 * Symmetric InfoNCE, the contrastive loss of CLIP.
 *
 * With s_ij = a_i . b_j and x = scale s: loss = mean_i((r_i + c_i) / 2 - x_ii), r_i = log sum_j exp x_ij, c_j = log sum_i exp x_ij.
 * Row i of a and row i of b are the positive pair. Similarities are made in blocks of rows, twice (once for the log-sum-exps,
 * once for the gradient), and never kept: memory grows with B, not with B squared.
 *
 * Source: open_clip `ClipLoss`; blocks as in Inf-CL, arXiv 2410.17243.
 *
 * @module
 */

import { LimitError, ShapeError } from "../core/errors.ts";
import { expectShape, formatShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";
import { runMatmul } from "./matmul_run.ts";

/** Options of {@linkcode infoNce}. */
export interface InfoNceOptions {
  /** Most bytes of one block of similarities; default 32 MiB. */
  blockBytes?: number;
}

/** Rows of a block are a multiple of this, so that its slices start where bindings may. */
const ROWS = 64;

interface Block {
  readonly at: number;
  readonly rows: number;
}

/** Splits B rows into blocks whose similarities with B columns fit `bytes`. */
export function infoNceBlocks(B: number, bytes: number): Block[] {
  const fit = Math.floor(bytes / (4 * B * ROWS)) * ROWS;
  const rows = fit >= B ? B : Math.max(ROWS, fit);
  return Array.from({ length: Math.ceil(B / rows) }, (_, i) => ({ at: i * rows, rows: Math.min(rows, B - i * rows) }));
}

const matrix = (x: Tensor): Tensor => x.reshape([1, ...x.shape]);

/** Rows `at .. at + rows` of a matrix. */
function rowsOf(x: Tensor, { at, rows }: Block): Tensor {
  return rows === x.dim(0) ? x : x.slice(at * x.dim(1), [rows, x.dim(1)]);
}

/** Similarities of a block of rows of `a` with all rows of `b`. */
function similarities(g: Plan, a: Tensor, b: Tensor, block: Block): Tensor {
  const s = g.tensor([block.rows, b.dim(0)], "f32", "info_nce.similarities");
  runMatmul(g, "nt", { a: matrix(rowsOf(a, block)), b: matrix(b), y: matrix(s) });
  return s;
}

interface Saved {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly scale: Tensor;
  readonly r: Tensor;
  readonly c: Tensor;
}

function infoNceBackward(
  g: Plan,
  { a, b, scale, r, c }: Saved,
  blocks: readonly Block[],
  dloss: Tensor,
  needs: readonly boolean[],
): (Tensor | undefined)[] {
  const [needA, needB, needScale] = needs;
  const B = a.dim(0);
  const da = needA ? g.tensor(a.shape, "f32", "info_nce.da") : undefined;
  const rows = g.tensor([B], "f32", "info_nce.dscale_rows");
  let db: Tensor | undefined;
  for (const block of blocks) {
    const s = similarities(g, a, b, block);
    const ds = g.tensor(s.shape, "f32", "info_nce.ds");
    const kernel = g.gpu.caps.flat ? k.info_nce_grad_flat : k.info_nce_grad;
    g.run(kernel, { s, scale, r, c, dloss, ds, dscale: rows }, { at: block.at });
    if (da) runMatmul(g, "nn", { a: matrix(ds), b: matrix(b), y: matrix(rowsOf(da, block)) });
    if (!needB) continue;
    const part = g.tensor(b.shape, "f32", "info_nce.db");
    runMatmul(g, "tn", { a: matrix(ds), b: matrix(rowsOf(a, block)), y: matrix(part) });
    if (db) g.run(k.accumulate, { y: db.reshape([db.size]), x: part.reshape([part.size]) });
    else db = part;
  }
  if (!needScale) return [da, db];
  const dscale = g.tensor([1], "f32", "info_nce.dscale");
  g.run(k.sum_vector, { x: rows, y: dscale }, { factor: 1 });
  return [da, db, dscale];
}

/**
 * Appends the loss of B pairs.
 *
 * @param a Embeddings `[B, E]`, f32, usually L2-normalised.
 * @param b Embeddings `[B, E]`, f32; row i belongs to row i of `a`.
 * @param scale 1 / temperature, `[1]`, f32; gets a gradient when it needs one.
 * @returns Mean loss `[1]`.
 * @throws {ShapeError} If the shapes differ or scale is no scalar.
 * @throws {LimitError} If the batch is empty.
 */
export function infoNce(g: Plan, a: Tensor, b: Tensor, scale: Tensor, options: InfoNceOptions = {}): Tensor {
  if (a.shape.length !== 2) throw new ShapeError(`Cannot run infoNce: a is ${formatShape(a.shape)}, wanted [B, E]`);
  expectShape("infoNce", "b", b.shape, a.shape);
  expectShape("infoNce", "scale", scale.shape, [1]);
  const B = a.dim(0);
  if (!B) throw new LimitError("Cannot run infoNce: the batch is empty, wanted at least one pair");
  const { flat, limits } = g.gpu.caps;
  const blocks = infoNceBlocks(B, Math.min(options.blockBytes ?? 32 << 20, limits.maxStorageBufferBindingSize));
  const r = g.tensor([B], "f32", "info_nce.r");
  const c = g.tensor([B], "f32", "info_nce.c");
  const run = g.tensor([2, B], "f32", "info_nce.columns");
  for (const block of blocks) {
    const s = similarities(g, a, b, block);
    g.run(flat ? k.info_nce_rows_flat : k.info_nce_rows, { s, scale, lse: r }, { at: block.at });
    g.run(k.info_nce_columns, { s, scale, run }, { at: block.at, ...(flat && { tune: { WG: 8 } }) });
  }
  const losses = g.tensor([B], "f32", "info_nce.losses");
  g.run(k.info_nce_loss, { a, b, scale, r, run, c, loss: losses }, flat ? { tune: { WG: 8 } } : {});
  const loss = g.tensor([1], "f32", "info_nce.loss");
  g.run(k.sum_vector, { x: losses, y: loss }, { factor: 1 / B });
  g.record(
    "infoNce",
    [a, b, scale],
    [loss],
    ([dloss], needs) => infoNceBackward(g, { a, b, scale, r, c }, blocks, dloss!, needs),
  );
  return loss;
}

/** Cost of the forward pass. */
export function infoNceCost(B: number, E: number): Cost {
  return { flops: 2 * B * B * E + 12 * B * B, bytes: 8 * B * E };
}
