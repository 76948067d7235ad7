/**
 * `train`: trains the supervised example on this machine's GPU.
 *
 * @module
 */

import { ConfigError, NumericsError } from "../core/errors.ts";
import { requestGpu } from "../gpu/device.ts";
import { writeFileAtomic } from "../io/fs.ts";
import { writeSafetensorsF32 } from "../io/safetensors.ts";
import { createExample, type Example } from "../train/example.ts";
import { STRIPES_BATCH, STRIPES_CLASSES } from "../data/stripes.ts";
import { type Args, COMMON, type Flags } from "./args.ts";

/** Name of the command. */
export const name = "train";
/** What it does. */
export const summary = "Train the bundled example, a small vision transformer on generated images";
/** An adapter is needed. */
export const needsGpu = true;
/** One example. */
export const example = "train --steps 200 --seed 1";

/** Flags of the command. */
export const flags = {
  steps: { kind: "number", value: "N", help: "Training steps", default: 200, min: 1, integer: true },
  lr: { kind: "number", value: "RATE", help: "Peak learning rate", default: 1e-3, min: 0 },
  seed: COMMON.seed,
  out: { kind: "text", value: "DIR", help: "Write metrics.jsonl and model.safetensors there" },
  overwrite: COMMON.overwrite,
  software: COMMON.software,
  quiet: COMMON.quiet,
  json: COMMON.json,
} satisfies Flags;

/** Steps between two readbacks of the losses. */
const REPORT = 20;

/** Runs the command. */
export async function run(args: Args<typeof flags>): Promise<number> {
  const { steps, lr, seed = 0, out, overwrite, software, quiet, json } = args.flags;
  const say = (text: string) => quiet || console.error(text);
  if (out !== undefined) prepareFolder(out, overwrite);
  const gpu = await requestGpu(navigator.gpu, { software });
  const example = await createExample(gpu, { seed, lr, steps });
  const { memory, dispatches } = example.step;
  const { all } = example.parameters.count();
  say(`Adapter: ${gpu.description}${gpu.caps.software ? " (software)" : ""}`);
  say(`Model: ViT, ${all} parameters; batch ${STRIPES_BATCH}, ${STRIPES_CLASSES} classes`);
  say(
    `Plan: ${dispatches.micro + dispatches.update} dispatches a step, ${mib(memory.total)} MiB ` +
      `(${mib(memory.slabs.reduce((a, b) => a + b, 0))} shared, ${mib(memory.unshared)} unshared)`,
  );
  const losses = await trainLoop(example, steps, say);
  const { gradNorm, skipped } = await example.optimizer.readState();
  if (out !== undefined) await writeResult(out, example, losses);
  const last = losses.slice(-10);
  const result = {
    steps,
    seed,
    adapter: gpu.description,
    firstLoss: losses[0],
    lastLoss: last.reduce((a, b) => a + b, 0) / last.length,
    chanceLoss: Math.log(STRIPES_CLASSES),
    gradNorm,
    skipped,
  };
  if (json) console.log(JSON.stringify(result));
  say(
    `Loss ${result.firstLoss!.toFixed(3)} at the start, ${
      result.lastLoss.toFixed(3)
    } over the last ${last.length} steps ` +
      `(guessing: ${result.chanceLoss.toFixed(3)})`,
  );
  example.destroy();
  gpu.destroy();
  return 0;
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

function prepareFolder(out: string, overwrite: boolean): void {
  Deno.mkdirSync(out, { recursive: true });
  const done = [...Deno.readDirSync(out)].some(({ name }) => name === "model.safetensors");
  if (done && !overwrite) {
    throw new ConfigError(`Cannot write to ${out}: it holds a finished run`, {
      hint: "Pass --overwrite, or another --out",
    });
  }
}

async function trainLoop(example: Example, steps: number, say: (text: string) => unknown): Promise<number[]> {
  const losses: number[] = [];
  const start = performance.now();
  for (let t = 0; t < steps; t++) {
    example.submit(t);
    if ((t + 1) % REPORT && t + 1 < steps) continue;
    const read = await example.step.readMetrics();
    losses.push(...read.map((metrics) => metrics.loss!));
    const bad = losses.findIndex((loss) => !Number.isFinite(loss));
    if (bad >= 0) {
      throw new NumericsError(`Cannot go on training: the loss of step ${bad} is ${losses[bad]}`, {
        hint: "Lower --lr",
        context: { step: bad, tensor: "loss" },
      });
    }
    const rate = (t + 1) / (performance.now() - start) * 1e3;
    const mean = read.reduce((sum, metrics) => sum + metrics.loss!, 0) / read.length;
    say(
      `step ${t + 1}/${steps}  loss ${mean.toFixed(4)}  ${(rate * STRIPES_BATCH).toFixed(0)} images/s  ` +
        `${((steps - t - 1) / rate).toFixed(0)} s left`,
    );
  }
  return losses;
}

async function writeResult(out: string, example: Example, losses: readonly number[]): Promise<void> {
  const lines = losses.map((loss, step) =>
    JSON.stringify({ step, split: "train", loss, lr: example.learningRate(step), samples: STRIPES_BATCH }) + "\n"
  );
  const values = await example.parameters.read();
  const tensors = new Map(
    [...values].map(([name, data]) => [name, { shape: example.parameters.get(name).shape, data }]),
  );
  writeFileAtomic(`${out}/metrics.jsonl`, lines.join(""));
  writeFileAtomic(`${out}/model.safetensors`, writeSafetensorsF32(tensors, { format: "pt" }));
}
