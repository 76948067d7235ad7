/**
 * NIfTI-1 in one file, plain or gzipped: 348 bytes of header in either byte order, voxels x fastest. Channels stand in the
 * fifth dimension, or in the fourth where the fifth is one.
 *
 * Source: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";
import { gunzip } from "../host/zlib.ts";
import type { Disk, HostFile } from "../io/disk.ts";
import { denseBytes, type DenseLayout, readDense, writeDense } from "./dense_file.ts";
import { checkShape, type FoundVolume, positiveSpacing, volumeError } from "./found.ts";
import { readPlacement, writePlacement } from "./nifti_place.ts";
import type { VolumeSink } from "./sink.ts";
import { type VolumeShape, type Voxels, voxelsOf, type VoxelType } from "./volume.ts";

const HEADER = 348;
/** Most bytes of an unpacked .nii.gz, which cannot be read by range. */
const MOST_UNPACKED = 2 ** 29;
/** Codes of types that are read. */
const TYPES: Readonly<Record<number, VoxelType>> = {
  ...{ 2: "u8", 4: "i16", 8: "i32", 16: "f32", 64: "f64", 256: "i8", 512: "u16", 768: "u32" },
};
const RGB = 128;
const REFUSED: Readonly<Record<number, string>> = {
  ...{ 1: "bits", 32: "complex numbers", 1024: "i64", 1280: "u64", 1536: "f128", 1792: "complex numbers" },
  ...{ 2048: "complex numbers", 2304: "RGBA" },
};
/** Micrometres of the units of space. */
const UNITS: Readonly<Record<number, number>> = { 1: 1e6, 2: 1e3, 3: 1 };

/** What a header says. */
interface Header {
  readonly layout: DenseLayout;
  readonly rgb: boolean;
  readonly slope: number;
  readonly intercept: number;
  readonly view: DataView;
  readonly little: boolean;
  readonly notes: string[];
}

/** Opens a NIfTI file. */
export async function openNifti(disk: Disk, path: string): Promise<FoundVolume> {
  const file = disk.open(path, "read");
  try {
    const head = new Uint8Array(2);
    file.read(0, head);
    const bytes = head[0] === 0x1f && head[1] === 0x8b ? await unpacked(file) : file;
    const found = readNifti(bytes);
    if (bytes !== file) file.close();
    return found;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** A gzipped file unpacked into memory: it cannot be read by range. */
async function unpacked(file: HostFile): Promise<HostFile> {
  async function* pieces() {
    for (let at = 0; at < file.size(); at += 1 << 20) {
      const piece = new Uint8Array(Math.min(1 << 20, file.size() - at));
      file.read(at, piece);
      yield await Promise.resolve(piece);
    }
  }
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const part of gunzip(pieces())) {
      bytes += part.length;
      if (bytes > MOST_UNPACKED) break;
      parts.push(part);
    }
  } catch (cause) {
    throw volumeError(
      file.name,
      "it",
      `is damaged gzip (${(cause as Error).message})`,
      "a whole .nii.gz",
      "Fetch it again",
    );
  }
  if (bytes > MOST_UNPACKED) {
    throw new LimitError(
      `Cannot read ${file.name}: more than ${MOST_UNPACKED} bytes unpacked, which gzip gives only whole`,
      {
        hint: `Unpack it first, then it is read by parts: gunzip -k ${file.name}`,
        context: { file: file.name, most: MOST_UNPACKED },
      },
    );
  }
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts.splice(0)) {
    all.set(part, at);
    at += part.length;
  }
  return {
    ...file,
    size: () => all.length,
    read(from, into) {
      const part = all.subarray(from, from + into.length);
      into.set(part);
      return part.length;
    },
    close: () => {},
  };
}

function readNifti(file: HostFile): FoundVolume {
  const { name } = file;
  const { layout, rgb, slope, intercept, view, little, notes } = readHeader(file);
  const wanted = layout.offset + denseBytes(layout);
  if (file.size() < wanted) {
    const hint = "The file is cut short: fetch it again";
    throw volumeError(name, "it", `has ${file.size()} bytes`, `${wanted} by its header`, hint);
  }
  const scaled = slope !== 1 || intercept !== 0;
  const { spacing, problem, placement, notes: placed } = spacingOf(view, little);
  const { shape, channels } = layout;
  return {
    ...{ name, format: "NIfTI-1", shape, spacing, problem, placement, chunk: [1, shape[1], shape[2]] },
    channels: rgb ? ["red", "green", "blue"] : channelNames(channels),
    dtype: scaled ? scaledType(layout.dtype) : layout.dtype,
    levels: [{ shape, spacing }],
    notes: [
      ...notes,
      ...placed,
      ...(scaled ? [`its voxels are ${slope} times what is stored, plus ${intercept}`] : []),
    ],
    read: (from, to) => {
      const stored = readDense(file, layout, from, to);
      return Promise.resolve(scaled ? scaledBy(stored, slope, intercept) : stored);
    },
    close: () => file.close(),
  };
}

/** Names of channels that the file does not name. */
export function channelNames(count: number): string[] {
  return count === 1 ? ["intensity"] : Array.from({ length: count }, (_, i) => `channel ${i}`);
}

/** f32 holds what 16 bits become; larger ones need f64. */
function scaledType(dtype: VoxelType): VoxelType {
  return dtype === "i32" || dtype === "u32" || dtype === "f64" ? "f64" : "f32";
}

function scaledBy(stored: Voxels, slope: number, intercept: number): Voxels {
  const wide = stored instanceof Int32Array || stored instanceof Uint32Array || stored instanceof Float64Array;
  const out = voxelsOf(wide ? "f64" : "f32", stored.length);
  for (let i = 0; i < stored.length; i++) out[i] = stored[i]! * slope + intercept;
  return out;
}

function readHeader(file: HostFile): Header {
  const { name } = file;
  const bytes = new Uint8Array(HEADER);
  if (file.read(0, bytes) < HEADER) {
    throw volumeError(name, "it", `has ${file.size()} bytes`, `a header of ${HEADER}`);
  }
  const view = new DataView(bytes.buffer);
  const little = view.getInt32(0, true) === HEADER;
  if (!little && view.getInt32(0, false) !== HEADER) {
    const second = [view.getInt32(0, true), view.getInt32(0, false)].includes(540);
    const found = second ? "begins NIfTI-2" : `begins with ${view.getInt32(0, true)}`;
    const hint = second ? "Write NIfTI-1: nib.save(nib.Nifti1Image.from_image(nib.load(IN)), OUT)" : undefined;
    throw volumeError(name, "byte 0", found, `NIfTI-1, whose header has ${HEADER} bytes`, hint);
  }
  const magic = new TextDecoder("latin1").decode(bytes.subarray(344, 347));
  if (magic !== "n+1") {
    const hint = magic === "ni1" ? "Write header and voxels into one .nii" : undefined;
    throw volumeError(
      name,
      "byte 344",
      `has the magic ${JSON.stringify(magic)}`,
      '"n+1", header and voxels in one',
      hint,
    );
  }
  const notes: string[] = [];
  const code = view.getInt16(70, little);
  const dtype = code === RGB ? "u8" : TYPES[code];
  if (dtype === undefined) {
    const what = REFUSED[code] ?? `type ${code}`;
    throw volumeError(name, "byte 70", `says that voxels are ${what}`, "integers of 8 to 32 bits, f32, f64 or RGB");
  }
  const layout = layoutOf(view, little, name, dtype, code === RGB, notes);
  const [slope, intercept] = [view.getFloat32(112, little), view.getFloat32(116, little)];
  // By the standard, a slope of 0 means that there is no scale.
  const fine = slope !== 0 && Number.isFinite(slope) && Number.isFinite(intercept) && code !== RGB;
  return { layout, rgb: code === RGB, slope: fine ? slope : 1, intercept: fine ? intercept : 0, view, little, notes };
}

function layoutOf(
  view: DataView,
  little: boolean,
  name: string,
  dtype: VoxelType,
  rgb: boolean,
  notes: string[],
): DenseLayout {
  const count = view.getInt16(40, little);
  if (count < 1 || count > 7) throw volumeError(name, "byte 40", `gives ${count} dimensions`, "1 to 7");
  const dims = Array.from({ length: 7 }, (_, i) => i < count ? view.getInt16(42 + 2 * i, little) : 1);
  checkShape(name, "byte 42", dims);
  const [x, y, z, t, c, ...more] = dims as [number, number, number, number, number, number, number];
  if (more.some((extent) => extent > 1) || (t > 1 && c > 1) || (rgb && t * c > 1)) {
    throw volumeError(name, "byte 42", `gives extents ${dims.join(" x ")}`, "x, y, z and one of times or channels");
  }
  if (t > 1) notes.push(`its fourth dimension, ${t}, is taken for channels`);
  const offset = view.getFloat32(108, little);
  if (!Number.isInteger(offset) || offset < HEADER + 4) {
    throw volumeError(name, "byte 108", `says that voxels begin at ${offset}`, `a byte from ${HEADER + 4} on`);
  }
  const channels = rgb ? 3 : t * c;
  return { offset, shape: [z, y, x], channels, dtype, little, order: rgb ? "zyxc" : "czyx" };
}

/** Spacing by `pixdim` and its unit, and whether the affine says the same. */
function spacingOf(view: DataView, little: boolean): Pick<FoundVolume, "spacing" | "problem" | "placement" | "notes"> {
  const sizes = [3, 2, 1].map((i) => view.getFloat32(76 + 4 * i, little));
  const unit = view.getUint8(123) & 7;
  const scale = UNITS[unit];
  if (scale === undefined) {
    const problem = `its unit of space has code ${unit}, which is no length; its voxels are ${sizes.join(", ")}`;
    return { spacing: undefined, problem, placement: undefined, notes: [] };
  }
  const spacing = positiveSpacing(sizes.map((size) => size * scale).map((um) => Number(um.toPrecision(7))));
  if (spacing === undefined) {
    const problem = `its voxels are ${sizes.join(", ")} along z, y, x, no positive numbers`;
    return { spacing, problem, placement: undefined, notes: [] };
  }
  const { placement, lengths, code } = readPlacement(view, little, scale);
  const apart = lengths?.findIndex((length, i) => Math.abs(length / spacing[i]! - 1) > 0.01) ?? -1;
  if (apart >= 0) {
    const axis = "zyx"[apart];
    const problem = `along ${axis} its pixdim says ${spacing[apart]} µm and its ${code} ${lengths![apart]} µm`;
    return { spacing: undefined, problem, placement: undefined, notes: [] };
  }
  return { spacing, problem: undefined, placement, notes: [] };
}

/** Writes a .nii. */
export function niftiSink(path: string, facts: VolumeShape): VolumeSink {
  const { shape, channels, dtype } = facts;
  const layout: DenseLayout = {
    ...{ offset: HEADER + 4, shape, channels: channels.length, dtype, little: true, order: "czyx" },
  };
  const head = headerOf(path, facts);
  return {
    files: [path],
    wholeRows: true,
    fill: (disk, boxes) =>
      disk.writeSlowly(path, async (file) => {
        file.truncate(layout.offset + denseBytes(layout));
        file.write(0, head);
        for await (const { from, to, voxels } of boxes) writeDense(file, layout, from, to, voxels);
      }),
  };
}

const BITS: Readonly<Record<VoxelType, number>> = {
  ...{ u8: 8, i8: 8, u16: 16, i16: 16, u32: 32, i32: 32, f32: 32, f64: 64 },
};
/** The longest axis that NIfTI-1 can say. */
const MOST_DIM = 32_767;

function headerOf(path: string, { shape: [z, y, x], spacing, channels, dtype, placement }: VolumeShape): Uint8Array {
  const bytes = new Uint8Array(HEADER + 4);
  const view = new DataView(bytes.buffer);
  const many = channels.length > 1;
  const dims = [many ? 5 : 3, x, y, z, 1, channels.length, 1, 1];
  if (Math.max(...dims) > MOST_DIM) {
    throw new LimitError(`Cannot write ${path}: ${[z, y, x].join(" x ")} voxels, NIfTI-1 holds ${MOST_DIM} an axis`, {
      hint: "Write OUT.ome.zarr, which has no such limit",
      context: { file: path, shape: [z, y, x], most: MOST_DIM },
    });
  }
  view.setInt32(0, HEADER, true);
  dims.forEach((dim, i) => view.setInt16(40 + 2 * i, dim, true));
  // Vectors, as the standard calls a fifth dimension of channels.
  view.setInt16(68, many ? 1007 : 0, true);
  view.setInt16(70, Number(Object.entries(TYPES).find(([, type]) => type === dtype)![0]), true);
  view.setInt16(72, BITS[dtype], true);
  [1, spacing[2], spacing[1], spacing[0], 1, 1, 1, 1].forEach((size, i) => view.setFloat32(76 + 4 * i, size, true));
  view.setFloat32(108, HEADER + 4, true);
  view.setFloat32(112, 1, true);
  view.setUint8(123, 3);
  writePlacement(view, spacing, placement);
  bytes.set(new TextEncoder().encode("n+1"), 344);
  return bytes;
}
