/**
 * Where patches lie around spots by HEST's two rules: that of HEST-1k today, and that of 2024 which the benchmark's files
 * follow.
 *
 * Source: HEST-Library, `patching` and `segmentation`.
 *
 * @module
 */

/** µm a pixel of patches, where nothing else is asked for. */
export const PATCH_PIXEL_SIZE = 0.5;
/** Tissue that a window must hold. */
const TISSUE = { current: 0.15, v1: 0.7 } as const;

/** Patches: their side in pixels, and µm a pixel of them. */
export interface PatchScale {
  readonly size: number;
  readonly pixelSize: number;
}

/** Patches as HEST releases them. */
export const HEST_PATCH: PatchScale = { size: 224, pixelSize: PATCH_PIXEL_SIZE };

/** Side of a patch on a slide of `pixelSize` µm a pixel, in its pixels, as files name it. */
export function sideOnSlide(patch: PatchScale, pixelSize: number): number {
  return Math.round(patch.size * patch.pixelSize / pixelSize);
}

/** Which of the two rules. */
export type Generation = "current" | "v1";

/** A window around a spot, in level-0 pixels. */
export interface Window {
  /** Number of the spot. */
  readonly spot: number;
  /** Left upper corner. */
  readonly x: number;
  readonly y: number;
  /** Side. */
  readonly side: number;
}

/** Windows of a slide's patches. */
export interface Windows {
  /** Those the rule keeps, in the order of the spots. */
  readonly kept: readonly Window[];
  /** Spots whose window leaves the image: entirely by today's rule, at all by that of 2024. */
  readonly offImage: readonly number[];
  /** Spots with too little tissue in their window. */
  readonly offTissue: readonly number[];
}

/**
 * Places windows around spots.
 *
 * @param slide Extent in level-0 pixels, and µm of such a pixel.
 * @param spatial Centres of the spots, `[n, 2]`, x then y in level-0 pixels.
 * @param coverage Share of tissue in a window.
 */
export function placeWindows(
  slide: { readonly width: number; readonly height: number; readonly pixelSize: number },
  generation: Generation,
  patch: PatchScale,
  spatial: Float64Array,
  coverage: (x: number, y: number, side: number) => number,
): Windows {
  const { width, height, pixelSize } = slide;
  const length = patch.size * patch.pixelSize / pixelSize;
  const side = sideOnSlide(patch, pixelSize);
  const kept: Window[] = [];
  const [offImage, offTissue]: [number[], number[]] = [[], []];
  for (let spot = 0; 2 * spot < spatial.length; spot++) {
    const [cx, cy] = [spatial[2 * spot]!, spatial[2 * spot + 1]!];
    const left = (centre: number) =>
      generation === "current" ? centre - Math.floor(length / 2) : Math.trunc(centre) - Math.floor(side / 2);
    const [x, y] = [left(cx), left(cy)];
    const inside = generation === "current"
      ? x + length >= 0 && y + length >= 0 && x < width && y < height
      : x >= 0 && y >= 0 && x + side <= width && y + side <= height;
    const window = { spot, x: Math.trunc(x), y: Math.trunc(y), side };
    if (!inside) offImage.push(spot);
    else if (coverage(window.x, window.y, side) >= TISSUE[generation]) kept.push(window);
    else offTissue.push(spot);
  }
  return { kept, offImage, offTissue };
}
