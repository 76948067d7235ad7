/**
 * `--encoder` and `--adapter`: from a name, a folder or a file to an encoder on the device, and what outputs say of it.
 *
 * @module
 */

import { ConfigError, DataError, FormatError, WeightsError } from "../core/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { disk, openFile, openFolder } from "../io/fs.ts";
import { sha256Of } from "../io/checksum.ts";
import { Hub, type HubFile } from "../io/hub/hub.ts";
import { machineHub } from "../io/hub/hub_machine.ts";
import { openWeights, openWeightsFolder } from "../io/torch/weights.ts";
import { type ConfigFacts, readEncoderConfig, readEncoderMetadata } from "../models/encoder_config.ts";
import { findEncoder } from "../models/encoder_registry.ts";
import type { EncoderSpec } from "../models/encoder_spec.ts";
import { planEncoder } from "../models/load.ts";
import { type EncoderSource, loadOptions, noFileFor, openRandom, openSource } from "../models/open_source.ts";
import { CONFIG, type EncoderRequest, type OpenedEncoder, PREPROCESSOR } from "../models/opened_encoder.ts";
import { RANDOM_PREFIX, randomEncoder } from "../models/random_encoder.ts";
import { digestOf } from "../worker/digest_pool.ts";
import { openAdapter, type OpenedAdapter } from "./adapter.ts";

/** SHA-256 of a file. */
export async function hashOf(path: string): Promise<string> {
  return await digestOf([{ path }]);
}

/** The hash of weights, which is waited for when they are loaded; where that fails, nobody asks. */
function weightsHash(paths: readonly string[]): Promise<string> {
  const hash = Promise.all(paths.map(hashOf)).then((all) => all.length === 1 ? all[0]! : sha256Of(all.join("\n")));
  hash.catch(() => {});
  return hash;
}

function kindOf(path: string): "folder" | "file" | undefined {
  try {
    return disk.look(path)?.kind;
  } catch {
    return undefined; // Not to be looked at: the name of an encoder may be meant.
  }
}

/** Parsed JSON of a file; undefined where there is none. */
async function readJson(path: string): Promise<unknown> {
  const text = await machineHub.readText(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DataError(`Cannot read ${path}: ${(cause as Error).message}`, { context: { file: path }, cause });
  }
}

/** What the configurations at two paths say. */
async function factsOf(config: string | undefined, preprocessor: string | undefined): Promise<ConfigFacts[]> {
  const [model, tiles] = await Promise.all([config, preprocessor].map((path) => path && readJson(path)));
  if (model === undefined && tiles === undefined) return [];
  return [readEncoderConfig(model, tiles, { ...(config && { config }), ...(preprocessor && { preprocessor }) })];
}

/**
 * What `config.json` and `preprocessor_config.json` in a folder say, if they are there.
 *
 * @throws {DataError} If one is no JSON.
 * @throws {FormatError | WeightsError} If one has a value of another kind, or asks for what is not computed here.
 */
export async function factsIn(folder: string): Promise<ConfigFacts[]> {
  return await factsOf(`${folder}/${CONFIG}`, `${folder}/${PREPROCESSOR}`);
}

/** Codes of what is no fault where a configuration is looked for: there is none, or nothing can be asked. */
const NOT_THERE: readonly string[] = ["file-not-found", "offline", "weights-missing"];

/** The same from the hub, of an encoder that is known without them: what cannot be had or followed is left out, the latter noted. */
async function factsFromHub(repo: string, licence: string): Promise<ConfigFacts[]> {
  const hub = new Hub(machineHub);
  const find = async (file: string) => {
    try {
      return (await hub.download(repo, file, { licence })).path;
    } catch (error) {
      if (error instanceof WeightsError && NOT_THERE.includes(error.code)) return undefined;
      throw error;
    }
  };
  const [config, preprocessor] = [await find(CONFIG), await find(PREPROCESSOR)];
  try {
    return await factsOf(config, preprocessor);
  } catch (error) {
    const other = error instanceof FormatError || error instanceof DataError ||
      (error instanceof WeightsError && error.code === "weights-unsupported");
    if (!other) throw error;
    return [{ notes: [`Its configuration was not followed: ${error.message}.`] }];
  }
}

/** Folder of a file. */
export function folderOf(path: string): string {
  return path.replace(/[/\\]?[^/\\]*$/, "") || ".";
}

/** The encoder a file's metadata say it is; undefined where this version knows none of the name. */
export function specNamed(name: string): EncoderSpec | undefined {
  try {
    return findEncoder(name);
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

/** Weights with what is known of them, their content not yet hashed. */
interface OpenedWeights extends Omit<EncoderSource, "hash"> {
  /** Files of the weights. */
  readonly paths: readonly string[];
}

async function openDisk(path: string, kind: "folder" | "file"): Promise<OpenedWeights> {
  const folder = kind === "folder" ? path.replace(/[/\\]+$/, "") : folderOf(path);
  const weights = kind === "folder"
    ? await openWeightsFolder(openFolder(folder))
    : await openWeights(await openFile(path));
  const stored = readEncoderMetadata(weights.metadata);
  const spec = stored.encoder === undefined ? undefined : specNamed(stored.encoder);
  return {
    weights,
    name: folder.split(/[/\\]/).pop()!,
    ...(spec && { spec }),
    facts: [...await factsIn(folder), ...stored.facts],
    paths: weights.shards.length ? weights.shards.map((shard) => `${folder}/${shard}`) : [weights.file],
  };
}

async function fromDisk(path: string, kind: "folder" | "file"): Promise<EncoderSource> {
  const { paths, ...source } = await openDisk(path, kind);
  return { ...source, hash: weightsHash(paths) };
}

/** The weights of an encoder of the registry, downloaded if the cache has them not. */
async function download(spec: EncoderSpec, onProgress: EncoderRequest["onProgress"]): Promise<HubFile> {
  const { repo, mirrors = [], files, sha256, licence } = spec.source;
  return await new Hub(machineHub).downloadFirst([repo, ...mirrors], files, {
    licence,
    ...(sha256 && { sha256 }),
    onProgress: ({ received, total }) => onProgress?.(`download ${spec.name}`, received, total ?? received),
  });
}

/** Downloads the weights of an encoder of the registry and the configurations beside them; one on the disk is left as it is. */
export async function fetchEncoder(given: string, onProgress: EncoderRequest["onProgress"]): Promise<void> {
  if (given.startsWith(RANDOM_PREFIX) || kindOf(given)) return;
  const spec = findEncoder(given);
  const { repo } = await download(spec, onProgress);
  await factsFromHub(repo, spec.source.licence);
}

async function fromHub(spec: EncoderSpec, onProgress: EncoderRequest["onProgress"]): Promise<EncoderSource> {
  const found = await download(spec, onProgress);
  const facts = await factsFromHub(found.repo, spec.source.licence);
  const weights = await openWeights(await openFile(found.path));
  return { weights, name: spec.name, hash: weightsHash([found.path]), spec, facts };
}

/**
 * Refuses what can be checked of an encoder before a device is opened or anything is downloaded: by its name, by names and shapes of
 * tensors where its weights are at hand, and by the adapter.
 *
 * @param given Registry name, folder, weights file or `random:…`.
 * @returns What it is, with the sizes of its weights where these are at hand.
 * @throws {ConfigError} If there is no such encoder, or it cannot take an adapter.
 * @throws {DataError | FormatError} If the weights or the adapter are not there or cannot be read.
 * @throws {WeightsError} If the weights are none of an encoder, the adapter does not fit, or they are not in the cache and this
 * process may not download (code `weights-missing`).
 */
export async function checkEncoder(given: string, adapter?: string): Promise<EncoderSpec> {
  if (given.startsWith(RANDOM_PREFIX)) {
    const { spec } = randomEncoder(given);
    if (adapter !== undefined) throw noFileFor(given, adapter);
    return spec;
  }
  const opened = adapter === undefined ? undefined : await openAdapter(adapter);
  try {
    const source = await openEncoderAtHand(given);
    if (source === undefined) return findEncoder(given);
    try {
      const { spec: found, keymap: { arch } } = await planEncoder(
        source.weights,
        loadOptions(source, given, opened?.adapter),
      );
      return { ...found, arch, output: { ...found.output, ...(arch.pooler && { pooler: arch.pooler }) } };
    } finally {
      source.weights.close();
    }
  } finally {
    opened?.adapter.close();
  }
}

/**
 * Opens the weights of an encoder where they are on this disk, without reading their tensors.
 *
 * @param given Registry name, folder or weights file.
 * @returns Undefined where they are to be downloaded.
 * @throws {ConfigError | DataError | FormatError} As {@linkcode checkEncoder}.
 */
export async function openEncoderAtHand(given: string): Promise<Omit<EncoderSource, "hash"> | undefined> {
  const kind = kindOf(given);
  return kind ? await openDisk(given, kind) : await cachedSource(findEncoder(given));
}

/** Weights of the registry's encoder as the cache has them; undefined where they are to be downloaded. */
async function cachedSource(spec: EncoderSpec): Promise<Omit<EncoderSource, "hash"> | undefined> {
  const { repo, mirrors = [], files } = spec.source;
  const cached = await new Hub(machineHub).check([repo, ...mirrors], files);
  // A damaged file is downloaded again when its turn comes.
  const weights = cached && await openFile(cached.path).then(openWeights).catch(() => undefined);
  return weights && { weights, name: spec.name, spec, facts: [] };
}

/**
 * Opens the weights of an encoder.
 *
 * @param given Registry name, folder or weights file.
 * @throws {ConfigError} If the name is not known.
 * @throws {GatedError | WeightsError | FormatError | DataError} If the weights cannot be had or read.
 */
export async function openEncoderSource(
  given: string,
  onProgress?: EncoderRequest["onProgress"],
): Promise<EncoderSource> {
  const kind = kindOf(given);
  return kind ? await fromDisk(given, kind) : await fromHub(findEncoder(given), onProgress);
}

/**
 * Opens an encoder.
 *
 * @throws {ConfigError} If the name is not known.
 * @throws {GatedError | WeightsError | FormatError | DataError} If the weights cannot be had or read, or do not fit.
 */
export async function openEncoder(gpu: Gpu, request: EncoderRequest): Promise<OpenedEncoder> {
  const { encoder: given, adapter: adapterPath, onProgress } = request;
  if (given.startsWith(RANDOM_PREFIX)) return await openRandom(gpu, request);
  const source = await openEncoderSource(given, onProgress);
  let opened: OpenedAdapter | undefined;
  try {
    if (adapterPath !== undefined) opened = await openAdapter(adapterPath);
    const { adapter, file } = opened ?? {};
    return await openSource(gpu, source, request, adapter && { adapter, hash: () => hashOf(file!) });
  } finally {
    source.weights.close();
    opened?.adapter.close();
  }
}
