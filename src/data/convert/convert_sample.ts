/**
 * A sample of any technology written as HEST keeps samples: `st/`, `patches/`, `patches_vis/`, `wsis/`, `thumbnails/`,
 * `tissue_seg/` and, last, `metadata/`.
 *
 * @module
 */

import { type Disk, randomAccess, recording } from "../../io/disk.ts";
import { tissueGeoJson } from "../../io/geojson.ts";
import { H5Writer } from "../../io/hdf5/h5_write.ts";
import { hestH5ad, type NewColumn, type NewH5ad, writeH5ad } from "../../io/hdf5/h5ad_write.ts";
import { encodeJpeg } from "../../io/image/jpeg_write.ts";
import { metadataJson, type MetadataValue } from "../../io/metadata.ts";
import { encodePng } from "../../io/image/png_write.ts";
import { type Matrix, mergeNames } from "../../io/sparse.ts";
import { type TiffPacking, TiffWriter, TILE } from "../../io/image/tiff_write.ts";
import { checkCounts, scanStored } from "../counts.ts";
import { outlinesOf } from "../image/mask.ts";
import { drawSpots, shrink, type Thumbnail } from "../hest_sample.ts";
import type { Outline } from "../image/polygons.ts";
import { openSlide, type Slide } from "../image/slide.ts";
import { slideTissue } from "../image/tissue.ts";
import type { Windows } from "../image/windows.ts";
import { checkPixelSize, type CutOptions, patchWarnings, windowsOf, writeSamplePatches } from "./cut_sample.ts";

/** Long edge of the small images, pixels. */
export const THUMBNAIL = 1000;

/** What a conversion takes, whatever the technology. */
export interface ConvertOptions extends CutOptions {
  /** Micrometres between neighbouring spots, and across a spot. */
  readonly pitch: number;
  readonly spot: number;
  /** How the slide's pyramid is packed; `none` writes none. */
  readonly wsi: TiffPacking | "none";
  /** Data set and patient of the metadata, where known. */
  readonly title?: string | undefined;
  readonly patient?: string | undefined;
  /** Writes what the sample has beside HEST's own files; before the metadata, which say that all is there. */
  beside?(disk: Disk): Promise<void>;
}

/** A sample that was read: spots that have counts and a place, in the order of the counts. */
export interface ReadSample {
  /** `st_technology` of the metadata. */
  readonly technology: string;
  readonly barcodes: readonly string[];
  readonly genes: readonly string[];
  /** Ensembl identifiers of the genes, where the files have them. */
  readonly geneIds?: readonly string[];
  readonly counts: Matrix;
  readonly arrayRow: Int32Array;
  readonly arrayCol: Int32Array;
  readonly inTissue?: Int32Array;
  /** Centres `[spots, 2]`, x then y, pixels of the image. */
  readonly spatial: Float64Array;
  /** Outlines of tissue, pixels of the image, where they are known; else tissue is told by colour. */
  readonly tissue?: readonly Outline[] | undefined;
  /** Further columns of the spots. */
  readonly columns?: Readonly<Record<string, NewColumn>>;
  /** Further columns of the genes. */
  readonly geneColumns?: Readonly<Record<string, NewColumn>>;
  readonly pixels: ReadPixelSize;
  /** Spots that were left out, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
}

/** Micrometres a pixel, found in three ways. */
export interface ReadPixelSize {
  /** By the fit over all spots, which counts; off their lattice by so much, root mean square, µm. */
  readonly size: number;
  readonly residual: number;
  /** By the median distance of spots beside each other, and by the reference's rule, which sees four spots. */
  readonly neighbours: number | undefined;
  readonly reference: number | undefined;
}

/** What became of a sample. */
export interface Converted {
  readonly id: string;
  /** Spots with counts and a place, and those of them with a patch. */
  readonly spots: number;
  readonly pairs: number;
  readonly genes: number;
  /** Micrometres a pixel, as {@linkcode ReadPixelSize} has them. */
  readonly pixelSize: number;
  readonly pixelSizeNeighbours: number | null;
  readonly pixelSizeReference: number | null;
  /** Spots off the lattice, root mean square, µm. */
  readonly residual: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
  readonly metadata: Readonly<Record<string, MetadataValue>>;
}

/** Paths of a sample's files below the data set's folder. */
export function samplePaths(id: string): Readonly<Record<SampleFile, string>> {
  return {
    expression: `st/${id}.h5ad`,
    patches: `patches/${id}.h5`,
    image: `patches_vis/${id}_patch_vis.png`,
    wsi: `wsis/${id}.tif`,
    thumbnail: `thumbnails/${id}_downscaled_fullres.jpeg`,
    tissue: `tissue_seg/${id}_contours.geojson`,
    metadata: `metadata/${id}.json`,
  };
}

/** A file of a sample. */
export type SampleFile = "expression" | "patches" | "image" | "wsi" | "thumbnail" | "tissue" | "metadata";

/** The slide made small, as a sample has it. */
export async function thumbnailOf(
  slide: Slide,
  { id, onProgress }: Pick<ConvertOptions, "id" | "onProgress">,
): Promise<Thumbnail> {
  const { height } = slide.levels[0]!;
  return await shrink(slide, THUMBNAIL, (share) => {
    onProgress?.(`${id}: image`, Math.round(share * height), height);
  });
}

/**
 * Writes a sample. The folders must be there. Patches are cut from the pyramid where one is written, so that who cuts them again
 * from it gets the same.
 *
 * @param small The slide's {@linkcode thumbnailOf}, where it was made already.
 * @throws {DataError} If the image is too coarse, or no spot lies on tissue; nothing is written then.
 */
export async function writeSample(
  given: Disk,
  out: string,
  slide: Slide,
  sample: ReadSample,
  options: ConvertOptions,
  small?: Thumbnail,
): Promise<Converted> {
  const { id, onProgress } = options;
  const { height } = slide.levels[0]!;
  const pixelSize = sample.pixels.size;
  checkPixelSize(options, pixelSize);
  const told = checkSampleCounts(id, sample);
  const rows = (what: string) => (share: number) => onProgress?.(`${id}: ${what}`, Math.round(share * height), height);
  const thumbnail = small ?? await thumbnailOf(slide, options);
  const tissue = sample.tissue ?? await tissueByColour(slide, pixelSize, rows("tissue"));
  const spots = { ...sample, pixelSize };
  const windows = windowsOf(slide, spots, tissue, options);
  const paths = samplePaths(id);
  // The metadata, which come last, never stand beside files of another run; nor does its slide.
  given.remove(`${out}/${paths.metadata}`);
  given.remove(`${out}/${paths.wsi}`);
  const written: string[] = [];
  const disk = recording(given, written);
  try {
    const kept = await keepSlide(disk, `${out}/${paths.wsi}`, slide, pixelSize, options.wsi, rows("slide"));
    try {
      await writeSamplePatches(disk, `${out}/${paths.patches}`, kept ?? slide, spots, windows, options);
    } finally {
      kept?.close();
    }
    await writeExpression(disk, `${out}/${paths.expression}`, sample, thumbnail, options.spot);
    writeImages(disk, out, id, sample, windows, thumbnail, tissue, options.spot);
    await options.beside?.(disk);
    const metadata = describe(options, sample, slide);
    disk.write(`${out}/${paths.metadata}`, metadataJson(metadata));
    const { warnings, ...said } = summary(options, sample, windows, slide);
    return { id, ...said, warnings: [...told, ...warnings], metadata };
  } catch (error) {
    // An image may turn out damaged half way: nothing of what was made of it stays.
    for (const path of written) given.remove(path);
    throw error;
  }
}

async function tissueByColour(slide: Slide, pixelSize: number, onRows: (share: number) => void): Promise<Outline[]> {
  const mask = await slideTissue(slide, pixelSize, {}, onRows);
  return outlinesOf(mask, mask.scale);
}

/** Refuses counts that are none before anything is written: where the raw file is no longer at hand nobody could mend them. */
function checkSampleCounts(id: string, { counts, barcodes, genes }: ReadSample): readonly string[] {
  const scan = scanStored(counts, { sample: id, spots: barcodes, genes });
  const mend = () =>
    `Convert the raw counts of ${id}: corrected ones, as of ambient RNA or spot swapping, are no counts; ` +
    "round them only if you know what that means";
  return checkCounts(id, scan, { mend, source: counts.name, dtype: counts.dtype }).warnings;
}

function summary(options: ConvertOptions, sample: ReadSample, windows: Windows, slide: Slide) {
  const { id } = options;
  const { pixels: { size, residual, neighbours, reference }, genes } = sample;
  const spots = sample.barcodes.length;
  const pairs = windows.kept.length;
  const repeated = mergeNames(genes).repeated;
  const claimed = slide.pixelSize.um;
  const warn = (when: boolean, text: () => string): string[] => when ? [`${id}: ${text()}`] : [];
  const um = (value: number) => `${value.toFixed(4)} µm`;
  return {
    spots,
    pairs,
    genes: genes.length,
    pixelSize: size,
    pixelSizeNeighbours: neighbours ?? null,
    pixelSizeReference: reference ?? null,
    residual,
    dropped: {
      ...sample.dropped,
      windowOffImage: windows.offImage.length,
      offTissue: windows.offTissue.length,
    },
    warnings: [
      ...sample.warnings,
      ...warn(repeated.length > 0, () => `${repeated.length} genes have several columns (${repeated[0]})`),
      ...patchWarnings(options, spots, windows, size),
      ...warn(
        claimed !== undefined && Math.abs(claimed / size - 1) > 0.05,
        () => `the image's file claims ${um(claimed!)} a pixel, the spots say ${um(size)}`,
      ),
      ...slide.notes.map((note) => `${id}: of the image's file: ${note}`),
      // The spots say how large a pixel is: a file that claims nothing is not to blame.
      ...warn(
        slide.pixelSize.problem !== undefined &&
          (slide.pixelSize.claimed !== undefined || slide.pixelSize.source === "ome"),
        () => `of the image's file: ${slide.pixelSize.problem}`,
      ),
    ],
  };
}

async function writeExpression(
  disk: Disk,
  path: string,
  sample: ReadSample,
  thumbnail: Thumbnail,
  spot: number,
): Promise<void> {
  const { width, height, data, scale } = thumbnail;
  const content = hestH5ad({
    ...sample,
    spotDiameter: spot / sample.pixels.size,
    thumbnail: { width, height, rgb: data, scale },
  });
  const columns = { ...content.obs.columns, ...sample.columns };
  const geneColumns = { ...content.var.columns, ...sample.geneColumns };
  const named: NewH5ad = {
    ...content,
    obs: { ...content.obs, columns },
    var: { ...content.var, columns: geneColumns },
  };
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    writeH5ad(h5, named);
    h5.close();
  });
}

function writeImages(
  disk: Disk,
  out: string,
  id: string,
  { spatial, pixels }: ReadSample,
  { kept }: Windows,
  thumbnail: Thumbnail,
  tissue: readonly Outline[],
  spot: number,
): void {
  const paths = samplePaths(id);
  const patched = new Set(kept.map((window) => window.spot));
  disk.write(`${out}/${paths.image}`, encodePng(drawSpots(thumbnail, spatial, patched, spot / 2 / pixels.size)));
  disk.write(`${out}/${paths.thumbnail}`, encodeJpeg(thumbnail, 95));
  const polygons = tissue.map((outline) => ({ ...outline, tissueId: undefined }));
  disk.write(`${out}/${paths.tissue}`, tissueGeoJson(polygons));
}

/** Writes the slide as a pyramid, 256 rows at a time, and opens it; undefined where none is to be kept. */
async function keepSlide(
  disk: Disk,
  path: string,
  slide: Slide,
  pixelSize: number,
  packing: ConvertOptions["wsi"],
  onRows: (share: number) => void,
): Promise<Slide | undefined> {
  if (packing === "none") return undefined;
  const { width, height } = slide.levels[0]!;
  await disk.writeSlowly(path, async (file) => {
    const writer = new TiffWriter(file, { width, height, pixelSize, packing });
    for (let top = 0; top < height; top += TILE) {
      const rows = Math.min(TILE, height - top);
      writer.add((await slide.read(0, 0, top, width, rows)).data);
      onRows((top + rows) / height);
    }
    writer.finish();
  });
  return await openSlide(randomAccess(disk.open(path, "read")));
}

function describe(
  { id, title, patient, pitch, spot }: ConvertOptions,
  { technology, barcodes, genes, pixels: { size } }: ReadSample,
  slide: Slide,
): Record<string, MetadataValue> {
  const { width, height } = slide.levels[0]!;
  return {
    dataset_title: title ?? null,
    id,
    image_filename: slide.name.replace(/^.*[/\\]/, ""),
    organ: null,
    disease_state: null,
    oncotree_code: null,
    species: null,
    patient: patient ?? null,
    st_technology: technology,
    data_publication_date: null,
    license: null,
    study_link: null,
    download_page_link1: null,
    inter_spot_dist: pitch,
    spot_diameter: spot,
    spots_under_tissue: barcodes.length,
    preservation_method: null,
    nb_genes: genes.length,
    treatment_comment: null,
    pixel_size_um_embedded: slide.pixelSize.claimed ?? null,
    pixel_size_um_estimated: size,
    magnification: size <= 0.1 ? "60x" : size <= 0.5 ? "40x" : size <= 1 ? "20x" : "10x",
    fullres_px_width: width,
    fullres_px_height: height,
    tissue: null,
    disease_comment: null,
    subseries: null,
  };
}
