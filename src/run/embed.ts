/**
 * What embedding of pictures and of slides share: what is asked for, the machine, the encoder that is opened.
 *
 * @module
 */

import { Embedder } from "../embed/embedder.ts";
import type { Gpu } from "../gpu/device.ts";
import { variable } from "../host/process.ts";
import type { Pooling } from "../models/encoder_spec.ts";
import type { OpenedEncoder } from "../models/opened_encoder.ts";
import { parseShard, shardSlides } from "../slides/shards.ts";
import { openEncoder } from "./encoder.ts";
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
export function batchSizeOf({ batchSize }: EmbedOptions, gpu: Gpu): number {
  return batchSize ?? (gpu.caps.software ? 8 : 32);
}

/** Name of the adapter in outputs: of its file or folder without those above it. */
export function adapterName({ adapter }: EmbedOptions): string | undefined {
  return adapter?.replace(/[/\\]+$/, "").split(/[/\\]/).at(-1);
}

/** Opens the device and the encoder on it. */
export async function openOnGpu(
  options: EmbedOptions,
  { reporter, openGpu }: EmbedMachine,
): Promise<{ gpu: Gpu; opened: OpenedEncoder }> {
  const gpu = await openGpu();
  const { encoder, adapter, pooling, imageSize, precision: dtype } = options;
  const opened = await openEncoder(gpu, {
    ...{ encoder, adapter, pooling, imageSize, dtype },
    onProgress: (what, done, total) => reporter.update(what, done, total, "bytes"),
  });
  return { gpu, opened };
}

/** What embeds on the device. */
export function embedderOf(options: EmbedOptions, gpu: Gpu, { encoder }: OpenedEncoder): Embedder {
  return new Embedder(gpu, encoder, { batchSize: batchSizeOf(options, gpu) });
}
