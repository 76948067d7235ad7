/**
 * The pixel size a TIFF claims, and whether it can be believed.
 *
 * Resolution tags lie: HEST's slides have them ten times too large (mahmoodlab/HEST#106), and programs write 72 per inch
 * for want of anything better. A value is used only where a microscope can have made it.
 *
 * @module
 */

import { type Ifd, TAG } from "./tiff_ifd.ts";
import type { TiffImage } from "./tiff_planes.ts";

/** Side of a pixel of the largest level, and who says so. */
export interface PixelSize {
  /** Micrometres, or undefined where nothing is known that can be believed. */
  readonly um: number | undefined;
  /** Micrometres as the file has it, believable or not. */
  readonly claimed: number | undefined;
  /** Where the file says it: OME-XML, Aperio's description, the resolution tags, or nowhere. */
  readonly source: "ome" | "aperio" | "resolution-tag" | "none";
  /** Why it is not to be believed. */
  readonly problem: string | undefined;
}

/** Nothing is known. */
export const NO_PIXEL_SIZE: PixelSize = { um: undefined, claimed: undefined, source: "none", problem: undefined };

/** Pixel sizes scanners have, micrometres: from oil immersion to overviews. */
const BELIEVABLE: readonly [number, number] = [0.1, 10];
/**
 * Reads the pixel size of the first directory: OME-XML before Aperio's MPP before the resolution tags. OME-XML that is there
 * and cannot be understood is not replaced by the tags, which programs beside it fill with anything.
 */
export function tiffPixelSize(ifd: Ifd, { ome, image }: Pick<TiffImage, "ome" | "image">): PixelSize {
  if (ome?.problem !== undefined) return { ...NO_PIXEL_SIZE, source: "ome", problem: ome.problem };
  const pixel = image?.pixel;
  if (pixel !== undefined) {
    if ("problem" in pixel) return { ...NO_PIXEL_SIZE, source: "ome", problem: pixel.problem };
    return judged("ome", pixel.x, pixel.y);
  }
  const text = ifd.text(TAG.description);
  const aperio = /(?:^|\|)\s*MPP\s*=\s*([^|\s]+)/.exec(text)?.[1];
  if (aperio !== undefined) return judged("aperio", Number(aperio), Number(aperio));
  const [x, y] = [ifd.number(TAG.xResolution), ifd.number(TAG.yResolution)];
  if (x === undefined) return NO_PIXEL_SIZE;
  const unit = { 2: 25_400, 3: 10_000 }[ifd.number(TAG.resolutionUnit) ?? 2];
  if (unit === undefined) return { ...NO_PIXEL_SIZE, source: "resolution-tag", problem: "its resolution has no unit" };
  return judged("resolution-tag", unit / x, unit / (y ?? x));
}

function judged(source: PixelSize["source"], x: number, y: number): PixelSize {
  const shown = (value: number) => `${Number(value.toPrecision(4))} µm`;
  const problem = (): string | undefined => {
    if (!(x > 0 && y > 0 && Number.isFinite(x + y))) return "its pixel size is no positive number";
    if (Math.abs(x / y - 1) > 0.02) return `its pixels are ${shown(x)} wide and ${shown(y)} high, expected squares`;
    if (x >= BELIEVABLE[0] && x <= BELIEVABLE[1]) return undefined;
    const range = `expected ${BELIEVABLE[0]} to ${BELIEVABLE[1]} µm`;
    const ten = x < BELIEVABLE[0] && x * 10 >= BELIEVABLE[0]
      ? `; ten times that, ${shown(x * 10)}, is likely: HEST's slides have the tag off by ten`
      : "";
    return `its pixels are ${shown(x)} wide, ${range}${ten}`;
  };
  const found = problem();
  const claimed = Number.isFinite(x) && x > 0 ? x : undefined;
  return { um: found === undefined ? x : undefined, claimed, source, problem: found };
}
