/** Cases of the AdamW step: first and later steps, groups, clipping, a non-finite gradient, the worked value. */

import { adamw, adamwCost } from "../../src/ops/adamw.ts";
import { given, normal, type OpCase, uniform } from "../case.ts";
import { adamwRef } from "../ref/adamw.ts";

const HYPER = [1, 0.2, 0.3, 0];
const OPTIONS = { beta1: 0.9, beta2: 0.999, eps: 1e-8 };

function of(
  name: string,
  n: number,
  clip: number,
  extra: Partial<OpCase["inputs"]> = {},
  perf?: OpCase["perf"],
): OpCase {
  const lr = 0.01;
  const groups = Math.ceil(n / 64);
  const row = (block: number) => (block * 7 >> 1) & 1;
  return {
    name,
    inputs: {
      w: normal([n]),
      grad: normal([n], 0.1),
      m: normal([n], 0.01),
      v: uniform([n], 1e-4, 1e-2),
      group: given([groups], Uint32Array.from({ length: groups }, (_, i) => row(i)), "u32"),
      hyper: given([2, 2], HYPER),
      state: given([8], [0, 0, 0, 4, 1, 0, 0, 0]),
      rate: given([1], [lr]),
      ...(extra as OpCase["inputs"]),
    },
    run: (g, t) => {
      const chunk = { w: t.w!, grad: t.grad!, m: t.m!, v: t.v!, group: t.group! };
      adamw(g, [chunk], t.hyper!, t.state!, t.rate!, { ...OPTIONS, clipNorm: clip });
      return [t.w!, t.m!, t.v!, t.grad!, t.state!];
    },
    ref: (a) => {
      const { w, m, v, state } = adamwRef(
        { w: a.w!, grad: a.grad!, m: a.m!, v: a.v!, state: a.state! },
        (i) => row(i >> 6),
        a.hyper!,
        a.rate![0]!,
        { ...OPTIONS, clip },
      );
      return [w, m, v, new Float64Array(n), state];
    },
    // An optimiser step is not differentiated.
    wrt: [],
    ...(perf ? { perf } : {}),
  };
}

const zeros = (n: number) => given([n], new Float32Array(n));

/** Case table. */
export const cases: readonly OpCase[] = [
  of("997 clipped", 997, 1),
  of("4097 not clipped", 4097, 0),
  of("1, first step", 1, 0, { m: zeros(1), v: zeros(1), state: given([8], new Float32Array(8)) }),
  of("63 within the norm", 63, 100),
  {
    ...of("129 with a NaN gradient leaves everything but the gradient", 129, 1, {
      grad: given([129], Float32Array.from({ length: 129 }, (_, i) => (i === 77 ? NaN : 0.1))),
    }),
    ref: (
      a,
    ) => [a.w!, a.m!, a.v!, new Float64Array(129), Float64Array.of(NaN, 0, 0, 4, 2, 1 - 0.9 ** 4, 1 - 0.999 ** 4, 0)],
  },
  of("1048576", 1 << 20, 1, {}, adamwCost(1 << 20)),
];
