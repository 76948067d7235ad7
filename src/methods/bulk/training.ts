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

import { DataError, NumericsError } from "../../core/errors.ts";
import { Rng, streamOf } from "../../core/rng.ts";
import { smoothRank } from "../../eval/smooth_rank.ts";
import type { Gpu } from "../../gpu/device.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { NO_NEGATIVE } from "../../losses/masked_clip.ts";
import { Parameters } from "../../nn/parameters.ts";
import { AdamW } from "../../optim/adamw.ts";
import { loadParts, MODEL_FILE, partFiles, type ReadFile } from "../../train/checkpoint.ts";
import { adamwOptions, learningRate } from "../../train/config/optim.ts";
import { vectorInput } from "../../train/row_input.ts";
import { RowModel } from "../../train/row_model.ts";
import { Schedule } from "../../train/schedule.ts";
import { trainingSettings } from "../../train/settings.ts";
import type { TrainedStage } from "../../train/stage.ts";
import { Step, stepRunner } from "../../train/step.ts";
import type { StepModel } from "../../train/step_model.ts";
import type { Training } from "../../train/training.ts";
import type { BulkConfig } from "./config.ts";
import { type BulkData, type BulkSlide, drawTiles } from "./data.ts";
import { type Arm, type BulkArm, createArm } from "./model.ts";

/** Names of the files. */
export const BULK_FILES = { facts: "bulk.json", genes: "genes.tsv" } as const;

/** Columns of the metrics. */
const METRICS: readonly string[] = ["loss", "lr", "smooth_rank"];

/** Tiles that the smooth rank is measured on, at most. */
const RANK_TILES = 2048;

/** A run that is open. */
export interface BulkSession {
  readonly config: BulkConfig;
  readonly data: BulkData;
  readonly gpu: Gpu;
  readonly parameters: Parameters;
  readonly optimizer: AdamW;
  readonly arms: readonly BulkArm[];
  /** Changes tile features as an arm does. @param rows `[R, d]`. */
  embed(arm: Arm, rows: Float32Array): Promise<Float32Array>;
  close(): void;
}

/** Rows of a block of inference. */
const BLOCK = 1024;

/** Tile features through the change of an arm. */
export function tileModel(gpu: Gpu, arm: Pick<BulkArm, "tiles">, dim: number): Promise<RowModel> {
  return RowModel.compile(gpu, { dim, block: BLOCK }, arm.tiles);
}

/** Opens a run on the device. */
export async function openSession(gpu: Gpu, config: BulkConfig, data: BulkData): Promise<BulkSession> {
  const { optim, model } = config;
  const parameters = new Parameters(gpu);
  const sizes = { dim: data.dim, genes: data.genes.length };
  const arms = model.arms.map((arm) => createArm(parameters, arm as Arm, sizes, config));
  parameters.allocate();
  const groups = arms.flatMap(({ arm }) => [
    {
      match: (name: string, tensor: Tensor) => name.startsWith(`${arm}.`) && tensor.shape.length > 1,
      rate: arm,
      weightDecay: optim.weight_decay,
    },
    { match: (name: string) => name.startsWith(`${arm}.`), rate: arm },
  ]);
  const optimizer = new AdamW(parameters, groups, adamwOptions(optim));
  const tiles = new Map<Arm, RowModel>();
  for (const arm of arms) tiles.set(arm.arm, await tileModel(gpu, arm, data.dim));
  return {
    ...{ config, data, gpu, parameters, optimizer, arms },
    embed: (arm, rows) => tiles.get(arm)!.run(rows),
    close() {
      for (const model of tiles.values()) model.destroy();
      optimizer.destroy();
      parameters.destroy();
    },
  };
}

/** What a step of an arm trains: rows are tiles, items are bags. */
export function bulkStep(
  parameters: Parameters,
  arm: BulkArm,
  { dim, genes, bags }: { dim: number; genes: number; bags: number },
): StepModel<Float32Array> {
  return {
    parameters,
    rows: {
      dim,
      input: vectorInput(dim, arm.tiles),
    },
    fields: (store) => ({
      bound: store.tensor("bound", "bound", [bags + 1], "u32"),
      rna: store.tensor("rna", "rna", [bags, genes]),
      mask: store.tensor("mask", "mask", [bags, bags]),
    }),
    objective: (g, z, { bound, rna, mask }) => arm.losses(g, z!, { bound: bound!, rna: rna!, mask: mask! }, true),
  };
}

/** Patients whose expression bags get: their own, or exchanged among all of a part for the control. */
export function expressionOf(
  { slides, patients }: Pick<BulkData, "slides" | "patients">,
  arm: Arm,
  seed: number,
): Uint32Array {
  const own = Uint32Array.from(patients, (_, p) => p);
  if (arm !== "shuffled") return own;
  for (const part of ["train", "val", "test"] as const) {
    const members = [...new Set(slides.filter((slide) => slide.part === part).map(({ patient }) => patient))];
    // A cycle through a random order: nobody keeps his own.
    const order = [...new Rng(seed, streamOf(`exchange in ${part}`)).permutation(members.length)].map((i) =>
      members[i]!
    );
    order.forEach((patient, i) => own[patient] = order[(i + 1) % order.length]!);
  }
  return own;
}

/** A batch of bags. */
export function bulkBatch(
  { rna, genes, dim }: Pick<BulkData, "rna" | "genes" | "dim">,
  bags: readonly BulkSlide[],
  of: Uint32Array,
  draw: { tiles: number; seed: number; epoch: number },
) {
  const G = genes.length;
  const B = bags.length;
  const rows = bags.flatMap((bag) =>
    Array.from(drawTiles(bag, draw), (row) => bag.rows.subarray(row * dim, (row + 1) * dim))
  );
  const expression = new Float32Array(B * G);
  const mask = new Float32Array(B * B);
  bags.forEach(({ patient }, b) => {
    expression.set(rna.subarray(of[patient]! * G, (of[patient]! + 1) * G), b * G);
    bags.forEach((other, c) => mask[b * B + c] = b !== c && other.patient === patient ? NO_NEGATIVE : 0);
  });
  const bound = Uint32Array.from({ length: B + 1 }, (_, b) => b * draw.tiles);
  return { rows, fields: { bound, rna: expression, mask } };
}

/** Numbers on the validation patients. */
class Watch {
  readonly #session: BulkSession;
  readonly #arm: BulkArm;
  readonly #tiles: Float32Array;
  #base: number | undefined;

  constructor(session: BulkSession, arm: BulkArm, bags: readonly BulkSlide[]) {
    this.#session = session;
    this.#arm = arm;
    const { dim } = session.data;
    const each = Math.max(1, Math.floor(RANK_TILES / Math.max(1, bags.length)));
    const rows = bags.flatMap((bag) =>
      Array.from(
        drawTiles(bag, { tiles: Math.min(each, bag.count), seed: 0, epoch: 0 }),
        (row) => bag.rows.subarray(row * dim, (row + 1) * dim),
      )
    );
    this.#tiles = new Float32Array(rows.length * dim);
    rows.forEach((row, i) => this.#tiles.set(row, i * dim));
  }

  /** Smooth rank of the features; refuses those that have collapsed. */
  async rank(): Promise<number | undefined> {
    const { data: { dim }, config } = this.#session;
    const rankOf = (data: Float32Array) => smoothRank({ rows: data.length / dim, columns: dim, data });
    if (this.#tiles.length === 0) return undefined;
    this.#base ??= rankOf(this.#tiles);
    const now = rankOf(await this.#session.embed(this.#arm.arm, this.#tiles)) ?? 0;
    if (this.#base !== undefined && now < config.model.collapse * this.#base) {
      throw new NumericsError(
        `Cannot go on training ${this.#arm.arm}: the smooth rank of its features is ${now.toFixed(2)}, ` +
          `wanted at least ${
            (config.model.collapse * this.#base).toFixed(2)
          }, ${config.model.collapse} of the given ones'`,
        { hint: "Lower lr, or collapse=0", context: { arm: this.#arm.arm, found: now, base: this.#base } },
      );
    }
    return now;
  }
}

function stageOf(session: BulkSession, arm: BulkArm): TrainedStage {
  const { config, data, optimizer, parameters } = session;
  const { optim, eval: evaluation } = config;
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
  const watch = new Watch(session, arm, data.slides.filter(({ part }) => part === "val"));
  const rate = learningRate(optim, schedule.total);
  const none = Object.fromEntries(session.arms.map(({ arm }) => [arm, 0]));
  const draw = { tiles: optim.tiles, seed: optim.seed };
  return {
    name: arm.arm,
    schedule,
    unit: "bags",
    rates: (step) => ({ ...none, [arm.arm]: rate(step) }),
    rateColumns: { lr: arm.arm },
    labels: { smooth_rank: "smooth rank" },
    evaluateEvery: evaluation.eval_every,
    split: "val",
    async evaluate(): Promise<Record<string, number>> {
      const rank = await watch.rank();
      return rank === undefined ? {} : { smooth_rank: rank };
    },
    async compile(mostMicro) {
      const model = bulkStep(parameters, arm, { dim: data.dim, genes: data.genes.length, bags: schedule.batch });
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
        return bulkBatch(data, chosen, of, { ...draw, epoch });
      });
    },
  };
}

const partsOf = ({ parameters }: { parameters: Parameters }) => [{
  file: MODEL_FILE,
  names: parameters.state().map(([name]) => name),
}];

async function files({ parameters, data, config }: BulkSession): Promise<Map<string, Uint8Array>> {
  const facts = {
    dim: data.dim,
    hidden: config.model.hidden,
    arms: config.model.arms,
    expression: data.unit,
    genes: data.genes.length,
    genes_sha256: data.manifest,
    patients: data.patients.length,
  };
  const { mean, std } = data.statistics;
  const lines = data.genes.map((gene, g) => `${gene}\t${mean[g]}\t${std[g]}\n`);
  const text = (content: string) => new TextEncoder().encode(content);
  return new Map([
    ...await partFiles(parameters, partsOf({ parameters })),
    [BULK_FILES.facts, text(JSON.stringify(facts, undefined, 2) + "\n")],
    [BULK_FILES.genes, text(["gene\tmean\tstd\n", ...lines].join(""))],
  ]);
}

/** Puts a checkpoint's weights into the arms. @throws {WeightsError} If it is of arms of other sizes. */
export function loadArms(session: { parameters: Parameters }, read: ReadFile, where: string): void {
  loadParts(session.parameters, partsOf(session), read, where);
}

/** The run, for the engine. */
export function bulkTraining(session: BulkSession): Training {
  const { gpu, optimizer, config, data: { mark, dim, manifest } } = session;
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
      facts: { data: mark.fingerprint, dim, genes: manifest },
      agree(state, path) {
        if (state.data === mark.fingerprint && state.genes === manifest) return;
        throw new DataError(`Cannot go on with ${path}: features, expression or genes changed since`, {
          code: "data-changed",
          hint: "Bring them back, or begin anew with --overwrite",
          context: { given: mark.fingerprint, wanted: state.data },
        });
      },
      verify: () => mark.check(),
    },
    files: () => files(session),
    load: (read, where) => loadArms(session, read, where),
  };
}
