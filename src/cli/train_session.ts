/**
 * From a configuration to everything a training run works with: data, encoder, model, cache, optimiser.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { readBytes, type SampleFiles } from "../data/data_folder.ts";
import type { HoldOuts } from "../data/holdout.ts";
import { type GeneChoice, openTrainingSet, type TrainingSetOptions } from "../data/open_training_set.ts";
import type { PatchSource } from "../data/patch_source.ts";
import { isNote } from "../data/sample_checks.ts";
import type { TrainingSet } from "../data/training_set.ts";
import { parseVocabulary } from "../data/vocabulary.ts";
import { threefry2x32 } from "../core/rng.ts";
import type { Gpu } from "../gpu/device.ts";
import { disk, makeFolder, openFile } from "../io/fs.ts";
import { openWeights } from "../io/weights.ts";
import type { EncoderCut } from "../models/encoder.ts";
import type { LoraOptions } from "../nn/layers.ts";
import { updatesOf } from "../models/lora_layers.ts";
import type { Adapter } from "../io/peft.ts";
import { loadOmics } from "../models/omics_file.ts";
import { organId, ORGANS } from "../models/organ_token.ts";
import { fanInUniform, moduleRng } from "../nn/init.ts";
import { Parameters } from "../nn/parameters.ts";
import { AdamW } from "../optim/adamw.ts";
import { parameterGroups } from "../optim/param_groups.ts";
import type { TrainConfig } from "../train/config.ts";
import { Inference } from "../train/inference.ts";
import { createSealModel, GENE_PREFIX, type SealModel } from "../train/seal_model.ts";
import { Trunk, type ViewImages, type ViewOf } from "../train/trunk.ts";
import { checkTrunkBudget, DeviceTrunk, DiskTrunk, type TrunkRows, type TrunkStore } from "../train/trunk_store.ts";
import { type VisionPart, visionPart } from "../train/vision.ts";
import { cachedInput, pixelInput, type VisionInput } from "../train/vision_input.ts";
import { openPatchPool } from "../worker/patch_pool.ts";
import { sha256Of } from "../io/checksum.ts";
import { lockFile } from "../io/lock.ts";
import { DataMark } from "./data_mark.ts";
import { type OpenedEncoder, openEncoder, sayEncoder } from "./encoder.ts";
import { loadOptions } from "./expression_flags.ts";
import type { Progress } from "./progress.ts";
import { checkCheckpointFile } from "./run_folder.ts";
import { wantedPanel } from "./train_panel.ts";

/** Everything of a run. */
export interface Session {
  readonly config: TrainConfig;
  readonly gpu: Gpu;
  readonly set: TrainingSet;
  /** What tells these data from others. */
  readonly data: DataMark;
  readonly patches: PatchSource;
  readonly opened: OpenedEncoder;
  readonly vision: VisionPart;
  readonly model: SealModel;
  readonly optimizer: AdamW;
  /** Images as training sees them. */
  readonly training: VisionInput;
  /** Patches as they are. */
  readonly plain: Inference;
  /** The cache, if there is one. */
  readonly trunk: Trunk | undefined;
  readonly store: TrunkStore | undefined;
  /** The view of a pair in an epoch. */
  view(epoch: number, pair: number): ViewOf;
  /** The patch as it is. */
  unchanged(pair: number): ViewOf;
  /** Organ of each sample; empty without an organ token. */
  readonly organs: readonly number[];
  close(): void;
}

/** Images computed at a time by the frozen part and in evaluation. */
const BATCH = { gpu: 64, software: 16 } as const;

/** Which samples a configuration wants, by their metadata; undefined when all. */
export function wanted({ input }: TrainConfig): ((sample: SampleFiles) => boolean) | undefined {
  const { exclude_samples, technologies, species, organs } = input;
  if (!exclude_samples.length && !technologies && !species && !organs) return undefined;
  const among = (list: readonly string[] | null, text: string | undefined) =>
    list === null || (text !== undefined && list.some((name) => name.toLowerCase() === text.toLowerCase()));
  return ({ id, metadata }) =>
    !exclude_samples.includes(id) && among(technologies, metadata?.text("st_technology")) &&
    among(species, metadata?.text("species")) && among(organs, metadata?.text("organ"));
}

/** What a configuration holds out. */
export function heldOut({ split, optim }: TrainConfig): HoldOuts {
  const { holdout_donors: donors, holdout_samples: samples, holdout_fraction: share } = split;
  const named = donors.length > 0 || samples.length > 0;
  return { test: named ? { donors, samples } : share > 0 ? { share } : {}, seed: optim.seed };
}

/** The file with genes: a vocabulary of a run, or names line by line. */
function genesOf({ genes }: TrainConfig): GeneChoice {
  if (genes.gene_list === null) {
    const include = genes.genes_include.map((name) => name.toUpperCase());
    return { criterion: genes.gene_criterion, size: genes.n_train_genes, include };
  }
  checkCheckpointFile(genes.gene_list);
  const bytes = readBytes(disk, genes.gene_list);
  if (genes.gene_list.endsWith(".json")) return { vocabulary: parseVocabulary(bytes, genes.gene_list) };
  const names = new TextDecoder().decode(bytes).split(/\r?\n/).map((line) => line.trim().toUpperCase()).filter(Boolean);
  if (names.length === 0) throw new DataError(`Cannot use ${genes.gene_list}: it names no gene`);
  return { genes: names };
}

/** How the data of a configuration are opened. */
export function dataOptions(config: TrainConfig): TrainingSetOptions {
  const { input, genes, split } = config;
  return {
    folders: input.data,
    samples: input.samples ?? undefined,
    ...(wanted(config) && { select: wanted(config)! }),
    holdOut: heldOut(config),
    genes: genesOf(config),
    panel: wantedPanel(config),
    layer: genes.spot_context ? "context" : "own",
    load: loadOptions(config),
    allowDenied: input.allow_denied,
    leastCoverage: input.least_coverage,
    // Samples named by hand may be of a donor that trains too, as serial sections are; the report says so.
    allowLeakage: split.holdout_samples.length > 0,
  };
}

/** Opens the data. */
export async function openData(config: TrainConfig, progress: Progress, signal?: AbortSignal): Promise<TrainingSet> {
  const set = await openTrainingSet(disk, {
    ...dataOptions(config),
    signal,
    onSample: (done, total, id) => progress.update(`read ${id}`, done, total, "slides"),
  });
  for (const line of set.warnings) isNote(line) ? progress.say(line) : progress.warn(line);
  return set;
}

/** Views kept of a patch, by their places among the 8 flips and rotations and the colours behind them. */
function places({ cache_views, cache_colour_views }: TrainConfig["cache"]): number[] {
  return Array.from(
    { length: cache_views + cache_colour_views },
    (_, i) => (i < cache_views ? i : 8 + i - cache_views),
  );
}

/** Views of patches for the cache: `view` is a place in the list of flips, rotations and colours. */
function cachedViews(patches: PatchSource, { cache, optim }: TrainConfig): ViewImages {
  const place = places(cache);
  return async (views) => {
    const pairs = Uint32Array.from(views, ({ pair }) => pair);
    const view = views.map((of) => place[of.view]!);
    return (await patches.batch({ pairs, variant: { view, seed: optim.seed } })).data;
  };
}

/** Augmented patches: `view` is the epoch plus one, 0 the patch as it is. */
function augmentedViews(patches: PatchSource, { optim }: TrainConfig): ViewImages {
  return async (views) => {
    const epoch = views[0]!.view - 1;
    const pairs = Uint32Array.from(views, ({ pair }) => pair);
    const variant = { recipe: epoch < 0 ? "none" : optim.augment, seed: optim.seed, epoch } as const;
    return (await patches.batch({ pairs, variant })).data;
  };
}

const VIEW_STREAM = 0x76696577;

function cacheKey({ set, patches }: DataMark, opened: OpenedEncoder, parts: unknown): string {
  const { input } = opened.encoder.spec;
  return sha256Of(JSON.stringify([opened.weightsHash, input, set.fingerprint, patches, parts]));
}

async function openTrunk(
  session: Pick<Session, "config" | "gpu" | "set" | "data" | "patches" | "opened">,
  cut: EncoderCut,
  progress: Progress,
): Promise<{ trunk: Trunk; store: TrunkStore; views: number; dtype: "f32" | "f16" }> {
  const { config, gpu, set, data, patches, opened } = session;
  const { cache, optim } = config;
  const views = cache.cache_views + cache.cache_colour_views;
  const shapes = opened.encoder.cutShapes(cut);
  const dtype = cache.cache_dtype;
  const rows: TrunkRows = { rows: set.count * views, shapes, dtype };
  checkTrunkBudget(rows, cache.cache_budget * 2 ** 30);
  let store: TrunkStore;
  if (cache.cache === "disk") {
    const folder = cache.cache_dir ?? `${config.input.out ?? "runs"}/cache`;
    makeFolder(folder);
    const key = cacheKey(data, opened, {
      cut,
      views: places(cache),
      dtype,
      seed: optim.seed,
      weights: optim.precision,
    });
    const path = `${folder}/trunk`;
    // Other runs may be given the same folder.
    const lock = lockFile(path, "train");
    try {
      const file = new DiskTrunk(gpu, rows, { disk, path, key, onClose: () => lock.release() });
      if (file.reused) progress.say(`Cache: ${path} is reused`);
      store = file;
    } catch (error) {
      lock.release();
      throw error;
    }
  } else store = new DeviceTrunk(gpu, rows);
  const bytes = rows.rows * store.rowBytes;
  progress.say(
    `Cache: ${set.count} patches x ${views} views, ${
      (bytes / 2 ** 20).toFixed(0)
    } MiB at most in ${cache.cache}, ${dtype}` +
      (cut === "embedding" ? "" : `, cut at block ${cut.blocks} (${cut.kind})`),
  );
  const trunk = await Trunk.create(gpu, opened.encoder, {
    cut,
    store,
    dtype,
    views,
    tile: patches.size,
    images: cachedViews(patches, config),
    batch: gpu.caps.software ? BATCH.software : BATCH.gpu,
  });
  return { trunk, store, views, dtype };
}

/** Opens the encoder with its trainable side. */
export async function openVision(
  gpu: Gpu,
  config: TrainConfig,
  progress: Progress,
  { sealInput = true, trained }: { sealInput?: boolean; trained?: Adapter | undefined } = {},
): Promise<{ opened: OpenedEncoder; vision: VisionPart }> {
  const { input, optim } = config;
  let vision: VisionPart | undefined;
  let updates: ReadonlyMap<string, LoraOptions> | undefined;
  // Parameters are the encoder's until it is complete.
  let complete = false;
  const parameters = new Parameters(gpu, (name) => complete || vision!.trains(name));
  const opened = await openEncoder(gpu, {
    encoder: input.encoder,
    adapter: input.adapter ?? undefined,
    imageSize: input.image_size ?? undefined,
    dtype: optim.precision,
    build: {
      parameters,
      sealInput,
      lora: (layer) => (updates ? updates.get(layer) : vision!.lora(layer)),
      onSpec: (spec) => {
        // A run that started from an adapter has its layers and ranks, which no configuration tells.
        if (trained) updates = updatesOf(trained, spec.family);
        vision = visionPart(config, spec, (layer) => fanInUniform(moduleRng(optim.seed, `${layer}.lora_A`)!));
      },
    },
    onProgress: (what, done, total) => progress.update(what, done, total, "bytes"),
  });
  complete = true;
  sayEncoder(opened, progress);
  return { opened, vision: vision! };
}

/** Starts the gene model from a file of another run. */
async function startGenes(model: SealModel, file: string): Promise<void> {
  checkCheckpointFile(file);
  const weights = await openWeights(await openFile(file));
  try {
    await loadOmics(model.parameters, weights.tensors, { file, prefix: GENE_PREFIX });
  } finally {
    weights.close();
  }
}

/**
 * Organ of each sample, for a model with an organ token; none for others.
 *
 * @throws {DataError} If the metadata of one name none, or none that the token knows.
 */
export function organsOf(samples: readonly SampleFiles[], { model }: TrainConfig): number[] {
  if (!model.organ_token) return [];
  return samples.map(({ id, metadata }) => {
    const text = metadata?.text("organ");
    if (text !== undefined) return organId(text);
    throw new DataError(
      `Cannot use organ_token: the metadata of ${id} name no organ, wanted one of ${ORGANS.join(", ")}`,
      { hint: `Name it in metadata/${id}.json, or train with organ_token=false`, context: { sample: id } },
    );
  });
}

function optimizerOf({ parameters }: SealModel, { layers }: VisionPart, { optim }: TrainConfig): AdamW {
  return new AdamW(
    parameters,
    parameterGroups({ weightDecay: optim.weight_decay, ...(layers && { layers }) }),
    {
      beta1: optim.beta1,
      beta2: optim.beta2,
      eps: optim.eps,
      ...(optim.clip_norm > 0 && { clipNorm: optim.clip_norm }),
    },
  );
}

/** Opens everything. */
export async function openSession(
  gpu: Gpu,
  config: TrainConfig,
  set: TrainingSet,
  progress: Progress,
): Promise<Session> {
  const { optim, cache } = config;
  const data = await DataMark.of(set, progress);
  const patches = openPatchPool(set.patchTable(), { workers: config.input.workers ?? undefined });
  const { opened, vision } = await openVision(gpu, config, progress);
  const { encoder } = opened;
  const slides = set.samples.filter(({ role }) => role === "train").length;
  const model = createSealModel(encoder, config, { genes: set.genes, slides });
  model.parameters.allocate();
  if (config.input.omics !== null) await startGenes(model, config.input.omics);
  const optimizer = optimizerOf(model, vision, config);
  const cut = cache.cache === "off" ? undefined : encoder.deepestCut();
  if (!cut && cache.cache !== "off") progress.warn("the encoder trains from its first layer on: nothing can be cached");
  const cached = cut && await openTrunk({ config, gpu, set, data, patches, opened }, cut, progress);
  const training = cached
    ? cachedInput(encoder, cut, cached.trunk, cached.dtype)
    : pixelInput(encoder, augmentedViews(patches, config), patches.size);
  const plain = await Inference.create(model, training, gpu.caps.software ? BATCH.software : BATCH.gpu);
  return {
    config,
    gpu,
    set,
    data,
    patches,
    opened,
    vision,
    model,
    optimizer,
    training,
    plain,
    trunk: cached?.trunk,
    store: cached?.store,
    view(epoch, pair) {
      if (!cached) return { pair, view: epoch + 1 };
      return { pair, view: threefry2x32(optim.seed, VIEW_STREAM, epoch, pair)[0] % cached.views };
    },
    unchanged: (pair) => ({ pair, view: 0 }),
    organs: organsOf(set.samples.map(({ files }) => files), config),
    close() {
      plain.destroy();
      cached?.trunk.destroy();
      cached?.store.close();
      patches.close();
      optimizer.destroy();
      model.parameters.destroy();
    },
  };
}
