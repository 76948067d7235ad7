/** Cases of the square root. */

import { type OpCase, uniform } from "../case.ts";
import { rows } from "../elementwise_case.ts";

/** Case table. */
export const cases: readonly OpCase[] = rows({ f: "sqrt", values: (shape) => uniform(shape, 0.1, 9) });
