/**
 * What embedding of images and of slides share: what is asked for, the machine, the encoder that is opened.
 *
 * @module
 */

import { Embedder } from "../embed/embedder.ts";
import type { Gpu } from "../gpu/device.ts";
import { variable } from "../host/process.ts";
import type { Pooling } from "../models/encoder_spec.ts";
import type { OpenedEncoder } from "../models/opened_encoder.ts";
import { parseShard, shardSlides } from "../slides/shards.ts";
import { checkEncoder, openEncoder } from "./encoder.ts";
import type { Machine } from "./machine.ts";

/** Inputs and encoder. */
export interface EmbedOptions {
  /** Files and folders. */
  readonly paths: readonly string[];
  /** As {@linkcode openEncoder} takes them. */
  readonly encoder: string;
  readonly adapter?: string | undefined;
  readonly pooling?: Pooling | undefined;
  /** Side of the images the encoder is fed, px. */
  readonly imageSize?: number | undefined;
  /** Tiles a batch. */
  readonly batchSize?: number | undefined;
  readonly precision: "f32" | "f16";
  /** Share of the inputs, as {@linkcode parseShard} reads it. */
  readonly shard?: string | undefined;
  readonly overwrite: boolean;
}

/** The machine that embeds. */
export interface EmbedMachine extends Machine {
  /** Runs what ends by itself within a batch of the signal. */
  gracefully<T>(act: () => Promise<T>): Promise<T>;
}

/** The result for the command line: what JSON says, and the exit status. */
export interface EmbedResult {
  readonly json: Readonly<Record<string, unknown>>;
  readonly status: number;
}

/** The inputs of this run's share. */
export function shareOf<T extends { readonly name: string }>(inputs: readonly T[], shard: string | undefined): T[] {
  return shard === undefined ? [...inputs] : shardSlides(inputs, parseShard(shard, variable));
}

/** Tiles a batch. */
export function batchSizeOf({ batchSize }: Pick<EmbedOptions, "batchSize">, gpu: Gpu): number {
  return batchSize ?? (gpu.caps.software ? 8 : 32);
}

/** Name of the adapter in outputs: of its file or folder without those above it. */
export function adapterName({ adapter }: EmbedOptions): string | undefined {
  return adapter?.replace(/[/\\]+$/, "").split(/[/\\]/).at(-1);
}

/** Embeds with the encoder on the device, both of which are open for as long as that takes. */
export async function withEmbedder<T>(
  options: EmbedOptions,
  { reporter, openGpu }: EmbedMachine,
  act: (embedder: Embedder, opened: OpenedEncoder) => Promise<T>,
): Promise<T> {
  const { encoder, adapter, pooling, imageSize, precision: dtype } = options;
  await checkEncoder(encoder, adapter);
  const gpu = await openGpu();
  try {
    const opened = await openEncoder(gpu, {
      ...{ encoder, adapter, pooling, imageSize, dtype },
      onProgress: (what, done, total) => reporter.update(what, done, total, "bytes"),
    });
    const embedder = new Embedder(gpu, opened.encoder, { batchSize: batchSizeOf(options, gpu) });
    try {
      return await act(embedder, opened);
    } finally {
      embedder.destroy();
      opened.encoder.parameters.destroy();
    }
  } finally {
    gpu.destroy();
  }
}
