/**
 * A sample of Visium or Visium HD to HEST's layout.
 *
 * @module
 */

import type { Disk } from "../io/disk.ts";
import type { RandomAccess } from "../io/random_access.ts";
import type { FeatureCounts } from "../io/tenx_h5.ts";
import type { TenxSpatial } from "../io/tenx_spatial.ts";
import { type Converted, type ConvertOptions, writeSample } from "./convert_sample.ts";
import { openSlide, type Slide } from "./slide.ts";
import { joinVisium } from "./visium.ts";

/** What a sample is read from. */
export interface VisiumSources {
  readonly counts: FeatureCounts;
  readonly spatial: TenxSpatial;
  /** The slide, or a small picture of it. */
  readonly image: RandomAccess;
  /** Space Ranger's small picture, which tells how large the slide was that it was given. */
  readonly hires?: RandomAccess | undefined;
}

/**
 * Converts a sample. The folders must be there.
 *
 * @param options `underTissue` leaves out spots that Space Ranger does not call under tissue.
 * @throws {FormatError} If a file is damaged.
 * @throws {DataError} If the files do not belong together, or nothing is left of them.
 */
export async function convertVisium(
  disk: Disk,
  out: string,
  { counts, spatial, image, hires }: VisiumSources,
  options: ConvertOptions & { readonly underTissue: boolean },
): Promise<Converted> {
  const { id: sample, pitch, underTissue } = options;
  const slide = await openSlide(image);
  const small = hires === undefined ? undefined : (await openSlide(hires)).levels[0]!;
  const { scale, warnings } = scaleOf(sample, slide, spatial, small);
  const picture = { ...slide.levels[0]!, scale };
  const read = joinVisium({ sample, counts, spatial, picture, pitch, underTissue });
  return await writeSample(disk, out, slide, { ...read, warnings: [...warnings, ...read.warnings] }, options);
}

/**
 * Pixels of the picture a pixel of the slide that Space Ranger was given: by their extents where the small picture tells,
 * else by the picture's name.
 */
function scaleOf(
  sample: string,
  slide: Slide,
  { scale }: TenxSpatial,
  small: { readonly width: number; readonly height: number } | undefined,
): { scale: number; warnings: string[] } {
  const { width, height } = slide.levels[0]!;
  const named = /tissue_(hires|lowres)_image/.exec(slide.name)?.[1] as "hires" | "lowres" | undefined;
  const byName = named === undefined ? 1 : scale?.[named] ?? 1;
  if (small === undefined || scale?.hires === undefined) return { scale: byName, warnings: [] };
  const full = { width: small.width / scale.hires, height: small.height / scale.hires };
  const off = (by: number) =>
    Math.max(Math.abs(width / (full.width * by) - 1), Math.abs(height / (full.height * by) - 1));
  // The small picture's sides are rounded to pixels.
  const best = [byName, 1, scale.hires, scale.lowres].find((by) => by !== undefined && off(by) < 0.01);
  if (best !== undefined) return { scale: best, warnings: [] };
  const [w, h] = [Math.round(full.width), Math.round(full.height)];
  const text = `the picture has ${width}x${height} pixels, the one Space Ranger was given about ${w}x${h}`;
  return { scale: byName, warnings: [`${sample}: ${text}`] };
}
