/** Cases of ReLU. */

import { backwardFrom } from "../../src/autodiff/backward.ts";
import { relu } from "../../src/ops/activation.ts";
import { sumAll } from "../../src/ops/reduce.ts";
import { given, type OpCase } from "../case.ts";
import { row, rows } from "../elementwise_case.ts";

/** Case table. */
export const cases: readonly OpCase[] = [
  ...rows({ f: "relu" }),
  // At 0 the gradient is 0, as in torch; differences would say 1/2, so it is compared as a forward result.
  row({ f: "relu" }, [5], {
    name: "gradient at the corner 5",
    inputs: { x: given([5], [-1, 0, 1e-30, -1e-30, 1]) },
    run: (g, t) => {
      t.x!.requiresGrad = true;
      return backwardFrom(g, sumAll(g, relu(g, t.x!))).of(t.x!)!;
    },
    ref: () => Float64Array.of(0, 0, 1, 0, 1),
    wrt: [],
  }),
];
