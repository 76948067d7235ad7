/** A row of a gene loss for the case tables. */

import type { GeneLossEntry } from "../src/losses/gene_loss.ts";
import { type Input, type OpCase, uniform } from "./case.ts";
import { rowsOf } from "./ref/losses.ts";

/** A gene loss in float64 of prediction and target `[B][G]` and each gene's standard deviation. */
export type GeneLossRef = (y: number[][], x: number[][], std: ArrayLike<number>) => number;

/** Row `NAME BxG` of a loss, with default options. @param y Prediction; default uniform. */
export function geneLossCase(
  name: string,
  { loss }: GeneLossEntry,
  ref: GeneLossRef,
  [B, G]: readonly [B: number, G: number],
  { y = uniform([B, G], 0.1, 2.5), ...extra }: Partial<OpCase> & { y?: Input } = {},
): OpCase {
  return {
    name: `${name} ${B}x${G}`,
    inputs: { y, x: uniform([B, G], 0, 3), std: uniform([G], 0.3, 1.2) },
    run: (g, t) => loss(g, t.y!, t.x!, { std: t.std }),
    ref: (a) => Float64Array.of(ref(rowsOf(a.y!, B), rowsOf(a.x!, B), a.std!)),
    wrt: ["y"],
    ...extra,
  };
}
