/**
 * How large a slide's pixels are and who says so, the magnification that stands for it, and the level that a wanted size is
 * read from.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import type { Slide, SlideLevel } from "../data/image/slide.ts";

/** Pixel sizes microscopes have, µm: from oil immersion to overviews. */
export const PIXEL_SIZES: readonly [number, number] = [0.1, 10];
/** Most that two statements of one size may differ by, as a share. */
const AGREE = 0.02;

/** µm a pixel of level 0. */
export interface SlideScale {
  readonly um: number;
  /** Who says so: the user, by flag or in a list of slides, metadata of the sample, or the file. */
  readonly source: "flag" | "manifest" | "metadata" | "ome" | "aperio" | "resolution-tag";
  /** Disagreements, in words. */
  readonly notes: readonly string[];
}

/** What is said of a slide's pixel size beside its file, µm a pixel of level 0. */
export interface GivenScale {
  readonly flag?: number | undefined;
  readonly manifest?: number | undefined;
  readonly metadata?: number | undefined;
  /** What the flag is called. Default `--mpp`. */
  readonly flagName?: string | undefined;
}

/**
 * Takes the user's word before the file's: the flag, then the list of slides, then metadata, OME-XML, Aperio's description and the
 * resolution tags.
 *
 * @throws {ConfigError} If the user's word is no pixel size of a microscope.
 * @throws {DataError} If nobody says how large a pixel is.
 */
export function slideScale(
  { name, pixelSize }: Pick<Slide, "name" | "pixelSize">,
  given: GivenScale = {},
): SlideScale {
  const um = given.flag ?? given.manifest ?? given.metadata;
  const { flagName = "--mpp" } = given;
  const [least, most] = PIXEL_SIZES;
  if (um !== undefined) {
    const source = given.flag !== undefined ? "flag" : given.manifest !== undefined ? "manifest" : "metadata";
    if (!(um >= least && um <= most)) {
      throw new ConfigError(`Cannot place tiles on ${name}: ${um} µm a pixel, ${least} to ${most} wanted`, {
        hint: {
          flag: `Pass another ${flagName}`,
          manifest: "Mend the column mpp of the list of slides",
          metadata: `Mend the sample's metadata, or pass ${flagName}`,
        }[source],
        context: { file: name, um, source },
      });
    }
    const claimed = pixelSize.claimed;
    const apart = claimed === undefined ? 0 : Math.abs(um / claimed - 1);
    const says = `its file says ${shown(claimed ?? 0)} µm a pixel, ${shown(um)} µm are taken as told`;
    return { um, source, notes: apart > AGREE ? [says] : [] };
  }
  if (pixelSize.um !== undefined && pixelSize.source !== "none") {
    return { um: pixelSize.um, source: pixelSize.source, notes: [] };
  }
  throw new DataError(`Cannot place tiles on ${name}: ${pixelSize.problem ?? "it names no pixel size"}`, {
    code: "no-pixel-size",
    hint: `Pass ${flagName}, µm a pixel of its largest level` +
      (flagName === "--mpp" ? ", or a column mpp in the list of slides" : ""),
    context: { file: name, claimed: pixelSize.claimed, source: pixelSize.source },
  });
}

function shown(um: number): string {
  return String(Number(um.toPrecision(4)));
}

/** Magnifications and the pixel size below which each begins, µm, as TRIDENT has them. */
const MAGNIFICATIONS: readonly (readonly [below: number, magnification: number])[] = [
  [0.16, 80],
  [0.2, 60],
  [0.3, 40],
  [0.6, 20],
  [1.2, 10],
  [2.4, 5],
];

/**
 * The magnification that stands for a pixel size.
 *
 * @throws {DataError} If pixels are larger than any magnification's.
 */
export function magnificationOf(name: string, um: number): number {
  const found = MAGNIFICATIONS.find(([below]) => um < below)?.[1];
  if (found !== undefined) return found;
  throw new DataError(`Cannot tell the magnification of ${name}: ${shown(um)} µm a pixel, below 2.4 wanted`, {
    code: "no-magnification",
    hint: "Lay the grid by size: --tile-um and --mpp-target in place of --mag",
    context: { file: name, um },
  });
}

/** Levels that are about right are read as they are. */
const NEAR = 0.1;

/**
 * The level a downsample is read from: the first within 0.1 of it, else the smallest that is fine enough, else the largest.
 *
 * @param wanted Pixels of level 0 a pixel of the result.
 */
export function levelFor(levels: readonly SlideLevel[], wanted: number): number {
  const near = levels.findIndex(({ downsample }) => Math.abs(downsample - wanted) <= NEAR);
  if (near >= 0) return near;
  return Math.max(0, levels.findLastIndex(({ downsample }) => downsample <= wanted));
}
