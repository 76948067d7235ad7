/**
 * Patch files of HEST-1k and its benchmark, of all generations: images around spots with barcodes and coordinates.
 *
 * The generations differ in names and in what a coordinate is; attributes decide, nothing is guessed. Current files
 * (`patch_size_src`) hold [x, y] of the top-left corner, those of 2024 and the benchmark (`factor`) [y, x] of the centre.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { H5File, type H5Value } from "./hdf5/h5.ts";
import type { H5Storage } from "./hdf5/h5_library.ts";
import { rowReader } from "./hdf5/h5_rows.ts";

/** What a coordinate is of its patch. */
export type CoordsOf = "top-left" | "centre" | "unknown";

/** An open patch file. */
export interface Patches {
  /** Name of the file. */
  readonly name: string;
  /** `current`, `v1` (2024 and the benchmark), or `other`. */
  readonly generation: "current" | "v1" | "other";
  /** Patches. */
  readonly count: number;
  /** Of a patch, px. */
  readonly width: number;
  /** Of a patch, px. */
  readonly height: number;
  /** Names of the spots, in order of the patches; undefined where it has none. */
  readonly barcodes: readonly string[] | undefined;
  /** `[count, 2]`, x then y whatever the file's order, in pixels of the slide's largest level. */
  readonly coords: Int32Array | undefined;
  /** What the coordinates are of. */
  readonly coordsOf: CoordsOf;
  /** Micrometres a pixel of the patches. */
  readonly pixelSize: number | undefined;
  /** Micrometres a pixel of the slide. */
  readonly slidePixelSize: number | undefined;
  /** Side of a patch in pixels of the slide's largest level. */
  readonly sizeOnSlide: number | undefined;
  /** Attributes as the file has them. */
  readonly attributes: Readonly<Record<string, H5Value>>;
  /** RGB bytes `[to - from, height, width, 3]` of patches `from` up to `to`. */
  read(from: number, to: number): Uint8Array<ArrayBuffer>;
  /** Closes the file. */
  close(): void;
}

/** µm a pixel of the patches of 2024, whatever the slide, unless the file says more. */
export const V1_PIXEL_SIZE = 0.5;

/**
 * Opens a patch file.
 *
 * @param source A file of the host, or bytes by range; closing the result closes it.
 * @throws {FormatError} If it is damaged or its parts disagree.
 * @throws {DataError} If it holds coordinates only, or no patches.
 */
export async function openPatches(source: H5Storage): Promise<Patches> {
  const file = await H5File.open(source);
  try {
    return describe(file);
  } catch (error) {
    file.close();
    throw error;
  }
}

function describe(file: H5File): Patches {
  const images = file.find(["/img", "/imgs"]);
  const places = file.find(["/coords"]);
  if (images === undefined) {
    throw new DataError(
      `Cannot read patches of ${file.name}: it has ${
        places ? "coordinates" : file.keys().join(", ") || "nothing"
      }, no img`,
      {
        hint: places ? "Give the slide together with these coordinates" : "Give a HEST patch file, images or an npy",
        context: { file: file.name, keys: file.keys() },
      },
    );
  }
  const { shape, dtype } = file.info(images);
  file.check(images);
  const [count = 0, height = 0, width = 0, channels] = shape ?? [];
  if (shape?.length !== 4 || dtype !== "u1" || channels !== 3 || height < 1 || width < 1) {
    throw file.fail(images, `${dtype} ${JSON.stringify(shape ?? [])}`, "u1 [n, height, width, 3]");
  }
  const attributes = { ...(places ? file.attributes(places) : {}), ...file.attributes(images) };
  const target = attributes["patch_size_target"];
  if (target !== undefined && (Number(target) !== width || Number(target) !== height)) {
    throw file.fail(images, `patches of ${width}x${height}`, `patch_size_target ${target}`);
  }
  const generation = "patch_size_src" in attributes ? "current" : "factor" in attributes ? "v1" : "other";
  return {
    name: file.name,
    generation,
    count,
    width,
    height,
    barcodes: readBarcodes(file, count),
    coords: places === undefined ? undefined : readCoords(file, places, count, generation === "v1"),
    coordsOf: generation === "v1"
      ? "centre"
      : generation === "current" || "patch_size_level0" in attributes
      ? "top-left"
      : "unknown",
    ...pixelSizes(file, images, attributes, generation),
    attributes,
    read: blockReader(file, images, count),
    close: () => file.close(),
  };
}

function pixelSizes(
  file: H5File,
  path: string,
  attributes: Record<string, H5Value>,
  generation: Patches["generation"],
): Pick<Patches, "pixelSize" | "slidePixelSize" | "sizeOnSlide"> {
  const positive = (name: string): number | undefined => {
    const value = attributes[name];
    if (value === undefined) return undefined;
    if (Number.isFinite(Number(value)) && Number(value) > 0) return Number(value);
    throw file.fail(`${path}@${name}`, String(value), "a positive number");
  };
  if (generation === "v1") {
    const own = positive("pixel_size");
    const pixelSize = own === undefined ? V1_PIXEL_SIZE : own * positive("factor")!;
    const slidePixelSize = own ?? V1_PIXEL_SIZE / positive("factor")!;
    return { pixelSize, slidePixelSize, sizeOnSlide: positive("patch_size") };
  }
  const slidePixelSize = positive("pixel_size");
  const downsample = positive("downsample");
  return {
    slidePixelSize,
    pixelSize: slidePixelSize && downsample && slidePixelSize * downsample,
    sizeOnSlide: positive("patch_size_src") ?? positive("patch_size_level0"),
  };
}

/** Barcodes, `[n]` or `[n, 1]`. */
export function readBarcodes(file: H5File, count: number): string[] | undefined {
  const path = file.find(["/barcode", "/barcodes"]);
  if (path === undefined) return undefined;
  checkRows(file, path, count, 1);
  return file.strings(path);
}

/** Coordinates as x, y; `swapped` where the file has y, x. */
export function readCoords(file: H5File, path: string, count: number, swapped: boolean): Int32Array {
  checkRows(file, path, count, 2);
  const values = file.numbers(path);
  const bad = values.findIndex((v) => v !== (v | 0));
  if (bad >= 0) throw file.fail(path, `${values[bad]} in row ${bad >> 1}`, "whole pixels of 32 bits");
  return Int32Array.from(values, (_, i) => values[swapped ? i ^ 1 : i]!);
}

/** Throws unless a dataset has `count` rows of `width` numbers or strings. */
export function checkRows(file: H5File, path: string, count: number, width: number): void {
  const { shape = [] } = file.info(path);
  const columns = shape.slice(1).reduce((a, b) => a * b, 1);
  if (shape[0] !== count || columns !== width) {
    throw file.fail(path, `shape ${JSON.stringify(shape)}`, `${count} rows of ${width}, as there are patches`);
  }
}

/** Reads whole chunks where they hold several compressed patches, so that none is unpacked for each batch again. */
function blockReader(file: H5File, path: string, count: number): Patches["read"] {
  const { chunks, filters, shape = [] } = file.info(path);
  if (filters.length === 0) return rowReader(file, path);
  const rows = chunks?.[0] ?? 1;
  const width = shape.slice(1).reduce((a, b) => a * b, 1);
  let block = { from: 0, to: 0, data: new Uint8Array(0) };
  return (from, to) => {
    if (rows === 1 || to - from >= rows) return file.read(path, from, to) as Uint8Array<ArrayBuffer>;
    if (from < block.from || to > block.to) {
      const [first, end] = [from - from % rows, Math.min(count, Math.ceil(to / rows) * rows)];
      block = { from: first, to: end, data: file.read(path, first, end) as Uint8Array<ArrayBuffer> };
    }
    return block.data.slice((from - block.from) * width, (to - block.from) * width);
  };
}
