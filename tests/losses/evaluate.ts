/** Runs a loss with its gradients, outside the case table. */

import { backwardFrom } from "../../src/autodiff/backward.ts";
import { requestGpu } from "../../src/gpu/device.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import type { Tensor } from "../../src/graph/tensor.ts";

/** The device of these tests. */
export const gpu = await requestGpu(navigator.gpu);

/** Rows of a matrix. */
export type M = number[][];
/** Inputs by name. */
export type Inputs = Record<string, M>;

/** Records a loss of the inputs. */
export type Build = (g: Plan, t: Record<string, Tensor>) => Tensor;

/** Names of inputs that are vectors. */
const vectors = ["std", "constant", "t"];

/** Records a loss, runs it with its gradients on both paths. */
export async function evaluate(
  inputs: Inputs,
  wrt: readonly string[],
  build: Build,
): Promise<{ value: number; grads: number[][] }[]> {
  const results = [];
  for (const flat of [true, false]) {
    const device = gpu.withCaps({ flat });
    const store = new Store(device);
    const t: Record<string, Tensor> = {};
    for (const [name, rows] of Object.entries(inputs)) {
      const shape = vectors.includes(name) ? [rows[0]!.length] : [rows.length, rows[0]!.length];
      t[name] = store.from("input", name, shape, rows.flat(), "f32");
      t[name].requiresGrad = wrt.includes(name);
    }
    const plan = new Plan(device);
    const loss = build(plan, t);
    const all = wrt.length ? backwardFrom(plan, loss) : undefined;
    const grads = wrt.map((name) => all!.of(t[name]!)!);
    plan.output(loss, ...grads);
    const program = await plan.compile();
    program.poison();
    program.run();
    const [value, ...rest] = await readback(device, loss, ...grads);
    results.push({ value: value![0]!, grads: rest.map((grad) => [...(grad as Float32Array)]) });
    program.destroy();
    store.destroy();
  }
  return results;
}
