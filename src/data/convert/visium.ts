/**
 * Samples of Visium: counts and places joined by barcode, what was dropped and why, and the pixel size from the lattice beside
 * what Space Ranger says. Bins of Visium HD are pooled to squares.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { Names } from "../../io/names.ts";
import { type ColumnMap, takeRows } from "../../io/sparse.ts";
import { type FeatureCounts, GENES } from "../../io/tenx_h5.ts";
import type { ScaleFactors, SpotPlaces } from "../../io/tenx_spatial.ts";
import type { ReadPixelSize, ReadSample } from "./convert_sample.ts";
import { centre } from "../coordinates.ts";
import { makeUnique } from "../genes/genes.ts";
import { fitPixelSize, nearestSpot, type PixelFit, referencePixelSize, SCATTER } from "../image/pixel_size.ts";
import { type Bins, poolBins } from "./visium_hd.ts";

/** Spots of Visium are 55 µm wide; the scale factors tell the width of one of 65 µm, or of 55 in some versions. */
const SPOT_WIDTHS = [65, 55];

/** What a sample is read from. */
export interface VisiumInput {
  /** Name for messages. */
  readonly sample: string;
  readonly counts: FeatureCounts;
  /** Hands the places over and forgets them: of millions of bins they are not to stay in memory. */
  readonly takeSpots: () => SpotPlaces;
  readonly scale: ScaleFactors | undefined;
  /** Of the image, pixels, and pixels of it a pixel of the full-size image: 1, or less of a small one. */
  readonly image: { readonly width: number; readonly height: number; readonly scale: number };
  /** Micrometres between neighbouring spots; of Visium HD, side of the squares bins are pooled to. */
  readonly pitch: number;
  /** Leaves out spots that Space Ranger does not call under tissue. */
  readonly underTissue: boolean;
}

/** Spots with counts and a place on the image, in the order of the counts. */
interface Joined extends Bins {
  readonly spatial: Float64Array;
  readonly dropped: Record<string, number>;
}

/**
 * Joins a sample.
 *
 * @throws {DataError} If no spot or no gene is left, spots lie on one line, or squares are no multiple of the bins.
 */
export function joinVisium(input: VisiumInput): ReadSample {
  // When counts are read, the places of bins are no longer in memory.
  return prepare(input)();
}

function prepare(input: VisiumInput): () => ReadSample {
  const { sample, counts, scale, image, pitch } = input;
  const joined = join(input, input.takeSpots());
  const { map, genes, geneIds, left } = genesOf(sample, counts);
  const bin = scale?.binSize;
  const pixels = pixelSizeOf(sample, joined, bin ?? pitch, bin === undefined ? "hex" : "square");
  const warnings = [...pixels.warnings, ...checkScale(sample, pixels.size, scale, image.scale)];
  if (left > 0) warnings.push(`${sample}: ${left} features that are no genes are left out`);
  const lost = joined.dropped["countsWithoutPlace"]! + joined.dropped["outsideImage"]!;
  if (lost > joined.rows.length) {
    warnings.push(`${sample}: ${lost} spots have no place on the image, only ${joined.rows.length} have one`);
  }
  const unique = makeUnique(genes);
  const renamed = unique.filter((name, i) => name !== genes[i]).length;
  if (renamed > 0) warnings.push(`${sample}: ${renamed} genes of equal names got a number behind them`);
  const common = { genes: unique, geneIds, pixels, warnings, dropped: joined.dropped };
  if (bin !== undefined) {
    const pool = poolBins(sample, counts.counts, joined, { ...map, genes }, { bin, side: pitch, fit: pixels.fit });
    return () => ({ technology: "Visium HD", ...common, ...pool() });
  }
  const { inTissue, arrayRow, arrayCol, spatial: places } = joined;
  const barcodes = [...joined.rows.keys()].map(joined.nameAt);
  const matrix = takeRows(counts.counts, joined.rows, map);
  const spots = { barcodes, inTissue, arrayRow, arrayCol, spatial: places, counts: matrix };
  return () => ({ technology: "Visium", ...common, ...spots });
}

/** A barcode with the number of its well, which older files leave out. */
function wellOf(barcode: string): string {
  return /-\d+$/.test(barcode) ? barcode : `${barcode}-1`;
}

/** Where a barcode has its place, with the number of its well or without; -1 where it has none. */
function placeOf(spots: Names, name: string): number {
  const found = spots.find(name);
  if (found >= 0) return found;
  const well = wellOf(name);
  return spots.find(well === name ? name.replace(/-1$/, "") : well);
}

function join({ sample, counts, image, underTissue }: VisiumInput, spots: SpotPlaces): Joined {
  const dropped = {
    countsWithoutPlace: 0,
    underTissueWithoutCounts: 0,
    notUnderTissue: 0,
    outsideImage: 0,
  };
  const counted = counts.barcodes.length;
  const [rows, at] = [new Uint32Array(counted), new Uint32Array(counted)];
  let kept = 0;
  const seen = new Uint8Array(spots.barcodes.length);
  for (let row = 0; row < counted; row++) {
    const name = counts.barcodes.at(row);
    const place = placeOf(spots.barcodes, name);
    if (place < 0) {
      dropped.countsWithoutPlace++;
      continue;
    }
    if (seen[place] === 1) throw twice(sample, wellOf(name));
    seen[place] = 1;
    const [x, y] = [spots.spatial[2 * place]! * image.scale, spots.spatial[2 * place + 1]! * image.scale];
    if (underTissue && spots.inTissue[place] === 0) dropped.notUnderTissue++;
    else if (!(x >= 0 && y >= 0 && x < image.width && y < image.height)) dropped.outsideImage++;
    else {
      rows[kept] = row;
      at[kept++] = place;
    }
  }
  for (let i = 0; i < seen.length; i++) if (spots.inTissue[i] && seen[i] === 0) dropped.underTissueWithoutCounts++;
  if (kept === 0) throw nothingLeft(sample, counts.barcodes, spots.barcodes, dropped);
  const places = at.subarray(0, kept);
  const take = (list: ArrayLike<number>) => {
    const out = new Int32Array(kept);
    for (let i = 0; i < kept; i++) out[i] = list[places[i]!]!;
    return out;
  };
  const xy = new Float64Array(2 * kept);
  for (let i = 0; i < xy.length; i++) xy[i] = spots.spatial[2 * places[i >> 1]! + (i & 1)]! * image.scale;
  return {
    rows: kept === counted ? rows : rows.slice(0, kept),
    nameAt: (i) => wellOf(counts.barcodes.at(rows[i]!)),
    inTissue: take(spots.inTissue),
    arrayRow: take(spots.arrayRow),
    arrayCol: take(spots.arrayCol),
    spatial: xy,
    dropped,
  };
}

function twice(sample: string, barcode: string): DataError {
  return new DataError(`Cannot convert ${sample}: two rows of counts named ${barcode}, each once wanted`, {
    code: "barcode-twice",
    context: { sample, barcode },
  });
}

function nothingLeft(
  sample: string,
  counted: Names,
  placed: Names,
  dropped: Readonly<Record<string, number>>,
): DataError {
  const some = (names: Names) => Array.from({ length: Math.min(3, names.length) }, (_, i) => names.at(i)).join(", ");
  const outside = dropped["outsideImage"]! > 0;
  const found = outside
    ? `${dropped["outsideImage"]} spots lie outside the image, and no other has counts and a place`
    : `no spot has counts (${some(counted)}) and a place (${some(placed)})`;
  return new DataError(`Cannot convert ${sample}: ${found}, one wanted`, {
    hint: outside ? "Check that the image is the one Space Ranger was given" : "Check that both are of one sample",
    context: { sample, ...dropped },
  });
}

/** The features that are genes, where they go, and how many are none. */
function genesOf(
  sample: string,
  { names, ids, types }: FeatureCounts,
): { map: ColumnMap; genes: string[]; geneIds: string[]; left: number } {
  const chosen = names.map((_, j) => j).filter((j) => types[j] === GENES);
  if (chosen.length === 0) {
    throw new DataError(`Cannot convert ${sample}: features of ${[...new Set(types)].join(", ")}, ${GENES} wanted`, {
      context: { sample, found: [...new Set(types)] },
    });
  }
  const map = new Int32Array(names.length).fill(-1);
  chosen.forEach((j, to) => map[j] = to);
  return {
    map: { map, width: chosen.length },
    genes: chosen.map((j) => names[j]!),
    geneIds: chosen.map((j) => ids[j]!),
    left: names.length - chosen.length,
  };
}

function pixelSizeOf(
  sample: string,
  { arrayRow, arrayCol, spatial }: Joined,
  pitch: number,
  lattice: "hex" | "square",
): ReadPixelSize & { readonly warnings: string[]; readonly fit: PixelFit } {
  const places = { sample, rows: arrayRow, columns: arrayCol, spatial: centre(spatial), pitch, lattice };
  const fit = fitPixelSize(places);
  let reference: number | undefined;
  try {
    reference = referencePixelSize(places);
  } catch (error) {
    // No row of the array has two spots: the fit alone must do.
    if (!(error instanceof DataError)) throw error;
  }
  const nearest = nearestSpot(places.spatial);
  const neighbours = Number.isNaN(nearest) ? undefined : pitch / nearest;
  const warnings: string[] = [];
  const compare = (what: string, other: number | undefined, most: number) => {
    const percent = other === undefined ? 0 : 100 * Math.abs(fit.size / other - 1);
    if (!(percent > most)) return;
    const [a, b] = [fit.size.toFixed(4), other!.toFixed(4)];
    warnings.push(
      `${sample}: pixel size by the lattice, ${a} µm, and ${what}, ${b} µm, differ by ${percent.toFixed(1)} %`,
    );
  };
  compare("by four spots", reference, 1);
  compare("by neighbours", neighbours, 5);
  if (fit.residual > SCATTER * pitch) {
    warnings.push(`${sample}: spots lie ${fit.residual.toFixed(1)} µm off their lattice`);
  }
  if (fit.anisotropy > 1.02) {
    warnings.push(`${sample}: the lattice is stretched by ${(100 * (fit.anisotropy - 1)).toFixed(1)} % along one axis`);
  }
  return { size: fit.size, residual: fit.residual, neighbours, reference, warnings, fit };
}

/** What the scale factors say of the pixel size, where they disagree with the lattice. */
function checkScale(sample: string, size: number, scale: ScaleFactors | undefined, imageScale: number): string[] {
  if (scale === undefined) return [`${sample}: no scalefactors_json.json, so nothing to check the lattice against`];
  const warnings: string[] = [];
  const compare = (what: string, others: readonly number[], most: number) => {
    const apart = others.map((other) => 100 * Math.abs(size / other - 1));
    const best = Math.min(...apart);
    if (!(best > most)) return;
    const other = others[apart.indexOf(best)]!;
    warnings.push(
      `${sample}: pixel size by the lattice, ${size.toFixed(4)} µm, and by ${what}, ${other.toFixed(4)} µm, ` +
        `differ by ${best.toFixed(1)} %`,
    );
  };
  if (scale.pixelSize !== undefined) compare("microns_per_pixel", [scale.pixelSize / imageScale], 2);
  else if (scale.spotDiameter !== undefined) {
    compare("spot_diameter_fullres", SPOT_WIDTHS.map((width) => width / (scale.spotDiameter! * imageScale)), 5);
  }
  return warnings;
}
