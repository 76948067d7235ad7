/**
 * Tissue and regions from files of other programs, and tissue and tiles to files for them: GeoJSON as TRIDENT and QuPath have
 * it, and images of masks.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { boxOf, type Mask, outlinesOf } from "../data/image/mask.ts";
import { parseGeoJson } from "../io/geojson.ts";
import { decodeImage } from "../io/image/image.ts";
import { cornerOf, type Grid, tileId } from "./grid.ts";
import type { Outline } from "../data/image/polygons.ts";

/** Pixels of level 0. */
interface Size {
  readonly name: string;
  readonly width: number;
  readonly height: number;
}

/** Most that the sides of an image of a mask may disagree with the slide's, as a share. */
const ASPECT = 0.02;

/**
 * Tissue by a file of another program: polygons in pixels of level 0, or an image that is not black where there is tissue.
 *
 * @param classes Names of classes whose polygons are taken; by default all.
 * @returns Outlines in pixels of level 0.
 * @throws {FormatError} If the file is damaged or of another format.
 * @throws {DataError} If it does not fit the slide.
 */
export function readOutlines(bytes: Uint8Array, file: string, slide: Size, classes?: readonly string[]): Outline[] {
  const isText = [0x7b, 0x5b, 0xef, 0x20, 0x0a, 0x0d, 0x09].includes(bytes[0]!);
  return isText ? readPolygons(bytes, file, slide, classes) : readMask(bytes, file, slide);
}

function readPolygons(bytes: Uint8Array, file: string, slide: Size, classes: readonly string[] | undefined): Outline[] {
  const all = parseGeoJson(bytes, file);
  const polygons = classes === undefined
    ? all
    : all.filter(({ label }) => label !== undefined && classes.includes(label));
  if (all.length > 0 && polygons.length === 0) {
    const known = [...new Set(all.map(({ label }) => label ?? "none"))].join(", ");
    throw new ConfigError(
      `Cannot take ${classes!.join(", ")} of ${file}: its classes are ${known}, one of them wanted`,
      {
        context: { file, classes, known },
      },
    );
  }
  const { name, width, height } = slide;
  const inside = polygons.some(({ exterior }) => {
    const [left, top, right, bottom] = boxOf(exterior);
    return right > 0 && bottom > 0 && left < width && top < height;
  });
  if (polygons.length > 0 && !inside) {
    throw new DataError(`Cannot use ${file} for ${name}: all of its polygons lie beyond ${width}x${height} pixels`, {
      code: "outlines-elsewhere",
      hint: "Coordinates are pixels of the largest level: check that the file belongs to this slide",
      context: { file, slide: name, width, height },
    });
  }
  return polygons.map(({ exterior, holes }) => ({ exterior, holes }));
}

function readMask(bytes: Uint8Array, file: string, { name, width, height }: Size): Outline[] {
  const image = decodeImage(bytes, file);
  const scale = [image.width / width, image.height / height] as const;
  // Sides are whole numbers, so that small images may be off by a pixel.
  const off = Math.abs(image.width * height / width - image.height);
  if (off > 1.5 && off > ASPECT * image.height) {
    const found = `it has ${image.width}x${image.height} pixels`;
    throw new DataError(`Cannot use ${file} for ${name}: ${found}, the shape of ${width}x${height} wanted`, {
      code: "mask-shape",
      hint: "Check that the mask belongs to this slide, and that it covers all of it",
      context: { file, slide: name, mask: [image.width, image.height], width, height },
    });
  }
  // JPEG has no sharp edges: what is nearly black is.
  const least = bytes[0] === 0xff ? 128 : 1;
  const { data } = image;
  const mask = Uint8Array.from(
    { length: image.width * image.height },
    (_, i) => Math.max(data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!) >= least ? 1 : 0,
  );
  return outlinesOf({ width: image.width, height: image.height, mask }, scale);
}

/** Takes out of a mask what lies in none of the regions, by the centres of its pixels. */
export function withinRegions(
  { width, height, mask }: Mask,
  scale: readonly [x: number, y: number],
  regions: readonly Outline[],
): Mask {
  const inside = new Uint8Array(mask.length);
  for (const { exterior, holes } of regions) {
    for (let y = 0; y < height; y++) {
      const crossings = [exterior, ...holes].flatMap((ring) => crossingsOf(ring, (y + 0.5) / scale[1]));
      crossings.sort((a, b) => a - b);
      for (let k = 0; k + 1 < crossings.length; k += 2) {
        const from = Math.max(0, Math.ceil(crossings[k]! * scale[0] - 0.5));
        const to = Math.min(width, Math.ceil(crossings[k + 1]! * scale[0] - 0.5));
        if (to > from) inside.fill(1, y * width + from, y * width + to);
      }
    }
  }
  return { width, height, mask: mask.map((value, i) => value & inside[i]!) };
}

/** x at which a ring passes y. */
function crossingsOf(ring: Float64Array, y: number): number[] {
  const found: number[] = [];
  for (let i = 0; i + 3 < ring.length; i += 2) {
    const [x0, y0, x1, y1] = [ring[i]!, ring[i + 1]!, ring[i + 2]!, ring[i + 3]!];
    if (y0 > y !== y1 > y) found.push(x0 + (x1 - x0) * ((y - y0) / (y1 - y0)));
  }
  return found;
}

/** For which program: QuPath since 0.5, QuPath before, or TRIDENT. */
export type GeoJsonFlavour = "trident" | "qupath" | "qupath04";

const TISSUE_COLOUR = [200, 0, 0];

function pairs(ring: ArrayLike<number>): [number, number][] {
  return Array.from({ length: ring.length >> 1 }, (_, i) => [Math.round(ring[2 * i]!), Math.round(ring[2 * i + 1]!)]);
}

/** Outlines of tissue, in whole pixels of level 0. */
export function contoursGeoJson(outlines: readonly Outline[], flavour: GeoJsonFlavour = "trident"): string {
  const features = outlines.map(({ exterior, holes }, i) => ({
    type: "Feature",
    properties: flavour === "trident"
      ? { tissue_id: i }
      : { objectType: "annotation", classification: { name: "Tissue", color: TISSUE_COLOUR }, tissue_id: i },
    geometry: { type: "Polygon", coordinates: [exterior, ...holes].map(pairs) },
  }));
  const crs = { type: "name", properties: { name: "urn:ogc:def:crs:EPSG::3857" } };
  return `${JSON.stringify({ type: "FeatureCollection", ...(flavour === "trident" && { crs }), features })}\n`;
}

/** Squares on a slide. */
export interface Squares {
  readonly names: Iterable<string>;
  /** Left upper corners, `[n, 2]`, and side, pixels of level 0. */
  readonly coords: ArrayLike<number>;
  readonly side: number;
}

/** Tiles of a grid as squares. */
export function squaresOf(grid: Grid, cells: Uint32Array): Squares {
  const list = Array.from(cells);
  return {
    names: list.map((cell) => tileId(grid, cell)),
    coords: list.flatMap((cell) => cornerOf(grid, cell)),
    side: grid.side,
  };
}

/**
 * Squares with their measurements as tiles of QuPath, in pieces of text. QuPath before 0.5 has lists of names and values.
 *
 * @param measurements Numbers of each square by their names; those that are none are left out.
 */
export function* tilesGeoJson(
  { names, coords, side }: Squares,
  measurements: Readonly<Record<string, ArrayLike<number>>>,
  flavour: GeoJsonFlavour = "qupath",
): Generator<string> {
  yield `{"type":"FeatureCollection","features":[`;
  const columns = Object.entries(measurements);
  let i = 0;
  for (const name of names) {
    const [x, y] = [coords[2 * i]!, coords[2 * i + 1]!];
    const [right, bottom] = [x + side, y + side];
    const values = columns.map(([key, column]) => [key, column[i]!] as const).filter(([, value]) =>
      Number.isFinite(value)
    );
    const feature = {
      type: "Feature",
      properties: {
        objectType: "tile",
        name,
        measurements: flavour === "qupath04"
          ? values.map(([name, value]) => ({ name, value }))
          : Object.fromEntries(values),
      },
      geometry: { type: "Polygon", coordinates: [[[x, y], [right, y], [right, bottom], [x, bottom], [x, y]]] },
    };
    yield `${i++ === 0 ? "" : ","}\n${JSON.stringify(feature)}`;
  }
  yield "\n]}\n";
}
