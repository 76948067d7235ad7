/**
 * Patches of a sample: which spots have one, their file, and what is said of them. Conversions of raw data and patches that are
 * cut again go through the same functions, so that the same settings give the same bytes.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { Disk } from "../../io/disk.ts";
import { writePatches } from "../../io/patches_write.ts";
import { cutPatches } from "../hest_sample.ts";
import { Coverage, type Outline } from "../image/polygons.ts";
import type { Slide } from "../image/slide.ts";
import { type Generation, type PatchScale, placeWindows, sideOnSlide, type Windows } from "../image/windows.ts";

/** µm a pixel beyond which HEST releases no sample. */
const COARSEST = 1.15;

/** How patches are cut. */
export interface CutOptions {
  /** Identifier of the sample. */
  readonly id: string;
  readonly rule: Generation;
  readonly patch: PatchScale;
  /** Takes images coarser than 1.15 µm a pixel. */
  readonly coarse?: boolean;
  onProgress?(what: string, done: number, total: number): void;
}

/** Spots, by place on the slide. */
export interface CutSpots {
  readonly barcodes: readonly string[];
  /** Centres `[spots, 2]`, x then y, pixels of level 0. */
  readonly spatial: Float64Array;
  /** µm of such a pixel. */
  readonly pixelSize: number;
}

/** Refuses slides that are too coarse. @throws {DataError} */
export function checkPixelSize({ id, coarse }: CutOptions, size: number): void {
  if (size <= COARSEST || coarse === true) return;
  throw new DataError(`Cannot convert ${id}: ${size.toFixed(3)} µm a pixel, at most ${COARSEST} wanted`, {
    code: "too-coarse",
    hint: "Give the image in its full resolution, or pass --coarse: patches are then enlarged and blurred",
    context: { sample: id, pixelSize: size, most: COARSEST },
  });
}

/**
 * Places the windows of a sample's patches.
 *
 * @param tissue Outlines in pixels of level 0, as the folder's GeoJSON holds them.
 * @throws {DataError} If no spot has a patch.
 */
export function windowsOf(
  slide: Pick<Slide, "levels">,
  { barcodes, spatial, pixelSize }: CutSpots,
  tissue: readonly Outline[],
  { id, rule, patch }: CutOptions,
): Windows {
  const { width, height } = slide.levels[0]!;
  const covered = new Coverage(tissue);
  const share = (x: number, y: number, side: number) => covered.area(x, y, side) / (side * side);
  const windows = placeWindows({ width, height, pixelSize }, rule, patch, spatial, share);
  if (windows.kept.length > 0) return windows;
  const [offTissue, offImage] = [windows.offTissue.length, windows.offImage.length];
  const bare = tissue.length === 0;
  const found = bare
    ? `no tissue is seen on the image of its ${barcodes.length} spots`
    : `of ${barcodes.length} spots ${offTissue} lie off the tissue and ${offImage} have a window that leaves the image`;
  throw new DataError(`Cannot convert ${id}: ${found}, one with a patch wanted`, {
    code: "no-patches",
    hint: bare
      ? "Give the stained slide as its image: this one is blank, black or has no colours of a stain"
      : "Check that the image is the one the spots were placed on",
    context: { sample: id, spots: barcodes.length, offTissue, offImage },
  });
}

/** Writes the patch file of a sample. */
export async function writeSamplePatches(
  disk: Pick<Disk, "writeSlowly">,
  path: string,
  slide: Slide,
  { barcodes, spatial, pixelSize }: CutSpots,
  { kept }: Windows,
  { id, rule, patch, onProgress }: CutOptions,
): Promise<void> {
  const coords = kept.flatMap(({ spot, x, y }) =>
    rule === "current" ? [x, y] : [Math.trunc(spatial[2 * spot + 1]!), Math.trunc(spatial[2 * spot]!)]
  );
  await writePatches(disk, path, {
    generation: rule,
    size: patch.size,
    barcodes: kept.map(({ spot }) => barcodes[spot]!),
    coords: BigInt64Array.from(coords, BigInt),
    sizeOnSlide: sideOnSlide(patch, pixelSize),
    slidePixelSize: pixelSize,
    pixelSize: patch.pixelSize,
    async pixels(put) {
      let done = 0;
      await cutPatches(slide, pixelSize, kept, rule, patch, (i, rgb) => {
        put(i, rgb);
        onProgress?.(`${id}: patches`, ++done, kept.length);
      });
    },
  });
}

/** What a user ought to know of the patches, in words. */
export function patchWarnings(
  { id, patch }: CutOptions,
  spots: number,
  { kept }: Windows,
  pixelSize: number,
): string[] {
  const few = 2 * kept.length < spots ? [`${id}: less than half of the spots have a patch`] : [];
  if (pixelSize <= 1.02 * patch.pixelSize) return few;
  return [
    ...few,
    `${id}: patches are enlarged: ${pixelSize.toFixed(4)} µm a pixel, ${patch.pixelSize} wanted`,
  ];
}
