/** Cases of the token operations: class token, registers, frozen tokens, mean with and without a class token. */

import { meanTokens, meanTokensCost, prependTokens, prependTokensCost } from "../../src/ops/token.ts";
import { normal, type OpCase } from "../case.ts";
import { meanTokensRef, prependTokensRef } from "../ref/token.ts";

function prepend(B: number, N: number, R: number, D: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `prepend ${R} to ${B}x${N}x${D}`,
    inputs: { tokens: normal([R, D]), x: normal([B, N, D]) },
    run: (g, t) => prependTokens(g, t.tokens!, t.x!),
    ref: (a) => prependTokensRef(a.tokens!, a.x!, B),
    wrt: ["tokens", "x"],
    ...extra,
  };
}

function mean(B: number, N: number, D: number, start: number, count: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `mean of ${count} from ${start} of ${B}x${N}x${D}`,
    inputs: { x: normal([B, N, D]) },
    run: (g, t) => meanTokens(g, t.x!, { start, count }),
    ref: (a) => meanTokensRef(a.x!, N, D, start, count),
    wrt: ["x"],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  prepend(3, 7, 1, 16, { f16: ["x"], weights: ["tokens"] }),
  prepend(2, 5, 4, 7, { f16: ["x", "tokens"], weights: ["tokens"] }),
  prepend(1, 1, 1, 1),
  prepend(0, 3, 1, 4, { name: "prepend to an empty batch" }),
  mean(3, 7, 12, 1, 6, { f16: ["x"] }),
  mean(2, 13, 5, 0, 13),
  mean(1, 2, 1, 1, 1),
  prepend(2, 196, 1, 384),
  mean(2, 197, 384, 1, 196),
  prepend(64, 196, 1, 768, { benchOnly: true, perf: prependTokensCost([64, 197, 768]) }),
  mean(64, 197, 768, 1, 196, { benchOnly: true, perf: meanTokensCost([64, 197, 768]) }),
];
