/**
 * Which calls of attention matrix units compute, and how.
 *
 * @module
 */

import type { Dtype } from "../core/dtype.ts";
import type { MatrixUnits } from "../gpu/matrix_units.ts";
import type { AttentionPart } from "./attention_choice.ts";

/** Fewest queries and keys that a tile is worth. */
const LEAST = 8;
/** Rows of a workgroup. */
const ROWS = 32;
/** Most invocations that share a row of scores, four of them at a time. */
const ACROSS = 4;

/** Whether units take a call: operands in f16, heads that they divide, one to four invocations a row, and rows enough. */
export function suitsMatrix(
  { M, N, K, subgroup }: MatrixUnits,
  dtype: Dtype,
  { E, Nq, Nk }: { E: number; Nq: number; Nk: number },
): boolean {
  const shared = subgroup >= M && subgroup <= ACROSS * M;
  return dtype === "f16" && E % N === 0 && E % K === 0 && shared && Math.min(Nq, Nk) >= LEAST;
}

/** Tune constants for heads of `E` channels: each subgroup has the rows of one unit. */
export function matrixTune(
  { M, N, K, subgroup }: MatrixUnits,
  part: AttentionPart,
  E: number,
): Record<string, number> {
  return {
    SM: M,
    SN: N,
    SK: K,
    SG: subgroup,
    W: ROWS / M,
    E4: E / 4,
    // Gradients have two tiles of columns at a time.
    BK: part === "forward" ? ROWS : ROWS / 2,
    EK: E / K,
    EN: E / N,
    // Subgroups of 8 are those of a CPU, whose memory has no banks.
    PAD: subgroup === 8 ? 0 : 8,
  };
}
