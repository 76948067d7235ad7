/** Cases of linear: each epilogue alone and together, LoRA, frozen weights, edges of all tiles, real widths. */

import { f16FromF32, f32FromF16 } from "../../src/core/dtype.ts";
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
  const half: LinearSpec = { ...spec, round: (x) => f32FromF16(f16FromF32(x)) };
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
    halfRefs: { ref: (a) => linearRef(a, half), refGrad: (a, [dy]) => linearGradRef(a, dy!, half) },
    wrt: Object.keys(inputs),
    ...extra,
  };
}

/** Shape and pretended device for which a GPU takes tiles of this edge, with a second tile of four rows and columns. */
const TILE = {
  32: { M: 36, N: 36, invocations: undefined },
  64: { M: 68, N: 68, invocations: 512 },
  128: { M: 132, N: 132, invocations: 1 },
} as const;

/** Epilogues, each in a kernel text of its own for every tile. */
const EPILOGUE = {
  none: {},
  bias: { bias: true },
  gelu: { bias: true, act: "gelu" },
  swiglu: { bias: true, act: "swiglu" },
  residual: { bias: true, residual: true },
  sum: { residual: true },
  scaled: { bias: true, gamma: true, residual: true },
} as const satisfies Record<string, Parts>;

/**
 * One kernel text on the GPU path: a tile with an epilogue. `train` keeps what backward needs and asks for the gradients;
 * without it the case is what embedding runs. A long `K` splits the reduction, so that the epilogue is in a second kernel.
 */
function tiled(
  tile: keyof typeof TILE,
  epilogue: keyof typeof EPILOGUE,
  { train, K = 20, R, ...extra }: Partial<OpCase> & { train?: boolean; K?: number; R?: number } = {},
): OpCase {
  const { M, N, invocations } = TILE[tile];
  const parts: Parts = { ...EPILOGUE[epilogue], ...(R && { R }) };
  // The result is half as wide, and its rows shall divide by four.
  const test = of(M, epilogue === "swiglu" ? (tile === 128 ? 136 : 72) : N, K, parts);
  return {
    ...test,
    name: `tile ${tile}${train ? "" : " forward"} ${test.name}`,
    wrt: train ? test.wrt : [],
    paths: ["gpu"],
    f16: parts.residual ? ["x", "residual"] : ["x"],
    ...(invocations && { invocations }),
    ...extra,
  };
}

/** Ways that share a tile and differ in the loop over the reduction alone: types and epilogues are tried by the tile's own rows. */
const LOOPS = [
  "workgroup 32, 32 steps",
  "workgroup 64, 8 steps",
  "workgroup 64, not ahead",
  "workgroup 64, own",
  "workgroup 128, not ahead",
] as const;

/**
 * One variant as the tuner may pick it on a GPU; `tiled` with a name of a variant. `types`: in f16 and with frozen weights of
 * every storage type too, which take a kernel text each, and what else a text holds does not depend on.
 */
function picked(
  tuned: "registers 4" | "registers 8" | typeof LOOPS[number],
  epilogue: keyof typeof EPILOGUE,
  { train = false, K = 20, R = 8, types = false }: { train?: boolean; K?: number; R?: number; types?: boolean } = {},
): OpCase {
  // More than a tile, with a rest; of registers that of 64 invocations.
  const wide = epilogue === "swiglu" ? 136 : 72;
  const [M, N] = tuned === "registers 4" || tuned.includes(" 32,")
    ? [36, 40]
    : tuned.includes(" 128")
    ? [132, 136]
    : [68, wide];
  const test = of(M, N, K, { ...EPILOGUE[epilogue], ...(R && { R }) });
  return {
    ...test,
    name: `${tuned}${train ? "" : " forward"} ${test.name}`,
    wrt: train ? test.wrt : [],
    paths: ["gpu"],
    tuned,
    ...(types && { f16: ["x"], ...stored }),
  };
}

/** Frozen weights of every storage type, as embedding reads them. */
const stored = { weights: ["weight"] } as const;

/** The reduction of the gradient in x is over the outputs, so it has tiles and slices of its own. */
function inputGradient(M: number, N: number, K: number, invocations?: number): OpCase {
  const how = { ...stored, f16: ["x"], paths: ["gpu"], ...(invocations && { invocations }) } as const;
  const test = of(M, N, K, { bias: true, R: 8 }, how);
  return { ...test, name: `gradient in x ${test.name}` };
}

/** What real plans run on a GPU and the small shapes above do not reach. */
const gpuTiles: readonly OpCase[] = [
  inputGradient(36, 528, 36),
  inputGradient(68, 36, 68, 512),
  // Adding to what is there, as the update of low rank does on an input of its own; and ranks that do not divide by four.
  ...([32, 64, 128] as const).map((tile) => tiled(tile, "sum")),
  ...([32, 128] as const).map((tile) => tiled(tile, "sum", { K: 6 })),
  ...([32, 128] as const).map((tile) => tiled(tile, "bias", { R: 6, ...stored })),
  tiled(64, "gelu", { R: 6, ...stored }),
  tiled(64, "gelu", { R: 6, train: true, ...stored }),
  tiled(32, "residual", { R: 6, ...stored }),
  tiled(32, "bias", { R: 6, K: 528, ...stored }),
  ...([64, 128] as const).map((tile) => tiled(tile, "bias", { K: 21 })),
  of(67, 67, 529, { bias: true }, { name: "tile 64 split 67x67x529 bias", wrt: [], paths: ["gpu"], invocations: 512 }),
  ...(["bias", "gelu", "residual", "scaled"] as const).map((epilogue) => tiled(32, epilogue, stored)),
  ...(["none", "bias", "gelu", "swiglu", "residual", "scaled"] as const).flatMap((epilogue) => [
    tiled(64, epilogue, stored),
    tiled(128, epilogue, stored),
  ]),
  ...(["gelu", "residual", "scaled"] as const).map((epilogue) => tiled(32, epilogue, { R: 8, ...stored })),
  ...(["gelu", "swiglu", "residual", "scaled"] as const).map((epilogue) => tiled(64, epilogue, { R: 8, ...stored })),
  ...(["bias", "gelu", "swiglu", "residual", "scaled"] as const).map((epilogue) =>
    tiled(128, epilogue, { R: 8, ...stored })
  ),
  // What backward reads is written by the same kernel.
  ...([64, 128] as const).flatMap((tile) => [
    tiled(tile, "gelu", { train: true }),
    tiled(tile, "scaled", { train: true }),
    tiled(tile, "gelu", { R: 8, train: true, ...stored }),
    tiled(tile, "swiglu", { R: 8, train: true, ...stored }),
  ]),
  tiled(128, "swiglu", { train: true }),
  tiled(32, "gelu", { R: 8, train: true, ...stored }),
  // Split reductions: partial sums, then the epilogue.
  tiled(64, "none", { K: 528, ...stored }),
  ...(["gelu", "swiglu", "scaled"] as const).map((epilogue) => tiled(32, epilogue, { K: 528, ...stored })),
  ...(["gelu", "swiglu", "residual", "scaled"] as const).map((epilogue) =>
    tiled(32, epilogue, { K: 528, train: true })
  ),
  ...([32, 64] as const).map((tile) => tiled(tile, "none", { K: 528, R: 8, train: true, ...stored })),
];

/** What the tuner may pick beside the tiles: each with everything its text can hold, though not all together, types in one row. */
const tunedRows: readonly OpCase[] = (["registers 4", "registers 8"] as const).flatMap((tuned) => [
  picked(tuned, "scaled"),
  picked(tuned, "gelu", { train: true, types: true }),
  picked(tuned, "swiglu", { train: true }),
  picked(tuned, "scaled", { train: true, R: 0 }),
  picked(tuned, "none", { K: 1056, train: true, R: 0 }),
]);

/** Steps for several tiles and a rest that divides by nothing: the loop begins, goes on and ends. */
const loopRows: readonly OpCase[] = LOOPS.flatMap((tuned) => [
  picked(tuned, "gelu", { train: true, K: 76 }),
  ...(tuned.includes(" 32,") ? [] : [picked(tuned, "swiglu")]),
]);

/** Case table. */
export const cases: readonly OpCase[] = [
  of(1, 1, 1),
  of(5, 3, 2, { bias: true }),
  of(7, 31, 33, { bias: true, act: "gelu", gamma: true, residual: true }),
  of(3, 5, 7, { R: 2, bias: true }),
  of(33, 36, 40, { bias: true, act: "gelu" }, { f16: ["x"] }),
  of(33, 36, 30, { bias: true, act: "gelu" }),
  of(33, 40, 36, { bias: true, gamma: true, residual: true }, { f16: ["x", "residual"] }),
  of(9, 64, 12, { act: "silu" }),
  of(31, 48, 20, { act: "swiglu", bias: true }, { f16: ["x"] }),
  of(5, 14, 9, { act: "swiglu", bias: true, gamma: true, residual: true }),
  of(65, 32, 68, { R: 8, bias: true, act: "gelu" }, { weights: ["weight"] }),
  of(17, 24, 16, { R: 4, act: "swiglu", bias: true, residual: true }),
  of(12, 20, 16, { R: 4, xl: true, bias: true, residual: true }),
  // Nine tensors with those the product itself takes: the residual goes apart.
  of(6, 8, 12, { R: 4, bias: true, act: "gelu", gamma: true, residual: true }, { f16: ["x", "residual"] }),
  of(4, 16, 8, { bias: true }, {
    name: "4x16x8 frozen weight, gradient of x and LoRA only",
    wrt: ["x"],
  }),
  // Long enough that the reduction is split and the epilogue runs in the second kernel.
  of(2, 8, 1056, { R: 4, bias: true, act: "swiglu" }),
  of(3, 5, 1031, { bias: true, act: "gelu", residual: true }),
  ...gpuTiles,
  ...tunedRows,
  ...loopRows,
  of(197, 768, 768, { bias: true, residual: true }, { benchOnly: true, perf: linearCost(197, 768, 768) }),
  of(197, 768, 768, { R: 8, bias: true }, { benchOnly: true, perf: linearCost(197, 768, 768, 8) }),
  of(197, 3072, 768, { bias: true, act: "gelu" }, { benchOnly: true, perf: linearCost(197, 3072, 768) }),
];
