/**
 * Pixels of tiles: cut from the level of their grid, filled up beyond the slide's edge, and resized where no level has their size.
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";
import type { Slide } from "../data/image/slide.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import type { Grid } from "./grid.ts";
import { resizeImage } from "./resize.ts";
import { levelFor } from "./scale.ts";

/** What is done with a tile whose pixels are damaged: it is left out, damaged parts are white, or reading ends. */
export type BadTiles = "skip" | "white" | "fail";

/** How tiles are cut. */
export interface CutOptions {
  /** What lies beyond the slide's edge. */
  readonly edge: "white" | "black";
  readonly badTiles: BadTiles;
}

/** As tiles are cut unless somebody says otherwise. */
export const CUT: CutOptions = { edge: "white", badTiles: "skip" };

/** The grid's numbers that cutting needs, which travel to workers. */
export type CutGrid = Pick<Grid, "patch" | "level" | "levelSide">;

/** Tiles that were cut. */
export interface CutTiles {
  /** `[tiles, patch, patch, 3]`; those that are left out are zero. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Share of each that lies beyond the slide's edge. */
  readonly padding: Float32Array<ArrayBuffer>;
  /** 1 where a tile's pixels are damaged and it is left out. */
  readonly skipped: Uint8Array<ArrayBuffer>;
  /** What is wrong with pixels, by the level and number of the source's tile where that is known. */
  readonly damage: readonly { readonly key: string; readonly message: string }[];
}

/**
 * Cuts tiles.
 *
 * @param slide Opened with damaged tiles white where `badTiles` says so.
 * @param coords Left upper corners, `[tiles, 2]`, pixels of level 0.
 * @throws {FormatError} If pixels are damaged and `badTiles` is `fail`.
 */
export async function cutTiles(
  slide: Slide,
  grid: CutGrid,
  coords: ArrayLike<number>,
  options: CutOptions = CUT,
): Promise<CutTiles> {
  const { patch } = grid;
  const count = coords.length >> 1;
  const bytes = patch * patch * 3;
  const data = new Uint8Array(count * bytes);
  const [padding, skipped] = [new Float32Array(count), new Uint8Array(count)];
  const damage: { key: string; message: string }[] = [];
  const before = slide.damaged.length;
  for (let i = 0; i < count; i++) {
    try {
      const { image, share } = await cutTile(slide, grid, coords[2 * i]!, coords[2 * i + 1]!, options.edge);
      data.set(image.data, i * bytes);
      padding[i] = share;
    } catch (error) {
      if (options.badTiles !== "skip" || !(error instanceof FormatError)) throw error;
      skipped[i] = 1;
      damage.push({ key: error.message, message: error.message });
    }
  }
  for (const { level, tile, error } of slide.damaged.slice(before)) {
    damage.push({ key: `${level} ${tile}`, message: error.message });
  }
  return { data, padding, skipped, damage };
}

/**
 * A square of a slide, small.
 *
 * @param corner Its left upper one, pixels of level 0.
 * @param side Of the square, pixels of level 0.
 * @param size Of the result, pixels.
 */
export async function cutSmall(
  slide: Slide,
  [x, y]: readonly [number, number],
  side: number,
  size: number,
): Promise<RgbImage> {
  const level = levelFor(slide.levels, side / size);
  const levelSide = Math.max(1, Math.round(side / slide.levels[level]!.downsample));
  const { data } = await cutTiles(slide, { patch: size, level, levelSide }, [Math.round(x), Math.round(y)]);
  return { width: size, height: size, data };
}

/** Cuts one tile, and says which share of it lies beyond the edge. */
async function cutTile(
  slide: Slide,
  { patch, level, levelSide: side }: CutGrid,
  x: number,
  y: number,
  edge: CutOptions["edge"],
): Promise<{ image: RgbImage; share: number }> {
  const { width, height, downsample } = slide.levels[level]!;
  const [left, top] = [Math.round(x / downsample), Math.round(y / downsample)];
  const image = await slide.read(level, left, top, side, side);
  const inside = (from: number, extent: number) =>
    [
      Math.min(side, Math.max(0, -from)),
      Math.min(side, Math.max(0, extent - from)),
    ] as const;
  const [[x0, x1], [y0, y1]] = [inside(left, width), inside(top, height)];
  const share = 1 - Math.max(0, x1 - x0) * Math.max(0, y1 - y0) / (side * side);
  if (share > 0 && edge === "white") {
    for (let row = 0; row < side; row++) {
      const [from, to] = [row * side * 3, (row + 1) * side * 3];
      if (row < y0 || row >= y1) image.data.fill(255, from, to);
      else image.data.fill(255, from, from + 3 * x0).fill(255, from + 3 * x1, to);
    }
  }
  return { image: side === patch ? image : resizeImage(image, patch, patch), share };
}
