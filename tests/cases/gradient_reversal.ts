/**
 * Cases of gradient reversal. Its gradient is not the derivative of the identity, so each row subtracts (1 + lambda) x
 * without gradient: what remains is -lambda x, whose derivative is -lambda.
 */

import { sub } from "../../src/ops/binary.ts";
import { gradientReversal } from "../../src/ops/gradient_reversal.ts";
import { affine } from "../../src/ops/scale.ts";
import { given, normal, type OpCase } from "../case.ts";
import { gradientReversalRef, reversedGradientRef } from "../ref/gradient_reversal.ts";

function of(lambda: number, device: boolean, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `lambda ${lambda}${device ? " on the device" : ""} 6x13`,
    inputs: { x: normal([6, 13]), lambda: given([1], [lambda]) },
    run: (g, t) => {
      const y = gradientReversal(g, t.x!, device ? t.lambda! : lambda);
      return sub(g, y, affine(g, t.x!.detach(), 1 + lambda));
    },
    ref: ({ x }) => reversedGradientRef(x!, lambda),
    wrt: ["x"],
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(1, false, { f16: ["x"] }),
  of(0.25, false),
  of(0.75, true),
  {
    // The forward pass alone.
    name: "identity 3x5",
    inputs: { x: normal([3, 5]) },
    run: (g, t) => gradientReversal(g, t.x!, 0.5),
    ref: ({ x }) => gradientReversalRef(x!),
    wrt: [],
  },
];
