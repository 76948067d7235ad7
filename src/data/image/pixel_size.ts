/**
 * Micrometres a pixel, from where the spots lie on the array and on the slide; and the checks that find files whose numbers
 * disagree.
 *
 * Source: `find_pixel_size_from_spot_coords` of github.com/mahmoodlab/HEST for the reference's rule, which sees four rows
 * only; the fit over all spots beside it is ours.
 *
 * @module
 */

import { anisotropyOf, fitAffine, mapPoint, stretchOf } from "../../core/affine.ts";
import { DataError } from "../../core/errors.ts";
import type { Centre } from "../coordinates.ts";

/** Where spots lie. */
export interface SpotPlaces {
  /** Name of the sample, for messages. */
  readonly sample?: string;
  /** Row and column of each spot on the array. */
  readonly rows: ArrayLike<number>;
  readonly columns: ArrayLike<number>;
  /** Centres on the slide, in pixels. */
  readonly spatial: Centre;
  /** Micrometres between neighbouring spots (`inter_spot_dist`). */
  readonly pitch: number;
  /** `hex`: Visium, rows of every second column. `square`: legacy arrays and bins. */
  readonly lattice: "hex" | "square";
}

/**
 * Micrometres a pixel by the reference's rule: of four spots, in the order of rows, the one farthest from its row's end.
 *
 * @throws {DataError} If no row has two spots.
 */
export function referencePixelSize({ sample, rows, columns, spatial, pitch, lattice }: SpotPlaces): number {
  const order = new Uint32Array(rows.length).map((_, i) => i).sort((a, b) => rows[a]! - rows[b]!);
  const ends = new Map<number, { end: number; count: number }>();
  for (const i of order) {
    const row = ends.get(rows[i]!);
    if (row === undefined) ends.set(rows[i]!, { end: i, count: 1 });
    else {
      row.count++;
      if (columns[i]! > columns[row.end]!) row.end = i;
    }
  }
  let best = { apart: 0, size: NaN };
  let candidates = 0;
  for (const i of order) {
    const { end, count } = ends.get(rows[i]!)!;
    if (count < 2) continue;
    const difference = Math.abs(columns[i]! - columns[end]!);
    const apart = lattice === "hex" ? Math.floor(difference / 2) : difference;
    const pixels = Math.hypot(
      spatial.xy[2 * i]! - spatial.xy[2 * end]!,
      spatial.xy[2 * i + 1]! - spatial.xy[2 * end + 1]!,
    );
    if (apart > best.apart) best = { apart, size: pitch / (pixels / apart) };
    if (++candidates === 4) break;
  }
  if (best.apart > 0) return best.size;
  throw new DataError(
    `Cannot find the pixel size${
      sample === undefined ? "" : ` of ${sample}`
    }: no row of the array among ${rows.length} spots has two, one with two wanted`,
  );
}

/** Outcome of the fit. */
export interface PixelFit {
  /** Micrometres a pixel. */
  readonly size: number;
  /** Root mean square distance of the spots from the fitted lattice, in micrometres. */
  readonly residual: number;
  /** Larger over smaller stretch of the lattice; 1 where both axes have one scale. */
  readonly anisotropy: number;
  /** Where the fit puts a place of the array, pixels. */
  at(row: number, column: number): [x: number, y: number];
}

/**
 * Micrometres a pixel from all spots: least squares of an affine map from the array to the slide.
 *
 * @throws {DataError} If the spots lie on one line, or are fewer than three.
 */
export function fitPixelSize({ sample, rows, columns, spatial, pitch, lattice }: SpotPlaces): PixelFit {
  const n = rows.length;
  const [across, down] = lattice === "hex" ? [pitch / 2, pitch * Math.sqrt(3) / 2] : [pitch, pitch];
  const { xy } = spatial;
  const fit = fitAffine(n, (i) => [columns[i]! * across, rows[i]! * down, xy[2 * i]!, xy[2 * i + 1]!]);
  if (fit === undefined) {
    throw new DataError(
      `Cannot fit a lattice${
        sample === undefined ? "" : ` to ${sample}`
      }: ${n} spots on one line or without place, three beside each other wanted`,
    );
  }
  // Rounding errors would make windows of a whole number of pixels fall one short.
  const size = Number((1 / stretchOf(fit.map)).toPrecision(9));
  return {
    size,
    residual: fit.residual * size,
    anisotropy: anisotropyOf(fit.map),
    at: placing(fit.map, across, down),
  };
}

/** In a function of its own: beside the fit it would keep the places of all spots. */
function placing(map: Parameters<typeof mapPoint>[0], across: number, down: number): PixelFit["at"] {
  return (row, column) => mapPoint(map, column * across, row * down);
}

/** Spots whose nearest ones are looked for, of more than there are of any array but that of bins. */
const MOST_NEAREST = 1 << 16;

/**
 * Median distance of each spot to its nearest one, in pixels, of millions by every so many; NaN for fewer than two spots in
 * different places.
 */
export function nearestSpot({ xy }: Centre): number {
  const n = xy.length / 2;
  const order = new Uint32Array(n).map((_, i) => i).sort((a, b) => xy[2 * a]! - xy[2 * b]!);
  const every = Math.ceil(n / MOST_NEAREST);
  const nearest = new Float64Array(Math.ceil(n / every) || 0).fill(Infinity);
  for (let k = 0; k < nearest.length; k++) {
    const i = k * every;
    for (const step of [-1, 1]) {
      for (let j = i + step; j >= 0 && j < n; j += step) {
        const [p, q] = [order[i]!, order[j]!];
        const away = xy[2 * q]! - xy[2 * p]!;
        if (Math.abs(away) >= nearest[k]!) break;
        const distance = Math.hypot(away, xy[2 * q + 1]! - xy[2 * p + 1]!);
        if (distance > 0 && distance < nearest[k]!) nearest[k] = distance;
      }
    }
  }
  const median = nearest.sort()[(nearest.length - 1) >> 1] ?? NaN;
  return Number.isFinite(median) ? median : NaN;
}

/** Share of the distance between spots that they may lie off their lattice. */
export const SCATTER = 0.1;

/** What a sample's numbers say when compared. */
export interface PixelSizes {
  /** By the reference's rule, by the fit, and by the metadata, in micrometres a pixel. */
  readonly reference: number | undefined;
  readonly fit: PixelFit | undefined;
  readonly metadata: number | undefined;
  /** Micrometres between neighbouring spots, from their places and the metadata's pixel size. */
  readonly pitch: number | undefined;
  /** Disagreements, in words. */
  readonly warnings: readonly string[];
}

/**
 * Compares what spots and metadata say of the pixel size and the distance between spots.
 *
 * @param metadata Micrometres a pixel by the metadata (`pixel_size_um_estimated`).
 */
export function checkPixelSizes(sample: string, spots: SpotPlaces, metadata?: number): PixelSizes {
  const attempt = <T>(f: () => T): T | undefined => {
    try {
      return f();
    } catch (error) {
      if (error instanceof DataError) return undefined;
      throw error;
    }
  };
  const reference = attempt(() => referencePixelSize(spots));
  const fit = attempt(() => fitPixelSize(spots));
  const pixels = nearestSpot(spots.spatial);
  const pitch = metadata === undefined || Number.isNaN(pixels) ? undefined : pixels * metadata;
  const warnings: string[] = [];
  const percent = (a: number, b: number): number => 100 * Math.abs(a / b - 1);
  const compare = (what: string, a: number | undefined, b: number | undefined, most: number): void => {
    if (a === undefined || b === undefined || !(percent(a, b) > most)) return;
    warnings.push(
      `${sample}: ${what}: ${a.toPrecision(4)} and ${b.toPrecision(4)} differ by ${percent(a, b).toFixed(1)} %`,
    );
  };
  // Printed spots lie off their lattice, and four of them, or the nearest of each, by as much: that is no disagreement.
  const scatter = fit === undefined ? Infinity : fit.residual / spots.pitch;
  const slack = scatter <= SCATTER ? 100 * scatter : 0;
  compare("pixel size by four spots and by all", reference, fit?.size, 1 + slack);
  compare("pixel size by the metadata and by the spots", metadata, fit?.size, 2);
  compare("distance of spots by place and by the metadata", pitch, spots.pitch, 5 + slack);
  if (fit !== undefined && scatter > SCATTER) {
    warnings.push(`${sample}: spots lie ${fit.residual.toFixed(1)} µm off their lattice`);
  }
  if (fit !== undefined && fit.anisotropy > 1.02) {
    warnings.push(`${sample}: the lattice is stretched by ${(100 * (fit.anisotropy - 1)).toFixed(1)} % along one axis`);
  }
  return { reference, fit, metadata, pitch, warnings };
}
