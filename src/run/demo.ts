/**
 * The bundled demo: SEAL on the synthetic data set, from nothing to a report.
 *
 * @module
 */

import { readBytes } from "../data/data_folder.ts";
import { planSynth, type SynthPlan } from "../data/synth/plan.ts";
import { writeSynth } from "../data/synth/write.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { lockFolder } from "../io/lock.ts";
import { DEFAULT_METHOD, loadMethod } from "../methods/index.ts";
import type { AnyMethod, AnyRunConfig } from "../methods/method.ts";
import type { Reporter } from "../core/reporter.ts";

/** Where the demo's data are made. */
const DATA = "data/cache/demo";
/** The encoder: a small vision transformer that has seen synthetic slides of another seed. */
const ENCODER = "data/demo/encoder";

/** What the demo is run with. */
export interface DemoOptions {
  readonly out?: string | undefined;
  readonly seed?: number | undefined;
  readonly precision?: string | undefined;
}

/** The demo's configuration. */
export async function demoConfig(
  { out, seed, precision }: DemoOptions,
): Promise<{ method: AnyMethod; config: AnyRunConfig; folder: string }> {
  const method = await loadMethod(DEFAULT_METHOD);
  const folder = out ?? "runs/demo";
  const keys: Record<string, string | number | undefined> = {
    data: JSON.stringify([DATA]),
    encoder: ENCODER,
    out: folder,
    seed,
    precision,
  };
  const given = Object.entries(keys).filter(([, value]) => value !== undefined);
  const { config } = method.config.read(
    [{ name: "demo", text: DEMO }],
    given.map(([key, value]) => [key, String(value)]),
  );
  return { method, config, folder };
}

const DEMO = `
holdout_samples: [SYN10, SYN11]
n_train_genes: 190
hidden_dims: [256, 128]
epochs: 16
batch_size: 64
cache_views: 2
augment: soft
r: 16
lora_alpha: 32
lora_dropout: 0
img_lr: 3.0e-3
gene_lr: 1.0e-3
head_lr: 1.0e-3
weight_decay: 0.05
eval_every: 0              # the last checkpoint is the one that is judged: none is chosen on the held-out donors
`;

/** The demo's slides: ten to learn from, two held out, each of a donor of its own. */
const SLIDES = 12;

/** Whether a folder holds the finished data set of a plan. */
function holds(folder: string, plan: SynthPlan): boolean {
  const path = `${folder}/synth.json`;
  if (!disk.look(path)) return false;
  const { plan: made } = JSON.parse(new TextDecoder().decode(readBytes(disk, path))) as { plan?: unknown };
  return JSON.stringify(made) === JSON.stringify(plan);
}

/** Makes the demo's data if they are not there. @returns False when it was stopped. */
export async function prepareDemo(progress: Reporter, signal: AbortSignal): Promise<boolean> {
  const folder = DATA;
  const plan = planSynth({ profile: "small", slides: SLIDES });
  if (holds(folder, plan)) return true;
  using _lock = lockFolder(folder, "synth");
  const record = await writeSynth(disk, folder, plan, {
    makeFolder,
    overwrite: disk.look(`${folder}/synth.json`) !== undefined,
    signal,
    onSamples: (done, total) => progress.update("synthetic slides", done, total, "slides"),
  });
  return record !== undefined;
}
