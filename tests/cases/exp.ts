/** Cases of the exponential. */

import { given, type OpCase, uniform } from "../case.ts";
import { row, rows } from "../elementwise_case.ts";

/** Case table. */
export const cases: readonly OpCase[] = [
  ...rows({ f: "exp", values: (shape) => uniform(shape, -6, 3) }),
  // WGSL promises 3 + 2 |x| units: 9.9e-6 of the value, and 9.8e-11 of its square.
  row({ f: "exp" }, [64], {
    name: "tail 64",
    inputs: { x: uniform([64], -40.1, -40) },
    tol: { nmse: 1.2e-10, max: 2e-5 },
  }),
  // Beyond f32 by bits, whatever the device makes of what overflows.
  row({ f: "exp" }, [6], {
    name: "beyond f32 6",
    inputs: { x: given([6], [89, 1e30, Infinity, -200, -Infinity, NaN]) },
    ref: () => Float64Array.of(Infinity, Infinity, Infinity, 0, 0, NaN),
    wrt: [],
  }),
];
