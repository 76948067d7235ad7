/**
 * Training on bulk RNA as the engine runs it: a stage an arm, all on the same bags in the same order.
 *
 * | file of a checkpoint | content |
 * |---|---|
 * | `model.safetensors` | parameters of all arms, `ARM.tiles.…` what is kept of them |
 * | `bulk.json` | sizes, arms, what the expression is, the hash of the genes |
 * | `genes.tsv` | genes with mean and deviation over the training patients |
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { filesOf, loadFiles, MODEL_FILE, namesBehind, type ReadFile, type SavedModel } from "../../train/checkpoint.ts";
import { learningRate } from "../../train/config/optim.ts";
import { adapterFacts, agreeEncoder, encoderFacts, fedFacts } from "../../train/encoder_state.ts";
import { Schedule } from "../../train/schedule.ts";
import { trainingSettings } from "../../train/settings.ts";
import type { Selection, TrainedStage } from "../../train/stage.ts";
import { Step, stepRunner } from "../../train/step.ts";
import type { Training } from "../../train/training.ts";
import { bulkBatch, bulkStep, expressionOf } from "./batch.ts";
import type { BulkArm } from "./model.ts";
import { type BulkSession, ENCODER_RATE } from "./session.ts";
import { ArmWatch, choosesWeights } from "./watch.ts";

/** Names of the files. */
export const BULK_FILES = { facts: "bulk.json", genes: "genes.tsv" } as const;

/** Columns of the metrics. */
const METRICS: readonly string[] = ["loss", "lr", "smooth_rank", "val_gain", "loss_kd", "lr_encoder"];

/** The arm goes on as it was best, so that the checkpoint with all of them has each so. */
function selectionOf(session: BulkSession): Selection | undefined {
  if (!choosesWeights(session)) return undefined;
  const { early_stop_patience: patience, early_stop_min_delta: minDelta } = session.config.eval;
  return { metric: "val_gain", patience, minDelta, restore: true };
}

function stageOf(session: BulkSession, arm: BulkArm): TrainedStage {
  const { config, data, optimizer, parameters, tiles } = session;
  const { optim, model: { pairing, lambda_kd: lambdaKd }, eval: evaluation } = config;
  const train = data.slides.flatMap(({ part }, i) => (part === "train" ? [i] : []));
  const bags = Math.min(optim.batch_size, train.length);
  const perEpoch = Math.max(1, Math.floor(Math.floor(train.length / bags) / optim.grad_accum));
  // Every arm draws the same bags in the same order.
  const schedule = new Schedule({
    seed: optim.seed,
    count: train.length,
    batch: optim.batch_size,
    accumulate: optim.grad_accum,
    epochs: Math.ceil(optim.steps / perEpoch) + 1,
    steps: optim.steps,
    chosen: Uint32Array.from(train),
  });
  const of = expressionOf(data, arm.arm, optim.seed);
  const watch = new ArmWatch(session, arm);
  const rate = learningRate(optim, schedule.total);
  const { encoder_lr: lr } = optim;
  const encoderRate = learningRate({ ...optim, lr, min_lr: Math.min(lr, optim.min_lr) }, schedule.total);
  const none = Object.fromEntries(session.arms.map(({ arm }) => [arm, 0]));
  const draw = { tiles: optim.tiles, seed: optim.seed, pairing, lambdaKd };
  const sizes = { genes: data.genes.length, modality: data.modality?.width, pairing, lambdaKd };
  return {
    name: arm.arm,
    schedule,
    unit: "bags",
    rates: (step) => ({ ...none, [arm.arm]: rate(step), [ENCODER_RATE]: encoderRate(step) }),
    rateColumns: { lr: arm.arm, ...(config.input.train === "encoder" && { lr_encoder: ENCODER_RATE }) },
    labels: { smooth_rank: "smooth rank", val_gain: "probes gain" },
    evaluateEvery: evaluation.eval_every,
    split: "val",
    select: selectionOf(session),
    evaluate: () => watch.evaluate(),
    async compile(mostMicro) {
      const model = bulkStep(parameters, arm, tiles, { ...sizes, bags: schedule.batch, tiles: optim.tiles });
      const step = await Step.compile(model, optimizer, {
        batch: schedule.batch,
        rows: schedule.batch * optim.tiles,
        micro: optim.micro_batch ?? undefined,
        mostMicro,
        accumulate: schedule.accumulate,
        seed: optim.seed,
        ring: Math.max(128, evaluation.log_every),
      });
      return stepRunner(step, schedule, (stageStep, i) => {
        const chosen = [...schedule.items(stageStep, i)].map((item) => data.slides[item]!);
        const epoch = schedule.epoch(stageStep);
        return bulkBatch(data, tiles, chosen, of, { ...draw, epoch });
      });
    },
  };
}

/** What the arms have, beside the encoder. */
const savedOf = ({ parameters, encoder }: Pick<BulkSession, "parameters" | "encoder">): SavedModel => ({
  parameters,
  encoder: encoder?.opened.encoder,
});

const partsOf = (model: SavedModel) => [{ file: MODEL_FILE, names: namesBehind(model) }];

async function files(session: BulkSession): Promise<Map<string, Uint8Array>> {
  const { data, config, encoder, tiles } = session;
  const facts = {
    dim: tiles.dim,
    hidden: config.model.hidden,
    arms: config.model.arms,
    expression: data.unit,
    genes: data.genes.length,
    genes_sha256: data.manifest,
    patients: data.patients.length,
    ...(data.modality && { modality: data.modality.width }),
    ...(data.featureFacts && { encoder: data.featureFacts }),
  };
  const { mean, std } = data.statistics;
  const lines = data.genes.map((gene, g) => `${gene}\t${mean[g]}\t${std[g]}\n`);
  const model = savedOf(session);
  const text = (content: string) => new TextEncoder().encode(content);
  return new Map([
    ...await filesOf(model, partsOf(model), encoder && adapterFacts(encoder.opened, config.lora)),
    [BULK_FILES.facts, text(JSON.stringify(facts, undefined, 2) + "\n")],
    [BULK_FILES.genes, text(["gene\tmean\tstd\n", ...lines].join(""))],
  ]);
}

/** Puts a checkpoint's weights into the arms. @throws {WeightsError} If it is of arms of other sizes. */
export function loadArms(
  session: { readonly parameters: Parameters; readonly encoder?: BulkSession["encoder"] },
  read: ReadFile,
  where: string,
): void {
  const model = savedOf(session);
  loadFiles(model, partsOf(model), read, where);
}

/** The run, for the engine. */
export function bulkTraining(session: BulkSession): Training {
  const { gpu, optimizer, config, encoder, tiles, data: { mark, manifest } } = session;
  return {
    gpu,
    optimizer,
    stages: session.arms.map((arm) => stageOf(session, arm)),
    columns: METRICS,
    cadence: {
      logEvery: config.eval.log_every,
      saveEvery: config.eval.save_every,
      saveEverySteps: config.eval.save_every_steps,
    },
    hints: { first: "Nothing was learned yet: look at the scale of the features", later: "Lower lr, or set clip_norm" },
    inputs: {
      settings: trainingSettings(config),
      facts: {
        ...(encoder && { ...encoderFacts(encoder.opened), ...fedFacts(encoder.opened) }),
        ...{ data: mark.fingerprint, dim: tiles.dim, genes: manifest },
      },
      agree(state, path) {
        if (encoder) agreeEncoder(state, path, encoder.opened, config.input.image_size);
        const changed = state.genes !== manifest
          ? "genes"
          : state.data !== mark.fingerprint
          ? "tiles or expression"
          : "";
        if (!changed) return;
        throw new DataError(`Cannot go on with ${path}: ${changed} changed since`, {
          code: "data-changed",
          hint: "Bring them back, or begin anew with --overwrite",
          context: { changed },
        });
      },
      verify: () => mark.check(),
    },
    files: () => files(session),
    load: (read, where) => loadArms(session, read, where),
  };
}
