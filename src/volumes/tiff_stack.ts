/**
 * Stacks in one TIFF: OME-TIFF with its order of planes and sizes, ImageJ's, and plain pages, each of which is a slice.
 *
 * Source: OME schema 2016-06; ImageJ's `ij.io.TiffEncoder`, whose description says what its pages are.
 *
 * @module
 */

import { ByteCache } from "../core/byte_cache.ts";
import type { Disk } from "../io/disk.ts";
import { randomAccess } from "../io/disk.ts";
import { micrometresOf, type Ome, omeDirectories, type OmeImage, readOme } from "../io/image/ome.ts";
import { prepareCodec } from "../io/image/tiff_coded.ts";
import { checkChunk } from "../io/image/tiff_codecs.ts";
import { type Ifd, readFrom, readIfds, TAG } from "../io/image/tiff_ifd.ts";
import { type TiffLayout, tiffLayout } from "../io/image/tiff_layout.ts";
import { hiddenPlanes, isElsewhere, isPageLike } from "../io/image/tiff_planes.ts";
import { readVoxelChunk, tiffNumberType, voxelFormat } from "../io/image/tiff_voxels.ts";
import type { RandomAccess } from "../io/random_access.ts";
import { checkShape, type FoundVolume, positiveSpacing, volumeError } from "./found.ts";
import { channelNames } from "./nifti.ts";
import { boxSize, copyBox, type Voxels, voxelsOf, type VoxelType, type Zyx } from "./volume.ts";

/** Bytes of chunks that are kept. */
const KEPT = 1 << 27;

/** Planes of a stack: `[z][c]`, each with as many samples a pixel. */
interface Stack {
  readonly planes: readonly (readonly Ifd[])[];
  readonly channels: readonly string[];
  readonly spacing: readonly (number | undefined)[];
  readonly problem: string | undefined;
  readonly notes: readonly string[];
}

/** Opens a stack. */
export async function openTiffStack(disk: Disk, path: string): Promise<FoundVolume> {
  const source = randomAccess(disk.open(path, "read"));
  try {
    const ifds = await readFrom(source, readIfds(path, source.size));
    const stack = stackOf(ifds, path);
    const layouts = stack.planes.map((slice) => slice.map((ifd) => tiffLayout(ifd, path, voxelFormat)));
    return await foundOf(source, layouts, stack);
  } catch (error) {
    source.close?.();
    throw error;
  }
}

async function foundOf(
  source: RandomAccess,
  layouts: readonly (readonly TiffLayout[])[],
  { channels, spacing, problem, notes }: Stack,
): Promise<FoundVolume> {
  const { name } = source;
  const first = layouts[0]![0]!;
  checkAlike(layouts, name);
  checkChunk(first, name);
  await prepareCodec(first.compression);
  const shape: Zyx = [layouts.length, first.height, first.width];
  checkShape(name, "it", shape);
  const dtype = tiffNumberType(first.ifd)!;
  const stack: StackReader = { source, layouts, dtype, cache: new ByteCache<Voxels>(KEPT) };
  const found = positiveSpacing(spacing);
  return {
    ...{ name, format: "TIFF stack", shape, channels, dtype, spacing: found, notes },
    problem: found === undefined ? problem ?? lackOf(spacing) : undefined,
    chunk: [1, first.chunkHeight, first.chunkWidth],
    levels: [{ shape, spacing: found }],
    read: (from, to) => readPlanes(stack, from, to),
    close: () => source.close?.(),
  };
}

function lackOf(spacing: readonly (number | undefined)[]): string | undefined {
  const known = spacing.flatMap((um, i) => um === undefined ? [] : [`${um} µm along ${"zyx"[i]}`]);
  return known.length === 0 ? undefined : `it says no more than ${known.join(", ")}`;
}

function checkAlike(layouts: readonly (readonly TiffLayout[])[], name: string): void {
  const [first] = layouts[0]!;
  const facts = ["width", "height", "bits", "samples", "compression"] as const;
  for (const [z, slice] of layouts.entries()) {
    for (const layout of slice) {
      const fact = facts.find((fact) => layout[fact] !== first![fact]) ??
        (tiffNumberType(layout.ifd) !== tiffNumberType(first!.ifd) ? "sample format" : undefined);
      if (fact === undefined) continue;
      const value = fact === "sample format" ? "another" : `${layout[fact]}`;
      throw volumeError(name, `slice ${z}`, `has ${fact} ${value}`, "that of the first", "Write slices of one kind");
    }
  }
}

interface StackReader {
  readonly source: RandomAccess;
  readonly layouts: readonly (readonly TiffLayout[])[];
  readonly dtype: VoxelType;
  readonly cache: ByteCache<Voxels>;
}

async function readPlanes({ source, layouts, dtype, cache }: StackReader, from: Zyx, to: Zyx): Promise<Voxels> {
  const planes = layouts[0]!.length;
  const samples = layouts[0]![0]!.samples;
  const out = voxelsOf(dtype, boxSize(from, to) * planes * samples);
  const slice = planes === 1 ? undefined : voxelsOf(dtype, (to[1] - from[1]) * (to[2] - from[2]) * samples);
  for (let z = from[0]; z < to[0]; z++) {
    for (const [c, layout] of layouts[z]!.entries()) {
      const low: Zyx = [z, from[1], from[2]];
      const high: Zyx = [z + 1, to[1], to[2]];
      const into = slice ?? out;
      const { across, chunkWidth, chunkHeight, height } = layout;
      for (let row = Math.floor(from[1] / chunkHeight); row * chunkHeight < to[1]; row++) {
        for (let column = Math.floor(from[2] / chunkWidth); column * chunkWidth < to[2]; column++) {
          const index = row * across + column;
          const chunk = await cache.get(`${z} ${c} ${index}`, () => readChunk(source, layout, index, dtype));
          const at: Zyx = [z, row * chunkHeight, column * chunkWidth];
          const rows = layout.tiled ? chunkHeight : Math.min(chunkHeight, height - at[1]);
          const end: Zyx = [z + 1, at[1] + rows, at[2] + chunkWidth];
          copyBox(chunk, at, end, into, slice === undefined ? from : low, slice === undefined ? to : high, samples);
        }
      }
      if (slice !== undefined) spread(slice, out, (z - from[0]) * slice.length * planes + c * samples, samples, planes);
    }
  }
  return out;
}

/** Puts a plane's samples between those of the others. */
function spread(plane: Voxels, out: Voxels, at: number, samples: number, planes: number): void {
  for (let i = 0, to = at; i < plane.length; i += samples, to += samples * planes) {
    for (let s = 0; s < samples; s++) out[to + s] = plane[i + s]!;
  }
}

async function readChunk(source: RandomAccess, layout: TiffLayout, index: number, dtype: VoxelType): Promise<Voxels> {
  const { chunkWidth, chunkHeight, samples, lengths } = layout;
  // A chunk that is left out is zeros.
  if (lengths[index] === 0) return voxelsOf(dtype, chunkWidth * chunkHeight * samples);
  return await readFrom(source, readVoxelChunk(layout, index, source.name));
}

function stackOf(ifds: readonly Ifd[], name: string): Stack {
  const [first] = ifds as [Ifd, ...Ifd[]];
  const samples = first.number(TAG.samples) ?? 1;
  const ome = readOme(first.bytes(TAG.description));
  if (ome?.problem !== undefined) throw volumeError(name, "its description", ome.problem, "OME-XML, or none");
  const image = ome?.images[0];
  if (image !== undefined) return omeStack(ifds, ome!, image, samples, name);
  const pages = ifds.filter((ifd) => ifd === first || isPageLike(ifd, first));
  const left = ifds.length - pages.length;
  const notes = left === 0 ? [] : [`${left} of its ${ifds.length} directories are of another kind and left out`];
  const text = first.text(TAG.description);
  if (/^ImageJ=/.test(text)) return imageJStack(pages, text, samples, notes, name);
  const hidden = pages.length === 1 ? hiddenPlanes(first, samples) : undefined;
  if (hidden !== undefined) throw volumeError(name, "it", hidden, "a directory for each", REWRITE);
  const named = samples === 1 ? ["intensity"] : samples === 3 ? ["red", "green", "blue"] : channelNames(samples);
  const [x, y] = resolutionOf(first);
  return { planes: pages.map((ifd) => [ifd]), channels: named, spacing: [undefined, y, x], problem: undefined, notes };
}

const REWRITE =
  "Write a directory for each plane: tifffile.imwrite(OUT, tifffile.imread(IN), photometric='minisblack')";

/** µm a pixel by the resolution tags; 72 and 96 an inch are what programs write that know nothing. */
function resolutionOf(ifd: Ifd): [x: number | undefined, y: number | undefined] {
  const unit = { 2: 25_400, 3: 10_000 }[ifd.number(TAG.resolutionUnit) ?? 1];
  const of = (tag: number) => {
    const value = ifd.number(tag);
    return unit === undefined || value === undefined || !(value > 100) ? undefined : unit / value;
  };
  return [of(TAG.xResolution), of(TAG.yResolution)];
}

function omeStack(ifds: readonly Ifd[], ome: Ome, image: OmeImage, samples: number, name: string): Stack {
  const { focalPlanes, times, named, pixel, step } = image;
  const away = image.tiffData.find((data) => isElsewhere(data, ome, name));
  if (away !== undefined) {
    throw volumeError(name, "its planes", `lie in several files, such as ${away.file ?? away.uuid}`, "one file");
  }
  const notes: string[] = [];
  if (times > 1) notes.push(`of its ${times} times the first is read`);
  if (ome.images.length > 1) notes.push(`of its ${ome.images.length} images the first is read`);
  if (ifds[0]!.children.length > 0) notes.push(`its ${ifds[0]!.children.length} smaller levels are not read`);
  const perPixel = Math.min(samples, image.channels);
  const channels = Math.ceil(image.channels / perPixel);
  if (channels * focalPlanes * times > 4096) {
    throw volumeError(name, "its OME-XML", `tells of ${channels * focalPlanes * times} planes`, "at most 4096");
  }
  const places = omeDirectories({ ...image, channels });
  const planes = Array.from({ length: focalPlanes }, (_, z) =>
    Array.from({ length: channels }, (_, c) => {
      const at = places[(c * focalPlanes + z) * times];
      const ifd = at === undefined ? undefined : ifds[at];
      if (ifd !== undefined) return ifd;
      const expected = `${channels * focalPlanes * times} by its OME-XML`;
      throw volumeError(name, `slice ${z}`, `of channel ${c} is missing: it has ${ifds.length} directories`, expected);
    }));
  const rgb = perPixel === 3 && channels === 1;
  const names = rgb
    ? ["red", "green", "blue"]
    : unique(Array.from({ length: channels * perPixel }, (_, i) => named[i]?.name ?? `channel ${i}`));
  const problem = typeof step === "string"
    ? step
    : pixel !== undefined && "problem" in pixel
    ? pixel.problem
    : undefined;
  const lateral = pixel === undefined || "problem" in pixel ? [undefined, undefined] : [pixel.y, pixel.x];
  const spacing = [typeof step === "number" ? step : undefined, ...lateral];
  return {
    planes,
    channels: names.length === 1 && named[0]?.name === undefined ? ["intensity"] : names,
    spacing,
    problem,
    notes,
  };
}

/** Names, of which those that come again are numbered. */
export function unique(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.map((name) => {
    let fresh = name || "unnamed";
    for (let n = 2; seen.has(fresh); n++) fresh = `${name} ${n}`;
    seen.add(fresh);
    return fresh;
  });
}

function imageJStack(pages: readonly Ifd[], text: string, samples: number, notes: string[], name: string): Stack {
  const value = (key: string): number => {
    const found = new RegExp(`^${key}=([\\d.eE+-]+)`, "m").exec(text)?.[1];
    return found === undefined ? NaN : Number(found);
  };
  const count = (key: string) => Math.max(1, value(key) || 1);
  const [channels, frames] = [count("channels"), count("frames")];
  const total = count("images");
  if (pages.length === 1 && total > 1) pages = planesBehind(pages[0]!, total, name);
  const slices = total / channels / frames;
  if (pages.length !== total || !Number.isInteger(slices)) {
    const expected = `${total} images of ${channels} channels and ${frames} times by ImageJ's description`;
    throw volumeError(
      name,
      "it",
      `has ${pages.length} directories of one size`,
      expected,
      "A slice is missing: write it again",
    );
  }
  if (frames > 1) notes.push(`of its ${frames} times the first is read`);
  const unit = (/^unit=(.*)$/m.exec(text)?.[1] ?? "").trim().replace(/\\u00B5/i, "µ");
  const scale = micrometresOf(unit) ?? micrometresOf({ micron: "um", microns: "um", inch: "in" }[unit] ?? "");
  const ifd = pages[0]!;
  const along = (tag: number) => scale === undefined ? undefined : scale / (ifd.number(tag) ?? NaN);
  const step = scale === undefined ? undefined : value("spacing") * scale;
  return {
    planes: Array.from(
      { length: slices },
      (_, z) => pages.slice(z * channels, (z + 1) * channels).map((page) => [page]).flat(),
    ),
    channels: channelNames(channels * samples),
    spacing: [step, along(TAG.yResolution), along(TAG.xResolution)].map((um) => um! > 0 ? um : undefined),
    problem: scale === undefined ? `the unit of ImageJ's description is ${JSON.stringify(unit)}` : undefined,
    notes,
  };
}

/** Directories for planes that ImageJ writes behind the first of files beyond 4 GB, without compression. */
function planesBehind(first: Ifd, count: number, name: string): Ifd[] {
  const layout = tiffLayout(first, name, voxelFormat);
  const bytes = layout.width * layout.height * layout.samples * layout.bits / 8;
  if (layout.compression !== "none" || layout.tiled || layout.planar) {
    throw volumeError(name, "it", `has ${count} planes and one directory with compression`, "one for each", REWRITE);
  }
  const at = layout.offsets[0]!;
  return Array.from({ length: count }, (_, i) =>
    first.with({
      [TAG.stripOffsets]: Float64Array.of(at + i * bytes),
      [TAG.stripBytes]: Float64Array.of(bytes),
      [TAG.rowsPerStrip]: Float64Array.of(layout.height),
    }));
}
