/**
 * SEAL's training as the engine runs it: its stages, metrics, inputs and files.
 *
 * @module
 */

import { ConfigError, DataError } from "../../core/errors.ts";
import type { Reporter } from "../../core/reporter.ts";
import { lossStatistics } from "../../data/genes/vocabulary.ts";
import { adapterFacts, agreeEncoder, encoderFacts, fedFacts } from "../../train/encoder_state.ts";
import { sampleBatches } from "../../data/sampler.ts";
import { Schedule, type ScheduleOptions } from "../../train/schedule.ts";
import { trainingSettings } from "../../train/settings.ts";
import type { Stage, TrainedStage } from "../../train/stage.ts";
import { Step, stepRunner } from "../../train/step.ts";
import type { RunInputs, Training } from "../../train/training.ts";
import { alignModel } from "./align.ts";
import { loadModel, modelFiles } from "./checkpoint.ts";
import { stageRates } from "./rates.ts";
import { evaluate, organOfPair } from "./scores.ts";
import type { SealSession } from "./session.ts";
import { warmupModel } from "./warmup.ts";

/** Columns of the metrics, in the order they are written: the last five some configurations have. */
export const METRICS: readonly string[] = [
  "loss",
  "loss_contrast",
  "loss_recon_gene",
  "loss_recon_img",
  "lr_img",
  "lr_gene",
  "pearson_mean",
  ...["i2g", "g2i"].flatMap((way) => [1, 5, 10].map((k) => `recall_at_${k}_${way}`)),
  "loss_kl",
  "loss_kl_flow",
  "loss_mlm",
  "loss_cca",
  "loss_da",
];

/** Chooses a share of the training pairs by seed; all by default. */
function chosenPairs({ set, config }: SealSession): Uint32Array | undefined {
  const share = config.input.subsample_frac;
  const count = set.pairs("train").length;
  if (share === null || share >= 1) return undefined;
  const all = new Schedule({
    seed: config.optim.seed ^ 0x73756273,
    count,
    batch: count,
    accumulate: 1,
    epochs: 1,
    steps: null,
  });
  return all.items(0, 0).slice(0, Math.max(2, Math.round(share * count))).sort();
}

/** Batches that hold pairs of one sample each. */
function bySample({ set, config: { optim } }: SealSession, seed: number): Pick<ScheduleOptions, "count" | "order"> {
  const samples = set.samples.filter(({ role }) => role === "train");
  const small = samples.find(({ count }) => count < optim.batch_size);
  if (small) {
    throw new ConfigError(
      `Cannot make batches of one sample: ${small.id} has ${small.count} pairs, batch_size is ${optim.batch_size}`,
      {
        hint: `batch_size=${small.count} or less, exclude_samples, or batch_samples=mixed`,
        context: { keys: ["batch_samples", "batch_size"], sample: small.id },
      },
    );
  }
  return sampleBatches(samples, { batch: optim.batch_size, seed });
}

/** Keeps neighbours apart where the configuration says so. */
function scheduleOf(session: SealSession, { seed, epochs }: { seed: number; epochs: number }): Schedule {
  const { optim } = session.config;
  const chosen = chosenPairs(session);
  const near = optim.neighbour_cap !== null && !chosen
    ? { pairs: session.set.near(optim.neighbour_distance), most: optim.neighbour_cap - 1 }
    : undefined;
  const samples = optim.batch_samples === "one" ? bySample(session, seed) : undefined;
  return new Schedule({
    seed,
    count: samples?.count ?? chosen?.length ?? session.set.pairs("train").length,
    order: samples?.order,
    batch: optim.batch_size,
    accumulate: optim.grad_accum,
    epochs,
    steps: optim.steps,
    near,
    chosen,
  });
}

/** The batches of the alignment. */
export function alignSchedule(session: SealSession): Schedule {
  const { seed, epochs } = session.config.optim;
  return scheduleOf(session, { seed, epochs });
}

/** Deviations that standardise losses, `[genes]`. */
export function deviations({ set, config }: SealSession): Float32Array {
  return lossStatistics(set.vocabulary, config.genes.std_floor).std;
}

/** Columns that hold learning rates. */
const RATES = { lr_img: "img", lr_gene: "gene" } as const;

/** What `pearson_mean` is of: not the probe's r of the result, which is on the features. */
const labels = (predictor: string) => ({ pearson_mean: `r within sections of the ${predictor}` });

/** The gene model alone. */
function warmupStage(session: SealSession, panel: readonly number[]): TrainedStage {
  const { model, optimizer, config } = session;
  const { optim, warmup } = config;
  // Stages shuffle differently.
  const schedule = scheduleOf(session, { seed: (optim.seed ^ 0x7761726d) >>> 0, epochs: warmup.warmup_epochs });
  return {
    name: "warmup",
    schedule,
    rates: stageRates(config, "warmup", Math.max(1, schedule.total)),
    rateColumns: RATES,
    labels: labels("omics model"),
    evaluateEvery: warmup.warmup_val_every,
    evaluate: () => evaluate(session, "warmup", panel),
    async compile() {
      const { batch, accumulate } = schedule;
      const step = await Step.compile(warmupModel(model, config, { batch, std: deviations(session) }), optimizer, {
        batch,
        accumulate,
        seed: optim.seed,
        ring: Math.max(128, config.eval.log_every),
      });
      return stepRunner(
        step,
        schedule,
        (stageStep, i) => ({ fields: { x: session.expression(schedule.items(stageStep, i)) } }),
      );
    },
  };
}

/** Both sides. */
function alignStage(session: SealSession, panel: readonly number[]): TrainedStage {
  const { config, set, rows } = session;
  const { loss, eval: evaluation } = config;
  const schedule = alignSchedule(session);
  const slides = loss.lambda_da > 0;
  return {
    name: "align",
    schedule,
    rates: stageRates(config, "align", Math.max(1, schedule.total)),
    rateColumns: RATES,
    labels: labels("image decoder"),
    evaluateEvery: evaluation.eval_every,
    select: {
      metric: evaluation.best_metric,
      patience: evaluation.early_stop_patience,
      minDelta: evaluation.early_stop_min_delta,
    },
    evaluate: () => evaluate(session, "align", panel),
    async compile(mostMicro) {
      const step = await compileAlign(session, schedule, { slides, mostMicro });
      return stepRunner(step, schedule, (stageStep, i) => {
        const pairs = schedule.items(stageStep, i);
        const epoch = schedule.epoch(stageStep);
        return {
          rows: Array.from(pairs, (pair) => rows.view(epoch, pair)),
          fields: {
            x: session.expression(pairs),
            ...(slides && { slide: pairs.map((pair) => set.locate(pair).sample) }),
          },
        };
      });
    },
  };
}

/** A step whose gradient is not finite changes nothing; half precision goes on with a smaller factor. */
function saySkipped(reporter: Reporter, skipped: number, scale: number | undefined): void {
  const then = scale === undefined ? "" : `; the loss scale is ${scale} now`;
  reporter.warn(
    `${skipped} ${skipped === 1 ? "step was" : "steps were"} left out so far: a gradient was not finite${then}`,
  );
}

async function compileAlign(
  session: SealSession,
  schedule: Schedule,
  { slides, mostMicro }: { slides: boolean; mostMicro: number | undefined },
): Promise<Step> {
  const { model, optimizer, config: { optim, eval: { log_every } }, rows, host } = session;
  const { batch, accumulate } = schedule;
  const std = deviations(session);
  const align = alignModel(model, rows.input, { batch, std, slides, organ: organOfPair(session) });
  const step = await Step.compile(align, optimizer, {
    batch,
    micro: optim.micro_batch ?? undefined,
    mostMicro,
    accumulate,
    seed: optim.seed,
    ring: Math.max(128, log_every),
    onSkipped: (skipped, scale) => saySkipped(host.reporter, skipped, scale),
  });
  if (mostMicro !== undefined && step.micro < mostMicro) {
    host.reporter.warn(
      `Less memory is free than when the run began: micro-batches of ${step.micro} instead of ${mostMicro}, equal up to rounding`,
    );
  }
  const bytes = Math.max(...Object.values(step.memory).map(({ total }) => total));
  host.reporter.say(
    `Step: batch ${batch}${step.micro < batch ? ` in micro-batches of ${step.micro}` : ""}, ` +
      `${schedule.stepsPerEpoch} steps an epoch, ${(bytes / 2 ** 20).toFixed(0)} MiB`,
  );
  return step;
}

function stagesOf(session: SealSession, panel: readonly number[]): Stage[] {
  const { warmup_epochs, warmup_only } = session.config.warmup;
  return [
    ...(warmup_epochs > 0 ? [warmupStage(session, panel)] : []),
    ...(warmup_only && warmup_epochs > 0 ? [] : [alignStage(session, panel)]),
  ];
}

function inputsOf({ opened, data, config }: SealSession): RunInputs {
  return {
    settings: trainingSettings(config),
    facts: {
      ...encoderFacts(opened),
      data: data.fingerprint,
      ...fedFacts(opened),
    },
    agree(state, path, checked) {
      agreeEncoder(state, path, opened, config.input.image_size);
      if (!data.agrees(String(state.data))) {
        const what = checked ? "expression or images" : "or this version reads them otherwise than the one before";
        throw new DataError(`Cannot go on with ${path}: the data changed since, ${what}`, {
          hint: "Bring them back, or begin anew with --overwrite",
          context: { given: data.fingerprint, wanted: state.data },
        });
      }
    },
    verify: () => data.check(),
  };
}

/**
 * The run, for the engine.
 *
 * @param panel Indices in the vocabulary of the genes that evaluation reports on.
 */
export function sealTraining(session: SealSession, panel: readonly number[]): Training {
  const { gpu, optimizer, config: { eval: evaluation }, model, set } = session;
  return {
    gpu,
    optimizer,
    stages: stagesOf(session, panel),
    columns: METRICS,
    cadence: {
      logEvery: evaluation.log_every,
      saveEvery: evaluation.save_every,
      saveEverySteps: evaluation.save_every_steps,
    },
    hints: {
      first: "Nothing was learned yet: look at the data, and at gene_loss, gene_norm and temperature",
      later: "Lower the learning rates, or set clip_norm",
    },
    inputs: inputsOf(session),
    files: () => modelFiles(model, set.vocabulary, adapterFacts(session.opened, session.config.lora)),
    load: (read, where) => loadModel(model, read, where),
  };
}
