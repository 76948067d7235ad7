/** The random generator on both sides: published vectors, statistics, and that recomputation draws the same numbers. */

import assert from "node:assert/strict";
import { checkpoint } from "../../src/autodiff/checkpoint.ts";
import { backward } from "../../src/autodiff/backward.ts";
import { randomState, Rng, streamOf, threefry2x32 } from "../../src/core/rng.ts";
import { requestGpu } from "../../src/gpu/device.ts";
import type { Kernel } from "../../src/gpu/kernel.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { dropout } from "../../src/ops/dropout.ts";
import { random, type RandomOptions } from "../../src/ops/random.ts";
import { sameBits } from "../close.ts";
import { words } from "../ref/dropout.ts";
import threefry from "../../kernels/lib/threefry.wgsl" with { type: "text" };

/** Key, counter, result: Random123's `kat_vectors` for threefry2x32 with 20 rounds. */
const VECTORS = [
  [0, 0, 0, 0, 0x6b200159, 0x99ba4efe],
  [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7],
  [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3, 0xc4923a9c, 0x483df7a0],
] as const;

/** Threefry as kernels use it, one call a row. */
const PROBE: Kernel<{ input: "in"; words: "out" }, Record<never, never>, Record<never, never>> = {
  name: "threefry_probe",
  source: `@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = id.x;
    if (i >= p.n) { return; }
    let w = threefry(vec2u(input[4u * i], input[4u * i + 1u]), vec2u(input[4u * i + 2u], input[4u * i + 3u]));
    words[2u * i] = w.x;
    words[2u * i + 1u] = w.y;
  }`,
  libs: [threefry],
  tensors: [
    {
      name: "input",
      access: "in",
      optional: false,
      dims: [{ coef: 1, name: "n" }, { coef: 4, name: "" }],
      elem: "u32",
      pack: 1,
    },
    {
      name: "words",
      access: "out",
      optional: false,
      dims: [{ coef: 1, name: "n" }, { coef: 2, name: "" }],
      elem: "u32",
      pack: 1,
    },
  ],
  dims: ["n"],
  params: [],
  options: {},
  tune: {},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.n! / 64)],
  flops: () => 0,
  touch: {},
};

const gpu = await requestGpu(navigator.gpu);
const store = new Store(gpu);

Deno.test.afterAll(() => {
  store.destroy();
  gpu.destroy();
});

/** A plan with seed and step, whose recorded tensors are run and read. */
async function evaluate(seed: number, step: number, record: (g: Plan) => Tensor[]): Promise<ArrayLike<number>[]> {
  const g = new Plan(gpu);
  g.random = store.from("random", "random", [4], randomState(seed, step), "u32");
  const outputs = record(g);
  g.output(...outputs);
  const program = await g.compile();
  program.run();
  const values = await readback(gpu, ...outputs);
  program.destroy();
  return values;
}

function noise(options: RandomOptions, n: number, seed = 1, step = 0): Promise<ArrayLike<number>> {
  return evaluate(seed, step, (g) => [random(g, "noise", [1, n], options)]).then(([values]) => values!);
}

Deno.test("threefry gives the published words on the CPU", () => {
  for (const [k0, k1, c0, c1, a, b] of VECTORS) assert.deepEqual(threefry2x32(k0, k1, c0, c1), [a, b]);
});

Deno.test("threefry gives the same words on the GPU", async () => {
  const rng = new Rng(5);
  const rows = [
    ...VECTORS.map((row) => row.slice(0, 4)),
    ...Array.from({ length: 61 }, () => [0, 0, 0, 0].map(() => rng.u32())),
  ];
  const [got] = await evaluate(0, 0, (g) => {
    const input = store.from("probe", "probe", [rows.length, 4], rows.flat(), "u32");
    const out = g.tensor([rows.length, 2], "u32");
    g.run(PROBE, { input, words: out });
    return [out];
  });
  assert.deepEqual([...got as Uint32Array], rows.flatMap(([a, b, c, d]) => threefry2x32(a!, b!, c!, d!)));
});

Deno.test("random words are fair, and uncorrelated between neighbours, streams and steps", () => {
  const n = 1 << 16;
  const bits = (name: string, step: number, row = 0) =>
    Array.from(words(16, n / 16, randomState(9, step, row), name), (word) => (word >= 2 ** 31 ? 1 : -1));
  const base = bits("a", 0);
  const others: [string, number[]][] = [
    ["constant", base.map(() => 1)],
    ["neighbour", [...base.slice(1), 1]],
    ["next pair", [...base.slice(2), 1, 1]],
    ["next row", [...base.slice(n / 16), ...base.slice(0, n / 16)]],
    ["stream", bits("b", 0)],
    ["step", bits("a", 1)],
    ["another part of the batch", bits("a", 0, 16)],
  ];
  for (const [name, other] of others) {
    const sum = base.reduce((total, bit, i) => total + bit * other[i]!, 0);
    assert.ok(Math.abs(sum) < 4.5 * Math.sqrt(n), `correlation with ${name} is ${sum / n}`);
  }
});

Deno.test("noise has the moments of its distribution", async () => {
  const n = 1 << 16;
  const moment = (values: ArrayLike<number>, power: number) =>
    Array.from(values).reduce((s, x) => s + x ** power, 0) / n;
  const bound = (variance: number) => 4.5 * Math.sqrt(variance / n);
  const normal = await noise({ kind: "normal" }, n);
  for (const [power, wanted, variance] of [[1, 0, 1], [2, 1, 2], [3, 0, 15], [4, 3, 96]] as const) {
    const got = moment(normal, power);
    assert.ok(Math.abs(got - wanted) < bound(variance), `moment ${power} of normal noise is ${got}`);
  }
  const uniform = await noise({ kind: "uniform" }, n);
  assert.ok(Math.abs(moment(uniform, 1) - 0.5) < bound(1 / 12));
  assert.ok(Array.from(uniform).every((x) => x >= 0 && x < 1));
  const mask = await noise({ kind: "bernoulli", rate: 0.3 }, n);
  assert.ok(Math.abs(moment(mask, 1) - 0.3) < bound(0.21));
});

Deno.test("noise differs by seed and step and repeats for the same", async () => {
  const [a, again, step, seed] = await Promise.all(
    [[1, 0], [1, 0], [1, 1], [2, 0]].map(([s, t]) => noise({}, 64, s, t)),
  );
  assert.ok(sameBits(a!, again!));
  assert.ok(!sameBits(a!, step!) && !sameBits(a!, seed!));
});

Deno.test("dropout keeps the share it should and draws the same mask when a segment is recomputed", async () => {
  const n = 1 << 14;
  const x = store.from("x", "x", [n], new Float32Array(n).fill(1));
  x.requiresGrad = true;
  const seed = store.from("seed", "seed", [n], new Float32Array(n).fill(1));
  const run = (body: (g: Plan) => Tensor) =>
    evaluate(3, 4, (g) => {
      const y = body(g);
      return [y, backward(g, [{ tensor: y, grad: seed }]).of(x)!];
    });
  const segment = (g: Plan, input: Tensor) => dropout(g, dropout(g, input, 0.2, "a"), 0.15, "b");
  const [y, dx] = await run((g) => segment(g, x)) as [Float32Array, Float32Array];
  const [y2, dx2] = await run((g) => checkpoint(g, (input) => segment(g, input), [x])) as [Float32Array, Float32Array];
  assert.ok(sameBits(y, dx) && sameBits(y, y2) && sameBits(dx, dx2));
  const kept = y.filter((value) => value !== 0).length / n;
  assert.ok(Math.abs(kept - 0.68) < 4.5 * Math.sqrt(0.68 * 0.32 / n), `${kept} of the elements are left`);
});

Deno.test("a row draws the same numbers whatever part of the batch a plan sees, and by its name alone", async () => {
  const [rows, columns] = [7, 10];
  const at = (row: number, count: number, body: (g: Plan) => void = () => {}) =>
    evaluate(3, 4, (g) => {
      g.random = store.from("random", "random", [4], randomState(3, 4, row), "u32");
      body(g);
      const x = g.constant("ones", [count, columns], "f32", () => new Float32Array(count * columns).fill(1));
      return [dropout(g, x, 0.4, "d"), random(g, "n", [count, columns]), random(g, "mc", [2, count, 3], { rows: 1 })];
    });
  const whole = await at(0, rows);
  for (let from = 0; from < rows; from += 2) {
    const count = Math.min(2, rows - from);
    const part = await at(from, count, (g) => random(g, "another", [4]));
    for (const k of [0, 1]) {
      const wanted = (whole[k] as Float32Array).slice(from * columns, (from + count) * columns);
      assert.ok(sameBits(part[k] as Float32Array, wanted));
    }
    for (let a = 0; a < 2; a++) {
      const wanted = (whole[2] as Float32Array).slice((a * rows + from) * 3, (a * rows + from + count) * 3);
      assert.ok(sameBits((part[2] as Float32Array).slice(a * count * 3, (a + 1) * count * 3), wanted));
    }
  }
});

Deno.test("two names whose streams would be one are refused", () => {
  const seen = new Map<number, string>();
  let pair: [string, string] | undefined;
  for (let i = 0; pair === undefined; i++) {
    const name = `layer.${i}`;
    const other = seen.get(streamOf(name));
    if (other !== undefined) pair = [other, name];
    seen.set(streamOf(name), name);
  }
  const g = new Plan(gpu);
  assert.equal(g.stream(pair[0]), g.stream(pair[0]));
  assert.throws(() => g.stream(pair[1]));
});

Deno.test("Rng draws uniforms in [0, 1), permutations, and the same numbers again", () => {
  const rng = new Rng(4, 2);
  const values = Array.from({ length: 1000 }, () => rng.uniform());
  assert.ok(values.every((value) => value >= 0 && value < 1));
  const again = new Rng(4, 2);
  assert.deepEqual(values, values.map(() => again.uniform()));
  assert.deepEqual([...rng.permutation(50)].sort((a, b) => a - b), Array.from({ length: 50 }, (_, i) => i));
});
