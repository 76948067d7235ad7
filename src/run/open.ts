/**
 * A trained run, opened for use: its configuration, encoder, checkpoint and vocabulary.
 *
 * @module
 */

import { ConfigError, type DataError, WeightsError } from "../core/errors.ts";
import { parseVocabulary, type Vocabulary } from "../data/vocabulary.ts";
import type { SealInference } from "../eval/inference.ts";
import { Trained } from "../methods/seal/trained.ts";
import type { Gpu } from "../gpu/device.ts";
import { disk, readText } from "../io/fs.ts";
import { type Adapter, readAdapter } from "../io/peft.ts";
import { fromMap } from "../io/random_access.ts";
import { readSafetensorsF32 } from "../io/safetensors.ts";
import { isTyped } from "../io/system_error.ts";
import { loadModel } from "../methods/seal/checkpoint.ts";
import { SEAL_CONFIG, type SealConfig } from "../methods/seal/config.ts";
import { createSealModel } from "../methods/seal/model.ts";
import { checkEncoder } from "./encoder.ts";
import { checkFed, type FedAs, type OpenedEncoder } from "../models/opened_encoder.ts";
import { hostOf } from "./host.ts";
import type { Reporter } from "../core/reporter.ts";
import { isChecked, runWarnings } from "./checks.ts";
import { checkSettings, trainingSettings } from "../train/settings.ts";
import { checkWhole, findCheckpoint, runAround } from "./checkpoints.ts";
import type { CheckpointName, FoundCheckpoint } from "../train/run.ts";
import { checkConfigText, checkState } from "./start.ts";
import { openVision } from "../train/open_rows.ts";

/** Which run, and how. */
export interface RunRequest {
  /** Folder of the run. */
  readonly run: string;
  readonly checkpoint: CheckpointName;
  /** Where the encoder's weights are now, if elsewhere than at training. */
  readonly encoder?: string | undefined;
  readonly precision?: "f32" | "f16" | undefined;
  /** Patches a batch. */
  readonly batchSize: number;
  readonly progress: Reporter;
}

/** An open run. */
export interface OpenedRun {
  readonly config: SealConfig;
  readonly model: SealInference;
  /** Patches a batch. */
  readonly batchSize: number;
  /** Whether images need an organ. */
  readonly organs: boolean;
  /** For outputs. */
  readonly origin: {
    readonly run: string;
    readonly checkpoint: string;
    readonly encoder: string;
    readonly step: number;
  };
  close(): Promise<void>;
}

/**
 * The configuration of a run.
 *
 * @throws {DataError} If it is not what training wrote.
 */
export function runConfig(run: string): SealConfig {
  const path = `${run}/config.yaml`;
  let text: string;
  try {
    text = readText(path);
  } catch (cause) {
    const around = runAround(run);
    throw new ConfigError(`Cannot open the run ${run}: ${path} cannot be read`, {
      hint: around === undefined
        ? "Give the folder that train wrote, as --run runs/NAME"
        : `Give the run itself, --run ${around}; --checkpoint says which of its checkpoints`,
      context: { run },
      cause,
    });
  }
  checkConfigText(run, text);
  return SEAL_CONFIG.read([{ name: path, text }]).config;
}

function checkpointOf(run: string, name: CheckpointName): FoundCheckpoint {
  const found = findCheckpoint(run, name);
  if (found) {
    checkState(run, found.path);
    return found;
  }
  const other = name === "best" ? "last" : "best";
  throw new ConfigError(`Cannot open the run ${run}: it has no checkpoint "${name}"`, {
    ...(findCheckpoint(run, other) ? { hint: `It has --checkpoint ${other}` } : {}),
    context: { run, checkpoint: name },
  });
}

/** What can be known of a request before the device is. */
export interface KnownRun {
  readonly config: SealConfig;
  readonly found: FoundCheckpoint;
  readonly vocabulary: Vocabulary;
  /** Whether all files could be compared with what training wrote. */
  readonly checked: boolean;
}

/**
 * Reads what a run says of itself, and refuses what is wrong with it.
 *
 * @throws {ConfigError} If the folder is no run, lacks the checkpoint, or there is no such encoder.
 * @throws {WeightsError | DataError} If the checkpoint lacks a file.
 */
export async function lookAtRun(request: Pick<RunRequest, "run" | "checkpoint" | "encoder">): Promise<KnownRun> {
  const config = runConfig(request.run);
  const found = checkpointOf(request.run, request.checkpoint);
  // What only training needs may be large.
  checkSettings(found, trainingSettings(config));
  checkWhole(found, (name) => name !== "optimizer.safetensors");
  const bytes = found.read("genes.json");
  if (!bytes) throw new WeightsError(`Cannot load ${found.path}: genes.json is missing`);
  const vocabulary = parseVocabulary(bytes, `${found.path}/genes.json`);
  if (request.encoder !== undefined) await checkEncoder(request.encoder);
  else {
    const { encoder } = config.input;
    await ofTraining(request.run, "encoder", [encoder], () => checkEncoder(encoder));
  }
  return { config, found, vocabulary, checked: isChecked(request.run, found) };
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
export function originOf(run: string, checkpoint: string, { found }: Pick<KnownRun, "found">): OpenedRun["origin"] {
  const { loop, encoder } = found.state as { loop?: { step?: number }; encoder?: string };
  return { run, checkpoint, encoder: encoder ?? "unknown", step: loop?.step ?? -1 };
}

/**
 * Opens a run.
 *
 * @param known From {@linkcode lookAtRun}.
 * @throws {WeightsError} If the encoder's weights are not those it was trained with, or the checkpoint lacks a file.
 */
export async function openRun(gpu: Gpu, request: RunRequest, known: KnownRun): Promise<OpenedRun> {
  const { run, progress, batchSize } = request;
  const { found, vocabulary } = known;
  const config = forUse(known.config, request);
  for (const warning of runWarnings(run, found)) progress.warn(warning);
  // What it was fed in training, the starting adapter of which is not asked again.
  const fed = (found.state ?? {}) as FedAs;
  const image_size = fed.image_size ?? config.input.image_size;
  const input = { ...config.input, image_size };
  const trained = await adapterOf(found);
  const { opened } = await openVision(gpu, { ...config, input }, hostOf(progress), { sealInput: false, trained });
  trained?.close();
  checkWeights(opened, found);
  checkFed(fed, opened, found.path, image_size);
  const slides = slidesOf(found, config);
  const seal = createSealModel(opened.encoder, config, { genes: vocabulary.genes.length, slides });
  seal.parameters.allocate();
  loadModel(seal, found.read, found.path);
  const runner = new Trained(seal, vocabulary, batchSize);
  return {
    config,
    model: runner,
    batchSize,
    organs: seal.organs,
    origin: originOf(run, request.checkpoint, known),
    async close() {
      await runner.destroy();
      seal.parameters.destroy();
    },
  };
}

/** The checkpoint's adapter, if it has one. */
async function adapterOf({ read, path }: FoundCheckpoint): Promise<Adapter | undefined> {
  const files = ["adapter_config.json", "adapter_model.safetensors"].flatMap((name): [string, Uint8Array][] => {
    const bytes = read(name);
    return bytes ? [[name, bytes]] : [];
  });
  return files.length === 2 ? await readAdapter(fromMap(new Map(files), path)) : undefined;
}

/** The configuration with what only training needs left out: weights to start from come from the checkpoint. */
function forUse(config: SealConfig, { encoder, precision }: RunRequest): SealConfig {
  return {
    ...config,
    input: { ...config.input, adapter: null, omics: null, ...(encoder === undefined ? {} : { encoder }) },
    optim: { ...config.optim, ...(precision === undefined ? {} : { precision }) },
  };
}

function checkWeights({ name, weightsHash }: OpenedEncoder, { path, state }: FoundCheckpoint): void {
  const { weights, encoder } = state as { weights?: string; encoder?: string };
  if (weights === undefined || weights === weightsHash) return;
  throw new WeightsError(`Cannot load ${path}: it was trained on other weights of ${encoder} than ${name} has here`, {
    hint: "Name the weights it was trained on with --encoder",
    context: { given: weightsHash, wanted: weights },
  });
}

/** Classes of the discriminator, which depend on the slides that were trained on. */
function slidesOf({ read, path }: FoundCheckpoint, { loss }: SealConfig): number {
  if (!(loss.lambda_da > 0)) return 0;
  const bytes = read("heads.safetensors");
  const heads = bytes && readSafetensorsF32(bytes, `${path}/heads.safetensors`).tensors;
  return heads?.get("out_layer.weight")?.shape[0] ?? 0;
}
