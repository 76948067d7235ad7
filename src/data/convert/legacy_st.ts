/**
 * Sections of Spatial Transcriptomics before Visium: counts and selected spots joined by the spot's name, what was dropped
 * and why, and the pixel size from the lattice.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { type Matrix, takeRows } from "../../io/sparse.ts";
import type { SelectedSpot, SpotCounts } from "../../io/spots_tsv.ts";
import type { ReadPixelSize } from "./convert_sample.ts";
import { centre } from "../coordinates.ts";
import { fitPixelSize, referencePixelSize, SCATTER } from "../image/pixel_size.ts";

/** Spots that were left out, by reason. */
export interface DroppedSpots {
  /** Of the selection: without counts, marked as not selected, with its centre outside the image. */
  readonly selectedWithoutCounts: number;
  readonly notSelected: number;
  readonly outsideImage: number;
  /** Of the counts: without a place on the image. */
  readonly countsWithoutPlace: number;
}

/** A section with what both files know of it, in the order of the counts. */
export interface Section {
  /** Names as HEST has them, `RRRxCCC`, and as the files have them, `XxY`. */
  readonly barcodes: readonly string[];
  readonly names: readonly string[];
  readonly counts: Matrix;
  readonly arrayRow: Int32Array;
  readonly arrayCol: Int32Array;
  /** Centres `[spots, 2]`, x then y, pixels of the image. */
  readonly spatial: Float64Array;
  readonly pixels: SectionPixelSize;
  readonly dropped: DroppedSpots;
  readonly warnings: readonly string[];
}

/**
 * Joins a section.
 *
 * @param sample Name for messages.
 * @param pitch Micrometres between neighbouring spots.
 * @param extent Of the image, pixels.
 * @throws {DataError} If no spot is left, spots lie on one line, or two have one place in the array.
 */
export function joinSection(
  sample: string,
  counted: SpotCounts,
  selection: readonly SelectedSpot[],
  pitch: number,
  extent: { readonly width: number; readonly height: number },
): Section {
  const places = new Map(selection.map((spot) => [spot.name, spot]));
  const rows: number[] = [];
  const kept: SelectedSpot[] = [];
  const dropped = { selectedWithoutCounts: 0, notSelected: 0, outsideImage: 0, countsWithoutPlace: 0 };
  counted.spots.forEach((name, row) => {
    const spot = places.get(spotName(name));
    if (spot === undefined) dropped.countsWithoutPlace++;
    else if (!spot.selected) dropped.notSelected++;
    else if (!(spot.pixelX >= 0 && spot.pixelY >= 0 && spot.pixelX < extent.width && spot.pixelY < extent.height)) {
      dropped.outsideImage++;
    } else {
      rows.push(row);
      kept.push(spot);
    }
  });
  const names = new Set(counted.spots.map(spotName));
  dropped.selectedWithoutCounts = selection.filter(({ selected, name }) => selected && !names.has(name)).length;
  if (kept.length === 0) throw nothingLeft(sample, counted.spots, selection, dropped);
  const arrayRow = Int32Array.from(kept, ({ y }) => Math.round(y));
  const arrayCol = Int32Array.from(kept, ({ x }) => Math.round(x));
  const spatial = Float64Array.from(kept.flatMap(({ pixelX, pixelY }) => [pixelX, pixelY]));
  const pixels = sectionPixelSize(sample, kept, spatial, pitch);
  const lost = dropped.countsWithoutPlace + dropped.selectedWithoutCounts + dropped.outsideImage;
  const warnings = [...pixels.warnings];
  if (lost > kept.length) warnings.push(`${sample}: ${lost} spots have no partner, only ${kept.length} have one`);
  return {
    barcodes: hestNames(sample, arrayRow, arrayCol),
    names: rows.map((row) => counted.spots[row]!),
    counts: takeRows(counted.counts, rows),
    arrayRow,
    arrayCol,
    spatial,
    pixels,
    dropped,
    warnings,
  };
}

/** Pixel size of a section, found in three ways, and what disagrees. */
export interface SectionPixelSize extends ReadPixelSize {
  readonly warnings: readonly string[];
}

function sectionPixelSize(
  sample: string,
  spots: readonly SelectedSpot[],
  spatial: Float64Array,
  pitch: number,
): SectionPixelSize {
  const lattice = { sample, spatial: centre(spatial), pitch, lattice: "square" } as const;
  const attempt = <T>(find: () => T): T | undefined => {
    try {
      return find();
    } catch (error) {
      if (error instanceof DataError) return undefined;
      throw error;
    }
  };
  // Where the file knows how printing moved the spots, the fit follows it.
  const [rows, columns] = [spots.map(({ y, newY }) => newY ?? y), spots.map(({ x, newX }) => newX ?? x)];
  const fit = fitPixelSize({ ...lattice, rows, columns });
  const array = { rows: spots.map(({ y }) => y), columns: spots.map(({ x }) => x) };
  const reference = attempt(() => referencePixelSize({ ...lattice, ...array }));
  const between = neighbourDistance(spots);
  const neighbours = between === undefined ? undefined : pitch / between;
  const warnings: string[] = [];
  const off = neighbours === undefined ? 0 : 100 * Math.abs(fit.size / neighbours - 1);
  if (off > 1) {
    warnings.push(
      `${sample}: pixel size by the lattice, ${fit.size.toFixed(4)} µm, and by neighbours, ` +
        `${neighbours!.toFixed(4)} µm, differ by ${off.toFixed(1)} %`,
    );
  }
  if (fit.residual > SCATTER * pitch) {
    warnings.push(`${sample}: spots lie ${fit.residual.toFixed(1)} µm off their lattice`);
  }
  if (fit.anisotropy > 1.02) {
    warnings.push(`${sample}: the lattice is stretched by ${(100 * (fit.anisotropy - 1)).toFixed(1)} % along one axis`);
  }
  return { size: fit.size, residual: fit.residual, neighbours, reference, warnings };
}

/** Median distance in pixels of spots that are one apart in the array; undefined where there are none. */
function neighbourDistance(spots: readonly SelectedSpot[]): number | undefined {
  const places = new Map(spots.map((spot) => [`${spot.x} ${spot.y}`, spot]));
  const distances = spots.flatMap(({ x, y, pixelX, pixelY }) =>
    [places.get(`${x + 1} ${y}`), places.get(`${x} ${y + 1}`)].flatMap((next) =>
      next === undefined ? [] : [Math.hypot(next.pixelX - pixelX, next.pixelY - pixelY)]
    )
  ).sort((a, b) => a - b);
  return distances[distances.length >> 1];
}

/** As numbers print, so that 08x10.0 is 8x10. */
function spotName(name: string): string {
  return name.split("x").map(Number).join("x");
}

function hestNames(sample: string, rows: Int32Array, columns: Int32Array): string[] {
  const three = (n: number) => String(n).padStart(3, "0");
  const names = Array.from(rows, (row, i) => `${three(row)}x${three(columns[i]!)}`);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return names;
  throw new DataError(`Cannot convert ${sample}: two spots at row and column ${twice}, one wanted`, {
    code: "barcode-twice",
    context: { sample, barcode: twice },
  });
}

function nothingLeft(
  sample: string,
  counted: readonly string[],
  selection: readonly SelectedSpot[],
  dropped: DroppedSpots,
): DataError {
  const some = (names: readonly string[]) => names.slice(0, 3).join(", ");
  return new DataError(
    `Cannot convert ${sample}: no spot has counts (${some(counted)}) and a place on the image ` +
      `(${some(selection.map(({ name }) => name))}), one wanted`,
    { hint: "Check that the files are of one section", context: { sample, ...dropped } },
  );
}
