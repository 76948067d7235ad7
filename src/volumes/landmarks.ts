/**
 * Where a section lies in a volume: the affine map that fits landmarks best, from places on the section to places in the
 * volume, both in µm. A section may be cut obliquely; what bends it is out of reach.
 *
 * A table of landmarks has the columns `section_x`, `section_y`, `volume_x`, `volume_y`, `volume_z`, and if need be `name`.
 *
 * @module
 */

import { type Affine, type AffineFit, fitAffine, mapPoint } from "../core/affine.ts";
import { DataError, type ErrorDetails, FormatError } from "../core/errors.ts";
import { parseCsv } from "../io/csv.ts";
import type { Place, VolumeShape } from "./volume.ts";

/** A place that is seen both on the section and in the volume. */
export interface Landmark {
  readonly name: string;
  /** µm on the section. */
  readonly section: readonly [x: number, y: number];
  /** µm in the volume. */
  readonly volume: Place;
}

/** How a section lies. */
export interface SectionFit {
  /** Coefficients of x, y and 1, of the volume's x, y and z. */
  readonly rows: readonly [x: Row, y: Row, z: Row];
  /** How far each landmark is put from where it is, µm. */
  readonly residuals: readonly number[];
  /** Root mean square of the residuals. */
  readonly rms: number;
}

/** Coefficients of x, y and 1. */
export type Row = readonly [x: number, y: number, one: number];

/** Fewest landmarks: three fit any map exactly, and tell nothing of how well. */
const LEAST = 4;
/** Least width of the landmarks, of their length. */
const LEAST_WIDTH = 0.01;
const COLUMNS = ["section_x", "section_y", "volume_x", "volume_y", "volume_z"] as const;

/**
 * Reads a table of landmarks.
 *
 * @throws {FormatError} If a column is missing, or a value is no finite number.
 */
export function readLandmarks(text: string, name: string): Landmark[] {
  const [head, ...records] = parseCsv(text, name);
  const columns = head?.fields.map((field) => field.trim().toLowerCase()) ?? [];
  const lacking = COLUMNS.find((column) => !columns.includes(column));
  if (lacking !== undefined) {
    throw new FormatError(
      `Cannot read ${name} as landmarks: it has no column ${lacking}, expected ${COLUMNS.join(", ")}`,
      {
        context: { file: name, found: columns.slice(0, 20), expected: COLUMNS },
      },
    );
  }
  return records.map(({ fields, line }, i) => {
    const [x, y, u, v, w] = COLUMNS.map((column) => {
      const text = fields[columns.indexOf(column)]?.trim() ?? "";
      const value = text === "" ? NaN : Number(text);
      if (Number.isFinite(value)) return value;
      throw new FormatError(`Cannot read ${name}, line ${line}: ${column} is ${JSON.stringify(text)}, expected µm`, {
        context: { file: name, line, column, found: text },
      });
    }) as [number, number, number, number, number];
    const named = columns.indexOf("name");
    return { name: (named < 0 ? "" : fields[named]) || `landmark ${i + 1}`, section: [x, y], volume: [u, v, w] };
  });
}

/**
 * Fits the map by least squares.
 *
 * @throws {DataError} Of fewer than four landmarks, or where they lie on one line, on the section or in the volume.
 */
export function fitLandmarks(landmarks: readonly Landmark[], name = "landmarks"): SectionFit {
  const fail = (found: string, expected: string, details: ErrorDetails) =>
    new DataError(`Cannot place the section by ${name}: ${found}, expected ${expected}`, {
      code: "landmarks",
      ...details,
      context: { file: name, landmarks: landmarks.length, found, expected },
    });
  const hint = "Add landmarks far from each other, towards the corners of the section";
  if (landmarks.length < LEAST) throw fail(`${landmarks.length} landmarks`, `${LEAST} or more`, { hint });
  const wrong = landmarks.find(({ section, volume }) => ![...section, ...volume].every(Number.isFinite));
  if (wrong !== undefined) throw fail(`${wrong.name} is at no finite place`, "µm", {});
  const line = "landmarks that span the section in both directions";
  if (width(landmarks.map(({ section: [x, y] }) => [x, y, 0])) < LEAST_WIDTH) {
    throw fail("they lie on one line of the section", line, { hint });
  }
  if (width(landmarks.map(({ volume }) => volume)) < LEAST_WIDTH) {
    throw fail("they lie on one line of the volume", line, {
      hint: `${hint}; or the columns of the volume are mixed up`,
    });
  }
  const at = (i: number) => landmarks[i]!;
  const lateral = fitAffine(landmarks.length, (i) => [...at(i).section, at(i).volume[0], at(i).volume[1]]) as AffineFit;
  const depth = fitAffine(landmarks.length, (i) => [...at(i).section, at(i).volume[2], 0]) as AffineFit;
  const [a, b, c, d, e, f] = lateral.map;
  const [g, h, k]: Affine = depth.map;
  const rows: SectionFit["rows"] = [[a, b, c], [d, e, f], [g, h, k]];
  const residuals = landmarks.map(({ section, volume }) =>
    Math.hypot(...toVolume({ rows }, section).map((value, i) => value - volume[i]!))
  );
  return { rows, residuals, rms: Math.sqrt(residuals.reduce((sum, r) => sum + r * r, 0) / residuals.length) };
}

/** Second largest spread of points over the largest: 0 where they lie on a line. */
function width(points: readonly Place[]): number {
  const mean = [0, 1, 2].map((axis) => points.reduce((sum, point) => sum + point[axis]!, 0) / points.length);
  const cross = (i: number, j: number) =>
    points.reduce((sum, point) => sum + (point[i]! - mean[i]!) * (point[j]! - mean[j]!), 0);
  const [xx, yy, zz, xy, xz, yz] = [cross(0, 0), cross(1, 1), cross(2, 2), cross(0, 1), cross(0, 2), cross(1, 2)];
  const trace = xx + yy + zz;
  // Sum of the products of two eigenvalues: nought where one alone is not nought.
  const minors = xx * yy - xy * xy + xx * zz - xz * xz + yy * zz - yz * yz;
  return trace > 0 ? Math.sqrt(Math.max(0, minors)) / trace : 0;
}

/** Where a place of the section lies in the volume. */
export function toVolume({ rows }: Pick<SectionFit, "rows">, [x, y]: readonly [x: number, y: number]): Place {
  const [[a, b, c], [d, e, f], depth] = rows;
  const [u, v] = mapPoint([a, b, c, d, e, f], x, y);
  return [u, v, depth[0] * x + depth[1] * y + depth[2]];
}

/**
 * Refuses spots that lie outside of the volume by more than half a voxel.
 *
 * @param names Of the spots, for the message.
 * @param file That they come from, if one is to be named.
 * @throws {DataError} Naming the first of them, and whether the axes seem to be swapped.
 */
export function checkInside(
  { name, shape, spacing }: Pick<VolumeShape, "name" | "shape" | "spacing">,
  places: readonly Place[],
  names: readonly string[],
  file?: string,
): void {
  const extents = [2, 1, 0].map((axis) => (shape[axis]! - 0.5) * spacing[axis]!);
  const inside = (place: readonly number[]) => place.every((um, i) => um >= -spacing[2 - i]! / 2 && um <= extents[i]!);
  const outside = places.flatMap((place, i) => inside(place) ? [] : [i]);
  if (outside.length === 0) return;
  const [first] = outside as [number, ...number[]];
  const swapped = 2 * outside.length > places.length && places.every(([x, y, z]) => inside([z, y, x]));
  const shown = places[first]!.map((um) => Number(um.toPrecision(5))).join(", ");
  const size = extents.map((um) => Number(um.toPrecision(5))).join(" x ");
  throw new DataError(
    `Cannot use spot ${names[first] ?? first}${file === undefined ? "" : ` of ${file}`}, one of ${outside.length} ` +
      `outside: it lies at x, y, z ${shown} µm, ` +
      `expected places within ${name}, which is ${size} µm`,
    {
      code: "spot-outside",
      hint: swapped
        ? "Its places fit with z first: columns of the landmarks are swapped"
        : "Look at landmarks, spacing and units (µm), or leave these spots out",
      context: {
        ...(file !== undefined && { file }),
        ...{ volume: name, spot: names[first] ?? first, outside: outside.length, place: places[first]! },
      },
    },
  );
}
