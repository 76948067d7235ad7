/**
 * A section of Spatial Transcriptomics before Visium written as HEST keeps samples: `st/`, `patches/`, `patches_vis/`,
 * `tissue_seg/` and, last, `metadata/`.
 *
 * @module
 */

import type { Disk } from "../io/disk.ts";
import { tissueGeoJson } from "../io/geojson.ts";
import { H5Writer } from "../io/h5_write.ts";
import { hestH5ad, type NewH5ad, writeH5ad } from "../io/h5ad_write.ts";
import { metadataJson, type MetadataValue } from "../io/metadata.ts";
import { writePatches } from "../io/patches_write.ts";
import { encodePng } from "../io/png_write.ts";
import type { RandomAccess } from "../io/random_access.ts";
import { mergeNames } from "../io/sparse.ts";
import { readSpotCounts, readSpotSelection } from "../io/spots_tsv.ts";
import { cutPatches, drawSpots, shrink, type Thumbnail } from "./hest_sample.ts";
import { type DroppedSpots, joinSection, type Section } from "./legacy_st.ts";
import { openSlide } from "./slide.ts";
import { coverageOf, findTissue, type TissueMask, tissueOutlines } from "./tissue.ts";
import { type Generation, PATCH_PIXEL_SIZE, placeWindows, type Windows } from "./windows.ts";

/** Long edge of the small picture of an expression file, pixels. */
const THUMBNAIL = 1000;
/** Side of a patch, pixels. */
const PATCH = 224;

/** What a conversion takes. */
export interface ConvertOptions {
  /** Identifier of the sample. */
  readonly id: string;
  /** Micrometres between neighbouring spots, and across a spot. */
  readonly pitch: number;
  readonly spot: number;
  readonly rule: Generation;
  /** Data set and patient of the metadata, where known. */
  readonly title?: string | undefined;
  readonly patient?: string | undefined;
  onProgress?(what: string, done: number, total: number): void;
}

/** What became of a section. */
export interface Converted {
  readonly id: string;
  /** Spots with counts and a place, and those of them with a patch. */
  readonly spots: number;
  readonly pairs: number;
  readonly genes: number;
  /** Micrometres a pixel: of the fit over all spots, by neighbouring spots, and by the reference's rule. */
  readonly pixelSize: number;
  readonly pixelSizeNeighbours: number | null;
  readonly pixelSizeReference: number | null;
  /** Spots off the lattice, root mean square, µm. */
  readonly residual: number;
  readonly dropped: DroppedSpots & { readonly windowOffPicture: number; readonly offTissue: number };
  readonly warnings: readonly string[];
  readonly metadata: Readonly<Record<string, MetadataValue>>;
}

/** Paths of a sample's files below the data set's folder. */
export function sectionPaths(id: string): Readonly<Record<string, string>> {
  return {
    expression: `st/${id}.h5ad`,
    patches: `patches/${id}.h5`,
    picture: `patches_vis/${id}_patch_vis.png`,
    tissue: `tissue_seg/${id}_contours.geojson`,
    metadata: `metadata/${id}.json`,
  };
}

/**
 * Converts a section. The folders must be there.
 *
 * @throws {FormatError} If a file is damaged, naming it and the line.
 * @throws {DataError} If the files do not belong together.
 */
export async function convertSection(
  disk: Disk,
  out: string,
  sources: { readonly counts: RandomAccess; readonly spots: RandomAccess; readonly image: RandomAccess },
  options: ConvertOptions,
): Promise<Converted> {
  const { id, pitch, spot, rule, onProgress } = options;
  const selection = await readSpotSelection(sources.spots);
  const counted = await readSpotCounts(sources.counts);
  const slide = await openSlide(sources.image);
  const { width, height } = slide.levels[0]!;
  const section = joinSection(id, counted, selection, pitch, { width, height });
  const { spatial, pixelSize } = section;
  const thumbnail = await shrink(
    slide,
    THUMBNAIL,
    (share) => onProgress?.(`${id}: picture`, Math.round(share * height), height),
  );
  const tissue = findTissue(thumbnail);
  const windows = placeWindows(
    { width, height, pixelSize },
    rule,
    PATCH,
    spatial,
    (x, y, side) => coverageOf(tissue, thumbnail.scale, x, y, side),
  );
  const patches = await cutPatches(
    slide,
    pixelSize,
    windows.kept,
    rule,
    PATCH,
    (done) => onProgress?.(`${id}: patches`, done, windows.kept.length),
  );
  const paths = sectionPaths(id);
  // The metadata, which come last, never stand beside files of another run.
  disk.remove(`${out}/${paths["metadata"]}`);
  await writeExpression(disk, `${out}/${paths["expression"]}`, section, counted.genes, thumbnail, spot);
  await writeSectionPatches(disk, `${out}/${paths["patches"]}`, section, windows, patches, rule);
  writePictures(disk, out, id, section, windows, thumbnail, tissue, spot);
  const metadata = describe(options, section, { width, height }, counted.genes.length, sources.image.name);
  disk.write(`${out}/${paths["metadata"]}`, metadataJson(metadata));
  return { id, ...summary(id, section, windows, counted.genes), metadata };
}

function summary(id: string, section: Section, windows: Windows, genes: readonly string[]) {
  const { pixelSize, pixels } = section;
  const spots = section.barcodes.length;
  const pairs = windows.kept.length;
  const repeated = mergeNames(genes).repeated;
  return {
    spots,
    pairs,
    genes: genes.length,
    pixelSize,
    pixelSizeNeighbours: pixels.neighbours ?? null,
    pixelSizeReference: pixels.reference ?? null,
    residual: pixels.residual,
    dropped: {
      ...section.dropped,
      windowOffPicture: windows.offPicture.length,
      offTissue: windows.offTissue.length,
    },
    warnings: [
      ...section.warnings,
      ...(repeated.length > 0 ? [`${id}: ${repeated.length} genes have several columns (${repeated[0]})`] : []),
      ...(2 * pairs < spots ? [`${id}: less than half of the spots have a patch`] : []),
      ...(pixelSize > 1.15 ? [`${id}: ${pixelSize.toFixed(3)} µm a pixel is coarser than HEST accepts (1.15)`] : []),
    ],
  };
}

async function writeExpression(
  disk: Disk,
  path: string,
  section: Section,
  genes: readonly string[],
  thumbnail: Thumbnail,
  spot: number,
): Promise<void> {
  const { width, height, data, scale } = thumbnail;
  const content = hestH5ad({
    ...section,
    genes,
    spotDiameter: spot / section.pixelSize,
    thumbnail: { width, height, rgb: data, scale },
  });
  // The files' own names, so that what else is known of the spots can be found again.
  const columns = { ...content.obs.columns, spot: section.names };
  const named: NewH5ad = { ...content, obs: { ...content.obs, columns } };
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    writeH5ad(h5, named);
    h5.close();
  });
}

async function writeSectionPatches(
  disk: Disk,
  path: string,
  { barcodes, spatial, pixelSize }: Section,
  { kept }: Windows,
  patches: readonly Uint8Array[],
  generation: Generation,
): Promise<void> {
  const coords = kept.flatMap(({ spot, x, y }) =>
    generation === "current" ? [x, y] : [Math.trunc(spatial[2 * spot + 1]!), Math.trunc(spatial[2 * spot]!)]
  );
  await writePatches(disk, path, {
    generation,
    size: PATCH,
    barcodes: kept.map(({ spot }) => barcodes[spot]!),
    coords: BigInt64Array.from(coords, BigInt),
    sizeOnSlide: Math.round(PATCH * PATCH_PIXEL_SIZE / pixelSize),
    slidePixelSize: pixelSize,
    pixelSize: PATCH_PIXEL_SIZE,
    pixels: (i) => patches[i]!,
  });
}

function writePictures(
  disk: Disk,
  out: string,
  id: string,
  { spatial, pixelSize }: Section,
  { kept }: Windows,
  thumbnail: Thumbnail,
  tissue: TissueMask,
  spot: number,
): void {
  const paths = sectionPaths(id);
  const patched = new Set(kept.map((window) => window.spot));
  disk.write(
    `${out}/${paths["picture"]}`,
    encodePng(drawSpots(thumbnail, spatial, patched, spot / 2 / pixelSize)),
  );
  const outlines = tissueOutlines(tissue, thumbnail.scale);
  const polygons = outlines.map((outline) => ({ ...outline, tissueId: undefined }));
  disk.write(`${out}/${paths["tissue"]}`, tissueGeoJson(polygons));
}

function describe(
  { id, title, patient, pitch, spot }: ConvertOptions,
  { barcodes, pixelSize }: Section,
  { width, height }: { width: number; height: number },
  genes: number,
  image: string,
): Record<string, MetadataValue> {
  return {
    dataset_title: title ?? null,
    id,
    image_filename: image.replace(/^.*[/\\]/, ""),
    organ: null,
    disease_state: null,
    oncotree_code: null,
    species: null,
    patient: patient ?? null,
    st_technology: "Spatial Transcriptomics",
    data_publication_date: null,
    license: null,
    study_link: null,
    download_page_link1: null,
    inter_spot_dist: pitch,
    spot_diameter: spot,
    spots_under_tissue: barcodes.length,
    preservation_method: null,
    nb_genes: genes,
    treatment_comment: null,
    pixel_size_um_embedded: null,
    pixel_size_um_estimated: pixelSize,
    magnification: pixelSize <= 0.1 ? "60x" : pixelSize <= 0.5 ? "40x" : pixelSize <= 1 ? "20x" : "10x",
    fullres_px_width: width,
    fullres_px_height: height,
    tissue: null,
    disease_comment: null,
    subseries: null,
  };
}
