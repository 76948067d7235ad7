/**
 * Where tiles lie on a slide: TRIDENT's grid, by magnification, and one in true micrometres. Coordinates are left upper corners in
 * pixels of level 0, row by row.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";
import type { SlideLevel } from "../data/image/slide.ts";
import { Coverage, type Outline } from "../data/image/polygons.ts";
import { levelFor, magnificationOf } from "./scale.ts";
import { simplify } from "./simplify.ts";

/** Most cells of a grid. */
const MOST_CELLS = 1 << 26;
/** Most pixels a side of a tile. */
const MOST_PATCH = 4096;

/** A grid by magnification, as TRIDENT lays it: sizes are of nominal pixels, 10 µm divided by the magnification. */
export interface NominalGrid {
  readonly scale: "nominal";
  /** Magnification of the tiles. */
  readonly magnification: number;
  /** Side of a tile and what neighbours share, pixels. */
  readonly patch: number;
  readonly overlap: number;
}

/** A grid in true micrometres. */
export interface PhysicalGrid {
  readonly scale: "physical";
  /** Side of a tile, µm, and µm a pixel of it. */
  readonly tile: number;
  readonly pixelSize: number;
  /** µm that neighbours share; below zero, what lies between them. */
  readonly overlap: number;
}

/** How a slide is covered. */
export type GridKind = NominalGrid | PhysicalGrid;

/** Pixels of a tile. */
export function gridPatch(kind: GridKind): number {
  return kind.scale === "nominal" ? kind.patch : Math.round(kind.tile / kind.pixelSize);
}

/** A slide as far as a grid needs it. */
export interface Extent {
  readonly name: string;
  readonly levels: readonly SlideLevel[];
  /** µm a pixel of level 0. */
  readonly um: number;
}

/** A grid laid over a slide. */
export interface Grid {
  readonly kind: GridKind;
  /** Pixels of a tile. */
  readonly patch: number;
  /** Pixels of level 0 a pixel of a tile, and sides of tiles and steps in level 0; whole where the grid is nominal. */
  readonly downsample: number;
  readonly side: number;
  readonly step: number;
  readonly columns: number;
  readonly rows: number;
  /** Magnification that stands for the slide's pixel size; undefined where no grid by magnification is laid. */
  readonly magnification: number | undefined;
  /** The level tiles are read from, and the side of a tile there; other than `patch`, tiles are resized. */
  readonly level: number;
  readonly levelSide: number;
  /** Whether pixels are made up: no level is as fine as the tiles. */
  readonly enlarged: boolean;
}

/** Python's round: halves go to the even number. */
export function roundEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/**
 * Lays a grid over a slide.
 *
 * @throws {ConfigError} If sizes are none, neighbours share all, or there are too many cells.
 * @throws {DataError} If the magnification of a nominal grid cannot be told.
 */
export function layGrid(slide: Extent, kind: GridKind): Grid {
  const { levels, um } = slide;
  const { width, height } = levels[0]!;
  const nominal = kind.scale === "nominal";
  const magnification = nominal ? magnificationOf(slide.name, um) : undefined;
  const downsample = nominal ? magnification! / kind.magnification : kind.pixelSize / um;
  const patch = gridPatch(kind);
  const side = nominal ? roundEven(patch * downsample) : kind.tile / um;
  const step = side - (nominal ? roundEven(kind.overlap * downsample) : kind.overlap / um);
  const wanted = Number.isInteger(patch) && patch >= 1 && patch <= MOST_PATCH && side >= 1 &&
    (kind.overlap >= 0 || !nominal);
  if (!wanted || !(step >= 1)) {
    const given = nominal
      ? `tiles of ${kind.patch} pixels at ${kind.magnification}x that share ${kind.overlap}`
      : `tiles of ${kind.tile} µm, ${kind.pixelSize} µm a pixel, that share ${kind.overlap} µm`;
    throw new ConfigError(
      `Cannot lay a grid over ${slide.name}: ${given}, 1 to ${MOST_PATCH} pixels and a step of at least 1 wanted`,
      {
        hint: "Pass another --patch-size, --tile-um or --overlap of embed, or a larger --grid of predict",
        context: { file: slide.name, ...kind },
      },
    );
  }
  const [columns, rows] = [Math.ceil(width / step), Math.ceil(height / step)];
  if (columns * rows > MOST_CELLS) {
    throw new ConfigError(
      `Cannot lay a grid over ${slide.name}: ${columns * rows} cells, at most ${MOST_CELLS} wanted`,
      {
        hint: "Pass larger tiles, or check the pixel size",
        context: { file: slide.name, columns, rows },
      },
    );
  }
  const level = levelFor(levels, downsample);
  const own = levels[level]!.downsample;
  // TRIDENT reads a level that is about right as it is; in true micrometres the field counts.
  const near = nominal && Math.abs(own - downsample) <= 0.1;
  const levelSide = near ? patch : Math.max(1, Math.round(side / own));
  const enlarged = levelSide < patch * 0.95;
  return { kind, patch, downsample, side, step, columns, rows, magnification, level, levelSide, enlarged };
}

/** Left upper corner of a cell, pixels of level 0. */
export function cornerOf({ step, columns }: Grid, cell: number): [x: number, y: number] {
  return [Math.round((cell % columns) * step), Math.round(Math.floor(cell / columns) * step)];
}

/** Which cells of a grid are kept. */
export interface TileChoice {
  /** Share of a tile that must be tissue; with 0 a tile that touches tissue is kept. */
  readonly minTissue: number;
  /** Whether tiles that leave the slide are kept, as TRIDENT does. Default true. */
  readonly atEdge?: boolean;
  /** Takes so many tiles by chance, for a first look. */
  readonly most?: number;
  readonly seed?: number;
}

/** Tiles of a slide, in the order of the grid: row by row. */
export interface Tiles {
  readonly grid: Grid;
  readonly count: number;
  /** Cells of the grid. */
  readonly cells: Uint32Array;
  /** Left upper corners, `[count, 2]`, pixels of level 0. */
  readonly coords: Int32Array;
  /** Share of tissue of each. */
  readonly tissue: Float32Array;
  /** Tiles on tissue before some were taken by chance. */
  readonly found: number;
}

/** Name of a tile: its column and row. */
export function tileId({ columns }: Grid, cell: number): string {
  return `x${cell % columns}y${Math.floor(cell / columns)}`;
}

/**
 * Chooses the tiles that lie on tissue. Outlines of a nominal grid are simplified first, as TRIDENT does, by a quarter of the
 * patch.
 *
 * @param outlines Tissue in pixels of level 0; undefined for all of the slide.
 */
export function chooseTiles(
  slide: Extent,
  grid: Grid,
  outlines: readonly Outline[] | undefined,
  { minTissue, atEdge = true, most, seed = 0 }: TileChoice,
): Tiles {
  if (!(minTissue >= 0 && minTissue <= 1) || (most !== undefined && !(Number.isInteger(most) && most >= 1))) {
    throw new ConfigError(`Cannot choose tiles: ${minTissue} of tissue, ${most} tiles; 0 to 1 and at least 1 wanted`, {
      context: { minTissue, most },
    });
  }
  const { width, height } = slide.levels[0]!;
  const { columns, rows, side, kind } = grid;
  const simple = kind.scale === "nominal" && outlines !== undefined ? simplify(outlines, kind.patch / 4) : outlines;
  const coverage = simple === undefined ? undefined : new Coverage(simple);
  const cells: number[] = [];
  const shares: number[] = [];
  for (let cell = 0; cell < columns * rows; cell++) {
    const [x, y] = cornerOf(grid, cell);
    if (!atEdge && (x + side > width || y + side > height)) continue;
    const area = coverage?.area(x, y, side) ?? side * side;
    const kept = coverage === undefined ||
      (minTissue > 0 ? area >= minTissue * side * side : area > 0 || coverage.touches(x, y, side));
    if (!kept) continue;
    cells.push(cell);
    shares.push(area / (side * side));
  }
  const chosen = most === undefined || most >= cells.length
    ? cells.map((_, i) => i)
    : Array.from(new Rng(seed).permutation(cells.length).subarray(0, most)).sort((a, b) => a - b);
  return {
    grid,
    count: chosen.length,
    cells: Uint32Array.from(chosen, (i) => cells[i]!),
    coords: Int32Array.from(chosen.flatMap((i) => cornerOf(grid, cells[i]!))),
    tissue: Float32Array.from(chosen, (i) => shares[i]!),
    found: cells.length,
  };
}
