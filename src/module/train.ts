/**
 * Training by a method's name: a typed configuration, events, an abort signal, and the run that comes of it.
 *
 * @module
 */

import { ConfigError, InterruptedError } from "../core/errors.ts";
import type { Value } from "../core/config_key.ts";
import type { MethodSettings } from "../methods/settings.gen.ts";
import type { ConfigOverrides } from "../train/config/format.ts";
import type { MetricRow } from "../train/metrics.ts";
import { checkOptions, checkSignal, checkTexts, type Known } from "./check.ts";
import { type Device, deviceOf } from "./device.ts";
import type { Hest } from "./hest.ts";
import { sourceOf } from "./hest_source.ts";
import { configOfPairs, type HestPairs } from "./pairs.ts";
import { type OwnMethod, partsBehind } from "./own_method.ts";
import { saveRunAdapter } from "./adapter.ts";
import { forPrograms } from "./hints.ts";
import { type ClassifierMethod, openRun, type OpenSlidesOptions, type SlideRuns } from "./open_run.ts";
import type { OwnModel } from "./own_model.ts";
import type { OwnRun } from "./own_run.ts";
import type { OpenOptions, OpenRunOptions, Run } from "./run.ts";
import type { ImageEncoder } from "./image_encoder.ts";
import { LISTENER, type Listener, listener } from "./listener.ts";

/** What is reported while a run trains: a logged step, or an evaluation of what is held out. */
export interface TrainingEvent {
  /** Optimiser steps so far, over all stages. */
  readonly step: number;
  /** Epochs so far in the stage. */
  readonly epoch: number;
  /** Name of the stage. */
  readonly stage: string;
  /** Loss of the step; undefined of evaluations. */
  readonly loss: number | undefined;
  /** All numbers by the names of `metrics.csv`. */
  readonly values: Readonly<Record<string, number>>;
}

/** How a run trains. */
export interface TrainOptions<Settings> extends Listener {
  /** The device; one is opened by default, and closed at the end. */
  readonly gpu?: Device | undefined;
  /**
   * Encoder that is fine-tuned: its name or path, or one that {@linkcode loadEncoder} opened, which stays as it is; training
   * reads its weights again. The configuration's by default.
   */
  readonly encoder?: string | ImageEncoder | undefined;
  /**
   * Data folders in HEST's layout; what {@linkcode openHest} opened, of which the chosen samples train; or its pairs, whose genes
   * and held-out samples the run then has. Methods of other data have keys of their own.
   */
  readonly data?: string | readonly string[] | Hest | HestPairs | undefined;
  /** Folder of the run. One that was begun with the same configuration is resumed. */
  readonly out: string;
  /** Keys of the method; what is left out has its default. */
  readonly config?: Settings | undefined;
  /** Write over a run that is there; default false. */
  readonly overwrite?: boolean | undefined;
  /** Stops within a step; what was trained is kept, and the same call resumes it. */
  readonly signal?: AbortSignal | undefined;
  /** Told of each step that is logged, which are every `log_every`. */
  readonly onStep?: ((event: TrainingEvent) => void) | undefined;
  /** Told of each evaluation of what is held out. */
  readonly onEpoch?: ((event: TrainingEvent) => void) | undefined;
}

const TRAIN_OPTIONS: Known<TrainOptions<object>> = {
  ...LISTENER,
  gpu: true,
  encoder: true,
  data: true,
  out: true,
  config: true,
  overwrite: true,
  signal: true,
  onStep: true,
  onEpoch: true,
};

/** What a run opens as. */
export type OpenedAs = Run | SlideRuns[keyof SlideRuns] | OwnRun<OwnModel>;

/** A finished training run. */
export interface TrainedFolder<R extends OpenedAs = Run> {
  /** Its folder, with checkpoints, metrics, evidence and `report.html`. */
  readonly folder: string;
  /** What `train --json` prints: steps, reason of the end, results by name. */
  readonly result: Readonly<Record<string, unknown>>;
  /**
   * Writes the low-rank adapter as PEFT's two files.
   *
   * @param folder Made if it is not there.
   * @throws {ConfigError} If the run trained none, or the folder has another adapter.
   */
  saveAdapter(folder: string, checkpoint?: "best" | "last"): Promise<void>;
  /** Opens it for use, as {@linkcode openRun}. */
  open(options?: R extends Run ? OpenRunOptions : OpenOptions): Promise<R>;
}

/** A finished training run of slides. */
export interface TrainedSlides extends TrainedFolder<SlideRuns["classification"]> {
  /** Opens one that tells classes, as {@linkcode openRun}. */
  open(options?: OpenOptions & { readonly task?: "classification" }): Promise<SlideRuns["classification"]>;
  /** Opens one that tells risks or numbers. */
  open<Task extends keyof SlideRuns>(options: OpenSlidesOptions<Task>): Promise<SlideRuns[Task]>;
}

/**
 * Trains an encoder.
 *
 * ```ts
 * import { train } from "@seal-webgpu/seal";
 *
 * const run = await train("seal", {
 *   data: "data/hest",
 *   encoder: "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32",
 *   out: "runs/example",
 *   config: { epochs: 1, batch_size: 16, n_train_genes: 64, panel_genes: 8, hidden_dims: [16], log_every: 1 },
 *   onStep: ({ step, loss }) => console.log(step, loss),
 * });
 * await run.saveAdapter("runs/example-lora");
 * console.log(run.result);
 * ```
 *
 * @param method Name of the method; `seal` aligns patches with expression (arXiv 2602.14177).
 * @throws {ConfigError} If there is no such method or key, a value does not fit, or the folder may not be used.
 * @throws {DataError | FormatError | WeightsError} If data or encoder cannot be used; nothing is left then.
 * @throws {InterruptedError} If the signal was aborted; the same call goes on.
 * @throws {DeviceError} If there is no adapter.
 */
export function train<Name extends keyof MethodSettings>(
  method: Name,
  options: TrainOptions<MethodSettings[Name]>,
): Promise<Name extends ClassifierMethod ? TrainedSlides : TrainedFolder>;
/** Trains by a method of one's own, which `defineMethod` of `@seal-webgpu/seal/train` made. */
export function train<Settings, M extends OwnModel>(
  method: OwnMethod<Settings, M>,
  options: TrainOptions<Settings>,
): Promise<TrainedFolder<OwnRun<M>>>;
/** Trains. */
export async function train(
  method: keyof MethodSettings | OwnMethod<unknown>,
  options: TrainOptions<object>,
): Promise<TrainedFolder<OpenedAs>> {
  checkOptions("train", options, TRAIN_OPTIONS);
  const { signal, out } = options;
  checkSignal("train", signal);
  if (typeof out !== "string" || out === "") {
    throw new ConfigError("Cannot train: out is missing, a folder is wanted", {
      hint: 'For example out: "runs/first"',
    });
  }
  try {
    const result = await trainNow(method, options);
    return {
      folder: out,
      result,
      saveAdapter: (folder, checkpoint = "best") => saveRunAdapter(out, folder, checkpoint),
      open: (more) => openRun(out, { ...more, method: method as "seal" }),
    };
  } catch (cause) {
    if (!signal?.aborted) throw forPrograms(cause, { config: true });
    throw new InterruptedError(`Cannot go on training ${out}: the signal was aborted`, {
      hint: "What was trained is kept; the same call of train goes on with it",
      context: { folder: out },
      cause,
    });
  }
}

async function trainNow(
  asked: keyof MethodSettings | OwnMethod<unknown>,
  { gpu, encoder, data, out, config, overwrite = false, signal, onStep, onEpoch, ...told }: TrainOptions<object>,
): Promise<Readonly<Record<string, unknown>>> {
  signal?.throwIfAborted();
  const [{ loadMethod }, { hostOf, runHome }, run, { Stopwatch }] = await Promise.all([
    import("../methods/index.ts"),
    import("../run/host.ts"),
    import("../run/train.ts"),
    import("../core/stopwatch.ts"),
  ]);
  const method = typeof asked === "string" ? await loadMethod(asked) : partsBehind(asked)?.method;
  if (method === undefined) {
    throw new ConfigError("Cannot train: the method is neither a name nor made by defineMethod", {
      hint: 'For example train("seal", …)',
    });
  }
  const { name } = method;
  const device = gpu ?? (typeof encoder === "object" ? encoder.gpu : undefined);
  const own = {
    ...config,
    ...(data === undefined ? {} : await dataOf(data, config ?? {})),
    ...(encoder === undefined ? {} : await encoderOf(encoder)),
    out,
    method: name,
  };
  const { config: resolved } = method.config.read([], await overridesOf(own));
  const [, program, version] = /^([^/]+)\/(\S+)/.exec(navigator.userAgent) ?? [];
  return await run.train({
    method,
    config: resolved,
    home: runHome(out),
    host: hostOf(listener(told), signal),
    clock: { date: () => new Date(), ms: () => performance.now() },
    overwrite,
    gracefully: (act) => act(),
    openGpu: async () => (await deviceOf(device)).gpu,
    keepGpu: device !== undefined && "caps" in device,
    onRow: (row) => (row.split === "train" ? onStep : onEpoch)?.(eventOf(row)),
    started: new Date(),
    stopwatch: new Stopwatch(),
    demo: false,
    command: `train("${name}", …)`,
    versions: program === undefined ? {} : { [program]: version! },
  });
}

function eventOf({ step, epoch, stage, values }: MetricRow): TrainingEvent {
  return { step, epoch, stage, loss: values.loss, values };
}

/** Keys that say which encoder. */
async function encoderOf(encoder: string | ImageEncoder): Promise<object> {
  if (typeof encoder === "string") return { encoder };
  const { ImageEncoder, loadedFrom } = await import("./image_encoder.ts");
  if (!(encoder instanceof ImageEncoder)) {
    throw new ConfigError("Cannot train: encoder is neither a name nor opened by loadEncoder", {
      hint: 'For example encoder: "conch"',
    });
  }
  const { source, adapter, imageSize, pooling, dtype } = loadedFrom(encoder);
  const found = source === undefined ? "files in hand" : pooling === undefined ? undefined : `pooling ${pooling}`;
  if (found !== undefined || typeof adapter === "object") {
    throw new ConfigError(
      `Cannot train ${encoder.name}: it was loaded with ${found ?? "an adapter in hand"}, a name or path is wanted`,
      { hint: "Pass the folder of its weights" },
    );
  }
  return { encoder: source, adapter, image_size: imageSize, ...(dtype === "f16" && { precision: "f16" }) };
}

/** Keys that say which data, and how pairs of them were chosen. */
async function dataOf(data: string | readonly string[] | Hest | HestPairs, config: object): Promise<object> {
  if (typeof data === "string") return { data: [data] };
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    checkTexts("train", "data", data);
    return { data };
  }
  const { disk, files, lenience: { counts, dropBadSpots, dropUnknownPatches } } = sourceOf(data as Hest);
  if (disk !== (await import("../io/fs.ts")).disk) {
    throw new ConfigError("Cannot train on data of a disk of one's own: training reads folders of the host", {
      hint: "Open them without disk",
    });
  }
  const keys: Readonly<Record<string, unknown>> = {
    data: [...new Set(files.map(({ folder }) => folder))],
    samples: files.map(({ id }) => id),
    ...(counts !== undefined && { counts }),
    ...(dropBadSpots && { drop_bad_spots: true }),
    ...(dropUnknownPatches && { drop_unknown_patches: true }),
    ...configOfPairs(data as Hest),
  };
  for (const [key, value] of Object.entries(config)) {
    if (value === undefined || !(key in keys) || JSON.stringify(value) === JSON.stringify(keys[key])) continue;
    throw new ConfigError(`Cannot use ${key} of config: the data that were opened decide it`, {
      hint: "Say it where they are opened, or name the folder as data",
      context: { key },
    });
  }
  return keys;
}

/** Keys and values as a command line has them. */
async function overridesOf(values: object): Promise<ConfigOverrides> {
  const { writeValue } = await import("../train/config/value.ts");
  return Object.entries(values).filter(([, value]) => value !== undefined).map(([key, value]) => {
    const plain = (one: unknown) => typeof one === "string" || typeof one === "boolean" || Number.isFinite(one);
    if (value !== null && !plain(value) && !(Array.isArray(value) && value.every(plain))) {
      throw new ConfigError(`Cannot use ${key}: given ${String(value)}, wanted a number, text, boolean, list or null`, {
        context: { key },
      });
    }
    return [key, typeof value === "string" ? value : writeValue(value as Value)] as const;
  });
}
