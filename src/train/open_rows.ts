/**
 * The rows of a run whose images go through an encoder: the encoder with its trainable side, and where its rows come from,
 * the cache of its frozen part or pixels each time.
 *
 * @module
 */

import { threefry2x32 } from "../core/rng.ts";
import { drawChanges, type Recipe, viewChanges } from "../data/image/augment.ts";
import { reachOf, reachOfViews } from "./changes_row.ts";
import type { PatchSource } from "../data/patch_source.ts";
import type { Gpu } from "../gpu/device.ts";
import { sha256Of } from "../io/checksum.ts";
import type { Adapter } from "../io/torch/peft.ts";
import type { EncoderCut } from "../models/encoder.ts";
import { updatesOf } from "../models/lora_layers.ts";
import { type OpenedEncoder, sayEncoder } from "../models/opened_encoder.ts";
import { fanInUniform, moduleRng } from "../nn/init.ts";
import type { LoraOptions } from "../nn/layers.ts";
import { Parameters } from "../nn/parameters.ts";
import type { EncoderConfig, VisionConfig } from "./config/encoder_config.ts";
import type { DataMark, Host } from "./host.ts";
import { cachedInput, pixelInput, type RowInput } from "./row_input.ts";
import { type VisionPart, visionPart } from "./trainable.ts";
import { StemCache, type ViewImages, type ViewOf } from "./stem_cache.ts";
import type { ViewChanges } from "./view_tiles.ts";
import {
  checkStemBudget,
  DeviceStemStore,
  DiskStemStore,
  type StemRows,
  type StemSegment,
  type StemStore,
} from "./stem_store.ts";

/** Images computed at a time by the frozen part and in evaluation. */
const BATCH = { gpu: 64, software: 16 } as const;

/** Images at a time where nothing trains. */
export function imagesAtATime({ caps }: Gpu): number {
  return caps.software ? BATCH.software : BATCH.gpu;
}

/** What rows are made from. */
export interface RowSource {
  readonly config: EncoderConfig;
  readonly gpu: Gpu;
  /** Patches numbered through, sample by sample. */
  readonly set: {
    readonly count: number;
    readonly samples: readonly {
      readonly first: number;
      readonly count: number;
      readonly patches: { readonly rows: Iterable<number> };
    }[];
  };
  readonly data: Pick<DataMark, "patches">;
  readonly patches: PatchSource;
  readonly opened: OpenedEncoder;
}

/** Rows that are open. */
export interface OpenedRows {
  readonly input: RowInput;
  /** The cache, if there is one. */
  readonly stemCache: StemCache | undefined;
  readonly store: StemStore | undefined;
  /** Views that are kept of a patch; 0 where each epoch draws its own. */
  readonly views: number;
  /** The view of a pair in an epoch. */
  view(epoch: number, pair: number): ViewOf;
  /** The patch as it is. */
  unchanged(pair: number): ViewOf;
  close(): void;
}

/** Views kept of a patch, by their places among the 8 flips and rotations and the colours behind them. */
function places({ cache_views, cache_colour_views }: EncoderConfig["cache"]): number[] {
  return Array.from(
    { length: cache_views + cache_colour_views },
    (_, i) => (i < cache_views ? i : 8 + i - cache_views),
  );
}

/**
 * Whether patches are augmented on the device, which leaves the host to read them. A software adapter is the host itself, and
 * its workers do it in less than half of the time that the kernels take there.
 */
function byDevice({ caps }: Gpu): boolean {
  return !caps.software;
}

/** What is seen of patches: bytes by the host, and what the device does to them. */
interface SeenPatches {
  readonly images: ViewImages;
  readonly changes: ViewChanges | undefined;
}

function plainPatches(patches: PatchSource): ViewImages {
  return async (views) => (await patches.batch({ pairs: Uint32Array.from(views, ({ pair }) => pair) })).data;
}

/** Views of patches for the cache: `view` is a place in the list of flips, rotations and colours. */
function cachedViews({ gpu, patches, config: { cache, optim: { seed } } }: RowSource): SeenPatches {
  const place = places(cache);
  const reach = reachOfViews(place);
  if (byDevice(gpu) && reach !== undefined) {
    const of = ({ pair, view }: ViewOf) => viewChanges(place[view]!, { seed, index: pair });
    return { images: plainPatches(patches), changes: { reach, of } };
  }
  const images: ViewImages = async (views) => {
    const pairs = Uint32Array.from(views, ({ pair }) => pair);
    const view = views.map((of) => place[of.view]!);
    return (await patches.batch({ pairs, variant: { view, seed } })).data;
  };
  return { images, changes: undefined };
}

/** Augmented patches: `view` is the epoch plus one, 0 the patch as it is. */
function augmentedViews({ gpu, patches, config: { optim: { augment, seed } } }: RowSource): SeenPatches {
  const recipeOf = (epoch: number): Recipe => epoch < 0 ? "none" : augment;
  const reach = reachOf(augment);
  if (byDevice(gpu) && reach !== undefined) {
    const of = ({ pair, view }: ViewOf) => drawChanges(recipeOf(view - 1), { seed, epoch: view - 1, index: pair });
    return { images: plainPatches(patches), changes: { reach, of } };
  }
  const images: ViewImages = async (views) => {
    const epoch = views[0]!.view - 1;
    const pairs = Uint32Array.from(views, ({ pair }) => pair);
    return (await patches.batch({ pairs, variant: { recipe: recipeOf(epoch), seed, epoch } })).data;
  };
  return { images, changes: undefined };
}

const VIEW_STREAM = 0x76696577;

/** What all rows of the cache depend on. */
function cacheKey({ config: { cache, optim }, opened }: RowSource, cut: EncoderCut): string {
  const { input } = opened.encoder.spec;
  const halves = opened.encoder.vit.activations === "f16" && { activations: "f16" };
  const parts = { cut, dtype: cache.cache_dtype, weights: optim.precision, ...halves };
  return sha256Of(JSON.stringify([opened.weightsHash, opened.adapterHash ?? null, input, parts]));
}

/** What the rows of a view of a sample depend on: its patches, and where colours are drawn by pair, its numbers and the seed. */
function cacheSegments({ config: { cache, optim }, set, data }: RowSource): StemSegment[] {
  const samples = set.samples.map(({ patches, first, count }, i) => {
    return { key: sha256Of(JSON.stringify([data.patches[i], [...patches.rows]])).slice(0, 32), first, count };
  });
  return places(cache).flatMap((place) =>
    samples.map(({ key, first, count }) => ({
      key: `${key}:${place}${place < 8 ? "" : `:${optim.seed}:${first}`}`,
      rows: count,
    }))
  );
}

async function openStemCache(
  source: RowSource,
  cut: EncoderCut,
  host: Host,
): Promise<{ stemCache: StemCache; store: StemStore; views: number; dtype: "f32" | "f16" }> {
  const { config, gpu, set, patches, opened } = source;
  const { cache } = config;
  const views = cache.cache_views + cache.cache_colour_views;
  const shapes = opened.encoder.cutShapes(cut);
  const dtype = cache.cache_dtype;
  const rows: StemRows = { rows: set.count * views, shapes, dtype };
  checkStemBudget(rows, cache.cache_budget * 2 ** 30);
  let store: StemStore;
  if (cache.cache === "disk") {
    const folder = cache.cache_dir ?? `${config.input.out ?? "runs"}/cache`;
    host.makeFolder(folder);
    const key = cacheKey(source, cut);
    const path = `${folder}/stem-${key.slice(0, 12)}`;
    // Other runs may be given the same folder.
    const lock = host.lock(`${folder}/stem`);
    try {
      const file = new DiskStemStore(gpu, rows, {
        disk: host.disk,
        path,
        key,
        segments: cacheSegments(source),
        onClose: () => lock.release(),
      });
      if (file.reused) host.reporter.say(`Cache: ${path} is reused`);
      store = file;
    } catch (error) {
      lock.release();
      throw error;
    }
  } else store = new DeviceStemStore(gpu, rows);
  const bytes = rows.rows * store.rowBytes;
  host.reporter.say(
    `Cache: ${set.count} patches x ${views} views, ${
      (bytes / 2 ** 20).toFixed(0)
    } MiB at most in ${cache.cache}, ${dtype}` +
      (cut === "embedding" ? "" : `, cut at block ${cut.blocks} (${cut.kind})`),
  );
  const stemCache = await StemCache.create(gpu, opened.encoder, {
    cut,
    store,
    dtype,
    pairs: set.count,
    tile: patches.size,
    ...cachedViews(source),
    batch: imagesAtATime(gpu),
  });
  return { stemCache, store, views, dtype };
}

/** Opens the encoder with its trainable side. */
export async function openVision(
  gpu: Gpu,
  config: VisionConfig,
  host: Pick<Host, "openEncoder" | "reporter">,
  { tuningSize = true, trained }: { tuningSize?: boolean; trained?: Adapter | undefined } = {},
): Promise<{ opened: OpenedEncoder; vision: VisionPart }> {
  const { input, optim } = config;
  let vision: VisionPart | undefined;
  let updates: ReadonlyMap<string, LoraOptions> | undefined;
  const start = (layer: string) => fanInUniform(moduleRng(optim.seed, `${layer}.lora_A`)!);
  // Parameters are the encoder's until it is complete.
  let complete = false;
  const parameters = new Parameters(gpu, (name) => complete || vision!.trains(name));
  const opened = await host.openEncoder(gpu, {
    encoder: input.encoder,
    adapter: input.adapter ?? undefined,
    imageSize: input.image_size ?? undefined,
    dtype: optim.precision,
    build: {
      parameters,
      tuningSize,
      lora(layer) {
        if (!updates) return vision!.lora(layer);
        // With a start of its own: else it would draw from the numbers that a seeded encoder makes its weights of.
        const update = updates.get(layer);
        return update && { ...update, init: start(layer) };
      },
      onSpec: (spec) => {
        // A run that started from an adapter has its layers and ranks, which no configuration tells.
        if (trained) updates = updatesOf(trained, spec.family);
        vision = visionPart(config, spec, start);
      },
    },
    onProgress: (what, done, total) => host.reporter.update(what, done, total, "bytes"),
  });
  complete = true;
  sayEncoder(opened, host.reporter);
  return { opened, vision: vision! };
}

/** Opens the rows; says so where nothing of the encoder can be cached. */
export async function openRows(source: RowSource, host: Host): Promise<OpenedRows> {
  const { config: { cache, optim }, opened: { encoder }, patches } = source;
  const cut = cache.cache === "off" ? undefined : encoder.deepestCut();
  if (!cut && cache.cache !== "off") {
    host.reporter.warn("the encoder trains from its first layer on: nothing can be cached");
  }
  const cached = cut && await openStemCache(source, cut, host);
  const { images, changes } = augmentedViews(source);
  return {
    input: cached
      ? cachedInput(encoder, cut, cached.stemCache, cached.dtype)
      : pixelInput(encoder, images, patches.size, changes),
    stemCache: cached?.stemCache,
    store: cached?.store,
    views: cached?.views ?? 0,
    view(epoch, pair) {
      if (!cached) return { pair, view: epoch + 1 };
      return { pair, view: threefry2x32(optim.seed, VIEW_STREAM, epoch, pair)[0] % cached.views };
    },
    unchanged: (pair) => ({ pair, view: 0 }),
    close() {
      cached?.stemCache.destroy();
      cached?.store.close();
    },
  };
}
