/**
 * A trained run, opened for use by its method.
 *
 * @module
 */

import { ConfigError, type DataError } from "../core/errors.ts";
import type { TrainedModel } from "../eval/inference.ts";
import type { Gpu } from "../gpu/device.ts";
import { disk, readText } from "../io/fs.ts";
import { isTyped } from "../io/system_error.ts";
import { DEFAULT_METHOD, METHOD_NAMES, methodOf } from "../methods/index.ts";
import type { AnyMethod, AnyRunConfig, TrainedRun, UseOptions } from "../methods/method.ts";
import { licenceOf } from "../models/opened_encoder.ts";
import { OPTIMIZER_FILE } from "../train/checkpoint.ts";
import type { Host } from "../train/host.ts";
import type { CheckpointName, FoundCheckpoint } from "../train/run.ts";
import { givenText } from "../train/config/format.ts";
import { checkSettings, trainingSettings } from "../train/settings.ts";
import { checkWhole, findCheckpoint, runAround } from "./checkpoints.ts";
import { isChecked, runWarnings } from "./checks.ts";
import { checkEncoder } from "./encoder.ts";
import { checkConfigText, checkState } from "./start.ts";

/** Which run, and how. */
export interface RunRequest extends UseOptions {
  /** Folder of the run. */
  readonly run: string;
  readonly checkpoint: CheckpointName;
  readonly host: Host;
}

/** An open run. */
export interface OpenedRun extends Pick<KnownRun, "organs" | "data"> {
  readonly model: TrainedModel;
  /** Patches a batch. */
  readonly batchSize: number;
  /** For outputs. */
  readonly origin: {
    readonly run: string;
    readonly checkpoint: string;
    readonly encoder: string;
    readonly licence: string;
    readonly step: number;
  };
  close(): Promise<void>;
}

/** What a run was trained by and with. */
export interface RunSettings {
  readonly method: AnyMethod;
  readonly config: AnyRunConfig;
}

/**
 * Method and configuration of a run.
 *
 * @param own A method that is none of the registry's, where the run was trained by one.
 * @throws {DataError} If the configuration is not what training wrote.
 * @throws {ConfigError} If it was trained by another method than `own`, or by one that is not known.
 */
export async function runSettings(run: string, own?: AnyMethod): Promise<RunSettings> {
  const path = `${run}/config.yaml`;
  let text: string;
  try {
    text = readText(path);
  } catch (cause) {
    const around = runAround(run);
    throw new ConfigError(`Cannot open the run ${run}: ${path} cannot be read`, {
      hint: around === undefined
        ? "Give the folder that train wrote, as --run runs/NAME"
        : `Give the run itself, --run ${around}; its checkpoints are found in it`,
      context: { run },
      cause,
    });
  }
  checkConfigText(run, text);
  const documents = [{ name: path, text }];
  const name = givenText("method", documents, []) ?? DEFAULT_METHOD;
  if (own !== undefined && own.name !== name) {
    throw new ConfigError(`Cannot open the run ${run} as one of ${own.name}: it was trained by ${name}`, {
      code: "method-unsupported",
      hint: METHOD_NAMES.includes(name)
        ? `openRun(folder, { method: "${name}" })`
        : `Pass the method ${name} that defineMethod made`,
      context: { run, method: name },
    });
  }
  if (own === undefined && !METHOD_NAMES.includes(name)) {
    throw new ConfigError(`Cannot open the run ${run}: it was trained by ${name}, which is none of the methods here`, {
      code: "method-unsupported",
      hint: "Open it in a program: openRun(folder, { method }) with what defineMethod made",
      context: { run, method: name },
    });
  }
  const method = own ?? await methodOf(documents);
  return { method, config: method.config.read(documents).config };
}

/**
 * Makes sure that models of a run's method give expression.
 *
 * @throws {ConfigError} If they neither predict nor retrieve.
 */
export function usable<M extends Pick<AnyMethod, "name" | "trained" | "slides">>(
  method: M,
  run: string,
): M & Required<Pick<M, "trained">> {
  if (method.trained !== undefined) return method as M & Required<Pick<M, "trained">>;
  const { name } = method;
  throw new ConfigError(`Cannot predict or retrieve with ${run}: models of method ${name} give no expression`, {
    code: "method-unsupported",
    hint: method.slides === undefined
      ? `Give a run of a method that does, such as ${DEFAULT_METHOD}`
      : "It tells classes of slides from stored features: deno task predict --run RUN --features DIR",
    context: { run, method: name },
  });
}

/**
 * A checkpoint of a run, compared with what the run ended with and with its configuration.
 *
 * @throws {ConfigError} If it has none of that name.
 * @throws {DataError} If it lacks a file, or one is not what was written.
 */
export function checkpointOf(run: string, name: CheckpointName, config: AnyRunConfig): FoundCheckpoint {
  const found = findCheckpoint(run, name);
  if (found) {
    checkState(run, found.path);
    checkSettings(found, trainingSettings(config));
    // What only training needs may be large.
    checkWhole(found, (name) => name !== OPTIMIZER_FILE);
    return found;
  }
  const other = name === "best" ? "last" : "best";
  throw new ConfigError(`Cannot open the run ${run}: it has no checkpoint "${name}"`, {
    ...(findCheckpoint(run, other) ? { hint: `It has --checkpoint ${other}` } : {}),
    context: { run, checkpoint: name },
  });
}

/** What can be known of a request before the device is. */
export interface KnownRun extends TrainedRun {
  readonly found: FoundCheckpoint;
  /** Whether all files could be compared with what training wrote. */
  readonly checked: boolean;
  /** Of the encoder's weights. */
  readonly licence: string;
}

/**
 * Reads what a run says of itself, and refuses what is wrong with it.
 *
 * @throws {ConfigError} If the folder is no run, lacks the checkpoint, its method predicts nothing, or there is no such encoder.
 * @throws {WeightsError | DataError} If the checkpoint lacks a file.
 */
export async function lookAtRun(request: Pick<RunRequest, "run" | "checkpoint" | "encoder">): Promise<KnownRun> {
  const { run } = request;
  const { method, config } = await runSettings(run);
  const able = usable(method, run);
  const found = checkpointOf(run, request.checkpoint, config);
  const trained = able.trained(config, found);
  const spec = request.encoder !== undefined
    ? await checkEncoder(request.encoder)
    : await ofTraining(run, "encoder", [trained.encoder], () => checkEncoder(trained.encoder));
  const licence = licenceOf(request.encoder ?? trained.encoder, spec);
  return { ...trained, found, checked: isChecked(run, found), licence };
}

/** Codes of what is not where it was when a run was trained. */
const MOVED: readonly unknown[] = ["encoder-unknown", "no-samples"];

/** Does what needs paths as training was given them, which may have been relative to another folder. */
export async function ofTraining<T>(
  run: string,
  flag: "data" | "encoder",
  paths: readonly string[],
  act: () => T | Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const moved = paths.filter((path) => disk.look(path) === undefined);
    if (!isTyped(error) || !MOVED.includes(error.code) || moved.length === 0) throw error;
    const { message, code, context } = error;
    throw new (error.constructor as typeof DataError)(message, {
      code,
      context,
      cause: error,
      hint: `${run} was trained with ${moved.map((path) => `--${flag} ${path}`).join(" ")}; ` +
        `say where that is now with --${flag}`,
    });
  }
}

/** How outputs name a run. */
export function originOf(
  run: string,
  checkpoint: string,
  { found, licence }: Pick<KnownRun, "found" | "licence">,
): OpenedRun["origin"] {
  const { loop, encoder } = found.state as { loop?: { step?: number }; encoder?: string };
  return { run, checkpoint, encoder: encoder ?? "unknown", licence, step: loop?.step ?? -1 };
}

/**
 * Opens a run.
 *
 * @param known From {@linkcode lookAtRun}.
 * @throws {WeightsError} If the encoder's weights are not those it was trained with, or the checkpoint lacks a file.
 */
export async function openRun(gpu: Gpu, request: RunRequest, known: KnownRun): Promise<OpenedRun> {
  const { run, host, batchSize } = request;
  for (const warning of runWarnings(run, known.found)) host.reporter.warn(warning);
  const { model, close } = await known.open(gpu, host, request);
  const { organs, data } = known;
  return { model, organs, data, batchSize, origin: originOf(run, request.checkpoint, known), close };
}
