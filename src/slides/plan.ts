/**
 * What is to be done with a slide: its pixel size, its tissue, its grid and tiles; and the files of TRIDENT's tree that show it.
 *
 * @module
 */

import { shrink } from "../data/hest_sample.ts";
import { type Mask, outlinesOf } from "../data/image/mask.ts";
import type { Slide } from "../data/image/slide.ts";
import { slideTissue, TISSUE, type TissueOptions } from "../data/image/tissue.ts";
import type { Disk } from "../io/disk.ts";
import { encodeJpeg } from "../io/image/jpeg_write.ts";
import { textChunks } from "../io/text_chunks.ts";
import { chooseTiles, type Extent, type Grid, type GridKind, layGrid, type TileChoice, type Tiles } from "./grid.ts";
import {
  contoursGeoJson,
  type GeoJsonFlavour,
  readOutlines,
  squaresOf,
  tilesGeoJson,
  withinRegions,
} from "./outlines.ts";
import { drawOutlines, drawTiles } from "./drawing.ts";
import type { Outline } from "../data/image/polygons.ts";
import { type GivenScale, type SlideScale, slideScale } from "./scale.ts";
import { type SlidePaths, tileAttributes, writeTiles } from "./tree.ts";

/** Long side of the small images, pixels. */
const THUMBNAIL = 1000;

/** A file that was read. */
export interface GivenFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** How slides are covered with tiles. */
export interface PlanSettings {
  readonly kind: GridKind;
  readonly choice: TileChoice;
  readonly tissue: Partial<TissueOptions>;
  /** Covers all of the slide, whether there is tissue or not. */
  readonly everywhere?: boolean;
  /** Names of the classes whose polygons are tissue or regions; by default all. */
  readonly classes?: readonly string[] | undefined;
}

/** What is given for one slide. */
export interface PlanGiven extends GivenScale {
  /** Tissue by another program, and regions outside of which nothing is wanted. */
  readonly tissue?: GivenFile | undefined;
  readonly regions?: GivenFile | undefined;
}

/** What is to be done with a slide. */
export interface SlidePlan {
  readonly extent: Extent;
  readonly scale: SlideScale;
  readonly grid: Grid;
  readonly tiles: Tiles;
  /** Tissue in pixels of level 0; undefined where all of the slide is covered. */
  readonly outlines: readonly Outline[] | undefined;
  /** What is said of the slide and how it was covered. */
  readonly facts: Readonly<Record<string, string | number | boolean | null | readonly string[]>>;
  /** What a user ought to know, in words. */
  readonly notes: readonly string[];
}

/**
 * Plans a slide.
 *
 * @param name What the slide is called in outputs.
 * @throws {DataError} If its pixel size is not known, or a file given for it does not fit.
 * @throws {ConfigError} If the grid cannot be laid.
 */
export async function planSlide(
  slide: Slide,
  name: string,
  settings: PlanSettings,
  given: PlanGiven,
  onRows?: (share: number) => void,
): Promise<SlidePlan> {
  const scale = slideScale(slide, given);
  const extent: Extent = { name, levels: slide.levels, um: scale.um };
  // What is wrong with the grid is said before the slide is looked at.
  const grid = layGrid(extent, settings.kind);
  const notes = [...slide.notes, ...scale.notes];
  if (grid.enlarged) {
    notes.push(`its tiles are enlarged: ${shown(scale.um)} µm a pixel, ${shown(scale.um * grid.downsample)} wanted`);
  }
  const found = await tissueOf(slide, scale.um, settings, given, onRows);
  if (found.facts["tissue_lost"] as number > 0) {
    const share = shown(100 * Number(found.facts["tissue_lost"]));
    notes.push(`${share} % of level ${found.facts["tissue_level"]}, on which tissue is looked for, cannot be read`);
  }
  if (found.facts["tissue"] === "much" || found.facts["tissue"] === "little") {
    notes.push(`tissue covers ${shown(100 * Number(found.facts["tissue_share"]))} % of it: look at its outlines`);
  }
  // Whole pixels, as the file of outlines has them: tiles can be found again from that.
  const outlines = found.outlines?.map(({ exterior, holes }) => ({
    exterior: exterior.map(Math.round),
    holes: holes.map((hole) => hole.map(Math.round)),
  }));
  const tiles = chooseTiles(extent, grid, outlines, settings.choice);
  const { width, height } = slide.levels[0]!;
  const facts = {
    ...{ width, height, levels: slide.levels.length, mpp: scale.um, mpp_source: scale.source },
    ...{ magnification: grid.magnification ?? null, level: grid.level, level_side: grid.levelSide },
    ...{ columns: grid.columns, rows: grid.rows, tiles: tiles.count, tiles_found: tiles.found },
    ...found.facts,
    notes,
  };
  return { extent, scale, grid, tiles, outlines, facts, notes };
}

function shown(value: number): string {
  return String(Number(value.toPrecision(4)));
}

interface FoundTissue {
  readonly outlines: readonly Outline[] | undefined;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}

async function tissueOf(
  slide: Slide,
  um: number,
  { tissue: options, everywhere = false, classes }: PlanSettings,
  { tissue: file, regions: area }: PlanGiven,
  onRows?: (share: number) => void,
): Promise<FoundTissue> {
  const size = { name: slide.name, ...slide.levels[0]! };
  const regions = area && readOutlines(area.bytes, area.path, size, classes);
  if (file !== undefined) {
    const outlines = readOutlines(file.bytes, file.path, size, classes);
    const facts = { tissue_by: "file" };
    if (regions === undefined) return { outlines, facts };
    const { mask, scale } = wholeMask(slide, um, options);
    return { outlines: outlinesOf(withinRegions(withinRegions(mask, scale, outlines), scale, regions), scale), facts };
  }
  if (everywhere) return { outlines: regions, facts: { tissue_by: "none" } };
  const tissue = await slideTissue(slide, um, options, onRows);
  const kept = regions === undefined ? tissue : withinRegions(tissue, tissue.scale, regions);
  return {
    outlines: outlinesOf(kept, tissue.scale),
    facts: {
      tissue_by: "chroma",
      tissue: tissue.unusual ?? "usual",
      tissue_share: tissue.share,
      tissue_pieces: tissue.pieces,
      tissue_threshold: tissue.threshold,
      tissue_class_distance: tissue.distance,
      tissue_background: tissue.background,
      tissue_spacing: tissue.spacing,
      tissue_level: tissue.level,
      tissue_lost: tissue.lost,
      pen_share: tissue.pen,
      frame_share: tissue.frame,
    },
  };
}

/** A mask of all of a slide, as fine as tissue is looked for. */
function wholeMask(
  slide: Slide,
  um: number,
  options: Partial<TissueOptions>,
): { mask: Mask; scale: readonly [number, number] } {
  const size = slide.levels[0]!;
  const times = Math.max(1, (options.spacing ?? TISSUE.spacing) / um, Math.max(size.width, size.height) / 4000);
  const [width, height] = [size.width, size.height].map((side) => Math.max(1, Math.round(side / times))) as [
    number,
    number,
  ];
  const mask = { width, height, mask: new Uint8Array(width * height).fill(1) };
  return { mask, scale: [width / size.width, height / size.height] };
}

/**
 * Writes what shows the plan: the small image, outlines upon it and as GeoJSON, tiles upon it and as a file. Folders must be
 * there.
 *
 * @param job Folder of the job.
 */
export async function writePlan(
  disk: Pick<Disk, "write" | "writeChunks" | "writeAnywhere">,
  job: string,
  slide: Slide,
  { extent, scale, grid, tiles, outlines }: SlidePlan,
  paths: SlidePaths,
  flavour: GeoJsonFlavour = "trident",
): Promise<void> {
  const small = await shrink(slide, THUMBNAIL);
  const { width, height } = slide.levels[0]!;
  const to = [small.width / width, small.height / height] as const;
  disk.write(`${job}/${paths.thumbnail}`, encodeJpeg(small, 90));
  disk.write(`${job}/${paths.contours}`, encodeJpeg(drawOutlines(small, outlines ?? [], to), 90));
  disk.write(`${job}/${paths.geojson}`, contoursGeoJson(outlines ?? [], flavour));
  disk.write(`${job}/${paths.visualization}`, encodeJpeg(drawTiles(small, tiles.coords, grid.side, to), 90));
  const folder = paths.patches.replace(/\/[^/]*$/, "");
  if (flavour !== "trident") {
    const path = `${job}/${paths.tilesGeojson}`;
    const squares = tilesGeoJson(squaresOf(grid, tiles.cells), { tissue: tiles.tissue }, flavour);
    disk.writeChunks(path, textChunks(squares));
  }
  await writeTiles(disk, `${job}/${paths.patches}`, tiles, tileAttributes(extent, grid, scale, folder));
}
