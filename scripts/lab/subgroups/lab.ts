/**
 * What reductions by subgroups would gain: row kernels as they are, with `subgroupAdd` and `subgroupMax` in place of the folds in
 * workgroup memory, with a tree of shuffles over eight neighbours, whose order is the same on every device, and with nothing in
 * their place, which is wrong and what no way of reducing can be sooner than. Attention by subgroups is what `tune` may pick.
 * Interleaved, medians; by the tuner's clock.
 *
 * ```sh
 * deno run -A scripts/lab/subgroups/lab.ts [ROUNDS]
 * ```
 *
 * @module
 */

import { Rng } from "../../../src/core/rng.ts";
import { type Gpu, requestGpu } from "../../../src/gpu/device.ts";
import * as k from "../../../src/gpu/kernels.gen.ts";
import type { Kernel } from "../../../src/gpu/kernel.ts";
import { readback } from "../../../src/gpu/readback.ts";
import { Plan } from "../../../src/graph/plan.ts";
import type { Program } from "../../../src/graph/program.ts";
import { Store } from "../../../src/graph/store.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import { deviceClock } from "../../../src/verify/tune_clock.ts";

/** Rows of ViT-S at batch 32, and heads of ViT-B at batch 4. */
const [ROWS, D, B, HEADS, TOKENS, WIDTH] = [32 * 197, 384, 4, 12, 197, 64];

/** A reduction in place of another; lanes of a subgroup follow each other, as they do where workgroups have one dimension. */
const bySubgroup = (name: string, type: string, of: string, fold: string) => `
var<workgroup> ${name}Parts: array<${type}, WG>;
fn ${name}(value: ${type}, lane: u32) -> ${type} {
  let own = ${of}(value);
  let first = subgroupMin(lane);
  let size = subgroupMax(lane) - first + 1u;
  if (lane == first) { ${name}Parts[lane / size] = own; }
  workgroupBarrier();
  var all = ${name}Parts[0];
  for (var i = 1u; i < WG / size; i++) { all = ${fold}; }
  workgroupBarrier();
  return all;
}`;
/** The same by eight neighbours; one barrier, since kernels of rows call each reduction once. */
const byEight = (name: string, type: string, fold: (a: string, b: string) => string) => `
var<workgroup> ${name}Parts: array<${type}, WG / 8u>;
fn ${name}(value: ${type}, lane: u32) -> ${type} {
  var own = value;
  ${[1, 2, 4].map((mask) => `own = ${fold("own", `subgroupShuffleXor(own, ${mask}u)`)};`).join("\n  ")}
  if ((lane & 7u) == 0u) { ${name}Parts[lane / 8u] = own; }
  workgroupBarrier();
  var all = ${name}Parts[0];
  for (var i = 1u; i < WG / 8u; i++) { all = ${fold("all", `${name}Parts[i]`)}; }
  return all;
}`;
const nothing = (name: string, type: string) => `fn ${name}(value: ${type}, lane: u32) -> ${type} { return value; }`;

const sum = (a: string, b: string) => `${a} + ${b}`;
const most = (a: string, b: string) => `max(${a}, ${b})`;

const REDUCTIONS: Readonly<Record<"subgroups" | "shuffles" | "nothing", readonly [reduce: string, pair: string]>> = {
  subgroups: [
    bySubgroup("reduceSum", "f32", "subgroupAdd", "all + reduceSumParts[i]") +
    bySubgroup("reduceMax", "f32", "subgroupMax", "max(all, reduceMaxParts[i])"),
    bySubgroup("reducePair", "vec2f", "subgroupAdd", "all + reducePairParts[i]"),
  ],
  shuffles: [
    byEight("reduceSum", "f32", sum) + byEight("reduceMax", "f32", most),
    byEight("reducePair", "vec2f", sum),
  ],
  nothing: [nothing("reduceSum", "f32") + nothing("reduceMax", "f32"), nothing("reducePair", "vec2f")],
};

/** A row kernel with other reductions. */
function reducing(kernel: Kernel, way: keyof typeof REDUCTIONS): Kernel {
  const libs = kernel.libs.map((lib) =>
    lib.includes("fn reduceSum") ? REDUCTIONS[way][0] : lib.includes("fn reducePair") ? REDUCTIONS[way][1] : lib
  );
  return { ...kernel, libs };
}

/** Attention that exchanges maxima by subgroups, as the tuner may pick it, or does not exchange them. */
function exchanging(kernel: Kernel, way: keyof typeof REDUCTIONS): Kernel {
  const alone = "fn rowsMost(own: vec4f) -> vec4f { return own; }";
  const libs = kernel.libs.map((lib) => lib.includes("fn rowsMost") && way === "nothing" ? alone : lib);
  return { ...kernel, libs };
}

interface Lane {
  readonly way: string;
  readonly program: Program;
  /** Largest distance from what the kernel gives as it is. */
  readonly apart: number;
  readonly ms: number[];
}

interface Case {
  readonly name: string;
  readonly kernel: Kernel;
  readonly other: (kernel: Kernel, way: keyof typeof REDUCTIONS) => Kernel;
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly out: string;
  readonly params: object;
}

function casesOf(store: Store): Case[] {
  const rng = new Rng(1);
  const from = (name: string, shape: number[]) =>
    store.from(name, name, shape, rng.normals(shape.reduce((a, b) => a * b)), "f32");
  const [x, dy, stats] = [from("x", [ROWS, D]), from("dy", [ROWS, D]), from("stats", [ROWS, 2])];
  const qkv = from("qkv", [B, TOKENS, 3 * HEADS * WIDTH]);
  const [y, o] = [store.tensor("y", "y", [ROWS, D]), store.tensor("o", "o", [B, TOKENS, HEADS * WIDTH])];
  const rows = { other: reducing, out: "y" } as const;
  const tune = { WG: 64, KEEP: 2 };
  return [
    { name: "layernorm", kernel: k.layernorm_fwd, tensors: { x, y }, params: { eps: 1e-6, tune }, ...rows },
    {
      ...{ name: "layernorm, gradient", kernel: k.layernorm_bwd_input, tensors: { x, stats, dy, dx: y } },
      ...{ params: { tune }, other: reducing, out: "dx" },
    },
    {
      ...{ name: "softmax", kernel: k.softmax_fwd, tensors: { x, y }, ...rows },
      params: { scale: 1, reach: -100, far: -3e38, tune: { WG: 64 } },
    },
    {
      ...{ name: "attention", kernel: k.attention_fwd, other: exchanging, tensors: { q: qkv, kv: qkv, o }, out: "o" },
      params: { first: HEADS * WIDTH, scale: 0.125, tune: { E4: 16, EC4: 8, CU: 2, EG: 2, WX: 8 } },
    },
  ] as unknown as Case[];
}

async function laneOf(gpu: Gpu, of: Case, way: string, wanted?: Float32Array): Promise<[Lane, Float32Array]> {
  const kernel = way === "as it is" ? of.kernel : of.other(of.kernel, way as keyof typeof REDUCTIONS);
  const g = new Plan(gpu);
  const { params } = of as { params: { tune: object } };
  const tune = { ...params.tune, ...("SUBGROUPS" in kernel.tune && { SUBGROUPS: way === "as it is" ? 0 : 1 }) };
  g.run(kernel as never, of.tensors as never, { ...params, tune } as never);
  g.output(of.tensors[of.out]!);
  const program = await g.compile();
  program.run();
  const [got] = await readback(gpu, of.tensors[of.out]!) as [Float32Array];
  const apart = wanted === undefined
    ? 0
    : got.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0);
  return [{ way, program, apart, ms: [] }, got];
}

const rounds = Number(Deno.args[0] ?? 7);
const gpu = (await requestGpu(navigator.gpu, { subgroups: true })).withCaps({ flat: false });
const store = new Store(gpu);
const cases = casesOf(store);
store.allocate();
const clock = deviceClock(gpu);
console.log(`${gpu.description}, by ${gpu.caps.software ? "time of the processor" : "the device's clock"}`);
for (const one of cases) {
  const [own, wanted] = await laneOf(gpu, one, "as it is");
  const lanes = [own];
  const ways = Object.keys(REDUCTIONS).filter((way) => one.other === reducing || way !== "shuffles");
  for (const way of ways) lanes.push((await laneOf(gpu, one, way, wanted))[0]);
  for (let i = 0; i < rounds; i++) for (const lane of lanes) lane.ms.push(await clock.measure(lane.program, [0]));
  const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
  for (const { way, ms, apart, program } of lanes) {
    const ratio = median(ms.map((value, i) => value / own.ms[i]!));
    console.log(
      `${one.name}, ${way}: ${median(ms).toPrecision(3)} ms, ${ratio.toFixed(3)}, ${apart.toExponential(1)} apart`,
    );
    program.destroy();
  }
}
clock.destroy();
store.destroy();
gpu.destroy();
