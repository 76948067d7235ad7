/** Rows that every elementwise function of one tensor shares. */

import { type Activation, activation, activationCost } from "../src/ops/activation.ts";
import { given, type Input, normal, type OpCase } from "./case.ts";
import { activationRef } from "./ref/activation.ts";

/** What differs from function to function. */
export interface Elementwise {
  readonly f: Activation;
  /** Numbers the function takes. */
  readonly a?: number;
  readonly b?: number;
  /** Values it is tried on; default normal with scale 2. */
  readonly values?: (shape: readonly number[]) => Input;
}

/** One row. */
export function row(test: Elementwise, shape: readonly number[], extra: Partial<OpCase> = {}): OpCase {
  const { f, a = 0, b = 0, values = (shape) => normal(shape, 2) } = test;
  return {
    name: shape.join("x"),
    inputs: { x: values(shape) },
    run: (g, t) => activation(g, f, t.x!, a, b),
    ref: ({ x }) => activationRef(f, x!, a, b),
    wrt: ["x"],
    ...extra,
  };
}

/** One element, an odd count, NaN, rows of four with f16, the hidden layer of a ViT-S (bench only). */
export function rows(test: Elementwise): OpCase[] {
  const hidden = [197, 1536];
  return [
    row(test, [1]),
    row(test, [7, 37]),
    row(test, [5, 2, 52], { f16: ["x"] }),
    row(test, [5], { name: "NaN stays 5", inputs: { x: given([5], [0.5, NaN, 1, 2, NaN]) }, wrt: [] }),
    row(test, hidden, { perf: activationCost(hidden), benchOnly: true }),
  ];
}

/** Values printed in a document, to be met within their last digit. No gradient: the reference is a constant. */
export function worked(test: Elementwise, x: number[], y: number[]): OpCase {
  return row(test, [x.length], {
    name: `worked values ${x.join(" ")}`,
    inputs: { x: given([x.length], x) },
    ref: () => Float64Array.from(y),
    wrt: [],
    tol: { nmse: 1e-12, max: 1e-6 },
  });
}
