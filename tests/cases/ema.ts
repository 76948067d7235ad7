/** Cases of the running mean of weights: lengths about a block's, a mean that is the weights, and none kept. */

import { ema, emaCost } from "../../src/ops/ema.ts";
import { normal, type OpCase } from "../case.ts";
import { emaRef } from "../ref/ema.ts";

function of(n: number, keep: number, perf?: OpCase["perf"]): OpCase {
  return {
    name: `${n} keeping ${keep}`,
    inputs: { mean: normal([n]), w: normal([n]) },
    run: (g, t) => {
      ema(g, t.mean!, t.w!, keep);
      return [t.mean!];
    },
    ref: (a) => emaRef(a.mean!, a.w!, keep),
    // The weights of an optimiser are not differentiated.
    wrt: [],
    ...(perf && { perf }),
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(1, 0.97),
  of(63, 0.5),
  of(65, 0),
  of(997, 0.9999),
  of(1 << 20, 0.97, emaCost(1 << 20)),
];
