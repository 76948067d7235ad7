/**
 * From open weights, wherever they lie, to an encoder on the device: no host is needed.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { sha256Of } from "../io/checksum.ts";
import type { Adapter } from "../io/torch/peft.ts";
import type { Weights } from "../io/torch/weights.ts";
import { Parameters } from "../nn/parameters.ts";
import { createEncoder } from "./encoder.ts";
import type { ConfigFacts } from "./encoder_config.ts";
import { recogniseEncoder } from "./encoder_registry.ts";
import type { EncoderSpec } from "./encoder_spec.ts";
import { fedWith, loadEncoder, type LoadOptions } from "./load.ts";
import type { EncoderRequest, OpenedEncoder } from "./opened_encoder.ts";
import { describeInput } from "./preprocess.ts";
import { randomEncoder } from "./random_encoder.ts";

/** Weights of an encoder and what is known of them. */
export interface EncoderSource {
  readonly weights: Weights;
  /** Name in outputs. */
  readonly name: string;
  /** SHA-256 of the file, of the list of them for shards; it may still be computed while the weights are loaded. */
  readonly hash: Promise<string>;
  /** The encoder it is, if that was said. */
  readonly spec?: EncoderSpec;
  /** What configurations say. */
  readonly facts: readonly ConfigFacts[];
}

/** How weights are loaded as an encoder. */
export function loadOptions(
  { name, facts, spec }: Omit<EncoderSource, "hash">,
  given: string,
  adapter: Adapter | undefined,
): LoadOptions {
  return {
    name,
    facts,
    ...(spec ? { spec } : { recognise: (family, arch) => recogniseEncoder(family, arch, given) }),
    ...(adapter && { adapter }),
  };
}

/** The error for an adapter on random weights. */
export function noFileFor(name: string, adapter: string): ConfigError {
  return new ConfigError(`Cannot put adapter ${adapter} on ${name}: weights of a file are wanted`, {
    hint:
      "Name the encoder the adapter was trained on, or its folder; runs on random weights open with predict --run RUN",
  });
}

/** An encoder of random weights. */
export async function openRandom(
  gpu: Gpu,
  { encoder: name, adapter, dtype, pooling, imageSize, build }: EncoderRequest,
): Promise<OpenedEncoder> {
  if (adapter !== undefined) throw noFileFor(name, adapter);
  const { spec: own, seed, fanIn } = randomEncoder(name);
  const spec = imageSize === undefined ? own : fedWith(own, imageSize);
  build?.onSpec?.(spec);
  const parameters = build?.parameters ?? new Parameters(gpu, false);
  const encoder = createEncoder(parameters, spec, {
    seed,
    fanIn,
    dtype,
    lora: build?.lora,
    ...(pooling && { pooling }),
  });
  parameters.allocate();
  const preparation = describeInput(encoder.spec.input);
  return await Promise.resolve({
    encoder,
    name,
    weightsHash: sha256Of(name),
    adapterHash: undefined,
    preparation,
    assumed: [],
  });
}

/** An adapter that is open. */
export interface SourceAdapter {
  readonly adapter: Adapter;
  /** SHA-256 of its weights. */
  hash(): Promise<string>;
}

/**
 * Loads an encoder from open weights, which stay open.
 *
 * @throws {WeightsError | FormatError | DataError} If the weights or the adapter do not fit, or cannot be read.
 */
export async function openSource(
  gpu: Gpu,
  source: EncoderSource,
  request: EncoderRequest,
  opened?: SourceAdapter,
): Promise<OpenedEncoder> {
  const { dtype, pooling, imageSize, build, onProgress } = request;
  const options: LoadOptions = {
    ...loadOptions(source, request.encoder, opened?.adapter),
    ...(dtype && { dtype }),
    ...(pooling && { pooling }),
    ...(imageSize !== undefined && { imageSize }),
    ...build,
    onProgress: (done, total) => onProgress?.(`load ${source.name}`, done, total),
  };
  const encoder = await loadEncoder(gpu, source.weights, options);
  const [weightsHash, adapterHash] = [await source.hash, await opened?.hash()];
  const { spec } = encoder;
  const trained = opened?.adapter.imageSize;
  return {
    encoder,
    name: source.name,
    weightsHash,
    adapterHash,
    preparation: describeInput(spec.input),
    assumed: [
      ...(trained !== undefined && trained !== spec.input.size
        ? [`images of ${spec.input.size} px suit the adapter, which was trained with ${trained} px`]
        : []),
      ...spec.assumed ?? [],
    ],
  };
}
