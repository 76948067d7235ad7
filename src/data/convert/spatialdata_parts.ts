/**
 * Parts of a store of SpatialData: its image as a slide, its shapes, and the steps from each to the coordinates that all share.
 *
 * Source: https://ngff.openmicroscopy.org/0.4/ with the coordinate systems of spatialdata's design document.
 *
 * @module
 */

import { type Affine, mapPoint } from "../../core/affine.ts";
import { openParquet, parquetError, type ParquetValue } from "../../io/parquet.ts";
import { fromBytes } from "../../io/random_access.ts";
import type { RgbImage } from "../../io/image/rgb_image.ts";
import { NO_PIXEL_SIZE } from "../../io/image/tiff_pixel_size.ts";
import { pointOfWkb, polygonsOfWkb, type Rings } from "../../io/wkb.ts";
import { readBytes } from "../../io/disk.ts";
import type { ZarrFolder } from "../../io/zarr/zarr.ts";
import { below, ZarrBoxes } from "../../io/zarr/zarr_box.ts";
import type { Slide } from "../image/slide.ts";

type Json = Readonly<Record<string, unknown>>;

/** The map that changes nothing. */
export const SAME: Affine = [1, 0, 0, 0, 1, 0];
/** Most levels of an image, and steps of a transformation. */
const MOST_LEVELS = 32;

function objects(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter((one) => one !== null && typeof one === "object") : [];
}

/** First `first`, then `second`. */
function behind([a, b, c, d, e, f]: Affine, second: Affine): Affine {
  const [u, v, p, q] = [mapPoint(second, 0, 0), mapPoint(second, c, f), mapPoint(second, a, d), mapPoint(second, b, e)];
  return [p[0] - u[0], q[0] - u[0], v[0], p[1] - u[1], q[1] - u[1], v[1]];
}

/** The map from an element's own coordinates to the shared ones: `global` where there are several. */
export function mapOf(store: ZarrFolder, path: string, axes: readonly string[], transformations: unknown): Affine {
  const all = objects(transformations);
  const nameOf = (step: Json) => (step["output"] as Json | undefined)?.["name"];
  const chosen = all.find((step) => nameOf(step) === "global") ?? all[0];
  return chosen === undefined ? SAME : stepOf(store, path, axes, chosen, 0);
}

function stepOf(store: ZarrFolder, path: string, outer: readonly string[], step: Json, depth: number): Affine {
  const given = objects((step["input"] as Json | undefined)?.["axes"]).map(({ name }) => String(name));
  const axes = given.length > 0 ? given : outer;
  const [x, y] = [axes.indexOf("x"), axes.indexOf("y")];
  const type = step["type"];
  const refuse = () =>
    store.fail(
      path,
      `has a transformation ${JSON.stringify(step).slice(0, 80)}`,
      "identity, scale, translation or affine",
    );
  const at = (list: unknown, k: number): number => {
    const value = Array.isArray(list) ? list[k] : undefined;
    if (typeof value !== "number" || !Number.isFinite(value)) throw refuse();
    return value;
  };
  if (x < 0 || y < 0 || depth > MOST_LEVELS) throw refuse();
  if (type === "identity") return SAME;
  if (type === "scale") return [at(step["scale"], x), 0, 0, 0, at(step["scale"], y), 0];
  if (type === "translation") return [1, 0, at(step["translation"], x), 0, 1, at(step["translation"], y)];
  if (type === "sequence") {
    const steps = objects(step["transformations"]).slice(0, MOST_LEVELS);
    return steps.reduce((map, inner) => behind(map, stepOf(store, path, axes, inner, depth + 1)), SAME);
  }
  if (type !== "affine" || !Array.isArray(step["affine"])) throw refuse();
  const names = objects((step["output"] as Json | undefined)?.["axes"]).map(({ name }) => String(name));
  const row = (name: string) =>
    step["affine"] instanceof Array ? step["affine"][(names.length > 0 ? names : axes).indexOf(name)] : [];
  const [across, down] = [row("x"), row("y")];
  const last = axes.length;
  return [at(across, x), at(across, y), at(across, last), at(down, x), at(down, y), at(down, last)];
}

/** A slide of a store, and the map from its pixels to the shared coordinates. */
export interface StoreSlide {
  readonly slide: Slide;
  readonly map: Affine;
}

/**
 * Opens an image.
 *
 * @throws {FormatError} If it is none of three colours of 8 bits, or damaged.
 */
export async function openStoreSlide(store: ZarrFolder, path: string): Promise<StoreSlide> {
  const attributes = store.attributes(path);
  const [scales] = objects(((attributes["ome"] as Json | undefined) ?? attributes)["multiscales"]);
  const axes = objects(scales?.["axes"]).map(({ name }) => String(name));
  const paths = objects(scales?.["datasets"]).map(({ path }) => String(path));
  if (axes.join("") !== "cyx" || paths.length === 0 || paths.length > MOST_LEVELS) {
    throw store.fail(path, `has axes ${axes.join(", ") || "of no name"} in ${paths.length} levels`, "c, y, x");
  }
  const levels: ZarrBoxes[] = [];
  for (const name of paths) levels.push(await ZarrBoxes.open(store, below(path, name)));
  for (const [number, { shape, dtype }] of levels.entries()) {
    if (shape.length !== 3 || shape[0] !== 3 || dtype !== "uint8" || !(shape[1]! > 0 && shape[2]! > 0)) {
      throw store.fail(below(path, paths[number]!), `has ${dtype} ${shape.join("x")}`, "uint8 of 3 colours");
    }
  }
  const width = levels[0]!.shape[2]!;
  const slide: Slide = {
    name: `${store.name}/${path}`,
    levels: levels.map(({ shape }) => ({ width: shape[2]!, height: shape[1]!, downsample: width / shape[2]! })),
    pixelSize: NO_PIXEL_SIZE,
    associated: [],
    orientation: 1,
    notes: [],
    damaged: [],
    read: (level, x, y, w, h) => readRgb(levels[level]!, { x, y, width: w, height: h }),
    close: () => {},
  };
  return { slide, map: mapOf(store, path, axes, scales?.["coordinateTransformations"]) };
}

async function readRgb(
  level: ZarrBoxes,
  { x, y, width, height }: { x: number; y: number; width: number; height: number },
): Promise<RgbImage> {
  const data = new Uint8Array(3 * width * height);
  const { shape } = level;
  const [left, top] = [Math.max(0, x), Math.max(0, y)];
  const [right, bottom] = [Math.min(shape[2]!, x + width), Math.min(shape[1]!, y + height)];
  if (right <= left || bottom <= top) return { width, height, data };
  const planes = await level.read([[0, 3], [top, bottom], [left, right]]) as Uint8Array;
  const [across, count] = [right - left, (right - left) * (bottom - top)];
  for (let i = 0; i < count; i++) {
    const to = 3 * ((top - y + Math.floor(i / across)) * width + left - x + i % across);
    for (let c = 0; c < 3; c++) data[to + c] = planes[c * count + i]!;
  }
  return { width, height, data };
}

/** A shape: its outlines, or the centre of a circle. */
export interface StoreShape {
  readonly index: string;
  readonly centre: readonly [x: number, y: number] | undefined;
  readonly radius: number | undefined;
  readonly outlines: readonly Rings[];
}

/** Reads shapes, in their own coordinates. @throws {FormatError} If they are damaged. */
export async function readShapes(store: ZarrFolder, path: string): Promise<StoreShape[]> {
  const name = below(path, "shapes.parquet");
  const place = `${store.name}/${name}`;
  if (store.disk.look(place)?.kind !== "file") throw store.fail(path, "has no shapes.parquet", "one");
  const bytes = readBytes(store.disk, place);
  const file = await openParquet(fromBytes(bytes, place));
  const index = indexOf(file.texts.get("pandas"), file.columns);
  const columns = ["geometry", "radius"].filter((column) => column === "geometry" || file.columns.includes(column));
  const out: StoreShape[] = [];
  for await (const { from, count, values } of file.read(index === undefined ? columns : [...columns, index])) {
    for (let i = 0; i < count; i++) {
      const fail = (found: string, expected: string) =>
        parquetError(file.name, `geometry, row ${from + i}`, found, expected);
      const geometry: ParquetValue | undefined = values["geometry"]![i];
      if (!(geometry instanceof Uint8Array)) throw fail(String(geometry), "well-known binary");
      const centre = pointOfWkb(geometry, fail);
      const radius = values["radius"]?.[i];
      out.push({
        index: String(index === undefined ? from + i : values[index]![i]),
        centre,
        radius: typeof radius === "number" ? radius : undefined,
        outlines: centre === undefined ? polygonsOfWkb(geometry, fail) : [],
      });
    }
  }
  return out;
}

/** The column of the index, where pandas wrote one. */
function indexOf(pandas: string | undefined, columns: readonly string[]): string | undefined {
  try {
    const [first] = (JSON.parse(pandas ?? "{}") as { index_columns?: unknown[] }).index_columns ?? [];
    return typeof first === "string" && columns.includes(first) ? first : undefined;
  } catch {
    // Rows are then counted.
    return undefined;
  }
}
