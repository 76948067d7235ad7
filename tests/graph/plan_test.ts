import assert from "node:assert/strict";
import { ConfigError, DeviceError, DtypeError, LimitError, ShapeError } from "../../src/core/errors.ts";
import * as k from "../../src/gpu/kernels.gen.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { profile } from "../../src/graph/profile.ts";
import { Store } from "../../src/graph/store.ts";
import { layernorm } from "../../src/ops/layernorm.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

/** y = x + x, n times in a row. */
function doubling(n: number, times: number) {
  const store = new Store(gpu);
  const x = store.from("input", "x", [n], new Float32Array(n).fill(1));
  const plan = new Plan(gpu);
  let y = x;
  for (let i = 0; i < times; i++) {
    const next = plan.tensor([n]);
    plan.run(k.sum_pair, { a: y, b: y, y: next });
    y = next;
  }
  return { store, plan, x, y };
}

Deno.test("Plan replays what it recorded, with inputs written between steps", async () => {
  const { store, plan, x, y } = doubling(1000, 5);
  plan.output(y);
  const program = await plan.compile();
  for (const value of [1, 3]) {
    store.write(x, new Float32Array(1000).fill(value));
    program.run();
    const [got] = await readback(gpu, y);
    assert.ok(got!.every((v) => v === value * 32));
  }
  program.destroy();
  store.destroy();
});

Deno.test("Plan drops dispatches whose results nobody reads", async () => {
  const { store, plan, y } = doubling(64, 3);
  plan.output(y);
  const unused = plan.tensor([64]);
  plan.run(k.sum_pair, { a: y, b: y, y: unused });
  const program = await plan.compile();
  assert.deepEqual(program.memory.dispatches, { recorded: 4, kept: 3 });
  program.destroy();
  store.destroy();
});

Deno.test("Plan reports its memory and refuses a budget before anything is allocated", async () => {
  const { store, plan, y } = doubling(1 << 20, 6);
  plan.output(y);
  let seen = 0;
  let allocated = 0;
  const create = gpu.device.createBuffer;
  gpu.device.createBuffer = () => assert.fail(`allocated ${++allocated}`);
  try {
    await assert.rejects(
      plan.compile({ budgetBytes: 1 << 20, onMemory: (report) => seen = report.total }),
      (error: unknown) =>
        error instanceof LimitError && error.code === "memory-budget" && /budget is 1048576/.test(error.message),
    );
  } finally {
    gpu.device.createBuffer = create;
  }
  // Two slabs of 4 MiB, the persistent input and the parameters.
  assert.ok(seen >= 3 << 22 && seen < (3 << 22) + 65536, String(seen));
  assert.equal(allocated, 0);
  store.destroy();
});

Deno.test("Plan rejects wrong shapes, types, options and sizes with nothing dispatched", () => {
  const store = new Store(gpu);
  const plan = new Plan(gpu);
  const a = plan.tensor([4]);
  const b = plan.tensor([5]);
  const h = plan.tensor([4], "f16");
  const x = plan.tensor([2, 4]);
  assert.throws(() => plan.run(k.sum_pair, { a, b, y: a }), ShapeError);
  assert.throws(() => plan.run(k.sum_pair, { a, b: h, y: a }), DtypeError);
  assert.throws(() => plan.run(k.fill, { y: a }, { value: NaN }), ConfigError);
  assert.throws(() => plan.run(k.fill, { y: a }, { value: 1, tune: { WG: 7 } }), ConfigError);
  // @ts-expect-error: a misspelt tensor does not compile
  assert.throws(() => plan.run(k.fill, { z: a }, { value: 1 }), ConfigError);
  // @ts-expect-error: a missing parameter does not compile
  assert.throws(() => plan.run(k.fill, { y: a }), ConfigError);
  // @ts-expect-error: an unknown option does not compile
  assert.throws(() => plan.run(k.fill, { y: a }, { value: 1, speed: 2 }), ConfigError);
  assert.throws(() => layernorm(plan, x, b, b), ShapeError);
  assert.throws(() => layernorm(plan, x, a, a, { eps: NaN }), ConfigError);
  const huge = plan.tensor([gpu.caps.limits.maxStorageBufferBindingSize / 4 + 1]);
  assert.throws(
    () => plan.run(k.fill, { y: huge }, { value: 0 }),
    (error: unknown) => error instanceof LimitError && error.message.includes(String(huge.bytes)),
  );
  assert.throws(() => store.tensor("weights", "w", huge.shape), LimitError);
  assert.equal(plan.dispatches.length, 0);
});

Deno.test("Plan on an empty tensor submits nothing and fails nowhere", async () => {
  const plan = new Plan(gpu);
  const y = plan.tensor([0, 8]);
  plan.run(k.fill, { y }, { value: 1 });
  plan.output(y);
  const program = await plan.compile();
  program.run();
  assert.equal(program.kernels.length, 0);
  program.destroy();
});

Deno.test("a program replayed 1,000 times allocates nothing: resident memory stays flat", async () => {
  const { store, plan, y } = doubling(4096, 20);
  plan.output(y);
  const program = await plan.compile();
  let buffers = 0;
  const create = gpu.device.createBuffer;
  gpu.device.createBuffer = function (this: GPUDevice, descriptor: GPUBufferDescriptor) {
    buffers++;
    return create.call(this, descriptor);
  };
  const replay = async (times: number) => {
    for (let i = 0; i < times; i++) program.run();
    await gpu.queue.onSubmittedWorkDone();
  };
  try {
    await replay(500);
    const before = Deno.memoryUsage().rss;
    await replay(1000);
    const grown = Deno.memoryUsage().rss - before;
    assert.equal(buffers, 0);
    // 20,000 dispatches; a buffer of 16 KiB a dispatch would be 320 MiB.
    assert.ok(grown < 24 << 20, `resident memory grew by ${grown} bytes`);
    const [got] = await readback(gpu, y);
    assert.equal(got![0], 2 ** 20);
  } finally {
    gpu.device.createBuffer = create;
    program.destroy();
    store.destroy();
  }
});

Deno.test("use of a lost device throws DeviceError", async () => {
  const other = await openGpu();
  const store = new Store(other);
  const x = store.from("input", "x", [4], [1, 2, 3, 4]);
  const plan = new Plan(other);
  const y = plan.tensor([4]);
  plan.run(k.sum_pair, { a: x, b: x, y });
  plan.output(y);
  const program = await plan.compile();
  other.destroy();
  const lost = (error: unknown) => error instanceof DeviceError && error.code === "device-lost";
  assert.throws(() => program.run(), lost);
  assert.throws(() => store.write(x, [1, 2, 3, 4]), lost);
  await assert.rejects(readback(other, x), lost);
  await assert.rejects(new Plan(other).compile(), lost);
});

Deno.test("requestGpu() without any adapter throws DeviceError with the mend", async () => {
  const { requestGpu } = await import("../../src/gpu/device.ts");
  const none = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;
  const refused = (source?: GPU) =>
    assert.rejects(
      requestGpu(source),
      (error: unknown) =>
        error instanceof DeviceError && error.code === "no-adapter" && /doctor/.test(error.hint ?? ""),
    );
  await refused(none);
  // A host without WebGPU.
  Object.defineProperty(navigator, "gpu", { value: undefined, configurable: true });
  try {
    await refused();
  } finally {
    delete (navigator as { gpu?: GPU }).gpu;
  }
});

Deno.test("a kernel the driver refuses throws KernelError naming kernel and line", async () => {
  const { KernelError } = await import("../../src/core/errors.ts");
  const { pipeline } = await import("../../src/gpu/pipelines.ts");
  await assert.rejects(
    pipeline(gpu, "broken", "@compute @workgroup_size(1)\nfn main() { let x: u32 = 1.5; }", ""),
    (error: unknown) => error instanceof KernelError && /kernel broken: line 2/.test(error.message),
  );
});

Deno.test("profile() times each dispatch in order, by timestamps or alone, and every run", async () => {
  const { store, plan, y } = doubling(4096, 3);
  plan.output(y);
  const program = await plan.compile();
  for (const alone of gpu.caps.timestamps ? [false, true] : [true]) {
    const { method, dispatches, runs } = await profile([program, program], { runs: 2, alone });
    assert.equal(method, alone ? "alone" : "timestamps");
    assert.deepEqual(dispatches, [...program.dispatches, ...program.dispatches]);
    assert.deepEqual(runs.map((spans) => spans.length), [6, 6]);
    for (const spans of runs) {
      assert.equal(spans[0]!.begin, 0);
      for (const { begin, end } of spans) assert.ok(end >= begin);
    }
  }
  assert.deepEqual((await profile([])).runs, []);
  program.destroy();
  store.destroy();
});

Deno.test("Plan.constant() holds values the host gives, once for equal keys, in every program compiled from the plan", async () => {
  const plan = new Plan(gpu);
  let made = 0;
  const table = () =>
    plan.constant("three", [3], "f32", () => {
      made++;
      return [1, 2, 3];
    });
  const y = plan.tensor([3]);
  plan.run(k.sum_pair, { a: table(), b: table(), y });
  plan.output(y);
  assert.equal(made, 1);
  for (let i = 0; i < 2; i++) {
    const program = await plan.compile();
    assert.equal(program.memory.persistent, 12);
    program.run();
    assert.deepEqual([...(await readback(gpu, y))[0]!], [2, 4, 6]);
    program.destroy();
  }
});
