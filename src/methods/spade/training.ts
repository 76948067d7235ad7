/**
 * Training as the engine runs it: the clustering, then a stage an expert, one after another, each on its own pairs alone.
 *
 * @module
 */

import { Rng, streamOf } from "../../core/rng.ts";
import { readback } from "../../gpu/readback.ts";
import { Plan } from "../../graph/plan.ts";
import type { Program } from "../../graph/program.ts";
import { Store } from "../../graph/store.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { vocabularyHash } from "../../data/genes/vocabulary.ts";
import { learningRate } from "../../train/config/optim.ts";
import { Schedule } from "../../train/schedule.ts";
import type { Stage, StageRunner, TrainedStage } from "../../train/stage.ts";
import { Step, stepRunner } from "../../train/step.ts";
import type { Training } from "../../train/training.ts";
import { DataError } from "../../core/errors.ts";
import { trainingSettings } from "../../train/settings.ts";
import type { StepModel } from "../../train/step_model.ts";
import { loadState, stateFiles } from "./checkpoint.ts";
import { checkRows, clusterPairs } from "./clusters.ts";
import { type Expert, expertLoss, readExpert } from "./expert.ts";
import { type BankPlan, beginExpert, expertName, pairsOfExperts, RATES, type SpadeSession } from "./session.ts";

/** Columns of the metrics. */
const METRICS: readonly string[] = ["loss", "lr"];

/** Samples below which an expert's validation part is of rows. */
const LEAST_SAMPLES = 5;

/** Pairs of an expert. */
export interface ExpertPairs {
  readonly train: Uint32Array;
  /** Those that choose its checkpoint. */
  readonly val: Uint32Array;
}

/** Divides the pairs of an expert: whole samples are held out where it has some, else rows. */
export function divide(
  pairs: Uint32Array,
  sampleOf: (pair: number) => number,
  { share, seed, name }: { share: number; seed: number; name: string },
): ExpertPairs {
  if (share === 0) return { train: pairs, val: new Uint32Array() };
  const rng = new Rng(seed, streamOf(`validation of ${name}`));
  const samples = [...new Set(Array.from(pairs, sampleOf))].sort((a, b) => a - b);
  const part = <T>(all: readonly T[]): Set<T> =>
    new Set(
      [...rng.permutation(all.length).subarray(0, Math.max(1, Math.round(share * all.length)))].map((i) => all[i]!),
    );
  const rows = samples.length < LEAST_SAMPLES ? part([...pairs]) : undefined;
  const chosen = rows ? undefined : part(samples);
  const held = (pair: number) => rows ? rows.has(pair) : chosen!.has(sampleOf(pair));
  return { train: pairs.filter((pair) => !held(pair)), val: pairs.filter(held) };
}

/** Expression of pairs as the heads read it, `[pairs, genes]`. */
export function expressionOf({ config, data: { set } }: SpadeSession, pairs: ArrayLike<number>): Float32Array {
  const out = set.gather(pairs);
  if (config.genes.gene_scale === "none") return out;
  const { mean, std } = set.statistics;
  const G = set.genes;
  for (let i = 0; i < out.length; i++) out[i] = (out[i]! - mean[i % G]!) / std[i % G]!;
  return out;
}

/** Features of pairs, `[pairs, dim]`. */
export function featuresOf({ data: { features, dim } }: SpadeSession, pairs: ArrayLike<number>): Float32Array {
  const out = new Float32Array(pairs.length * dim);
  for (let i = 0; i < pairs.length; i++) {
    out.set(features.subarray(pairs[i]! * dim, (pairs[i]! + 1) * dim), i * dim);
  }
  return out;
}

/** What a step of an expert trains. */
export function expertStep(
  { parameters, config }: Pick<SpadeSession, "parameters" | "config">,
  expert: Expert,
  batch: number,
): StepModel<never> {
  const { inputs } = expert.shape;
  return {
    parameters,
    fields: (store) => ({
      image: store.tensor("image", "image", [batch, inputs.img]),
      gene: store.tensor("gene", "gene", [batch, inputs.gene]),
    }),
    objective: (g, _, { image, gene }) => ({
      loss: expertLoss(g, expert, { image: image!, gene: gene! }, config.experts, true),
    }),
  };
}

/** The loss of an expert on pairs it was not trained on, in batches. */
class Validation {
  private constructor(
    private readonly session: SpadeSession,
    private readonly parts: { store: Store; program: Program; image: Tensor; gene: Tensor; loss: Tensor },
    private readonly batches: readonly Uint32Array[],
  ) {}

  /** Compiles it; undefined where there are fewer than two pairs. */
  static async compile(session: SpadeSession, expert: Expert, val: Uint32Array): Promise<Validation | undefined> {
    if (val.length < 2) return undefined;
    const { gpu, config } = session;
    const batch = Math.min(config.optim.batch_size, val.length);
    const batches = Array.from(
      { length: Math.floor(val.length / batch) },
      (_, i) => val.subarray(i * batch, (i + 1) * batch),
    );
    const store = new Store(gpu);
    const image = store.tensor("image", "image", [batch, expert.shape.inputs.img]);
    const gene = store.tensor("gene", "gene", [batch, expert.shape.inputs.gene]);
    store.allocate();
    const g = new Plan(gpu);
    const loss = g.withoutTape(() => expertLoss(g, expert, { image, gene }, config.experts, false));
    g.output(loss);
    return new Validation(session, { store, program: await g.compile(), image, gene, loss }, batches);
  }

  async loss(): Promise<number> {
    const { store, program, image, gene, loss } = this.parts;
    let sum = 0;
    for (const pairs of this.batches) {
      store.write(image, featuresOf(this.session, pairs));
      store.write(gene, expressionOf(this.session, pairs));
      program.run();
      const [value] = await readback(this.session.gpu, loss);
      sum += value![0]!;
    }
    return sum / this.batches.length;
  }

  destroy(): void {
    this.parts.program.destroy();
    this.parts.store.destroy();
  }
}

/** Does nothing: an expert that was merged into another. */
const IDLE: StageRunner = {
  seek() {},
  submit: () => Promise.resolve(),
  read: () => Promise.resolve([]),
  destroy() {},
};

/** The stage of an expert. What it trains on is known when the pairs are clustered. */
class ExpertStage implements TrainedStage {
  readonly name: string;
  readonly rateColumns: Readonly<Record<string, string>>;
  readonly labels = { loss: "loss" };
  readonly split = "val";
  readonly #session: SpadeSession;
  readonly #bank: BankPlan;
  readonly #e: number;
  #known: { readonly of: unknown; readonly pairs: ExpertPairs | undefined; readonly schedule: Schedule } | undefined;
  #validation: Validation | undefined;

  constructor(session: SpadeSession, bank: BankPlan, e: number) {
    this.#session = session;
    this.#bank = bank;
    this.#e = e;
    this.name = expertName(bank, e);
    this.rateColumns = { lr: this.#rate };
  }

  get #rate(): string {
    return this.#bank.name === "wide" ? RATES.wide : RATES.expert;
  }

  get #own() {
    const { state: { clusters } } = this.#session;
    if (this.#known?.of === clusters) return this.#known!;
    const { config: { optim, experts }, data: { set } } = this.#session;
    const all = pairsOfExperts(this.#session, this.#bank)[this.#e];
    const pairs = all && divide(all, (pair) => set.locate(pair).sample, {
      share: experts.val_fraction,
      seed: optim.seed,
      name: this.name,
    });
    const schedule = new Schedule({
      seed: (optim.seed ^ streamOf(this.name)) >>> 0,
      count: Math.max(2, pairs?.train.length ?? 0),
      batch: optim.batch_size,
      accumulate: optim.grad_accum,
      epochs: pairs === undefined || pairs.train.length < 2 ? 0 : optim.epochs,
      steps: optim.steps,
      chosen: pairs?.train,
    });
    return this.#known = { of: clusters, pairs, schedule };
  }

  get schedule(): Schedule {
    return this.#own.schedule;
  }

  get evaluateEvery(): number {
    return this.#own.pairs?.val.length ? this.#session.config.eval.eval_every : 0;
  }

  rates(step: number): Readonly<Record<string, number>> {
    const rate = learningRate(this.#session.config.optim, this.schedule.total);
    return { [RATES.expert]: 0, [RATES.wide]: 0, [this.#rate]: rate(step) };
  }

  async compile(): Promise<StageRunner> {
    const session = this.#session;
    const { pairs, schedule } = this.#own;
    if (pairs === undefined || schedule.total === 0) return IDLE;
    await beginExpert(session, this.#bank, this.name);
    const expert = session.expert(this.#bank);
    const { optim, eval: evaluation } = session.config;
    const step = await Step.compile(expertStep(session, expert, schedule.batch), session.optimizer, {
      batch: schedule.batch,
      accumulate: schedule.accumulate,
      seed: optim.seed,
      ring: Math.max(128, evaluation.log_every),
    });
    const validation = this.#validation = await Validation.compile(session, expert, pairs.val);
    const runner = stepRunner(step, schedule, (stageStep, i) => {
      const items = schedule.items(stageStep, i);
      const image = featuresOf(session, items) as Float32Array<ArrayBuffer>;
      return { fields: { image, gene: expressionOf(session, items) } };
    });
    return {
      ...runner,
      destroy() {
        runner.destroy();
        validation?.destroy();
      },
    };
  }

  async evaluate(): Promise<Record<string, number>> {
    if (!this.#validation) return {};
    const { state, parameters } = this.#session;
    const loss = await this.#validation.loss();
    if (!state.best || loss < state.best.loss) {
      state.best = { loss, values: await readExpert(parameters, this.#session.expert(this.#bank)) };
    }
    return { loss };
  }
}

/** The stages of a run. */
function stagesOf(session: SpadeSession): Stage[] {
  const { gpu, config, data: { set, features, dim, organs }, host, state, banks } = session;
  const pairs = set.pairs("train");
  const input = {
    features: features.subarray(0, pairs.length * dim),
    dim,
    organ: Array.from(pairs, (pair) => organs[set.locate(pair).sample]!),
    least: 2 * config.optim.batch_size,
    seed: config.optim.seed,
    options: config.clusters,
  };
  checkRows(input);
  return [
    {
      name: "clusters",
      async work(signal) {
        state.clusters = await clusterPairs(gpu, {
          ...input,
          signal,
          onOrgan: (done, total) => host.reporter.update("clusters", done, total, "steps"),
        });
        for (const note of state.clusters.notes) host.reporter.warn(note);
        const sizes = pairsOfExperts(session, banks[0]!).map(({ length }) => length);
        host.reporter.say(
          `${state.clusters.organs.length} fine clusters, ${sizes.length} experts of ${sizes.join(", ")} pairs`,
        );
      },
    },
    ...banks.flatMap((bank) => Array.from({ length: bank.most }, (_, e) => new ExpertStage(session, bank, e))),
  ];
}

/** The run, for the engine. */
export function spadeTraining(session: SpadeSession): Training {
  const { gpu, optimizer, config, data: { set, mark, dim, facts } } = session;
  const genes = vocabularyHash(set.vocabulary);
  return {
    gpu,
    optimizer,
    stages: stagesOf(session),
    columns: METRICS,
    cadence: {
      logEvery: config.eval.log_every,
      saveEvery: config.eval.save_every,
      saveEverySteps: config.eval.save_every_steps,
    },
    hints: {
      first: "Nothing was learned yet: look at the scale of the features",
      later: "Lower lr, or set clip_norm",
    },
    inputs: {
      settings: trainingSettings(config),
      facts: {
        ...{ data: set.fingerprint, features: mark.fingerprint, genes },
        ...{ dim, encoder: facts["encoder"] ?? "unknown" },
      },
      agree(state, path) {
        // Earlier versions kept no hash of the genes alone.
        const changed = state.genes !== undefined && state.genes !== genes
          ? "genes"
          : state.data !== set.fingerprint
          ? "samples"
          : state.features !== mark.fingerprint
          ? "features"
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
    files: () => stateFiles(session),
    load: (read, where) => loadState(session, read, where),
  };
}
