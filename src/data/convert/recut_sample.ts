/**
 * Patches of a sample in HEST's layout cut again from its slide, at another pixel size, another side or by the other rule. Its
 * table, metadata and outlines of tissue go along, so that the folder is one to train on.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { copyFile, type Disk, randomAccess, readBytes, recording } from "../../io/disk.ts";
import { parseGeoJson } from "../../io/geojson.ts";
import { isZarr, openAnndata } from "../../io/anndata.ts";
import { H5Writer } from "../../io/hdf5/h5_write.ts";
import { encodePng } from "../../io/image/png_write.ts";
import { type Metadata, metadataJson } from "../../io/metadata.ts";
import { centre } from "../coordinates.ts";
import type { SampleFiles } from "../data_folder.ts";
import { drawSpots, shrink } from "../hest_sample.ts";
import { outlinesOf } from "../image/mask.ts";
import type { Outline } from "../image/polygons.ts";
import { openSlide, type Slide } from "../image/slide.ts";
import { slideTissue } from "../image/tissue.ts";
import { uniqueIndex } from "../join.ts";
import { checkLattice } from "../sample_checks.ts";
import { samplePaths, THUMBNAIL } from "./convert_sample.ts";
import {
  checkPixelSize,
  type CutOptions,
  type CutSpots,
  patchWarnings,
  windowsOf,
  writeSamplePatches,
} from "./cut_sample.ts";

/** A sample with a slide. */
export interface RecutSources {
  readonly files: SampleFiles;
  readonly metadata: Metadata;
  readonly slide: string;
  /** Its outlines of tissue, where the folder has them. */
  readonly tissue: string | undefined;
}

/** What became of a sample. */
export interface Recut {
  readonly id: string;
  readonly spots: number;
  readonly pairs: number;
  /** µm a pixel of the slide. */
  readonly pixelSize: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
}

/** Paths of what is written of a sample, the last one last. */
export function recutPaths(id: string): readonly string[] {
  const { patches, image, expression, tissue, metadata } = samplePaths(id);
  return [patches, image, expression, tissue, metadata];
}

/**
 * Where the slide of a sample is, and what is said of it.
 *
 * @throws {DataError} If the folder has no slide or no metadata of it.
 */
export function recutSources(disk: Pick<Disk, "look">, files: SampleFiles): RecutSources {
  const { id, folder, metadata } = files;
  const paths = samplePaths(id);
  const at = (path: string) => disk.look(`${folder}/${path}`)?.kind === "file" ? `${folder}/${path}` : undefined;
  const slide = at(paths.wsi);
  if (slide !== undefined && metadata !== undefined) return { files, metadata, slide, tissue: at(paths.tissue) };
  const lacks = slide === undefined ? paths.wsi : paths.metadata;
  throw new DataError(`Cannot cut patches of ${id}: ${folder} has no ${lacks}, one wanted`, {
    code: "file-missing",
    hint: slide === undefined
      ? "Fetch the slide, or name with --sample those that have one"
      : "It says what size the slide's pixels are",
    context: { sample: id, folder, path: lacks },
  });
}

/**
 * Cuts the patches of a sample. The folders must be there.
 *
 * @throws {FormatError} If a file is damaged.
 * @throws {DataError} If files do not belong together, the slide is too coarse, or no spot has a patch.
 */
export async function recutSample(
  given: Disk,
  out: string,
  sources: RecutSources,
  options: CutOptions,
): Promise<Recut> {
  const { files, metadata } = sources;
  const { id, onProgress } = options;
  const pixelSize = metadata.pixelSize;
  checkPixelSize(options, pixelSize);
  const { spots, warnings } = await spotsOf(given, sources, pixelSize);
  const slide = await openSlide(randomAccess(given.open(sources.slide, "read")));
  const written: string[] = [];
  const disk = recording(given, written);
  try {
    checkExtent(id, slide, metadata);
    const { height } = slide.levels[0]!;
    const rows = (share: number) => onProgress?.(`${id}: tissue`, Math.round(share * height), height);
    const tissue = await tissueOf(given, sources, slide, pixelSize, rows);
    const windows = windowsOf(slide, spots, tissue.outlines, options);
    const paths = samplePaths(id);
    given.remove(`${out}/${paths.metadata}`);
    await writeSamplePatches(disk, `${out}/${paths.patches}`, slide, spots, windows, options);
    const small = await shrink(slide, THUMBNAIL);
    const patched = new Set(windows.kept.map(({ spot }) => spot));
    const radius = (metadata.number("spot_diameter") ?? 0) / 2 / pixelSize;
    disk.write(`${out}/${paths.image}`, encodePng(drawSpots(small, spots.spatial, patched, radius)));
    await copyExpression(disk, files.expression, `${out}/${paths.expression}`);
    if (sources.tissue !== undefined) copyFile(disk, sources.tissue, `${out}/${paths.tissue}`);
    disk.write(`${out}/${paths.metadata}`, metadataJson(Object.fromEntries(metadata.values)));
    return {
      id,
      spots: spots.barcodes.length,
      pairs: windows.kept.length,
      pixelSize,
      dropped: { windowOffImage: windows.offImage.length, offTissue: windows.offTissue.length },
      warnings: [
        ...warnings,
        ...tissue.warnings,
        ...patchWarnings(options, spots.barcodes.length, windows, pixelSize),
      ],
    };
  } catch (error) {
    for (const path of written) given.remove(path);
    throw error;
  } finally {
    slide.close();
  }
}

/** A copy of the table; one in zarr becomes a file. */
async function copyExpression(disk: Disk, from: string, to: string): Promise<void> {
  if (!isZarr(disk, from)) return copyFile(disk, from, to);
  const { copyToHdf5 } = await import("../../io/zarr/anndata_copy.ts");
  const { ZarrFolder } = await import("../../io/zarr/zarr.ts");
  const begin = await H5Writer.prepare();
  await disk.writeSlowly(to, async (file) => {
    const h5 = begin(file);
    await copyToHdf5(new ZarrFolder(disk, from), h5);
    h5.close();
  });
}

/** The spots of the sample's table, and what their places say of the pixel size. */
async function spotsOf(
  disk: Disk,
  { files: { id, expression }, metadata }: RecutSources,
  pixelSize: number,
): Promise<{ spots: CutSpots; warnings: readonly string[] }> {
  const file = await openAnndata(disk, expression, ["obs", "var", "obsm"]);
  try {
    const { obs } = file;
    const spatial = file.spatial();
    uniqueIndex(id, "rows of the table", obs.index);
    const column = (name: string) => obs.columns.includes(name) ? obs.numbers(name) : undefined;
    const none = () => new Float64Array(obs.index.length).fill(NaN);
    const array = {
      technology: metadata.text("st_technology") ?? "unknown",
      rows: column("array_row") ?? none(),
      columns: column("array_col") ?? none(),
    };
    const warnings = checkLattice({ id, table: { spatial: centre(spatial), array }, metadata });
    return { spots: { barcodes: obs.index, spatial, pixelSize }, warnings };
  } finally {
    file.close();
  }
}

/** Refuses a slide of other extents than the metadata say: places would be those of another image. */
function checkExtent(id: string, slide: Slide, metadata: Metadata): void {
  const { width, height } = slide.levels[0]!;
  const [w, h] = [metadata.number("fullres_px_width"), metadata.number("fullres_px_height")];
  if ((w ?? width) === width && (h ?? height) === height) return;
  throw new DataError(
    `Cannot cut patches of ${id}: ${slide.name} has ${width}x${height} pixels, ${w}x${h} wanted by ${metadata.name}`,
    {
      code: "slide-other",
      hint: "Fetch slide, table and metadata of one release",
      context: { sample: id, file: slide.name, width, height },
    },
  );
}

/** Outlines of tissue, of the folder or, where it has none, by colour. */
async function tissueOf(
  disk: Disk,
  { files: { id }, tissue }: RecutSources,
  slide: Slide,
  pixelSize: number,
  onRows: (share: number) => void,
): Promise<{ outlines: readonly Outline[]; warnings: readonly string[] }> {
  if (tissue !== undefined) return { outlines: parseGeoJson(readBytes(disk, tissue), tissue), warnings: [] };
  const mask = await slideTissue(slide, pixelSize, {}, onRows);
  const warnings = [`${id}: no outlines of tissue in tissue_seg: tissue is told by colour`];
  return { outlines: outlinesOf(mask, mask.scale), warnings };
}
