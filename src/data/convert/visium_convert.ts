/**
 * A sample of Visium or Visium HD to HEST's layout.
 *
 * @module
 */

import type { Disk } from "../../io/disk.ts";
import type { RandomAccess } from "../../io/random_access.ts";
import type { FeatureCounts } from "../../io/tenx_h5.ts";
import type { ScaleFactors } from "../../io/tenx_spatial.ts";
import { DataError } from "../../core/errors.ts";
import { fixed } from "../../core/fixed.ts";
import { TURNS } from "../../io/image/orientation.ts";
import { type Converted, type ConvertOptions, thumbnailOf, writeSample } from "./convert_sample.ts";
import type { Thumbnail } from "../hest_sample.ts";
import { openSlide, type Slide, turnedSlide } from "../image/slide.ts";
import { joinVisium, type VisiumInput } from "./visium.ts";
import { wayUp } from "../image/way_up.ts";

/** What a sample is read from. */
export interface VisiumSources extends Pick<VisiumInput, "takeSpots" | "scale"> {
  readonly counts: FeatureCounts;
  /** The slide, or a small image of it. */
  readonly image: RandomAccess;
  /** Space Ranger's small image, which tells how large the slide was that it was given. */
  readonly hires?: RandomAccess | undefined;
  /** Its smaller one, which stands in where that one is missing, to tell which way up the slide lies. */
  readonly lowres?: RandomAccess | undefined;
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
  { counts, takeSpots, scale: said, image, hires, lowres }: VisiumSources,
  options: ConvertOptions & { readonly underTissue: boolean },
): Promise<Converted> {
  const { id: sample, pitch, underTissue } = options;
  const given = await openSlide(image);
  const small = hires === undefined ? undefined : await openSlide(hires);
  const like = small ?? (lowres === undefined ? undefined : await openSlide(lowres));
  const laid = await layRight(given, image.name === like?.name ? undefined : like, options);
  const { slide } = laid;
  const { scale, warnings } = scaleOf(sample, slide, said, small?.levels[0]);
  const { width, height } = slide.levels[0]!;
  const lattice = { takeSpots, scale: said, image: { width, height, scale }, pitch, underTissue };
  const read = joinVisium({ sample, counts, ...lattice });
  const told = { ...read, warnings: [...laid.warnings, ...warnings, ...read.warnings] };
  return await writeSample(disk, out, slide, told, options, laid.thumbnail);
}

/**
 * Turns the slide as Space Ranger's small image lies, which it made of the image that the spots were placed on: that one
 * tells which way up is meant, whatever the slide's own tag says or does not say.
 *
 * @throws {DataError} If the slide lies another way up and several ways of turning it fit.
 */
async function layRight(
  given: Slide,
  like: Slide | undefined,
  options: ConvertOptions,
): Promise<{ slide: Slide; thumbnail?: Thumbnail; warnings: string[] }> {
  if (like === undefined) return { slide: given, warnings: [] };
  const { id } = options;
  const thumbnail = await thumbnailOf(given, options);
  const found = wayUp(thumbnail, await thumbnailOf(like, { id }));
  if (found === undefined) return { slide: given, thumbnail, warnings: [] };
  const [asIs, best] = [found.asIs, found.best].map((value) => fixed(value, 2));
  const name = like.name.replace(/^.*[/\\]/, "");
  const { orientation, same } = found;
  if (!same) {
    const text = `${id}: the image does not show what ${name} shows (correlation ${best} at best)`;
    return { slide: given, thumbnail, warnings: [`${text}: is it the one the spots were placed on?`] };
  }
  if (orientation === undefined) {
    const text =
      `${given.name} lies another way up than ${name} (correlation ${asIs}, turned or mirrored up to ${best})`;
    throw new DataError(`Cannot convert ${id}: ${text}, and several ways fit, the same way up wanted`, {
      code: "way-up",
      hint: "Turn the image first: vips rot IN OUT d180, or vips flip IN OUT horizontal",
      context: { sample: id, file: given.name, like: like.name, asIs: found.asIs, best: found.best },
    });
  }
  const tag = given.orientation === 1 ? "" : `, against its own orientation ${given.orientation}`;
  const text = `${id}: the image lies another way up than ${name} (correlation ${asIs}; ${TURNS[orientation]} ${best})`;
  return { slide: turnedSlide(given, orientation), warnings: [`${text}: it was ${TURNS[orientation]}${tag}`] };
}

/**
 * Pixels of the image a pixel of the slide that Space Ranger was given: by their extents where the small image tells,
 * else by the image's name.
 */
function scaleOf(
  sample: string,
  slide: Slide,
  scale: ScaleFactors | undefined,
  small: { readonly width: number; readonly height: number } | undefined,
): { scale: number; warnings: string[] } {
  const { width, height } = slide.levels[0]!;
  const named = /tissue_(hires|lowres)_image/.exec(slide.name)?.[1] as "hires" | "lowres" | undefined;
  const byName = named === undefined ? 1 : scale?.[named] ?? 1;
  if (small === undefined || scale?.hires === undefined) return { scale: byName, warnings: [] };
  const full = { width: small.width / scale.hires, height: small.height / scale.hires };
  const off = (by: number) =>
    Math.max(Math.abs(width / (full.width * by) - 1), Math.abs(height / (full.height * by) - 1));
  // The small image's sides are rounded to pixels.
  const best = [byName, 1, scale.hires, scale.lowres].find((by) => by !== undefined && off(by) < 0.01);
  if (best !== undefined) return { scale: best, warnings: [] };
  const [w, h] = [Math.round(full.width), Math.round(full.height)];
  const text = `the image has ${width}x${height} pixels, the one Space Ranger was given about ${w}x${h}`;
  return { scale: byName, warnings: [`${sample}: ${text}`] };
}
