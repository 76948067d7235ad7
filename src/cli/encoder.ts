/**
 * `--encoder` and `--adapter`: from a name, a folder or a file to an encoder on the device, and what outputs say of it.
 *
 * @module
 */

import type { Dtype } from "../core/dtype.ts";
import { DataError } from "../core/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { openFile, openFolder } from "../io/fs.ts";
import { Hub } from "../io/hub.ts";
import { type Adapter, readAdapter } from "../io/peft.ts";
import { openWeights, openWeightsFolder, type Weights } from "../io/weights.ts";
import { createEncoder, type Encoder } from "../models/encoder.ts";
import { type ConfigFacts, readEncoderConfig } from "../models/encoder_config.ts";
import { findEncoder, recogniseEncoder } from "../models/encoder_registry.ts";
import type { EncoderSpec, Pooling } from "../models/encoder_spec.ts";
import { loadEncoder, type LoadOptions } from "../models/load.ts";
import { RANDOM_PREFIX, randomEncoder } from "../models/random_encoder.ts";
import { Parameters } from "../nn/parameters.ts";
import { denoHost } from "./hub_host.ts";

/** What the flags say. */
export interface EncoderRequest {
  /** Registry name, folder, weights file, or `random:…`. */
  readonly encoder: string;
  /** PEFT folder. */
  readonly adapter?: string | undefined;
  /** Storage of frozen weights. */
  readonly dtype?: Dtype | undefined;
  /** Instead of the encoder's own pooling. */
  readonly pooling?: Pooling | undefined;
  /** Told while weights are downloaded and uploaded. */
  readonly onProgress?: ((what: string, done: number, total: number) => void) | undefined;
}

/** An encoder and how outputs name it. */
export interface OpenedEncoder {
  readonly encoder: Encoder;
  /** Name in outputs. */
  readonly name: string;
  /** SHA-256 of the weights file, or of the name of a random encoder. */
  readonly weightsHash: string;
  /** SHA-256 of the adapter's weights; undefined without one. */
  readonly adapterHash: string | undefined;
}

async function hashOf(path: string): Promise<string> {
  const hash = denoHost.sha256();
  for await (const piece of denoHost.read(path)) hash.update(piece);
  return hash.hex();
}

function hashOfText(text: string): string {
  const hash = denoHost.sha256();
  hash.update(new TextEncoder().encode(text));
  return hash.hex();
}

async function kindOf(path: string): Promise<"folder" | "file" | undefined> {
  try {
    return (await Deno.stat(path)).isDirectory ? "folder" : "file";
  } catch {
    return undefined;
  }
}

/** Facts of a `config.json`, if there is one. */
async function factsOf(text: string | undefined, path: string): Promise<ConfigFacts[]> {
  if (text === undefined) return [];
  try {
    return [readEncoderConfig(JSON.parse(text))];
  } catch (cause) {
    throw new DataError(`Cannot read ${path}: ${(cause as Error).message}`, { context: { file: path }, cause });
  }
}

interface Source {
  readonly weights: Weights;
  readonly name: string;
  readonly hash: string;
  readonly spec?: EncoderSpec;
  readonly facts: readonly ConfigFacts[];
}

async function fromDisk(path: string, kind: "folder" | "file"): Promise<Source> {
  const folder = kind === "folder" ? path.replace(/[/\\]+$/, "") : path.replace(/[/\\]?[^/\\]*$/, "") || ".";
  const weights = kind === "folder"
    ? await openWeightsFolder(openFolder(folder))
    : await openWeights(await openFile(path));
  const config = `${folder}/config.json`;
  const facts = await factsOf(await denoHost.readText(config), config);
  const hashes = await Promise.all(
    (weights.shards.length ? weights.shards.map((s) => `${folder}/${s}`) : [weights.file]).map(hashOf),
  );
  const name = folder.split(/[/\\]/).pop()!;
  return { weights, name, hash: hashes.length === 1 ? hashes[0]! : hashOfText(hashes.join("\n")), facts };
}

async function fromHub(spec: EncoderSpec, onProgress: EncoderRequest["onProgress"]): Promise<Source> {
  const { repo, mirrors = [], files, sha256, licence } = spec.source;
  const found = await new Hub(denoHost).downloadFirst([repo, ...mirrors], files, {
    licence,
    ...(sha256 && { sha256 }),
    onProgress: ({ received, total }) => onProgress?.(`download ${spec.name}`, received, total ?? received),
  });
  const hash = await hashOf(found.path);
  return { weights: await openWeights(await openFile(found.path)), name: spec.name, hash, spec, facts: [] };
}

async function openRandom(gpu: Gpu, { encoder: name, dtype, pooling }: EncoderRequest): Promise<OpenedEncoder> {
  const { spec, seed } = randomEncoder(name);
  const parameters = new Parameters(gpu, false);
  const encoder = createEncoder(parameters, spec, { seed, dtype, ...(pooling && { pooling }) });
  parameters.allocate();
  return await Promise.resolve({ encoder, name, weightsHash: hashOfText(name), adapterHash: undefined });
}

/**
 * Opens an encoder.
 *
 * @throws {ConfigError} If the name is not known.
 * @throws {GatedError | WeightsError | FormatError | DataError} If the weights cannot be had or read, or do not fit.
 */
export async function openEncoder(gpu: Gpu, request: EncoderRequest): Promise<OpenedEncoder> {
  const { encoder: given, adapter: adapterPath, dtype, pooling, onProgress } = request;
  if (given.startsWith(RANDOM_PREFIX)) return await openRandom(gpu, request);
  const kind = await kindOf(given);
  const source = kind ? await fromDisk(given, kind) : await fromHub(findEncoder(given), onProgress);
  let adapter: Adapter | undefined;
  try {
    if (adapterPath !== undefined) adapter = await readAdapter(openFolder(adapterPath));
    const options: LoadOptions = {
      name: source.name,
      facts: source.facts,
      ...(source.spec ? { spec: source.spec } : { recognise: (family, arch) => recogniseEncoder(family, arch, given) }),
      ...(adapter && { adapter }),
      ...(dtype && { dtype }),
      ...(pooling && { pooling }),
      onProgress: (done, total) => onProgress?.(`load ${source.name}`, done, total),
    };
    const encoder = await loadEncoder(gpu, source.weights, options);
    const adapterHash = adapterPath === undefined
      ? undefined
      : await hashOf(`${adapterPath}/adapter_model.safetensors`);
    return { encoder, name: source.name, weightsHash: source.hash, adapterHash };
  } finally {
    source.weights.close();
    adapter?.close();
  }
}
