/**
 * Facts of a finished run, for `run.json`.
 *
 * @module
 */

import { RANDOM_PREFIX } from "../../models/random_encoder.ts";
import type { AdapterFacts, DataFacts, EncoderFacts, MethodFacts, Stage, Warning } from "../../report/run_evidence.ts";
import { sampleFacts } from "../../evidence/sample_facts.ts";
import { loadingCode } from "../../evidence/loading.ts";
import { readBytes } from "../../io/disk.ts";
import { isNote } from "../../data/sample_checks.ts";
import { TIMES } from "../../train/times.ts";
import type { EvidenceContext, MethodEvidence } from "../method.ts";
import type { SealSession } from "./session.ts";

/** How the report calls the method and what it logs. */
export const METHOD = {
  name: "seal",
  label: "SEAL",
  citation: "SEAL: arXiv 2602.14177",
  columns: {
    loss: "Total loss",
    loss_contrast: "Contrastive loss",
    loss_recon_gene: "Gene reconstruction",
    loss_recon_img: "Expression from image",
    loss_kl: "Kullback–Leibler term",
    samples_per_second: "Pairs a second",
    pearson_mean: "Correlation of the image decoder",
  },
  columns_note:
    "The image decoder’s correlation is of what the model itself predicts, log-normalised as in training; the result’s are of linear probes on its features.",
} as const satisfies MethodFacts;

/** What a run says of itself beside its session. */
export interface FactsOptions extends EvidenceContext {
  /** Step of the checkpoint that was evaluated. */
  readonly step: number | undefined;
  /** Optimiser steps in all. */
  readonly steps: number;
  /** Whether all samples are generated. */
  readonly synthetic: boolean;
}

/** The facts. */
export function factsOf(session: SealSession, options: FactsOptions): MethodEvidence["facts"] {
  const { config, set, host } = session;
  const { folder, demo, step } = options;
  const adapter = adapterFacts(session, options);
  return {
    title: demo ? "SEAL: the demo" : `SEAL on ${session.opened.name.replace(/\?.*$/, "")}`,
    method: METHOD,
    seed: config.optim.seed,
    ...(step === undefined ? {} : { best_step: step }),
    encoder: encoderFacts(session),
    ...(adapter === undefined ? {} : { adapter }),
    data: dataFacts(session, options),
    stages: stagesOf(new TextDecoder().decode(readBytes(host.disk, `${folder}/metrics.jsonl`)), options.steps),
    warnings: [
      // What sound data have, too, is told by the command and is no warning.
      ...set.warnings.filter((text) => !isNote(text)).map((text): Warning => ({ text })),
      ...(adapter === undefined ? [noAdapter(session)] : []),
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

function adapterFacts(session: SealSession, { folder, best }: FactsOptions): AdapterFacts | undefined {
  const { vision, config, opened, host: { disk } } = session;
  if (vision.training !== "lora" || vision.targets.length === 0) return undefined;
  const { encoder } = opened;
  const { spec } = encoder;
  const path = best?.path.slice(folder.length + 1) ?? "checkpoints/last";
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
  return {
    name: demo ? "generated HEST slides" : config.input.data.join(", "),
    synthetic,
    genes: set.genes,
    samples: set.samples.map(sampleFacts),
  };
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

/** Notes on where time went. */
export function timeNotes({ patches, rows: { stemCache } }: SealSession): Record<string, string> {
  const { read, augment, wait, patches: count } = patches.times;
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  return {
    [TIMES.training]: `${count.toLocaleString("en-US")} patches in the whole run: ${seconds(read)} s of reading and ${
      seconds(augment)
    } s of augmenting in workers, ${seconds(wait)} s of waiting for them`,
    ...(stemCache === undefined
      ? {}
      : { [TIMES.before]: `${stemCache.computed.toLocaleString("en-US")} views went through the frozen blocks` }),
  };
}
