/**
 * XT X on the GPU: f32 products of short blocks of rows, eight summed in pairs there, the rest in f64 on the host.
 *
 * The rounding of an f32 sum of K squares grows with sqrt(K) to K; 128 rows and three levels of pairs keep it below 1e-6 of the
 * largest entry (measured: 2e-7 on llvmpipe). The table is standardised in f64 before it becomes f32.
 *
 * @module
 */

import type { Gpu } from "../../gpu/device.ts";
import { readback } from "../../gpu/readback.ts";
import { Plan } from "../../graph/plan.ts";
import { Store } from "../../graph/store.ts";
import { add } from "../../ops/binary.ts";
import { matmul } from "../../ops/matmul.ts";
import type { Standardized } from "./standardize.ts";

/** Rows of a block: more cost digits, fewer cost time. */
const BLOCK_ROWS = 128;
/** Blocks of one pass, a power of two: fewer cost time for the way back. */
const BLOCKS = 8;

/** XT X `[D, D]`. */
export async function gpuGram(gpu: Gpu, x: Standardized): Promise<Float64Array> {
  const { rows, columns } = x;
  const store = new Store(gpu);
  const blocks = Array.from({ length: BLOCKS }, (_, i) => store.tensor("block", `block ${i}`, [BLOCK_ROWS, columns]));
  const g = new Plan(gpu);
  let parts = blocks.map((block) => matmul(g, block, block, { transA: true }));
  while (parts.length > 1) {
    parts = Array.from({ length: parts.length / 2 }, (_, i) => add(g, parts[2 * i]!, parts[2 * i + 1]!));
  }
  const product = parts[0]!;
  g.output(product);
  store.allocate();
  const program = await g.compile();
  try {
    const sum = new Float64Array(columns * columns);
    for (let from = 0; from < rows; from += BLOCKS * BLOCK_ROWS) {
      blocks.forEach((block, i) => store.write(block, standardizedRows(x, from + i * BLOCK_ROWS)));
      program.run();
      const [part] = await readback(gpu, product);
      for (let i = 0; i < sum.length; i++) sum[i]! += part![i]!;
    }
    return symmetrized(sum, columns);
  } finally {
    program.destroy();
    store.destroy();
  }
}

/** A block of rows in f32; zeros behind the last. */
function standardizedRows({ raw, rows, columns, mean, scale }: Standardized, from: number): Float32Array {
  const out = new Float32Array(BLOCK_ROWS * columns);
  const last = Math.min(rows, from + BLOCK_ROWS);
  for (let r = from, at = from * columns, to = 0; r < last; r++) {
    for (let j = 0; j < columns; j++, at++, to++) out[to] = (raw.data[at]! - mean[j]!) / scale[j]!;
  }
  return out;
}

function symmetrized(a: Float64Array, n: number): Float64Array {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) a[i * n + j] = a[j * n + i] = (a[i * n + j]! + a[j * n + i]!) / 2;
  }
  return a;
}
