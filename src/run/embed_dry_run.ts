/**
 * `embed --dry-run`: what slides would take, before anything starts.
 *
 * @module
 */

import { DeviceError, type SealError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import type { Reporter } from "../core/reporter.ts";
import { type EncoderTime, encoderTime } from "../embed/encoder_time.ts";
import { JPEG2000_RATE } from "../io/image/jpeg2000.ts";
import { findEncoder, outputWith } from "../models/encoder_registry.ts";
import type { EncoderSpec } from "../models/encoder_spec.ts";
import { fedWith } from "../models/load.ts";
import { planSlide } from "../slides/plan.ts";
import { endsAll } from "../io/output.ts";
import { gridPatch } from "../slides/grid.ts";
import type { SlideInput } from "../slides/slide_inputs.ts";
import { batchSizeOf, type EmbedResult } from "./embed.ts";
import type { EmbedSlidesOptions } from "./embed_slide.ts";
import { slidesOf } from "./embed_slides.ts";
import { checkEncoder } from "./encoder.ts";
import type { Machine } from "./machine.ts";
import { readingBytes } from "../worker/tile_pool.ts";
import { givenFor, openWhole, readGiven } from "./slide_files.ts";

/** Pixels of JPEG that a worker decodes in a second, about. */
const RATE = 4e7;

/** What a slide would take. */
interface Estimate {
  readonly name: string;
  readonly tiles: number;
  /** Pixels to be decoded, and seconds that takes the workers. */
  readonly pixels: number;
  readonly seconds: number;
  /** Bytes of the features. */
  readonly bytes: number;
  /** Most bytes of memory that reading takes. */
  readonly memory: number;
  readonly error?: string;
}

/** Sizes of the encoder: by its weights, or, where they are still to be downloaded, as published. */
async function sizesOf({ encoder, adapter }: EmbedSlidesOptions, reporter: Reporter): Promise<EncoderSpec> {
  try {
    return await checkEncoder(encoder, adapter);
  } catch (error) {
    if ((error as { code?: string }).code !== "weights-missing") throw error;
    reporter.say(`Weights of ${encoder} are not in the cache; they are downloaded when embedding begins`);
    return findEncoder(encoder);
  }
}

/** What the encoder takes, as far as that could be measured. */
type Measured =
  | (EncoderTime & { readonly adapter: string })
  | { readonly why: string };

/** Times the encoder on the device that would be used. */
async function measure(
  options: EmbedSlidesOptions,
  spec: EncoderSpec,
  openGpu: Machine["openGpu"],
  isAsked: (error: DeviceError) => boolean,
): Promise<Measured> {
  try {
    const gpu = await openGpu();
    try {
      const time = await encoderTime(gpu, spec, {
        dtype: options.precision,
        pooling: options.pooling,
        batchSize: batchSizeOf(options, gpu),
        patch: gridPatch(options.settings.kind),
      });
      return { ...time, adapter: gpu.description };
    } finally {
      gpu.destroy();
    }
  } catch (error) {
    // Whoever launched this may find an adapter.
    if (!(error instanceof DeviceError) || isAsked(error)) throw error;
    return { why: error.message };
  }
}

/**
 * Plans all slides, times the encoder, and says what they would take.
 *
 * @param isAsked Whether whoever started this process may find the adapter that an error lacks.
 */
export async function dryRun(
  options: EmbedSlidesOptions,
  { reporter, openGpu }: Pick<Machine, "reporter" | "openGpu">,
  isAsked: (error: DeviceError) => boolean,
): Promise<EmbedResult> {
  const { slides, of } = slidesOf(options);
  const own = await sizesOf(options, reporter);
  const spec = options.imageSize === undefined ? own : fedWith(own, options.imageSize);
  const { dim } = outputWith(spec, options.pooling);
  const workers = Math.max(1, options.workers ?? navigator.hardwareConcurrency - 1);
  const measured = await measure(options, spec, openGpu, isAsked);
  const found: Estimate[] = [];
  for (const slide of slides) {
    try {
      found.push(await estimate(options, slide, dim, workers));
    } catch (error) {
      if (of === 1 || endsAll(error)) throw error;
      const { message, hint } = error as SealError;
      const why = hint === undefined ? message : `${message}; ${hint}`;
      found.push({ name: slide.name, tiles: 0, pixels: 0, seconds: 0, bytes: 0, memory: 0, error: why });
    }
    reporter.say(line(found.at(-1)!));
  }
  const sum = (key: "tiles" | "pixels" | "seconds" | "bytes") => found.reduce((total, one) => total + one[key], 0);
  const total = { tiles: sum("tiles"), pixels: sum("pixels"), seconds: sum("seconds"), bytes: sum("bytes") };
  const memory = Math.max(0, ...found.map(({ memory }) => memory));
  reporter.say(line({ name: `${found.length} slides`, ...total, memory }));
  reporter.say(`Reading takes at most ${Math.round(memory / 2 ** 20)} MiB of memory with ${workers} workers`);
  const perTile = "why" in measured ? null : measured.perTile;
  const encoding = perTile === null ? null : total.tiles * perTile / 1000;
  reporter.say(encodingLine(measured, spec, total.tiles));
  const { adapter, deviceBytes, why } = { adapter: null, deviceBytes: null, why: null, ...measured };
  const device = {
    encoding_seconds: encoding,
    ms_a_tile: perTile,
    adapter,
    device_bytes: deviceBytes,
    not_measured: why,
  };
  return {
    json: { dryRun: true, encoder: spec.name, dim, workers, memory, ...device, ...total, slides: found },
    status: found.some(({ error, tiles }) => error !== undefined || tiles === 0) ? INCOMPLETE : 0,
  };
}

function encodingLine(measured: Measured, { arch: { depth } }: EncoderSpec, tiles: number): string {
  if ("why" in measured) return `The encoder's time is not measured: ${measured.why}`;
  const { perTile, adapter, deviceBytes, blocks } = measured;
  const by = blocks < depth ? `, measured on ${blocks} of its ${depth} blocks` : "";
  const mb = Math.round(deviceBytes / 2 ** 20);
  return `The encoder takes about ${shown(tiles * perTile / 1000)} s and ${mb} MiB of ${adapter}: ` +
    `${Number(perTile.toPrecision(3))} ms a tile${by}`;
}

function line({ name, tiles, pixels, seconds, bytes, error }: Estimate): string {
  if (error !== undefined) return `${name}: ${error}`;
  const mb = (bytes / 1e6).toFixed(1);
  return `${name}: ${tiles} tiles, ${(pixels / 1e6).toFixed(0)} Mpx to read in about ${shown(seconds)} s, ` +
    `${mb} MB of features`;
}

function shown(seconds: number): string {
  return seconds.toFixed(seconds < 10 ? 1 : 0);
}

async function estimate(
  { settings, mpp, batchSize = 32, ...given }: EmbedSlidesOptions,
  slide: SlideInput,
  dim: number,
  workers: number,
): Promise<Estimate> {
  const opened = await openWhole(slide.path, settings.badTiles);
  try {
    const { grid, tiles } = await planSlide(opened, slide.name, settings, {
      ...{ flag: mpp, manifest: slide.mpp },
      ...readGiven(givenFor(given, slide.name, slide.mask)),
    });
    const pixels = tiles.count * grid.levelSide ** 2;
    const slow = opened.notes.some((note) => /JPEG 2000/.test(note));
    const seconds = pixels / (slow ? JPEG2000_RATE : RATE) / workers;
    const memory = readingBytes(tiles.count, { batch: batchSize, patch: grid.patch });
    return { name: slide.name, tiles: tiles.count, pixels, seconds, bytes: tiles.count * (dim * 4 + 16), memory };
  } finally {
    opened.close();
  }
}
