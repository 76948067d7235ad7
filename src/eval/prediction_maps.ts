/**
 * Predicted genes laid over the small image of their slide, and as squares with measurements for QuPath.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Disk } from "../io/disk.ts";
import { H5File } from "../io/hdf5/h5.ts";
import { readTree } from "../io/hdf5/h5ad_uns.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import { encodePng } from "../io/image/png_write.ts";
import { textChunks } from "../io/text_chunks.ts";
import { tilesGeoJson } from "../slides/outlines.ts";
import { measurementsOf, SCORE_STYLE, scoreMap } from "../slides/score_map.ts";

/**
 * Refuses names that no gene has.
 *
 * @throws {ConfigError} Naming the first, and the nearest gene.
 */
export function checkShown(wanted: readonly string[], genes: readonly string[]): void {
  const missing = wanted.find((gene) => !genes.includes(gene));
  if (missing === undefined) return;
  const near = nearest(missing, genes);
  throw new ConfigError(`Cannot draw ${missing}: it is none of the ${genes.length} genes that are predicted`, {
    hint: near === undefined ? "Pass other genes to --show" : `Did you mean --show ${near}?`,
    context: { gene: missing },
  });
}

const SLIDE = "/uns/spatial/slide";
/** Tiles of the highest and of the lowest values that are shown, at most. */
const SHOWN = 8;

/** A tile: its row, its centre and its side, pixels of level 0. */
export interface TilePlace {
  readonly row: number;
  readonly x: number;
  readonly y: number;
  readonly side: number;
}

/** The image of a tile, small: `size` pixels a side. */
export type TileOf = (place: TilePlace, size: number) => Promise<RgbImage>;

/**
 * Draws genes of a prediction: `NAME.GENE.png` beside it, where the file has an image of the slide, with a legend of the values
 * that colours stand for and the tiles of the highest and lowest of them, and `NAME.geojson` with all.
 *
 * @param path The `.h5ad`.
 * @param tileOf Images of tiles; without it none are shown.
 * @returns Paths that were written.
 * @throws {DataError} If the prediction has no places or no image.
 */
export async function drawPrediction(
  disk: Pick<Disk, "open" | "write" | "writeChunks">,
  path: string,
  genes: readonly string[],
  tileOf?: TileOf,
): Promise<string[]> {
  using file = await H5File.open(disk.open(path, "read"));
  const lacks = file.kind("/obsm/spatial") !== "dataset"
    ? "places"
    : file.kind(`${SLIDE}/images/hires`) !== "dataset"
    ? "image of its slide"
    : undefined;
  if (lacks !== undefined) {
    throw new DataError(`Cannot draw ${path}: it has no ${lacks}`, {
      code: "no-image",
      hint: "Predict over a slide with --slide, or for data with st/ and its image",
      context: { file: path },
    });
  }
  const indexOf = (frame: string) => file.strings(`/${frame}/${String(file.attributes(`/${frame}`)["_index"])}`);
  const [names, all] = [indexOf("obs"), indexOf("var")];
  checkShown(genes, all);
  const factor = (name: string) => Number(file.numbers(`${SLIDE}/scalefactors/${name}`)[0]);
  const [scale, side] = [factor("tissue_hires_scalef"), factor("spot_diameter_fullres")];
  const centres = file.numbers("/obsm/spatial");
  const coords = centres.map((centre) => centre - side / 2);
  const origin = file.kind("/uns/seal") === "group" ? readTree(file, "/uns/seal") : {};
  const whole = Number(origin["patch_um"]) / Number(origin["pixel_size_um"]);
  const place = (row: number): TilePlace => ({
    ...{ row, x: centres[2 * row]!, y: centres[2 * row + 1]! },
    side: whole > 0 ? whole : side,
  });
  const [height = 0, width = 0] = file.info(`${SLIDE}/images/hires`).shape ?? [];
  const image = { width, height, data: Uint8Array.from(file.numbers(`${SLIDE}/images/hires`)) };
  const values = file.numbers("/X");
  const drawn = new Map<string, Float64Array>();
  const base = path.replace(/\.h5ad$/, "");
  const written: string[] = [];
  for (const gene of genes) {
    const column = all.indexOf(gene);
    const scores = Float64Array.from(names, (_, row) => values[row * all.length + column]!);
    drawn.set(gene, scores);
    // Names of genes may hold anything.
    const out = `${base}.${gene.replaceAll(/[^\w.-]+/g, "_")}.png`;
    const tiles = { coords, side, scale: [scale, scale] } as const;
    const title = `${gene}, ${String(origin["unit"] ?? "unknown unit")}`;
    const strip = tileOf && { most: SHOWN, of: (row: number, size: number) => tileOf(place(row), size) };
    disk.write(out, encodePng(await scoreMap(image, tiles, { title, scores }, SCORE_STYLE, strip)));
    written.push(out);
  }
  const out = `${base}.geojson`;
  disk.writeChunks(out, textChunks(tilesGeoJson({ names, coords, side }, measurementsOf(drawn))));
  return [...written, out];
}
