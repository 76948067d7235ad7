/** The accounts of the profiler: costs add up, every dispatch has a name, the trace is one that viewers read. */

import assert from "node:assert/strict";
import { account, busyMs, moduleKind } from "../../bench/profile/account.ts";
import { formatAccount, trace } from "../../bench/profile/show.ts";
import { backwardFrom } from "../../src/autodiff/backward.ts";
import { checkpoint } from "../../src/autodiff/checkpoint.ts";
import { type Gpu, requestGpu } from "../../src/gpu/device.ts";
import * as kernels from "../../src/gpu/kernels.gen.ts";
import { type Dispatch, Plan } from "../../src/graph/plan.ts";
import type { Profile } from "../../src/graph/profile.ts";
import { Store } from "../../src/graph/store.ts";
import { loadMethod, METHOD_NAMES } from "../../src/methods/index.ts";
import { randomEncoder } from "../../src/models/random_encoder.ts";
import { attentionCost, selfAttention } from "../../src/ops/attention.ts";
import { type Cost, dispatchCost } from "../../src/ops/cost.ts";
import { layernorm, layernormCost } from "../../src/ops/layernorm.ts";
import { linear, linearCost } from "../../src/ops/linear.ts";
import { sum } from "../../src/ops/reduce.ts";
import { affine } from "../../src/ops/scale.ts";
import { embedPlan } from "../../src/verify/plans.ts";
import { benchArgs } from "../../scripts/bench.ts";

const gpu = await requestGpu(navigator.gpu);
const store = new Store(gpu);
Deno.test.afterAll(() => {
  store.destroy();
  gpu.destroy();
});

const SMALL = "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32";
const PEAKS = { copyBytesPerSecond: 100e9, fmaPerSecond: 1e12 };

function total(dispatches: readonly Dispatch[]): Cost {
  const costs = dispatches.map(dispatchCost);
  return {
    flops: costs.reduce((a, { flops }) => a + flops, 0),
    bytes: costs.reduce((a, { bytes }) => a + bytes, 0),
  };
}

/** Times as if each dispatch took so many ms and the next began after a gap. */
function made(dispatches: readonly Dispatch[], ms: number, gap: number): Profile {
  const spans = dispatches.map((_, i) => ({ begin: i * (ms + gap), end: i * (ms + gap) + ms }));
  const slow = spans.map(({ begin, end }) => ({ begin: 2 * begin, end: 2 * end }));
  return { method: "timestamps", dispatches, runs: [slow, spans, slow] };
}

for (
  const [path, device] of [["flat", gpu.withCaps({ flat: true })], ["gpu", gpu.withCaps({ flat: false })]] as const
) {
  Deno.test(`the dispatches of an op cost what the op says it does, ${path} path`, () => {
    const input = (shape: number[]) => store.tensor("cost", "x", shape);
    const of = (body: (g: Plan) => unknown): Cost => {
      const g = new Plan(device);
      body(g);
      return total(g.dispatches);
    };
    assert.deepEqual(
      of((g) => linear(g, input([48, 64]), { weight: input([32, 64]) })),
      linearCost(48, 32, 64),
    );
    assert.deepEqual(
      of((g) => selfAttention(g, input([2, 40, 3 * 64]), { heads: 2 })),
      attentionCost(2, 40, 40, 2, 32),
    );
    const norm = of((g) => layernorm(g, input([50, 64]), input([64]), input([64])));
    assert.equal(norm.flops, layernormCost([50, 64]).flops);
    assert.equal(norm.bytes, layernormCost([50, 64]).bytes + 2 * 64 * 4);
  });
}

Deno.test("a place in memory crosses once however often it is bound, and both ways where it is read and written", () => {
  const g = new Plan(gpu);
  const x = store.tensor("cost", "x", [256]);
  const y = g.tensor([256]);
  g.run(kernels.sum_pair, { a: x, b: x, y });
  g.run(kernels.accumulate, { y: x, x: y });
  assert.deepEqual(g.dispatches.map(dispatchCost), [{ flops: 256, bytes: 2048 }, { flops: 256, bytes: 3072 }]);
});

Deno.test("ops name their dispatches forward, backward and where they are recomputed; modules nest and come back", () => {
  const g = new Plan(gpu);
  const w = store.tensor("named", "w", [16, 16]);
  w.requiresGrad = true;
  const x = store.tensor("named", "x", [4, 16]);
  const y = g.module(
    "model",
    () => g.module("blocks.0", () => checkpoint(g, (h) => affine(g, linear(g, h, { weight: w }), 2), [x], [w])),
  );
  backwardFrom(g, g.module("loss", () => sum(g, y.reshape([1, 64]))));
  const named = g.dispatches.map(({ op, module }) => `${module || "-"}: ${op}`);
  const at = (name: string) => named.indexOf(name);
  const order = [
    "model/blocks.0: linear",
    "model/blocks.0: affine",
    "loss: sum",
    "-: fill",
    "loss: sum backward",
    "model/blocks.0: linear again",
    "model/blocks.0: affine again",
    "model/blocks.0: affine backward",
    "model/blocks.0: linear backward",
  ];
  for (const name of order) assert.ok(at(name) >= 0, `${name} in ${named.join("; ")}`);
  assert.deepEqual(order.map(at), order.map(at).sort((a, b) => a - b));
});

/** Dispatches of an embedding plan and of the steps of each method. */
async function everything(device: Gpu): Promise<[string, readonly Dispatch[]][]> {
  const embedding = embedPlan(device, randomEncoder(SMALL).spec, "f32", 4, 40, { whole: true })!;
  const found: [string, readonly Dispatch[]][] = [[embedding.name, embedding.plan.dispatches]];
  embedding.destroy();
  for (const name of METHOD_NAMES) {
    const { proof } = await loadMethod(name);
    if (!proof) continue;
    const { step } = await proof();
    for (const micro of [4, 2]) {
      const built = await step(device, { encoder: SMALL, batch: 4, micro, genes: 12, dtype: "f16", keys: [] });
      found.push([`${name}, ${micro} at a time`, built.sequence.flatMap(({ program }) => program.dispatches)]);
      built.destroy();
    }
  }
  return found;
}

Deno.test("every dispatch of embedding and of a step has an op and a finite cost, and nearly all have a module", async () => {
  for (const [name, dispatches] of await everything(gpu)) {
    assert.ok(dispatches.length > 20, name);
    for (const dispatch of dispatches) {
      const { flops, bytes } = dispatchCost(dispatch);
      const text = `${name}: ${dispatch.kernel.name} of ${dispatch.op}`;
      assert.ok(Number.isFinite(flops) && flops >= 0 && Number.isFinite(bytes) && bytes > 0, text);
      assert.ok(dispatch.op.length > 0, text);
      // Metrics, the start of backward and what joins its parts belong to no module.
      if (!/^(affine|fill|ring_write|sum_pair)$/.test(dispatch.kernel.name)) assert.ok(dispatch.module, text);
      assert.ok(!/^(matmul_|attention_|layernorm_|patch_embed)/.test(dispatch.op), `${text} is named by no op`);
    }
  }
});

Deno.test("an account adds up: by kernel, by op, by module, and idle is what lies between dispatches", async () => {
  for (const [name, dispatches] of await everything(gpu)) {
    const n = dispatches.length;
    const found = account(made(dispatches, 2, 0.5), dispatches.map(() => "p"), [4 * n, 2.5 * n, 3 * n], PEAKS);
    const cost = total(dispatches);
    assert.deepEqual([found.sumMs, found.total.flops, found.total.bytes], [2 * n, cost.flops, cost.bytes], name);
    assert.equal(found.stepMs, 2.5 * n);
    assert.equal(found.sumByStep, 0.8);
    assert.ok(Math.abs(found.idle! - (n - 1) * 0.5 / found.spanMs) < 1e-9);
    assert.ok(Math.abs(found.total.gflops / (cost.flops / (2 * n) / 1e6) - 1) < 1e-12);
    assert.ok(Math.abs(found.total.ofCopy - found.total.gbps / 100) < 1e-12);
    for (const rows of [found.byKernel, found.byOp, found.byModule]) {
      const sum = (what: "dispatches" | "ms" | "flops" | "bytes") => rows.reduce((all, row) => all + row[what], 0);
      assert.deepEqual([sum("dispatches"), sum("ms"), sum("flops"), sum("bytes")], [n, 2 * n, cost.flops, cost.bytes]);
      assert.ok(Math.abs(rows.reduce((all, { share }) => all + share, 0) - 1) < 1e-9);
      assert.deepEqual(rows.map(({ ms }) => ms), rows.map(({ ms }) => ms).sort((a, b) => b - a));
    }
  }
});

Deno.test("idle counts time that no dispatch covers once; dispatches timed alone have none", () => {
  assert.equal(busyMs([{ begin: 4, end: 6 }, { begin: 0, end: 3 }, { begin: 2, end: 5 }]), 6);
  const g = new Plan(gpu);
  g.run(kernels.fill, { y: g.tensor([4]) }, { value: 0 });
  const one = { ...made(g.dispatches, 1, 0), method: "alone" } as const;
  const found = account(one, ["p"], [1, 1, 1], PEAKS);
  assert.equal(found.idle, null);
  assert.match(formatAccount("x", found), /each dispatch alone between waits/);
  assert.equal(moduleKind("encoder/blocks.12/mlp"), "encoder/blocks.*/mlp");
});

Deno.test("the trace has every dispatch, in order and within its program and module, as viewers read it", async () => {
  const accounts = (await everything(gpu)).map(([name, dispatches]) => {
    const programs = dispatches.map((_, i) => (i < 10 ? "first" : "second"));
    return [name, account(made(dispatches, 2, 0.5), programs, [1, 1, 1], PEAKS)] as const;
  });
  const { traceEvents } = JSON.parse(JSON.stringify(trace(accounts))) as ReturnType<typeof trace>;
  for (const { name, ph, pid, tid, ts, dur, args } of traceEvents) {
    assert.ok(name.length > 0 && Number.isInteger(pid) && Number.isInteger(tid) && typeof args === "object");
    if (ph === "M") assert.equal(typeof args.name, "string");
    else assert.ok(ph === "X" && ts! >= 0 && dur! > 0, name);
  }
  accounts.forEach(([name, { dispatches }], i) => {
    const of = (tid: number) => traceEvents.filter((e) => e.pid === i + 1 && e.tid === tid && e.ph === "X");
    const [programs, modules, shown] = [of(1), of(2), of(3)];
    assert.equal(shown.length, dispatches.length, name);
    assert.deepEqual(programs.map((event) => event.name), ["first", "second"]);
    for (const [k, event] of shown.entries()) {
      assert.equal(event.args.kernel, dispatches[k]!.kernel);
      if (k > 0) assert.ok(event.ts! >= shown[k - 1]!.ts! + shown[k - 1]!.dur!);
      for (const outer of [programs, modules]) {
        const around = outer.filter(({ ts, dur }) =>
          ts! <= event.ts! + 1e-6 && event.ts! + event.dur! <= ts! + dur! + 1e-6
        );
        assert.equal(around.length, 1, event.name);
      }
    }
  });
});

Deno.test("the task benches, or with --profile profiles, and may write what it is told to", () => {
  assert.deepEqual(benchArgs(["--filter", "gelu"]).slice(-3), ["bench/", "--filter", "gelu"]);
  assert.equal(benchArgs([])[0], "bench");
  const args = benchArgs(["--profile", "step", "--trace", "a/t.json", "--json=b.json", "--record"]);
  assert.equal(args[0], "run");
  assert.deepEqual(args.slice(-6), [
    "bench/profile/main.ts",
    "step",
    "--trace",
    "a/t.json",
    "--json=b.json",
    "--record",
  ]);
  assert.ok(args.includes("--allow-write=bench/results,data/cache,a/t.json,b.json"));
});
