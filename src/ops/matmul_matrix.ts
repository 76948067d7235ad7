/**
 * Which products matrix units compute, and in which tiles.
 *
 * @module
 */

import type { Dtype } from "../core/dtype.ts";
import type { MatrixUnits } from "../gpu/matrix_units.ts";

/** Fewest rows and columns of a product that a tile of matrix units is worth. */
const LEAST = 8;

/** Sums that may wait in workgroup memory at once. */
const AREA = 2048;

/**
 * Whether operands are such as matrix units take: activations in f16, which is what `--precision f16` asks for. What they meet
 * is f16, or f32 that is rounded as mixed precision does it; bf16 reaches beyond f16.
 */
export function suitsMatrix(
  { a, b }: { a: Dtype; b: Dtype },
  { M, N, K }: { M: number; N: number; K: number },
): boolean {
  return a === "f16" && (b === "f16" || b === "f32") && Math.min(M, N) >= LEAST && K >= LEAST;
}

/**
 * Tune constants of a square tile: as many subgroups as leave each invocation a block of four by four to fetch. Of 16 by 16 and
 * 32 invocations that is 32 by 32 sums a subgroup, or 64 by 64 of the largest tile. `pair`: columns n and n + N/2 belong to one.
 */
export function matrixTune({ M, N, K, subgroup }: MatrixUnits, edge: number, pair: boolean): Record<string, number> {
  const GV = pair ? 2 : 1;
  const fits = (n: number) => edge / n >= Math.max(M, N * GV) && n * n * GV * M * N <= AREA;
  const across = [4, 2, 1].find((n) => n * n * subgroup <= 2 * edge && fits(n))!;
  return {
    SM: M,
    SN: N,
    SK: K,
    SG: subgroup,
    WM: across,
    WN: across,
    RM: edge / across / M,
    RN: edge / across / N / GV,
    GV,
    // Subgroups of 8 are those of a CPU, whose memory has no banks.
    PAD: subgroup === 8 ? 0 : 8,
    LOADS: (2 * edge) / (across * across * subgroup),
  };
}
