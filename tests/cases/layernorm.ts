/** Cases of layernorm: the widths of real encoders, primes, one row, one column, constant rows, large offsets, no affine. */

import { layernorm, layernormCost } from "../../src/ops/layernorm.ts";
import { given, normal, type OpCase } from "../case.ts";
import { layernormRef } from "../ref/layernorm.ts";

function of(M: number, D: number, extra: Partial<OpCase> = {}): OpCase {
  return {
    name: `${M}x${D}`,
    inputs: { x: normal([M, D], 2, 0.5), gamma: normal([D], 0.3, 1), beta: normal([D], 0.3) },
    run: (g, t) => layernorm(g, t.x!, t.gamma, t.beta, { eps: 1e-6 }),
    ref: (a) => layernormRef(a.x!, a.gamma!, a.beta!, 1e-6),
    wrt: ["x", "gamma", "beta"],
    ...extra,
  };
}

/** Without gamma or beta, which the reference takes as ones and zeros. */
function plain(M: number, D: number, extra: Partial<OpCase> = {}): OpCase {
  return of(M, D, {
    inputs: { x: normal([M, D], 2, 0.5) },
    ref: (a) => layernormRef(a.x!, new Float64Array(D).fill(1), new Float64Array(D), 1e-6),
    wrt: ["x"],
    ...extra,
  });
}

/** Case table. */
export const cases: readonly OpCase[] = [
  of(37, 384, { f16: ["x"] }),
  of(1, 768, { f16: ["x"] }),
  of(131, 7),
  of(65, 129),
  of(3, 1536, { f16: ["x"] }),
  of(2, 1, { name: "one column 2x1" }),
  of(1, 31),
  of(0, 5, { name: "no rows 0x5" }),
  of(4, 64, {
    name: "constant rows 4x64",
    inputs: { x: given([4, 64], new Float32Array(256).fill(3)), gamma: normal([64]), beta: normal([64]) },
    // rstd is 1000 and the centred row is zero: differences of the reference have no digits left in x.
    wrt: ["gamma", "beta"],
  }),
  of(5, 200, {
    name: "large offset 5x200",
    inputs: { x: normal([5, 200], 1, 1000), gamma: normal([200], 0.3, 1), beta: normal([200], 0.3) },
  }),
  of(3, 68, {
    name: "first element far out 3x68",
    inputs: {
      x: { shape: [3, 68], make: (rng) => rng.normals(204).map((v, i) => (i % 68 ? v : 1000)) },
      gamma: normal([68], 0.3, 1),
      beta: normal([68], 0.3),
    },
  }),
  of(2, 33, {
    name: "large scale 2x33",
    inputs: { x: normal([2, 33], 1e12), gamma: normal([33], 0.3, 1), beta: normal([33], 0.3) },
  }),
  plain(33, 20, { name: "no affine 33x20", f16: ["x"] }),
  // The worked values of torch.nn.LayerNorm.
  plain(1, 3, {
    name: "worked values 1x3",
    inputs: { x: given([1, 3], [1, 2, 4]) },
    run: (g, t) => layernorm(g, t.x!),
    ref: (a) => layernormRef(a.x!, new Float64Array([1, 1, 1]), new Float64Array(3), 1e-5),
  }),
  of(9, 12, {
    name: "scale only 9x12",
    inputs: { x: normal([9, 12], 2), gamma: normal([12], 0.3, 1) },
    ref: (a) => layernormRef(a.x!, a.gamma!, new Float64Array(12), 1e-6),
    wrt: ["x", "gamma"],
  }),
  plain(2, 2052, { name: "long rows 2x2052" }),
  plain(1, 4100, { name: "longer than the registers 1x4100" }),
  // Rows held in registers, by width; without gradients no statistics are kept, which is another kernel text.
  ...[64, 512, 768, 1024, 1536].map((D) => of(3, D, { name: `forward 3x${D}`, wrt: [], paths: ["gpu"], f16: ["x"] })),
  of(3, 1024, { paths: ["gpu"], f16: ["x"] }),
  ...[50, 256].map((D) => of(3, D, { name: `forward 3x${D}`, wrt: [] })),
  of(197, 768, { perf: layernormCost([197, 768]) }),
  of(1576, 768, { perf: layernormCost([1576, 768]), benchOnly: true }),
];
