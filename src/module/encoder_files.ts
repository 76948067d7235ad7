/**
 * Encoders from files that a program holds: bytes, a `Blob` or `File` of a page, an answer of `fetch`. No file system is needed.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { Sha256 } from "../host/zlib.ts";
import { checkOptions, type Known } from "./check.ts";
import { fromBlob, fromBytes, fromMap, type RandomAccess, readChunks } from "../io/random_access.ts";
import { type ImageEncoder, type LoadEncoderOptions, loadWith } from "./image_encoder.ts";
import type { Gpu } from "../gpu/device.ts";
import type { OpenedEncoder } from "../models/opened_encoder.ts";
import type { SourceAdapter } from "../models/open_source.ts";

/** A file: its bytes, a `Blob` or `File`, which is read by range, or what `fetch` gave. */
export type FileSource = Uint8Array | ArrayBuffer | Blob | Response;

/** The files of an encoder, as timm or transformers write them. */
export interface EncoderFiles {
  /** `model.safetensors`, or a `.bin` or `.pth` of torch. */
  readonly weights: FileSource;
  /** `config.json`, as a file or parsed. */
  readonly config?: FileSource | Readonly<Record<string, unknown>> | undefined;
  /** `preprocessor_config.json`, as a file or parsed. */
  readonly preprocessor?: FileSource | Readonly<Record<string, unknown>> | undefined;
  /** The registry's name of it, where its files do not tell. */
  readonly encoder?: string | undefined;
  /** Name in errors; default that of the weights. */
  readonly name?: string | undefined;
}

const FILES: Known<EncoderFiles> = { weights: true, config: true, preprocessor: true, encoder: true, name: true };

/** PEFT's two files. */
export interface AdapterFiles {
  /** `adapter_config.json`, as a file or parsed. */
  readonly config: FileSource | Readonly<Record<string, unknown>>;
  /** `adapter_model.safetensors`. */
  readonly weights: FileSource;
}

/** A file by range. @throws {DataError} If an answer of `fetch` is none of a file. */
async function accessOf(source: FileSource, name: string): Promise<RandomAccess> {
  if (source instanceof Uint8Array) return fromBytes(source, name);
  if (source instanceof ArrayBuffer) return fromBytes(new Uint8Array(source), name);
  if (source instanceof Blob) return fromBlob(source, "name" in source ? String(source.name) : name);
  if (!source.ok) {
    throw new DataError(`Cannot read ${source.url || name}: the server answered ${source.status}`, {
      code: "file-missing",
      context: { file: source.url || name, status: source.status },
    });
  }
  return fromBlob(await source.blob(), source.url || name);
}

function isFile(given: FileSource | object | undefined): given is FileSource {
  return given instanceof Uint8Array || given instanceof ArrayBuffer || given instanceof Blob ||
    given instanceof Response;
}

async function bytesOf(source: FileSource, name: string): Promise<Uint8Array> {
  const file = await accessOf(source, name);
  return await file.read(0, file.size);
}

async function jsonOf(given: FileSource | object | undefined, name: string): Promise<unknown> {
  if (given === undefined || !isFile(given)) return given;
  try {
    return JSON.parse(new TextDecoder().decode(await bytesOf(given, name)));
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(`Cannot read ${name}: ${(cause as Error).message}`, { context: { file: name }, cause });
  }
}

async function hashOf(file: RandomAccess): Promise<string> {
  const hash = new Sha256();
  for await (const piece of readChunks(file)) hash.update(piece);
  return hash.hex();
}

async function openAdapter({ config, weights }: AdapterFiles): Promise<SourceAdapter> {
  const { readAdapter } = await import("../io/torch/peft.ts");
  const bytes = await bytesOf(weights, "adapter_model.safetensors");
  const text = JSON.stringify(await jsonOf(config, "adapter_config.json"));
  const files = new Map([
    ["adapter_config.json", new TextEncoder().encode(text)],
    ["adapter_model.safetensors", bytes],
  ]);
  const adapter = await readAdapter(fromMap(files, "adapter"));
  return { adapter, hash: () => hashOf(fromBytes(bytes, "adapter_model.safetensors")) };
}

async function open(gpu: Gpu, files: EncoderFiles, options: LoadEncoderOptions): Promise<OpenedEncoder> {
  const { adapter, dtype, imageSize, pooling, onProgress } = options;
  if (typeof adapter === "string") {
    throw new ConfigError(`Cannot put adapter ${adapter} on files: its files are wanted`, {
      hint: "Pass { config, weights } of its adapter_config.json and adapter_model.safetensors",
    });
  }
  const [{ openWeights }, { openSource }, { readEncoderConfig, readEncoderMetadata }, { findEncoder }] = await Promise
    .all([
      import("../io/torch/weights.ts"),
      import("../models/open_source.ts"),
      import("../models/encoder_config.ts"),
      import("../models/encoder_registry.ts"),
    ]);
  const file = await accessOf(files.weights, files.name ?? "weights");
  const weights = await openWeights(file);
  const hash = hashOf(file);
  hash.catch(() => {}); // Waited for when the weights are loaded; where that fails, nobody asks.
  try {
    const name = files.name ?? files.encoder ?? weights.file;
    const [config, preprocessor] = await Promise.all([
      jsonOf(files.config, "config.json"),
      jsonOf(files.preprocessor, "preprocessor_config.json"),
    ]);
    const stored = readEncoderMetadata(weights.metadata);
    const told = config !== undefined || preprocessor !== undefined;
    const source = {
      weights,
      name,
      ...(files.encoder !== undefined && { spec: findEncoder(files.encoder) }),
      facts: [...(told ? [readEncoderConfig(config, preprocessor, {})] : []), ...stored.facts],
      hash,
    };
    const request = { encoder: name, dtype, imageSize, pooling, onProgress };
    return await openSource(gpu, source, request, adapter && await openAdapter(adapter));
  } finally {
    weights.close();
  }
}

/**
 * Loads an encoder from its files.
 *
 * @throws {ConfigError | DataError | FormatError | WeightsError | DeviceError} As `loadEncoder`.
 */
export async function filesEncoder(files: EncoderFiles, options: LoadEncoderOptions): Promise<ImageEncoder> {
  if (!isFile(files?.weights)) {
    throw new ConfigError("Cannot load an encoder: it is neither a name or path nor files with weights", {
      hint: 'For example loadEncoder("conch"), or loadEncoder({ weights, config })',
    });
  }
  checkOptions("load an encoder", files, FILES, "files");
  return await loadWith(files.name ?? "an encoder", options, (gpu) => open(gpu, files, options));
}
