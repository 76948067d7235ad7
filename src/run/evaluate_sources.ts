/**
 * What `evaluate` compares: encoders, with or without an adapter, and folders of features made before.
 *
 * @module
 */

import { ConfigError, DataError, FormatError } from "../core/errors.ts";
import type { SampleFiles } from "../data/data_folder.ts";
import { Embedder } from "../embed/embedder.ts";
import { inputParts, openInput } from "../embed/inputs.ts";
import { embedInput } from "../embed/run.ts";
import { featureTable } from "../embed/feature_table.ts";
import { FeatureWriter, removePartial } from "../embed/writer.ts";
import type { FeatureSource, SampleFeatures } from "../eval/bench/bench_sample.ts";
import { safeName } from "../eval/bench/bench_files.ts";
import type { Task } from "../eval/bench/bench_task.ts";
import { joinSamples, type TaskCounts, type TaskOptions } from "../eval/bench/hest_bench.ts";
import { SYNTHETIC, syntheticFeatures } from "../eval/synthetic.ts";
import { table } from "../eval/linalg/table.ts";
import type { Gpu } from "../gpu/device.ts";
import { checkContent, type Features, openFeatures, readBeside } from "../io/features.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { lockFile } from "../io/lock.ts";
import { openPatches } from "../io/patches.ts";
import { RANDOM_PREFIX } from "../models/random_encoder.ts";
import { digestOf } from "../worker/digest_pool.ts";
import { contentHash } from "./content_hash.ts";
import { sha256Of } from "../io/checksum.ts";
import { batchSizeOf } from "./embed.ts";
import { checkEncoder, openEncoder } from "./encoder.ts";
import { madeBy } from "../embed/made_by.ts";
import { type OpenedEncoder, sayEncoder } from "../models/opened_encoder.ts";
import type { Reporter } from "../core/reporter.ts";
import { trimmed } from "../io/output.ts";

/** One row of the comparison, not yet opened. */
export interface SourceRequest {
  /** Name in outputs, unique. */
  readonly name: string;
  readonly encoder?: string;
  readonly adapter?: string;
  readonly features?: string;
  /** A run that makes features of those of the first source, and which. */
  readonly run?: { readonly path: string; readonly form: string };
}

/** A source that holds something; it is to be closed. */
export interface OpenSource extends FeatureSource {
  close(): void;
}

/** What the flags name. */
export interface SourceFlags {
  readonly encoder: readonly string[];
  readonly adapter: readonly string[];
  readonly features: readonly string[];
}

/** Names of a path. */
export function parts(path: string): string[] {
  return path.split(/[/\\]+/).filter((part) => part !== "" && part !== ".");
}

/** Name of an adapter: its folder, with the run's where the folder is a checkpoint. */
function adapterName(path: string): string {
  const names = parts(path).filter((part) => part !== "checkpoints");
  return names.slice(/^(last|best)$/.test(names.at(-1) ?? "") ? -2 : -1).join("/") || path;
}

function encoderName(encoder: string): string {
  return encoder.startsWith(RANDOM_PREFIX) ? encoder : parts(encoder).at(-1) ?? encoder;
}

/** `X+DIR`, where DIR is there, is encoder X with that adapter. */
function splitAdapter(text: string): [encoder: string, adapter: string | undefined] {
  for (let at = text.lastIndexOf("+"); at > 0; at = text.lastIndexOf("+", at - 1)) {
    if (disk.look(text.slice(at + 1)) !== undefined) return [text.slice(0, at), text.slice(at + 1)];
  }
  return [text, undefined];
}

/**
 * Rows of the comparison in order: encoders, adapters on the one encoder, feature folders.
 *
 * @throws {ConfigError} If nothing is named, or adapters do not say which encoder they belong to.
 */
export function findSources({ encoder, adapter, features }: SourceFlags): SourceRequest[] {
  if (encoder.length + features.length === 0) {
    throw new ConfigError("Cannot evaluate: no --encoder and no --features is given", {
      hint: "For example --encoder uni2-h --adapter runs/a/checkpoints/best",
    });
  }
  if (adapter.length > 0 && encoder.length !== 1) {
    throw new ConfigError(`Cannot place ${adapter.length} adapters on ${encoder.length} encoders: one encoder wanted`, {
      hint: "With several write --encoder X+DIR for each encoder with an adapter",
    });
  }
  const withAdapter = (of: string, path: string) => ({
    name: `${encoderName(of)} + ${adapterName(path)}`,
    encoder: of,
    adapter: path,
  });
  const found: SourceRequest[] = [
    ...encoder.map(splitAdapter).map(([of, path]) =>
      path === undefined ? { name: encoderName(of), encoder: of } : withAdapter(of, path)
    ),
    ...adapter.map((path) => withAdapter(encoder[0]!, path)),
    ...features.map((path) => ({ name: parts(path).at(-1) ?? path, features: path })),
  ];
  return uniquelyNamed(found);
}

/** Sources with a number behind a name that another has. */
export function uniquelyNamed(found: readonly SourceRequest[]): SourceRequest[] {
  return found.map((source, i) => {
    const times = found.slice(0, i + 1).filter(({ name }) => name === source.name).length;
    return times === 1 ? source : { ...source, name: `${source.name} (${times})` };
  });
}

const isThere = (path: string) => disk.look(path) !== undefined;

/**
 * Refuses what can be checked of all sources before any is evaluated: unknown encoders, weights, adapters, patches and features that
 * are not there.
 *
 * @throws {ConfigError | DataError | WeightsError} If a source cannot be used.
 */
export async function checkSources(sources: readonly SourceRequest[], tasks: readonly Task[]): Promise<void> {
  for (const source of sources) {
    const { encoder, adapter, features } = source;
    if (features !== undefined) {
      for (const task of tasks) task.samples.forEach((sample) => featuresPath(source, task.name, sample.id));
    } else if (needsEmbedding(source)) {
      await checkEncoder(encoder!, adapter);
      tasks.forEach((task) => task.samples.forEach(patchesOf));
    }
  }
}

/**
 * Joins the features of folders to the counts, all of them before any is evaluated: files that are damaged or of other spots are
 * refused with nothing done in vain.
 *
 * @throws {DataError | FormatError} If they are.
 */
export async function checkFolders(
  sources: readonly SourceRequest[],
  counts: readonly TaskCounts[],
  options: TaskOptions,
): Promise<void> {
  // The only one says so itself.
  if (sources.length < 2) return;
  for (const source of sources.filter(({ features }) => features !== undefined)) {
    for (const { task, samples } of counts) {
      const folder = folderSource(source, () => task.name);
      try {
        await joinSamples(task, samples, folder, options);
      } finally {
        folder.close();
      }
    }
  }
}

/** Hash of what a source is: its files where it has some, else its name. */
export async function sourceHash({ encoder, adapter, features, run }: SourceRequest): Promise<string> {
  if (run !== undefined) return await contentHash([`${run.path}/config.yaml`, `${run.path}/checkpoints`]);
  const paths = [encoder, adapter, features].filter((path) => path !== undefined && isThere(path)) as string[];
  return sha256Of([encoder && !isThere(encoder) ? encoder : "", await contentHash(paths)].join("\n"));
}

/** Endings of feature files, best first. */
const ENDINGS = ["h5", "h5ad", "safetensors", "npy"] as const;

/** Features of a folder, `ID.h5` or below a folder of the task's name. */
export function folderSource(request: SourceRequest, task: () => string): OpenSource {
  const { name } = request;
  const facts: Record<string, string | number> = { features: name };
  return {
    name,
    facts,
    async load(sample) {
      const path = featuresPath(request, task(), sample.id);
      readBeside(disk, path);
      const file = await openFeatures(disk.open(path, "read"));
      try {
        for (const key of ["encoder", "weights_sha256", "adapter", "adapter_sha256", "precision", "pooling"]) {
          const value = file.attributes[key];
          if (typeof value === "string") facts[key] = value;
        }
        return await readFeatures(file, sample);
      } finally {
        file.close();
      }
    },
    close: () => {},
  };
}

/** @throws {DataError} If a folder has no features of a sample. */
function featuresPath({ name, features }: SourceRequest, task: string, id: string): string {
  const root = trimmed(features!);
  const places = [`${root}/${task}/${id}`, `${root}/${id}`];
  const paths = places.flatMap((place) => ENDINGS.map((ending) => `${place}.${ending}`));
  const path = paths.find((candidate) => disk.look(candidate)?.kind === "file");
  if (path !== undefined) return path;
  const found = disk.look(root)?.kind === "folder" ? `${root} has no features of ${id}` : `there is no folder ${root}`;
  throw new DataError(`Cannot evaluate ${name}: ${found}`, {
    code: "features-missing",
    hint: `Give a folder that embed wrote; expected in it ${id}.${ENDINGS.join(", .")}`,
    context: { sample: id, folder: root },
  });
}

/** @throws {DataError} If the file is not as it was written, or its rows belong to no spots. */
async function readFeatures(file: Features, sample: SampleFiles): Promise<SampleFeatures> {
  const barcodes = file.barcodes ?? await patchBarcodes(sample, file.count);
  if (barcodes === undefined) {
    throw new DataError(
      `Cannot join ${file.name}: it names no spots, and the patch file has not ${file.count} either`,
      {
        hint: "Give features with barcodes, as embed writes them of HEST patch files",
        context: { file: file.name, rows: file.count },
      },
    );
  }
  const rows = await file.read();
  await checkContent(file, rows);
  const { count, dim, name, attributes } = file;
  return { barcodes, features: table(count, dim, rows), file: { name, attributes } };
}

/** Barcodes of the patch file, if it has as many rows. */
async function patchBarcodes({ patches }: SampleFiles, rows: number): Promise<readonly string[] | undefined> {
  if (patches === undefined) return undefined;
  const file = await openPatches(disk.open(patches, "read"));
  try {
    return file.count === rows ? file.barcodes : undefined;
  } finally {
    file.close();
  }
}

/** Features of the synthetic data set that need no encoder. */
export function syntheticSource({ name, encoder }: SourceRequest): OpenSource {
  return {
    name,
    facts: { encoder: encoder!, what: SYNTHETIC[encoder!]!.what },
    load: (sample) => syntheticFeatures(disk, encoder!, sample),
    close: () => {},
  };
}

/** Whether a row needs a GPU. */
export function needsEmbedding({ encoder }: SourceRequest): boolean {
  return encoder !== undefined && !Object.hasOwn(SYNTHETIC, encoder);
}

/** How features are made. */
export interface EmbedSettings {
  readonly gpu: Gpu;
  /** Folder of features that are kept; one below it for each encoder with its weights. */
  readonly cache: string;
  readonly precision: "f32" | "f16";
  readonly batchSize: number | undefined;
  /** Side of the images encoders are fed, px, instead of their own. */
  readonly imageSize: number | undefined;
  readonly progress: Reporter;
  readonly signal: AbortSignal;
}

/** An encoder as a source: patches of a sample are embedded once and kept by the hash of the weights and of the patches. */
export async function encoderSource(
  request: SourceRequest,
  task: () => string,
  settings: EmbedSettings,
): Promise<OpenSource> {
  const { gpu, precision, progress } = settings;
  const opened = await openEncoder(gpu, {
    encoder: request.encoder!,
    adapter: request.adapter,
    imageSize: settings.imageSize,
    dtype: precision,
    onProgress: (what, done, total) => progress.update(what, done, total, "bytes"),
  });
  sayEncoder(opened, progress);
  const { encoder, weightsHash, adapterHash, preparation, assumed } = opened;
  const embedder = new Embedder(gpu, encoder, { batchSize: batchSizeOf(settings, gpu) });
  const how = sha256Of(JSON.stringify([preparation, encoder.pooling, encoder.vit.config])).slice(0, 8);
  const { tuning, matrix } = madeBy(opened, { precision });
  const of = [weightsHash.slice(0, 12), adapterHash?.slice(0, 12), precision, tuning, matrix, how].filter(Boolean);
  const folder = `${settings.cache}/${safeName(encoderName(request.encoder!)).slice(0, 60)}-${of.join("-")}`;
  return {
    name: request.name,
    facts: {
      encoder: opened.name,
      weights_sha256: weightsHash,
      adapter: request.adapter === undefined ? "none" : adapterName(request.adapter),
      adapter_sha256: adapterHash ?? "none",
      precision,
      pooling: encoder.pooling,
      input_size: encoder.spec.input.size,
      preparation,
      assumed: assumed.join("; ") || "nothing",
    },
    load: (sample) => embedSample({ opened, embedder, request, settings }, sample, `${folder}/${safeName(task())}`),
    close() {
      embedder.destroy();
      encoder.parameters.destroy();
    },
  };
}

interface Embedding {
  readonly opened: OpenedEncoder;
  readonly embedder: Embedder;
  readonly request: SourceRequest;
  readonly settings: EmbedSettings;
}

async function embedSample(
  { opened, embedder, request, settings }: Embedding,
  sample: SampleFiles,
  folder: string,
): Promise<SampleFeatures> {
  const { progress, signal, precision } = settings;
  const path = `${folder}/${sample.id}.h5`;
  const files = { name: sample.id, kind: "patches", paths: [patchesOf(sample)] } as const;
  const inputHash = await digestOf(inputParts(disk, files));
  const before = await keptFeatures(path, sample, inputHash, () => {});
  const begun = [`${path}.lock`, `${path}.partial`].some(isThere);
  if (before !== undefined && !begun) return before;
  makeFolder(folder);
  using _lock = lockFile(path, "evaluate");
  // Another process may have made them since.
  const kept = await keptFeatures(path, sample, inputHash, (why) => progress.say(`${path} is made again: ${why}`));
  if (kept !== undefined) {
    removePartial(disk, path);
    return kept;
  }
  const input = await openInput(disk, files);
  try {
    const adapter = request.adapter && adapterName(request.adapter);
    const made = featureTable(input, inputHash, madeBy(opened, { adapter, precision }));
    const writer = FeatureWriter.open(disk, path, "h5", made, { overwrite: true });
    try {
      const onProgress = (done: number, total: number) =>
        progress.update(`${request.name}: ${sample.id}`, done, total, "tiles");
      if (!await embedInput(embedder, input, writer, { signal, onProgress })) throw signal.reason;
    } catch (error) {
      writer.close();
      throw error;
    }
  } finally {
    input.close();
  }
  const made = await openFeatures(disk.open(path, "read"));
  try {
    return await readFeatures(made, sample);
  } finally {
    made.close();
  }
}

/** @throws {DataError} If a sample has no patches. */
function patchesOf({ id, folder, patches }: SampleFiles): string {
  if (patches !== undefined) return patches;
  throw new DataError(`Cannot embed ${id}: ${folder}/patches has no ${id}.h5`, {
    code: "no-patches",
    hint: "Cut patches with convert, or pass --features",
    context: { sample: id },
  });
}

/**
 * Features made before of the same patches; undefined where there are none. The folder's name has the encoder's hashes.
 *
 * @param tell Told why a file is not used that is there.
 */
async function keptFeatures(
  path: string,
  sample: SampleFiles,
  inputHash: string,
  tell: (why: string) => void,
): Promise<SampleFeatures | undefined> {
  if (disk.look(path)?.kind !== "file") return undefined;
  let file: Features | undefined;
  try {
    file = await openFeatures(disk.open(path, "read"));
    if (file.attributes["input_sha256"] === inputHash) return await readFeatures(file, sample);
    tell("it is of other patches");
  } catch (error) {
    if (!(error instanceof DataError || error instanceof FormatError)) throw error;
    tell(error.message);
  } finally {
    file?.close();
  }
  return undefined;
}
