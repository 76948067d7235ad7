/** Cases of the AdamW step: first and later steps, groups, clipping, a non-finite gradient, loss scaling. */

import { adamw, adamwCost } from "../../src/ops/adamw.ts";
import { given, normal, type OpCase, uniform } from "../case.ts";
import { adamwRef } from "../ref/adamw.ts";

const HYPER = [1, 0.2, 0.3, 0];
const RATES = [0.01, 0.004];
const OPTIONS = { beta1: 0.9, beta2: 0.999, eps: 1e-8 };

function of(
  name: string,
  n: number,
  clip: number,
  extra: Partial<OpCase["inputs"]> = {},
  perf?: OpCase["perf"],
): OpCase {
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
      rate: given([2], RATES),
      ...(extra as OpCase["inputs"]),
    },
    run: (g, t) => {
      const chunk = { w: t.w!, grad: t.grad!, m: t.m!, v: t.v!, group: t.group! };
      const lossScale = t.scale && { state: t.scale, interval: 5, least: 0.25, most: 1024 };
      adamw(g, [chunk], t.hyper!, t.state!, t.rate!, { ...OPTIONS, clipNorm: clip, lossScale });
      return [t.w!, t.m!, t.v!, t.grad!, t.state!, ...(t.scale ? [t.scale] : [])];
    },
    ref: (a) => {
      const { w, m, v, state, scale } = adamwRef(
        { w: a.w!, grad: a.grad!, m: a.m!, v: a.v!, state: a.state!, scale: a.scale },
        (i) => row(i >> 6),
        a.hyper!,
        a.rate!,
        { ...OPTIONS, clip, interval: 5, least: 0.25, most: 1024 },
      );
      return [w, m, v, new Float64Array(n), state, ...(scale ? [scale] : [])];
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
  of("997 scaled and clipped", 997, 1, { grad: normal([997], 6.4), scale: given([2], [64, 2]) }),
  of("65 scaled, the factor doubles", 65, 0, { grad: normal([65], 6.4), scale: given([2], [64, 4]) }),
  of("65 scaled, the factor is at its limit", 65, 0, { grad: normal([65], 102.4), scale: given([2], [1024, 4]) }),
  // 1e20 squared is beyond f32: the gradients are finite, their norm is not.
  of("65 scaled beyond the range, the factor halves", 65, 1, {
    grad: given([65], new Float32Array(65).fill(1e20)),
    scale: given([2], [64, 4]),
  }),
  of("65 scaled beyond the range at the least factor", 65, 1, {
    grad: given([65], new Float32Array(65).fill(1e20)),
    scale: given([2], [0.25, 1]),
  }),
  of("129 just within the range", 129, 1, { grad: given([129], new Float32Array(129).fill(-2.8e14)) }),
  of("129, one element at the end of the range", 129, 1, {
    grad: given([129], Float32Array.from({ length: 129 }, (_, i) => (i === 128 ? -(2 ** 48) : 0.1))),
  }),
  of("4099 with an infinity in the second block", 4099, 1, {
    grad: given([4099], Float32Array.from({ length: 4099 }, (_, i) => (i === 4098 ? -Infinity : 0.1))),
  }),
  of("1048576", 1 << 20, 1, {}, adamwCost(1 << 20)),
];
