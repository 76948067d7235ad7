/**
 * Stacks of slices, a PNG, JPEG or TIFF each, in a folder: in the order of the numbers in their names, none of which may be
 * missing. Spacing and channels stand in `volume.json` beside them: `{"spacing_um": [z, y, x], "channels": ["nuclear"]}`.
 *
 * @module
 */

import { ByteCache } from "../core/byte_cache.ts";
import { DataError } from "../core/errors.ts";
import { type Disk, readBytes } from "../io/disk.ts";
import { checkFileSize } from "../io/image/image.ts";
import { decodePngWhole } from "../io/image/png.ts";
import { decodeRaster, isRaster, pngToRgb } from "../io/image/raster.ts";
import { isTiff, readFromBytes, readIfds, type Reading } from "../io/image/tiff_ifd.ts";
import { tiffLayout } from "../io/image/tiff_layout.ts";
import { isPageLike } from "../io/image/tiff_planes.ts";
import { readVoxelChunk, swapBytes, tiffNumberType, voxelFormat } from "../io/image/tiff_voxels.ts";
import { checkShape, type FoundVolume, positiveSpacing, volumeError } from "./found.ts";
import { channelNames } from "./nifti.ts";
import { channelsOf, numbersOf, readHeader } from "./raw.ts";
import { boxSize, copyBox, type Voxels, voxelsOf, voxelType, type Zyx } from "./volume.ts";

/** Name of the file beside the slices. */
export const SIDECAR = "volume.json";
const KEYS = ["spacing_um", "channels"];
const ENDING = /\.(?:png|jpe?g|tiff?)$/i;
/** Bytes of slices that are kept. */
const KEPT = 1 << 28;

/** A decoded slice: `[y, x, channel]`. */
interface Slice {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly voxels: Voxels;
}

/** Whether a file is one of a folder's slices, by its name. */
export function isSlice(name: string): boolean {
  return ENDING.test(name) && !name.startsWith(".");
}

/** Slices in the order of their numbers. @throws {DataError} If one is missing or there twice. */
export function orderSlices(folder: string, names: readonly string[]): string[] {
  const images = names.filter(isSlice);
  if (images.length === 1) return images;
  const numbered = images.map((name) => ({
    name,
    number: Number(/(\d+)\D*$/.exec(name.replace(ENDING, ""))?.[1] ?? NaN),
  }));
  const bare = numbered.find(({ number }) => !Number.isSafeInteger(number));
  const fail = (found: string, hint: string) =>
    new DataError(`Cannot read ${folder} as a volume: ${found}`, {
      code: "volume-slices",
      hint,
      context: { folder, slices: images.length, found },
    });
  if (bare !== undefined) {
    throw fail(
      `${bare.name} has no number in its name, expected one for each slice`,
      "Number the slices, or move it away",
    );
  }
  const ordered = numbered.toSorted((a, b) => a.number - b.number);
  const steps = ordered.slice(1).map(({ number }, i) => number - ordered[i]!.number);
  const step = Math.min(...steps);
  const twice = steps.indexOf(0);
  if (twice >= 0) {
    const [a, b] = [ordered[twice]!.name, ordered[twice + 1]!.name];
    throw fail(`${a} and ${b} have the same number, expected each once`, "Move one of them away");
  }
  const gap = steps.findIndex((of) => of !== step);
  if (gap >= 0) {
    const [a, b] = [ordered[gap]!, ordered[gap + 1]!];
    const missing = Math.round((b.number - a.number) / step) - 1;
    throw fail(
      `${Math.max(1, missing)} ${missing > 1 ? "slices are" : "slice is"} missing between ${a.name} and ${b.name}, ` +
        `expected numbers ${step} apart`,
      "Bring the slice back, or renumber the slices if the gap is of the numbers alone",
    );
  }
  return ordered.map(({ name }) => name);
}

/** Opens a folder of slices. */
// deno-lint-ignore require-await -- what it throws is to reject
export async function openSlices(disk: Disk, path: string): Promise<FoundVolume> {
  const entry = disk.look(path);
  const names = entry?.kind === "folder" ? entry.names : [];
  const slices = orderSlices(path, names);
  const sidecar = names.includes(SIDECAR) ? readHeader(disk, `${path}/${SIDECAR}`, KEYS) : {};
  const first = readSlice(disk, `${path}/${slices[0]}`);
  const shape: Zyx = [slices.length, first.height, first.width];
  checkShape(path, "it", shape);
  const dtype = voxelType(first.voxels);
  const named = channelsOf(`${path}/${SIDECAR}`, sidecar);
  if (named !== undefined && named.length !== first.channels) {
    throw volumeError(
      `${path}/${SIDECAR}`,
      '"channels"',
      `has ${named.length} names`,
      `${first.channels}, as slices have`,
    );
  }
  const spacing = numbersOf(`${path}/${SIDECAR}`, sidecar, "spacing_um", 3);
  const found = spacing === undefined ? undefined : positiveSpacing(spacing);
  const cache = new ByteCache<Voxels>(KEPT);
  const load = (z: number) =>
    cache.get(
      String(z),
      () => Promise.resolve(z === 0 ? first.voxels : likeFirst(disk, `${path}/${slices[z]}`, first)),
    );
  return {
    ...{ name: path, format: "folder of slices", shape, dtype, spacing: found },
    channels: named ?? (first.channels === 3 ? ["red", "green", "blue"] : channelNames(first.channels)),
    problem: spacing !== undefined && found === undefined ? `${SIDECAR} says ${spacing.join(", ")}` : undefined,
    chunk: [1, shape[1], shape[2]],
    levels: [{ shape, spacing: found }],
    notes: [],
    async read(from, to) {
      const out = voxelsOf(dtype, boxSize(from, to) * first.channels);
      for (let z = from[0]; z < to[0]; z++) {
        copyBox(await load(z), [z, 0, 0], [z + 1, shape[1], shape[2]], out, from, to, first.channels);
      }
      return out;
    },
    close: () => {},
  };
}

function likeFirst(disk: Disk, path: string, first: Slice): Voxels {
  const slice = readSlice(disk, path);
  const kind = ({ width, height, channels, voxels }: Slice) =>
    `${width}x${height} pixels, ${channels} channels of ${voxelType(voxels)}`;
  if (kind(slice) === kind(first)) return slice.voxels;
  throw volumeError(path, "it", `has ${kind(slice)}`, `${kind(first)} as the first`, "All slices must be alike");
}

function readSlice(disk: Disk, path: string): Slice {
  const entry = disk.look(path);
  checkFileSize(path, entry?.kind === "file" ? entry.size : 0);
  const bytes = readBytes(disk, path);
  if (isTiff(bytes)) return readFromBytes(bytes, path, tiffSlice(bytes.length, path));
  if (!isRaster(bytes)) {
    throw volumeError(
      path,
      "byte 0",
      "begins something else",
      "PNG, JPEG or TIFF",
      "Move it out of the folder of slices",
    );
  }
  if (bytes[0] !== 0x89) return shown(decodeRaster(bytes, path));
  const png = decodePngWhole(bytes, path);
  const { width, height, depth, channels, data } = png;
  if (depth !== 16) return shown(pngToRgb(png, path));
  swapBytes(data, 2);
  return { width, height, channels, voxels: new Uint16Array(data.buffer) };
}

/** An image as it is shown, of which grey has one channel. */
function shown({ width, height, data, mode }: ReturnType<typeof decodeRaster>): Slice {
  if (mode !== "L" && mode !== "1" && mode !== "LA") return { width, height, channels: 3, voxels: data };
  const grey = new Uint8Array(width * height);
  for (let i = 0; i < grey.length; i++) grey[i] = data[3 * i]!;
  return { width, height, channels: 1, voxels: grey };
}

function* tiffSlice(size: number, path: string): Reading<Slice> {
  const ifds = yield* readIfds(path, size);
  const pages = ifds.filter((ifd) => ifd === ifds[0] || isPageLike(ifd, ifds[0]!));
  if (pages.length > 1) {
    throw volumeError(path, "it", `has ${pages.length} pages`, "one slice", "Give the file itself if it is the stack");
  }
  const layout = tiffLayout(ifds[0]!, path, voxelFormat);
  const { width, height, samples, chunkWidth, chunkHeight, across, down, tiled } = layout;
  const dtype = tiffNumberType(layout.ifd)!;
  let voxels: Voxels | undefined;
  for (let index = 0; index < across * down; index++) {
    const chunk = yield* readVoxelChunk(layout, index, path);
    // Memory is taken once a chunk proved to hold what it claims.
    if (voxels === undefined) checkSliceSize(path, width * height * samples * layout.bits / 8);
    voxels ??= voxelsOf(dtype, width * height * samples);
    const [y, x] = [Math.floor(index / across) * chunkHeight, index % across * chunkWidth];
    const rows = tiled ? chunkHeight : Math.min(chunkHeight, height - y);
    copyBox(chunk, [0, y, x], [1, y + rows, x + chunkWidth], voxels, [0, 0, 0], [1, height, width], samples);
  }
  return { width, height, channels: samples, voxels: voxels! };
}

/** Most bytes of one slice. */
const MOST_SLICE = 2 ** 29;

function checkSliceSize(path: string, bytes: number): void {
  if (bytes <= MOST_SLICE) return;
  throw volumeError(path, "it", `claims ${bytes} bytes`, `a slice of at most ${MOST_SLICE}`);
}
