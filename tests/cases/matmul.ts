/** Cases of matmul: all layouts, edges on both sides of every tile, primes, batches, slices, shapes of real encoders. */

import { matmul, matmulCost, type MatmulOptions } from "../../src/ops/matmul.ts";
import { normal, type OpCase } from "../case.ts";
import { matmulRef } from "../ref/matmul.ts";

type Extents = readonly [B: number, M: number, N: number, K: number];

/** One product per batch; `shared` gives all of a batch the same `b`. */
function of(
  layout: "nt" | "nn" | "tn",
  [B, M, N, K]: Extents,
  { shared, name, ...extra }: Partial<OpCase> & MatmulOptions & { shared?: boolean } = {},
): OpCase {
  const { alpha, tile, slices, ...rest } = extra;
  const [transA, transB] = [layout === "tn", layout === "nt"];
  const lead = B === 1 ? [] : [B];
  const matrix = transB ? [N, K] : [K, N];
  const options = {
    transA,
    transB,
    ...(alpha === undefined ? {} : { alpha }),
    ...(tile === undefined ? {} : { tile }),
    ...(slices === undefined ? {} : { slices }),
  };
  const spec = { B: shared ? 1 : B, M: shared ? B * M : M, N, K, transA, transB, alpha: alpha ?? 1 };
  return {
    name: `${layout} ${name ?? ""} ${B > 1 ? `${B}x` : ""}${M}x${N}x${K}`.replaceAll("  ", " "),
    inputs: {
      a: normal(transA ? [...lead, K, M] : [...lead, M, K]),
      b: normal(shared ? matrix : [...lead, ...matrix]),
    },
    run: (g, t) => matmul(g, t.a!, t.b!, options),
    ref: (a) => matmulRef(a.a!, a.b!, spec),
    wrt: ["a", "b"],
    ...rest,
  };
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of("nt", [1, 1, 1, 1]),
  of("nn", [1, 2, 3, 5]),
  of("tn", [1, 3, 2, 7]),
  of("nt", [1, 31, 33, 65], { alpha: 0.125, weights: ["b"] }),
  of("nn", [1, 33, 31, 8]),
  of("tn", [1, 31, 63, 33]),
  of("nt", [1, 64, 68, 36], { f16: ["a", "b"] }),
  of("nn", [1, 8, 132, 20], { weights: ["b"] }),
  of("tn", [1, 36, 16, 129], { f16: ["a", "b"] }),
  of("nt", [3, 17, 20, 12], { name: "batch", f16: ["a", "b"] }),
  of("nn", [2, 7, 9, 5], { name: "batch", alpha: 0.5 }),
  of("tn", [3, 12, 8, 17], { name: "batch" }),
  of("nn", [4, 5, 8, 12], { name: "one b for all", shared: true }),
  of("nt", [2, 3, 5, 7], { name: "one b for all", shared: true }),
  // Slices end within the reduction, at its end and past it.
  of("nt", [1, 5, 12, 100], { name: "3 slices", slices: 3, f16: ["a", "b"] }),
  of("nn", [1, 5, 12, 50], { name: "4 slices", slices: 4 }),
  of("tn", [1, 12, 8, 20], { name: "5 slices", slices: 5 }),
  // Tiles that small shapes do not get by themselves; 65 and 129 leave a second tile with one row.
  of("nt", [1, 65, 129, 33], { name: "tile 64", tile: 64 }),
  of("nt", [1, 132, 68, 40], { name: "tile 128", tile: 128 }),
  of("nn", [1, 68, 132, 24], { name: "tile 64", tile: 64 }),
  of("tn", [1, 132, 68, 18], { name: "tile 64", tile: 64 }),
  of("nt", [1, 33, 136, 24], { name: "tile 16", tile: 16 }),
  of("nn", [1, 17, 136, 24], { name: "tile 16", tile: 16 }),
  of("tn", [1, 20, 136, 21], { name: "tile 16", tile: 16 }),
  // What real plans take on a GPU: every tile whole, with rest and split, of extents that do and do not divide by four.
  ...([
    ["nn", [1, 132, 132, 20], 128, 1],
    ["nn", [1, 131, 131, 21], 128, 1],
    ["nn", [1, 68, 68, 20], 64, 1],
    ["nn", [1, 68, 68, 528], 64, 2],
    ["nn", [1, 36, 36, 528], 32, 2],
    ["nn", [1, 35, 35, 529], 32, 2],
    ["nn", [1, 67, 67, 21], 64, 1],
    ["nn", [1, 67, 67, 529], 64, 2],
    ["nt", [1, 131, 131, 21], 128, 1],
    ["tn", [1, 68, 68, 528], 64, 2],
    ["tn", [1, 131, 131, 21], 128, 1],
    ["tn", [1, 67, 67, 21], 64, 1],
    ["tn", [1, 35, 35, 529], 32, 2],
  ] as const).map(([layout, extents, tile, slices]) =>
    of(layout, extents, {
      name: `tile ${tile}${slices > 1 ? " split" : ""}`,
      tile,
      slices,
      wrt: [],
      paths: ["gpu"],
      ...(layout === "tn" ? { f16: ["a", "b"] } : { f16: ["a"], weights: ["b"] }),
    })
  ),
  // Partial sums of what the tuner may pick on a GPU.
  ...([
    ["nt", [1, 132, 132, 40], "workgroup 128"],
    ["nn", [1, 132, 132, 40], "workgroup 128"],
    ["nn", [1, 68, 72, 40], "registers 8"],
  ] as const).map(([layout, extents, tuned]) =>
    of(layout, extents, { name: `${tuned} split`, slices: 2, wrt: [], paths: ["gpu"], tuned })
  ),
  ...(["nt", "nn"] as const).map((layout) =>
    of(layout, [1, 132, 132, 40], {
      name: "matrix 128 split",
      slices: 2,
      wrt: [],
      paths: ["gpu"],
      tuned: "matrix 128",
      f16: ["a"],
      weights: ["b"],
    })
  ),
  of("nt", [1, 1, 257, 512], { name: "one row" }),
  of("nt", [1, 197, 8, 96], { name: "rank 8" }),
  ...([
    ["nt", [1, 197, 768, 768]],
    ["nt", [1, 197, 768, 3072]],
    ["nt", [1, 1024, 1024, 1024]],
    ["nt", [1, 1576, 8, 768]],
    ["nn", [1, 197, 768, 3072]],
    ["tn", [1, 768, 768, 1576]],
    ["tn", [1, 8, 768, 1576]],
  ] as const).map(([layout, extents]) => {
    const [B, M, N, K] = extents;
    return of(layout, extents, { name: "encoder", benchOnly: true, perf: matmulCost({ B, M, N, K }) });
  }),
];
