/**
 * Facts of a finished run, for `run.json`.
 *
 * @module
 */

import { VERSION } from "../core/version.ts";
import type { TrainingSample } from "../data/training_set.ts";
import { disk } from "../io/fs.ts";
import { RANDOM_PREFIX } from "../models/random_encoder.ts";
import {
  type AdapterFacts,
  type DataFacts,
  type EncoderFacts,
  EVIDENCE_SCHEMA,
  type RunFacts,
  type SampleFacts,
  type Stage,
  type TimeShare,
  type Warning,
} from "../report/run_evidence.ts";
import { namedDonor } from "./evidence_data.ts";
import { loadingCode } from "./evidence_loading.ts";
import { quoted } from "./interrupt.ts";
import type { Stopwatch } from "./stopwatch.ts";
import type { SealSession } from "../methods/seal/session.ts";

/** What a run says of itself beside its session. */
export interface FactsOptions {
  readonly folder: string;
  readonly started: Date;
  readonly stopwatch: Stopwatch;
  /** Step of the checkpoint that was evaluated, and its path. */
  readonly best: { readonly step: number; readonly path: string } | undefined;
  readonly steps: number;
  /** Whether all samples are generated. */
  readonly synthetic: boolean;
  readonly demo: boolean;
  readonly warnings: readonly Warning[];
  /** What the device's arithmetic is like. */
  readonly arithmetic: Readonly<Record<string, string>>;
  /** Arguments behind `train`. */
  readonly args: readonly string[];
}

/** The facts. */
export function factsOf(session: SealSession, options: FactsOptions): RunFacts {
  const { config, gpu, set } = session;
  const { folder, started, best, demo } = options;
  const adapter = adapterFacts(session, folder, best?.path);
  const data = dataFacts(session, options);
  return {
    schema: EVIDENCE_SCHEMA,
    title: demo ? "SEAL: the demo" : `SEAL on ${session.opened.name.replace(/\?.*$/, "")}`,
    status: "finished",
    command: ["deno task train", ...options.args.map(quoted)].join(" "),
    started: started.toISOString(),
    seconds: (Date.now() - started.getTime()) / 1000,
    seed: config.optim.seed,
    ...(best === undefined ? {} : { best_step: best.step }),
    versions: { "seal-webgpu": VERSION, Deno: Deno.version.deno, V8: Deno.version.v8 },
    device: { name: gpu.description, software: gpu.caps.software, precision: config.optim.precision },
    arithmetic: options.arithmetic,
    encoder: encoderFacts(session),
    ...(adapter === undefined ? {} : { adapter }),
    data,
    stages: stagesOf(readText(`${folder}/metrics.jsonl`) ?? "", options.steps),
    times: timesOf(session, options.stopwatch),
    warnings: [
      ...set.warnings.map((text): Warning => ({ text })),
      ...(adapter === undefined ? [noAdapter(session)] : []),
      ...options.warnings,
    ],
  };
}

function noAdapter({ vision }: SealSession): Warning {
  const own = vision.training === "frozen" ? "the encoder is frozen" : "its own weights train";
  return {
    text: "The run has no LoRA adapter",
    reason: own === "the encoder is frozen" ? own : `${own}; they are in checkpoints/best/vision.safetensors`,
  };
}

function encoderFacts({ opened, config }: SealSession): EncoderFacts {
  const { encoder } = opened;
  const random = config.input.encoder.startsWith(RANDOM_PREFIX);
  const count = (name: string) => encoder.parameters.get(name).shape.reduce((a, b) => a * b, 1);
  return {
    name: opened.name,
    parameters: encoder.names.filter((name) => !/\.lora_[AB]\./.test(name)).reduce((sum, name) => sum + count(name), 0),
    features: encoder.dim,
    base: encoder.spec.source.repo ?? opened.name,
    ...(random ? { random } : { sha256: opened.weightsHash }),
  };
}

function adapterFacts(session: SealSession, folder: string, best: string | undefined): AdapterFacts | undefined {
  const { vision, config, opened } = session;
  if (vision.training !== "lora" || vision.targets.length === 0) return undefined;
  const { encoder } = opened;
  const { spec } = encoder;
  const path = best?.slice(folder.length + 1) ?? "checkpoints/last";
  const blocks = new Set(vision.targets.map((name) => /blocks\.(\d+)/.exec(name)?.[1]));
  const parameters = encoder.names.filter((name) => /\.lora_[AB]\./.test(name))
    .reduce((sum, name) => sum + encoder.parameters.get(name).shape.reduce((a, b) => a * b, 1), 0);
  const entry = disk.look(`${folder}/${path}/adapter_model.safetensors`);
  const local = disk.look(config.input.encoder) !== undefined;
  return {
    path,
    rank: config.lora.r,
    alpha: config.lora.lora_alpha,
    targets: [...new Set(vision.targets.map((name) => name.replace(/^.*blocks\.\d+\./, "")))],
    blocks: `last ${blocks.size} of ${spec.arch.depth} blocks`,
    parameters,
    ...(entry?.kind === "file" ? { bytes: entry.size } : {}),
    loading: loadingCode({ spec, encoder: config.input.encoder, local, adapter: path }),
  };
}

function dataFacts({ config, set }: SealSession, { synthetic, demo }: FactsOptions): DataFacts {
  const split = ({ role }: TrainingSample): SampleFacts["split"] => role === "validation" ? "val" : role;
  return {
    name: demo ? "generated HEST slides" : config.input.data.join(", "),
    synthetic,
    genes: set.genes,
    samples: set.samples.map((sample) => {
      const technology = sample.files.metadata?.text("st_technology");
      return {
        sample: sample.id,
        // Without a name samples of one person may stand on two sides: none is better than one that looks like an answer.
        ...(namedDonor(sample) === undefined ? {} : { donor: namedDonor(sample)! }),
        split: split(sample),
        spots: sample.count,
        ...(technology === undefined ? {} : { technology }),
      };
    }),
  };
}

function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

/** Stages from what was logged: the warm-up ends with the last step that says so. */
export function stagesOf(metrics: string, steps: number): Stage[] {
  let warmup = 0;
  for (const line of metrics.split("\n")) {
    if (!line.includes('"stage":"warmup"')) continue;
    const { step } = JSON.parse(line) as { step: number };
    warmup = Math.max(warmup, step);
  }
  return [
    ...(warmup > 0 ? [{ name: "omics warm-up", from: 0, to: warmup }] : []),
    ...(steps > warmup ? [{ name: "alignment", from: warmup, to: steps }] : []),
  ];
}

function timesOf({ patches, rows: { trunk } }: SealSession, stopwatch: Stopwatch): TimeShare[] {
  const { read, augment, wait, patches: count } = patches.times;
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  const notes: Record<string, string> = {
    [TIMES.training]: `${count.toLocaleString("en-US")} patches in the whole run: ${seconds(read)} s of reading and ${
      seconds(augment)
    } s of augmenting in workers, ${seconds(wait)} s of waiting for them`,
    ...(trunk === undefined
      ? {}
      : { [TIMES.frozen]: `${trunk.computed.toLocaleString("en-US")} views went through the frozen blocks` }),
  };
  return [...stopwatch.spent].map(([name, ms]) => ({
    name,
    seconds: ms / 1000,
    ...(notes[name] === undefined ? {} : { note: notes[name]! }),
  }));
}

/** Names of the parts of a run's time. */
export const TIMES = {
  data: "generate or read data",
  open: "open encoder and device",
  frozen: "frozen features",
  training: "training steps",
  evaluation: "evaluation while training",
  checkpoints: "checkpoints",
  evidence: "probes, retrieval, maps",
} as const;
