/** Cases of linear: each epilogue alone and together, LoRA, frozen weights, edges of all tiles, real widths. */

import { linear, linearCost } from "../../src/ops/linear.ts";
import { type Input, normal, type OpCase } from "../case.ts";
import { linearGradRef, linearRef, type LinearSpec } from "../ref/linear.ts";

interface Parts {
  bias?: boolean;
  gamma?: boolean;
  residual?: boolean;
  act?: LinearSpec["act"];
  /** Rank of LoRA; 0 for none. */
  R?: number;
  /** LoRA has an input of its own, as after dropout. */
  xl?: boolean;
}

function of(M: number, N: number, K: number, parts: Parts = {}, extra: Partial<OpCase> = {}): OpCase {
  const { bias, gamma, residual, act = "none", R = 0, xl } = parts;
  const F = act === "swiglu" ? N / 2 : N;
  const spec: LinearSpec = { M, N, K, R, act, scale: 0.75 };
  const inputs: Record<string, Input> = {
    x: normal([M, K]),
    weight: normal([N, K], 1 / Math.sqrt(K)),
    ...(bias ? { bias: normal([N], 0.5) } : {}),
    ...(gamma ? { gamma: normal([F], 0.3, 1) } : {}),
    ...(residual ? { residual: normal([M, F]) } : {}),
    ...(R ? { la: normal([R, K], 1 / Math.sqrt(K)), lb: normal([N, R], 0.5) } : {}),
    ...(xl ? { xl: normal([M, K]) } : {}),
  };
  const words = Object.entries(parts).map((
    [key, value],
  ) => (value === true ? key : key === "R" ? `rank ${value}` : value));
  return {
    name: [`${M}x${N}x${K}`, ...words].join(" "),
    inputs,
    run: (g, t) =>
      linear(g, t.x!, {
        weight: t.weight!,
        bias: t.bias,
        gamma: t.gamma,
        residual: t.residual,
        act,
        lora: R ? { a: t.la!, b: t.lb!, scale: spec.scale, x: t.xl } : undefined,
      }),
    ref: (a) => linearRef(a, spec),
    refGrad: (a, [dy]) => linearGradRef(a, dy!, spec),
    wrt: Object.keys(inputs),
    ...extra,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(1, 1, 1),
  of(5, 3, 2, { bias: true }),
  of(7, 31, 33, { bias: true, act: "gelu", gamma: true, residual: true }),
  of(3, 5, 7, { R: 2, bias: true }),
  of(33, 36, 40, { bias: true, act: "gelu" }, { f16: ["x"] }),
  of(33, 40, 36, { bias: true, gamma: true, residual: true }, { f16: ["x", "residual"] }),
  of(9, 64, 12, { act: "silu" }),
  of(31, 48, 20, { act: "swiglu", bias: true }, { f16: ["x"] }),
  of(5, 14, 9, { act: "swiglu", bias: true, gamma: true, residual: true }),
  of(65, 32, 68, { R: 8, bias: true, act: "gelu" }, { weights: ["weight"] }),
  of(17, 24, 16, { R: 4, act: "swiglu", bias: true, residual: true }),
  of(12, 20, 16, { R: 4, xl: true, bias: true, residual: true }),
  // Nine tensors with those the product itself takes: the residual goes apart.
  of(6, 8, 12, { R: 4, bias: true, act: "gelu", gamma: true, residual: true }),
  of(4, 16, 8, { bias: true }, {
    name: "4x16x8 frozen weight, gradient of x and LoRA only",
    wrt: ["x"],
  }),
  // Long enough that the reduction is split and the epilogue runs in the second kernel.
  of(2, 8, 1056, { R: 4, bias: true, act: "swiglu" }),
  of(3, 5, 1031, { bias: true, act: "gelu", residual: true }),
  of(197, 768, 768, { bias: true, residual: true }, { benchOnly: true, perf: linearCost(197, 768, 768) }),
  of(197, 768, 768, { R: 8, bias: true }, { benchOnly: true, perf: linearCost(197, 768, 768, 8) }),
  of(197, 3072, 768, { bias: true, act: "gelu" }, { benchOnly: true, perf: linearCost(197, 3072, 768) }),
];
