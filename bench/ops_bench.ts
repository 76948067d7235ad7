/** Every case row marked `perf`, forward and forward with backward. */

import { backward } from "../src/autodiff/backward.ts";
import { Rng } from "../src/core/rng.ts";
import type { Gpu } from "../src/gpu/device.ts";
import { Plan } from "../src/graph/plan.ts";
import { Store } from "../src/graph/store.ts";
import type { Tensor } from "../src/graph/tensor.ts";
import type { OpCase } from "../tests/case.ts";
import { index } from "../tests/cases/index.gen.ts";
import { type BenchCase, benchSubject } from "./harness.ts";

async function open(gpu: Gpu, test: OpCase, withBackward: boolean) {
  const store = new Store(gpu);
  const rng = new Rng(3, 0);
  const inputs: Record<string, Tensor> = {};
  for (const [name, { shape, make, dtype = "f32" }] of Object.entries(test.inputs)) {
    const tensor = inputs[name] = store.from(`input ${name}`, name, shape, make(rng), dtype);
    tensor.requiresGrad = withBackward && test.wrt.includes(name);
  }
  const plan = new Plan(gpu);
  const result = test.run(plan, inputs);
  const outputs: readonly Tensor[] = Array.isArray(result) ? result : [result as Tensor];
  plan.output(...outputs);
  if (withBackward) {
    const seeds = outputs.filter((tensor) => tensor.requiresGrad).map((tensor, i) => ({
      tensor,
      grad: store.from("seed", `seed ${i}`, tensor.shape, rng.normals(tensor.size), tensor.dtype),
    }));
    const grads = backward(plan, seeds);
    for (const name of test.wrt) {
      const grad = grads.of(inputs[name]!);
      if (grad) plan.output(grad);
    }
  }
  const program = await plan.compile();
  return { program, close: () => store.destroy() };
}

const cases: BenchCase[] = [];
for (const [op, rows] of Object.entries(index) as [string, readonly OpCase[]][]) {
  for (const test of rows) {
    if (!test.perf) continue;
    cases.push({ name: `${op} ${test.name}`, group: op, cost: test.perf, open: (gpu) => open(gpu, test, false) });
    if (test.wrt.length) {
      cases.push({ name: `${op} ${test.name} fwd+bwd`, group: op, open: (gpu) => open(gpu, test, true) });
    }
  }
}
await benchSubject("ops", () => cases);
