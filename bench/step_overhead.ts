/**
 * JavaScript time of replaying a recorded training step of a ViT-B (batch 1, all weights trained), without the device's own:
 * writing inputs and encoding are timed, and the call of `submit` apart: on a software adapter the work begins inside it and
 * takes the processor.
 *
 * ```sh
 * deno run -A bench/step_overhead.ts [--depth 12]
 * ```
 *
 * @module
 */

import { requestGpu } from "../src/gpu/device.ts";
import { Store } from "../src/graph/store.ts";
import { createVit } from "../src/models/vit.ts";
import { applyLinear, linearLayer } from "../src/nn/layers.ts";
import { Parameters } from "../src/nn/parameters.ts";
import { AdamW, decayMatrices } from "../src/optim/adamw.ts";
import { crossEntropy } from "../src/ops/cross_entropy.ts";
import { select } from "../src/ops/slice.ts";
import { Step } from "../src/train/step.ts";

const at = Deno.args.indexOf("--depth");
const depth = at < 0 ? 12 : Number(Deno.args[at + 1]);
const gpu = await requestGpu(navigator.gpu);
const parameters = new Parameters(gpu);
const vit = createVit(parameters, {
  imageSize: 224,
  patch: 16,
  width: 768,
  depth,
  heads: 12,
  hidden: 3072,
  mlp: "gelu",
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
});
const head = linearLayer(parameters, "head", 768, 10);
parameters.allocate();
const inputs = new Store(gpu);
const images = inputs.tensor("images", "images", [1, 224, 224, 3], "u8");
const labels = inputs.tensor("labels", "labels", [1], "u32");
inputs.allocate();
const optimizer = new AdamW(parameters, decayMatrices(0.05), { clipNorm: 1 });
const step = await Step.compile(
  {
    parameters,
    objective(g) {
      const { x } = vit.forward(g, images);
      return { loss: crossEntropy(g, applyLinear(g, head, select(g, x, 1, 0)), labels) };
    },
  },
  optimizer,
  { batch: 1 },
);
const { dispatches } = step;
const memory = step.memory.whole!;
console.log(`${gpu.description}; ViT-B, depth ${depth}: ${dispatches.whole} + ${dispatches.update} dispatches a step`);
console.log(
  `plan ${(memory.total / 2 ** 20).toFixed(0)} MiB, transient ${
    (memory.slabs.reduce((a, b) => a + b, 0) / 2 ** 20).toFixed(0)
  } MiB`,
);
const pixels = new Uint8Array(224 * 224 * 3);
const times: { encode: number; submit: number }[] = [];
const original = gpu.queue.submit;
let inside = 0;
gpu.queue.submit = function (this: GPUQueue, commands: GPUCommandBuffer[]) {
  const start = performance.now();
  original.call(this, commands);
  inside += performance.now() - start;
};
for (let t = 0; t < 9; t++) {
  inside = 0;
  const start = performance.now();
  await step.submit(1e-4, () => {
    inputs.write(images, pixels);
    return {};
  });
  times.push({ encode: performance.now() - start - inside, submit: inside });
  await gpu.queue.onSubmittedWorkDone();
}
for (const part of ["encode", "submit"] as const) {
  const steady = times.slice(2).map((time) => time[part]).sort((a, b) => a - b);
  const all = steady.map((ms) => ms.toFixed(2)).join(", ");
  console.log(`JavaScript time per step, ${part}: median ${steady[steady.length >> 1]!.toFixed(2)} ms, of ${all}`);
}
