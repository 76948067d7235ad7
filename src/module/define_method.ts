/**
 * Training methods of one's own: a model, batches and what is measured; configuration, schedules, optimiser, checkpoints, metrics,
 * going on and the run's folder are the engine's.
 *
 * @module
 */

import type { Key, Keys, Rule, ValuesOf } from "../core/config_key.ts";
import { ConfigError, DataError } from "../core/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import type { AnyMethod, MethodEvidence, MethodRun } from "../methods/method.ts";
import { AdamW, decayMatrices } from "../optim/adamw.ts";
import { ConfigFormat } from "../train/config/format.ts";
import { ADAMW_KEYS, EVAL_KEYS, methodKey, OPTIM_KEYS } from "../train/config/keys.ts";
import { adamwOptions, learningRate, rateRule } from "../train/config/optim.ts";
import { loadParts, MODEL_FILE, type Part, partFiles } from "../train/checkpoint.ts";
import type { LoopState } from "../train/loop.ts";
import { Schedule } from "../train/schedule.ts";
import { trainingSettings } from "../train/settings.ts";
import type { FoundCheckpoint } from "../train/run.ts";
import type { RunInputs } from "../train/training.ts";
import type { Parameters } from "../nn/parameters.ts";
import { Step, stepRunner } from "../train/step.ts";
import type { OwnMethod } from "./own_method.ts";
import type { OwnModel } from "./own_model.ts";
import { registerMethod } from "./own_method.ts";

/** Keys that every method of one's own has: how it is optimised. */
const OPTIM = {
  epochs: OPTIM_KEYS.epochs,
  steps: OPTIM_KEYS.steps,
  batch_size: { ...OPTIM_KEYS.batch_size, min: 1, default: 32, unit: "items" },
  grad_accum: OPTIM_KEYS.grad_accum,
  ...ADAMW_KEYS,
  lr: { ...ADAMW_KEYS.lr, default: 1e-3, doc: "Peak learning rate" },
  weight_decay: { ...OPTIM_KEYS.weight_decay, default: 0 },
} as const satisfies Keys;

/** What is trained on. */
export interface OwnData<D> {
  /** Whatever the model needs. */
  readonly data: D;
  /** Items that train, numbered from 0; at least 2. */
  readonly items: number;
  /** Text that changes when the data do: a run resumes only with the same text. */
  readonly fingerprint: string;
}

/** Values that a definition sees: its own keys, and `batch_size` and `seed`. */
export type OwnConfig<K extends Keys> = ValuesOf<K> & { readonly batch_size: number; readonly seed: number };

/** Configuration of a method of one's own: its keys and those of the engine; what is left out has its default. */
export type OwnSettings<K extends Keys> = Partial<ValuesOf<K>> & OwnTraining;

/** Keys of the engine. */
export interface OwnTraining {
  /** Epochs. Default 10. */
  readonly epochs?: number | undefined;
  /** Most steps; null is what the epochs give. Default null. */
  readonly steps?: number | null | undefined;
  /** Items a batch. Default 32. */
  readonly batch_size?: number | undefined;
  /** Batches a step. Default 1. */
  readonly grad_accum?: number | undefined;
  /** Peak learning rate. Default 0.001. */
  readonly lr?: number | undefined;
  /** Decoupled weight decay; none on biases and norms. Default 0. */
  readonly weight_decay?: number | undefined;
  /** Learning rate over the steps. Default cosine. */
  readonly scheduler?: "cosine" | "constant" | undefined;
  /** Linear rise of the learning rate, steps. Default 0. */
  readonly lr_warmup_steps?: number | undefined;
  /** Largest norm of all gradients together; 0 does not clip. Default 0. */
  readonly clip_norm?: number | undefined;
  /** Seed of everything random. Default 42. */
  readonly seed?: number | undefined;
  /** Epochs between two evaluations. Default 1. */
  readonly eval_every?: number | undefined;
  /** Steps between two rows of metrics. Default 10. */
  readonly log_every?: number | undefined;
  /** Epochs between two checkpoints. Default 5. */
  readonly save_every?: number | undefined;
}

/** A method of one's own. */
export interface MethodDefinition<K extends Keys, D, M extends OwnModel = OwnModel> {
  /** Lower-case letters, digits and `_`. */
  readonly name: string;
  /** Its keys: kind, default, limits and one line each. */
  readonly keys: K;
  /** Names of the numbers beside `loss` that the objective and `evaluate` of the model give. */
  readonly metrics?: readonly string[];
  /** What the best checkpoint is chosen by, and which way; without it the last is. */
  readonly best?: { readonly metric: string; readonly mode: "min" | "max" };
  /** What must hold of a configuration. */
  rules?(config: OwnConfig<K>): readonly Rule[];
  /** Reads the data. */
  data(config: OwnConfig<K>): Promise<OwnData<D>> | OwnData<D>;
  /** Builds the model. */
  model(gpu: Gpu, config: OwnConfig<K>, data: D): Promise<M> | M;
}

/**
 * Makes a method that {@linkcode train} takes.
 *
 * ```ts
 * import { train } from "@seal-webgpu/seal";
 * import { linear, meanAll, Parameters, Rng, square, sub, torchLinear } from "@seal-webgpu/seal/engine";
 * import { defineMethod } from "@seal-webgpu/seal/train";
 *
 * const N = 64;
 * const line = defineMethod({
 *   name: "line",
 *   keys: { slope: { kind: "number", default: 2, doc: "Slope of the data" } },
 *   data: ({ slope }) => ({ data: (i: number) => [i / N, slope * i / N], items: N, fingerprint: `line ${slope}` }),
 *   model(gpu, { batch_size, seed }, at) {
 *     const parameters = new Parameters(gpu);
 *     const layer = torchLinear(parameters, "layer", [1, 1], new Rng(seed));
 *     parameters.allocate();
 *     const column = (items: Uint32Array, c: number) => Float32Array.from(items, (i) => at(i)[c]!);
 *     return {
 *       step: {
 *         parameters,
 *         fields: (store) => ({
 *           x: store.tensor("input", "x", [batch_size, 1]),
 *           y: store.tensor("input", "y", [batch_size, 1]),
 *         }),
 *         objective: (g, _, { x, y }) => ({ loss: meanAll(g, square(g, sub(g, linear(g, x!, layer), y!))) }),
 *       },
 *       batch: (items) => ({ fields: { x: column(items, 0), y: column(items, 1) } }),
 *     };
 *   },
 * });
 * const { result } = await train(line, { out: "runs/line", config: { slope: 3, epochs: 4, batch_size: 16, lr: 0.1 } });
 * console.log(result.steps);
 * ```
 *
 * @throws {ConfigError} If the name is no name, or a key has the name of one of the engine's.
 */
export function defineMethod<const K extends Keys, D, M extends OwnModel>(
  definition: MethodDefinition<K, D, M>,
): OwnMethod<OwnSettings<K>, M> {
  const { name, keys } = definition;
  if (!/^[a-z][a-z0-9_]*$/.test(name)) {
    throw new ConfigError(`Cannot define method ${JSON.stringify(name)}: wanted lower-case letters, digits and _`);
  }
  const input = { method: methodKey(name), out: { kind: "text", default: null, nullable: true, doc: "Run folder" } };
  const table = { input, own: keys, optim: OPTIM, eval: EVAL_KEYS } as unknown as Record<string, Record<string, Key>>;
  const taken = Object.keys(keys).find((key) => key in input || key in OPTIM || key in EVAL_KEYS);
  if (taken !== undefined) {
    throw new ConfigError(`Cannot define method ${name}: the engine has a key ${taken}, another name is wanted`, {
      context: { key: taken },
    });
  }
  const own = (config: unknown) => ownConfig<K>(config);
  const config = new ConfigFormat(table, {
    rules: (values) => [rateRule((values as unknown as Values).optim), ...definition.rules?.(own(values)) ?? []],
  });
  const method = {
    name,
    summary: name,
    config,
    runName: () => name,
    check: () => Promise.resolve(),
    openData: (values: unknown) => Promise.resolve(definition.data(own(values))),
    open: (gpu: Gpu, values: unknown, data: unknown) => openOwn(gpu, definition, values as Values, data as OwnData<D>),
  };
  return registerMethod(name, {
    method: method as unknown as AnyMethod,
    use: (gpu, config, found) => useOwn(gpu, definition, config as unknown as Values, found),
  });
}

/** The model of a run, with the weights of a checkpoint. */
async function useOwn<K extends Keys, D>(
  gpu: Gpu,
  definition: MethodDefinition<K, D>,
  values: Values,
  { state, path, read }: FoundCheckpoint,
): Promise<OwnModel> {
  const { data, fingerprint } = await definition.data(ownConfig<K>(values));
  if ((state as { data?: unknown }).data !== fingerprint) {
    throw new DataError(`Cannot open ${path}: the data changed since it was trained`, {
      code: "data-changed",
      hint: "Bring them back, or train again",
    });
  }
  const model = await definition.model(gpu, ownConfig<K>(values), data);
  const { parameters } = model.step;
  try {
    loadParts(parameters, partsOf(parameters), read, path);
  } catch (error) {
    parameters.destroy();
    model.close?.();
    throw error;
  }
  return model;
}

/** How a checkpoint is divided. */
function partsOf(parameters: Parameters): Part[] {
  return [{ file: MODEL_FILE, names: parameters.state().map(([name]) => name) }];
}

/** Values as the engine has them. */
interface Values {
  readonly own: object;
  readonly optim: ValuesOf<typeof OPTIM>;
  readonly eval: ValuesOf<typeof EVAL_KEYS>;
}

function ownConfig<K extends Keys>(values: unknown): OwnConfig<K> {
  const { own, optim: { batch_size, seed } } = values as Values;
  return { ...own, batch_size, seed } as OwnConfig<K>;
}

async function openOwn<K extends Keys, D>(
  gpu: Gpu,
  definition: MethodDefinition<K, D>,
  values: Values,
  { data, items, fingerprint }: OwnData<D>,
): Promise<MethodRun> {
  const { optim, eval: evaluation } = values;
  const { name, best, metrics = [] } = definition;
  const schedule = scheduleOf(name, optim, items);
  const model = await definition.model(gpu, ownConfig<K>(values), data);
  const { parameters } = model.step;
  const optimizer = optimizerOf(parameters, optim);
  const parts = partsOf(parameters);
  const rate = learningRate(optim, schedule.total);
  const { early_stop_patience: patience, early_stop_min_delta: minDelta } = evaluation;
  return {
    training: {
      gpu,
      optimizer,
      stages: [{
        name: "train",
        schedule,
        rates: (step) => ({ lr: rate(step) }),
        rateColumns: { lr: "lr" },
        evaluateEvery: model.evaluate ? evaluation.eval_every : 0,
        select: best && model.evaluate ? { ...best, patience, minDelta } : undefined,
        evaluate: () => model.evaluate?.() ?? Promise.resolve({}),
        async compile() {
          const { batch, accumulate } = schedule;
          const ring = Math.max(128, evaluation.log_every);
          const step = await Step.compile<never>(model.step, optimizer, { batch, accumulate, seed: optim.seed, ring });
          return stepRunner<never>(step, schedule, (at, i) => model.batch(schedule.items(at, i)));
        },
      }],
      columns: ["loss", "lr", ...metrics],
      cadence: {
        logEvery: evaluation.log_every,
        saveEvery: evaluation.save_every,
        saveEverySteps: evaluation.save_every_steps,
      },
      hints: { first: "Look at the scale of the data", later: "Lower lr, or set clip_norm" },
      inputs: inputsOf(values, fingerprint),
      files: () => partFiles(parameters, parts),
      load: (read, where) => loadParts(parameters, parts, read, where),
    },
    describe: () => `Model: ${parameters.count().all} parameters; ${items} items`,
    evidence: ({ best: judged, end }) => {
      if (judged) loadParts(parameters, parts, judged.read, judged.path);
      return Promise.resolve(evidenceOf(name, optim.seed, judged?.state as { loop?: LoopState }, end.state.step));
    },
    close() {
      optimizer.destroy();
      parameters.destroy();
      model.close?.();
    },
  };
}

/** Which items a step sees. */
function scheduleOf(name: string, optim: Values["optim"], items: number): Schedule {
  const schedule = new Schedule({
    seed: optim.seed,
    count: items,
    batch: optim.batch_size,
    accumulate: optim.grad_accum,
    epochs: optim.epochs,
    steps: optim.steps,
  });
  if (schedule.batch < optim.batch_size) {
    throw new ConfigError(`Cannot train ${name}: batches of ${optim.batch_size} of ${items} items`, {
      hint: `batch_size: ${items}`,
    });
  }
  return schedule;
}

function optimizerOf(parameters: Parameters, optim: Values["optim"]): AdamW {
  const groups = decayMatrices(optim.weight_decay).map((group) => ({ ...group, rate: "lr" }));
  return new AdamW(parameters, groups, adamwOptions(optim));
}

function inputsOf(values: Values, fingerprint: string): RunInputs {
  return {
    settings: trainingSettings(values),
    facts: { data: fingerprint },
    agree(state, path) {
      if (state.data === fingerprint) return;
      throw new DataError(`Cannot go on with ${path}: the data changed since`, {
        code: "data-changed",
        hint: "Bring them back, or begin anew with overwrite: true",
      });
    },
    verify: () => Promise.resolve(),
  };
}

function evidenceOf(name: string, seed: number, state: { loop?: LoopState } | undefined, to: number): MethodEvidence {
  const step = state?.loop?.step;
  return {
    identity: {},
    parts: {},
    facts: {
      title: name,
      method: { name, label: name },
      seed,
      ...(step === undefined ? {} : { best_step: step }),
      stages: [{ name: "training", from: 0, to }],
    },
    lines: [],
    json: {},
  };
}
