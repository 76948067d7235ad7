/**
 * How long an encoder takes for a tile on a device, before its weights are there: two encoders of its sizes and of few blocks, with
 * random weights, are timed, and what a block takes is counted for all of them.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import type { Dtype } from "../core/dtype.ts";
import { createEncoder } from "../models/encoder.ts";
import type { EncoderSpec, Pooling } from "../models/encoder_spec.ts";
import { Parameters } from "../nn/parameters.ts";
import { Embedder } from "./embedder.ts";

/** How the encoder will run. */
export interface EncoderTimeOptions {
  readonly dtype: Dtype;
  readonly pooling?: Pooling | undefined;
  /** Tiles a batch, and pixels a side of one. */
  readonly batchSize: number;
  readonly patch: number;
  /** Milliseconds since any moment; for tests. */
  readonly now?: () => number;
}

/** What it takes. */
export interface EncoderTime {
  /** Milliseconds a tile. */
  readonly perTile: number;
  /** Bytes of the device: weights, and all that a batch needs at once. */
  readonly deviceBytes: number;
  /** Blocks of the larger of the encoders that were timed; all of them where there are that few. */
  readonly blocks: number;
}

/** Blocks of the encoders that are timed. */
const FEW = [1, 3] as const;
/** Milliseconds that a measurement takes at least, and batches that are timed at most. */
const LEAST = 100;
const MOST = 64;

/** Times an encoder. Software adapters are timed with a batch of one tile: all of them cost the same there. */
export async function encoderTime(gpu: Gpu, spec: EncoderSpec, options: EncoderTimeOptions): Promise<EncoderTime> {
  const { depth } = spec.arch;
  const [few, more] = depth <= FEW[1] ? [depth, depth] : FEW;
  const a = await timed(gpu, spec, few, true, options);
  if (few === more) return { perTile: a.ms, deviceBytes: a.wholeBytes, blocks: more };
  const b = await timed(gpu, spec, more, false, options);
  const perBlock = (from: number, to: number) => Math.max(0, to - from) / (more - few);
  return {
    perTile: b.ms + perBlock(a.ms, b.ms) * (depth - more),
    deviceBytes: a.wholeBytes + perBlock(a.bytes, b.bytes) * (depth - few),
    blocks: more,
  };
}

interface Timed {
  /** A tile. */
  readonly ms: number;
  /** Of the plan that was timed, and of one of a whole batch. */
  readonly bytes: number;
  readonly wholeBytes: number;
}

async function timed(
  gpu: Gpu,
  spec: EncoderSpec,
  depth: number,
  whole: boolean,
  { dtype, pooling, batchSize, patch, now = () => performance.now() }: EncoderTimeOptions,
): Promise<Timed> {
  const parameters = new Parameters(gpu, false);
  const small = { ...spec, arch: { ...spec.arch, depth } };
  const encoder = createEncoder(parameters, small, { seed: 0, dtype, ...(pooling && { pooling }) });
  parameters.allocate();
  let bytes = 0;
  const embedder = new Embedder(gpu, encoder, { batchSize, onMemory: ({ total }) => bytes = total });
  const run = async (batches: number, tiles: number): Promise<number> => {
    const pixels = new Uint8Array(tiles * patch * patch * 3).fill(200);
    const from = now();
    for (let i = 0; i < batches; i++) {
      if (embedder.full) await embedder.flush();
      await embedder.submit(pixels, patch, patch);
    }
    await embedder.flush();
    return now() - from;
  };
  const tiles = gpu.caps.software ? 1 : batchSize;
  try {
    // Blocks share what a batch needs at once: the smaller encoder tells it.
    if (whole) await run(1, batchSize);
    const wholeBytes = bytes;
    await run(1, tiles);
    let [batches, ms] = [1, await run(1, tiles)];
    while (ms < LEAST && batches < MOST) ms = await run(batches *= 4, tiles);
    return { ms: ms / (batches * tiles), bytes, wholeBytes: Math.max(bytes, wholeBytes) };
  } finally {
    embedder.destroy();
    parameters.destroy();
  }
}
