/**
 * The supervised example: a small vision transformer learns the direction of stripes. It shows the whole engine at work and
 * is what the PyTorch fixture `vit_train` is compared with.
 *
 * @module
 */

import { STRIPES_BATCH, STRIPES_CLASSES, STRIPES_SIZE, stripesBatch } from "../../src/data/image/stripes.ts";
import { Rng } from "../../src/core/rng.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { Store } from "../../src/graph/store.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { createVit, type VitConfig } from "../../src/models/vit.ts";
import { constant, truncatedNormal } from "../../src/nn/init.ts";
import { applyLinear, linearLayer, type LoraOptions } from "../../src/nn/layers.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import { AdamW, type ParameterGroup } from "../../src/optim/adamw.ts";
import { cosineSchedule } from "../../src/optim/schedule.ts";
import { crossEntropy } from "../../src/ops/cross_entropy.ts";
import { select } from "../../src/ops/slice.ts";
import { Step } from "../../src/train/step.ts";

/** The architecture of the example. */
export const EXAMPLE_VIT: VitConfig = {
  imageSize: STRIPES_SIZE,
  patch: 8,
  width: 48,
  depth: 3,
  heads: 3,
  hidden: 192,
  mlp: "gelu",
  layerScale: 0.1,
  eps: 1e-6,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** Options of {@linkcode createExample}. */
export interface ExampleOptions {
  /** Seed of the starting values; without it all parameters must be loaded. */
  seed?: number;
  /** Which parameters train; all by default. */
  trainable?: (name: string) => boolean;
  /** Low-rank updates by linear layer. */
  lora?: (name: string) => LoraOptions | undefined;
  /** Peak learning rate. */
  lr?: number;
  steps?: number;
  /** Keep nothing of these blocks but their inputs. */
  recompute?: readonly boolean[];
  /** Split the batch into so many micro-batches. */
  accumulate?: number;
}

/** The example, ready to train. */
export interface Example {
  readonly parameters: Parameters;
  readonly optimizer: AdamW;
  readonly step: Step;
  /** Submits training step `t`. */
  submit(t: number): Promise<void>;
  /** Learning rate of step `t`. */
  readonly learningRate: (t: number) => number;
  destroy(): void;
}

/** timm's usual choice: decay for the weights of linear and convolution layers, none for anything else. */
const GROUPS: readonly ParameterGroup[] = [
  { match: (name, tensor) => name.endsWith(".weight") && tensor.shape.length > 1, weightDecay: 0.05 },
  { match: () => true },
];

/** Makes model, optimiser and compiled step. */
export async function createExample(gpu: Gpu, options: ExampleOptions = {}): Promise<Example> {
  const { seed, trainable, lora, lr = 1e-3, steps = 50, recompute = [], accumulate = 1 } = options;
  const parameters = new Parameters(gpu, trainable ?? true);
  const rng = seed === undefined ? undefined : new Rng(seed, 1);
  const vit = createVit(parameters, EXAMPLE_VIT, { ...(seed !== undefined && { seed }), ...(lora && { lora }) });
  const head = linearLayer(parameters, "head", EXAMPLE_VIT.width, STRIPES_CLASSES, {
    ...(rng && { weightInit: truncatedNormal(rng), biasInit: constant(0) }),
  });
  parameters.allocate();
  const inputs = new Store(gpu);
  const batch = STRIPES_BATCH / accumulate;
  const images = inputs.tensor("images", "images", [batch, STRIPES_SIZE, STRIPES_SIZE, 3], "u8");
  const labels = inputs.tensor("labels", "labels", [batch], "u32");
  inputs.allocate();
  const optimizer = new AdamW(parameters, GROUPS, { clipNorm: 1 });
  const learningRate = cosineSchedule({ base: lr, warmup: Math.min(5, steps), total: steps });
  const step = await Step.compile(
    {
      parameters,
      objective(g) {
        const { x } = vit.forward(g, images, { recompute, training: true });
        const logits: Tensor = applyLinear(g, head, select(g, x, 1, 0));
        return { loss: crossEntropy(g, logits, labels) };
      },
    },
    optimizer,
    { accumulate, batch },
  );
  return {
    parameters,
    optimizer,
    step,
    learningRate,
    async submit(t) {
      const { images: pixels, labels: classes } = stripesBatch(t);
      const size = pixels.length / accumulate;
      await step.submit(learningRate(t), (micro) => {
        inputs.write(images, pixels.subarray(micro * size, (micro + 1) * size));
        inputs.write(labels, Uint32Array.from(classes.subarray(micro * batch, (micro + 1) * batch)));
        return {};
      });
    },
    destroy() {
      step.destroy();
      optimizer.destroy();
      inputs.destroy();
      parameters.destroy();
    },
  };
}
