/**
 * Cases of the gene losses: more genes than spots and fewer, one spot, a gene that does not vary, large values. The worked
 * numbers are in tests/losses.
 */

import { GENE_LOSSES } from "../../src/losses/registry.ts";
import { matmulCost } from "../../src/ops/matmul.ts";
import { type Input, normal, type OpCase } from "../case.ts";
import { geneLossCase, type GeneLossRef } from "../gene_loss_case.ts";
import { barlowRef, pccGenesRef, pccRef, plsRef, pointwiseRef } from "../ref/losses.ts";
import { mmdRef } from "../ref/mmd.ts";
import { negativeBinomialRef } from "../ref/negative_binomial.ts";

type M = number[][];
const flat = (m: M) => Float64Array.from(m.flat());
const turn = (m: M): M => m[0]!.map((_, j) => m.map((row) => row[j]!));
const mse = (y: M, x: M) => pointwiseRef((d) => d * d, y, x);
const standardized = (y: M, x: M, std: ArrayLike<number>) =>
  pointwiseRef((d, j) => (d / (Math.max(std[j]!, 1e-3) + 1e-8)) ** 2, y, x);

/** References by name. */
const references = {
  mse,
  standardized_mse: standardized,
  l1: (y, x) => pointwiseRef(Math.abs, y, x),
  huber: (y, x) => pointwiseRef((d) => (Math.abs(d) < 1 ? d * d / 2 : Math.abs(d) - 0.5), y, x),
  pcc: pccRef,
  pcc_genes: pccGenesRef,
  pls: plsRef,
  barlow: (y, x) => barlowRef(y, x, 0.05, 5e-3, 1e-9),
  barlow_soft: (y, x) => barlowRef(y, x, 0.05, 0, 1e-9),
  barlow_mse: (y, x) => barlowRef(y, x, 0.05, 0, 1e-9) + mse(y, x),
  barlow_std_mse: (y, x, std) => barlowRef(y, x, 0.05, 0, 1e-9) + 5 * standardized(y, x, std),
  mmd: (y, x) => mmdRef(flat(turn(y)), flat(turn(x)), y[0]!.length)[0]!,
  negbin: (y, x) => negativeBinomialRef(flat(y), flat(x), 0.1)[0]!,
} satisfies Record<string, GeneLossRef>;

type Published = keyof typeof references;

function of(name: Published, B: number, G: number, extra: Partial<OpCase> & { y?: Input } = {}): OpCase {
  return geneLossCase(name, GENE_LOSSES[name], references[name], [B, G], {
    // See tests/cases/mmd.ts.
    ...(name === "mmd" && { tol: { nmse: 1e-9, max: 3e-5 } }),
    ...extra,
  });
}

/** A gene whose prediction does not vary. */
const constant: Input = {
  shape: [4, 3],
  make: () => [0.5, 1.2, 0.7, 1, 0.3, 0.7, 0.2, 0.9, 0.7, 1.4, 0.6, 0.7],
};

/** Case table. */
export const cases: readonly OpCase[] = [
  ...(Object.keys(references) as Published[]).map((name) => of(name, 5, 13)),
  ...(["barlow", "pls", "mmd"] as const).map((name) => of(name, 17, 6)),
  ...(["mse", "huber", "pcc", "mmd", "negbin"] as const).map((name) => of(name, 1, 7)),
  of("huber", 3, 4, { name: "huber 3x4, large values", y: normal([3, 4], 100) }),
  of("barlow_std_mse", 3, 4, { name: "barlow_std_mse 3x4, large values", y: normal([3, 4], 100) }),
  of("pcc", 3, 41, { name: "pcc 3x41, large values", y: normal([3, 41], 100) }),
  of("pcc_genes", 3, 3),
  of("pcc_genes", 32, 50),
  of("pcc_genes", 3, 4, { name: "pcc_genes 3x4, large values", y: normal([3, 4], 100) }),
  of("pcc_genes", 4, 3, { name: "pcc_genes 4x3, a constant gene", y: constant, wrt: [] }),
  // The slope there is some 3e4 and changes within the step of a difference: the value and finiteness are checked.
  of("barlow_soft", 4, 3, { name: "barlow_soft 4x3, a constant gene", y: constant, wrt: [] }),
  of("barlow_std_mse", 67, 130),
  of("barlow_std_mse", 384, 2000, { perf: { flops: 25 * 384 * 2000, bytes: 8 * 384 * 2000 }, benchOnly: true }),
  of("barlow", 384, 2000, { perf: matmulCost({ B: 2, M: 384, N: 384, K: 2000 }), benchOnly: true }),
];
