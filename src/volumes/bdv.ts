/**
 * BigDataViewer's HDF5, as light-sheet microscopes write it: `t00000/sNN/LEVEL/cells`, a setup a channel, with the size of
 * voxels in the XML beside it. Of several times the first is read.
 *
 * Source: https://imagej.net/plugins/bdv/ ("About the BigDataViewer data format")
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { type Disk, readBytes } from "../io/disk.ts";
import { H5File } from "../io/hdf5/h5.ts";
import { micrometresOf } from "../io/image/ome.ts";
import { parentOf } from "../io/output.ts";
import { childrenOf, decodeXml, nameOf, readXml, type XmlElement, XmlProblem } from "../io/xml.ts";
import { checkShape, type FoundVolume, positiveSpacing, volumeError, type VolumeLevel } from "./found.ts";
import { unique } from "./tiff_stack.ts";
import { boxSize, type Voxels, voxelsOf, type VoxelType, type Zyx } from "./volume.ts";

/** Types of cells. BigDataViewer stores numbers of 16 bits as signed and takes them for unsigned. */
const TYPES: Readonly<Record<string, VoxelType>> = {
  ...{ u1: "u8", i2: "u16", u2: "u16", i1: "i8", i4: "i32", u4: "u32", f4: "f32", f8: "f64" },
};
/** Most setups of a file. */
const MOST_SETUPS = 256;

/** What the XML says of a setup. */
interface Setup {
  readonly name: string | undefined;
  readonly spacing: readonly (number | undefined)[];
  readonly problem: string | undefined;
  /** Place among those of one channel: tile, angle and illumination. */
  readonly view: string;
}

/** Whether a text is BigDataViewer's XML. */
export function isBdvXml(text: string): boolean {
  return /<SpimData[\s>]/.test(text);
}

/**
 * Opens a file by its XML, or by the HDF5 with an XML of its name beside it.
 *
 * @param level Which of the levels, 0 the finest.
 */
export async function openBdv(disk: Disk, path: string, level: number): Promise<FoundVolume> {
  const isXml = /\.xml$/i.test(path);
  const xml = isXml ? path : path.replace(/\.[^./\\]*$/, ".xml");
  const described = disk.look(xml)?.kind === "file" ? readSpim(disk, xml) : undefined;
  if (isXml && described!.file === undefined) {
    throw volumeError(path, "it", "names no HDF5 file", "ImageLoader with hdf5", "Give the .h5 itself");
  }
  const data = isXml ? `${parentOf(path)}/${described!.file}` : path;
  const file = await H5File.open(disk.open(data, "read"));
  try {
    return foundOf(file, described?.setups ?? new Map(), level, path);
  } catch (error) {
    file.close();
    throw error;
  }
}

function foundOf(file: H5File, setups: ReadonlyMap<number, Setup>, level: number, path: string): FoundVolume {
  const { name } = file;
  const times = file.keys().filter((key) => /^t\d{5}$/.test(key)).sort();
  const time = times[0];
  if (time === undefined) throw volumeError(name, "it", "has no group t00000", "BigDataViewer's t00000/s00/0/cells");
  const ids = file.keys(time).filter((key) => /^s\d{2,3}$/.test(key)).sort();
  if (ids.length === 0 || ids.length > MOST_SETUPS) {
    throw volumeError(name, time, `has ${ids.length} setups`, `1 to ${MOST_SETUPS}`);
  }
  checkViews(ids, setups, name);
  const levels = levelsOf(file, `${time}/${ids[0]}`, ids[0]!, setups);
  if (level >= levels.length) {
    throw new ConfigError(`Cannot read level ${level} of ${name}: it has ${levels.length}, counted from 0`, {
      hint: `Pass --level ${levels.length - 1} or less`,
      context: { file: name, level, levels: levels.length },
    });
  }
  const paths = ids.map((id) => `${time}/${id}/${level}/cells`);
  const { dtype, chunk } = cellsOf(file, paths, levels[level]!.shape);
  const first = setups.get(Number(ids[0]!.slice(1)));
  const { shape, spacing } = levels[level]!;
  return {
    ...{ name: path, format: "BigDataViewer HDF5", shape, dtype, chunk, levels, spacing },
    problem: spacing === undefined
      ? first?.problem ?? (first === undefined ? "there is no XML beside it" : undefined)
      : undefined,
    channels: unique(ids.map((id) => setups.get(Number(id.slice(1)))?.name ?? `setup ${Number(id.slice(1))}`)),
    notes: times.length > 1 ? [`of its ${times.length} times the first is read`] : [],
    read: (from, to) => Promise.resolve(readCells(file, paths, dtype, from, to)),
    close: () => file.close(),
  };
}

/** Setups must be channels of one view: tiles and angles lie elsewhere in space. */
function checkViews(ids: readonly string[], setups: ReadonlyMap<number, Setup>, name: string): void {
  const views = new Set(ids.flatMap((id) => setups.get(Number(id.slice(1)))?.view ?? []));
  if (views.size <= 1) return;
  throw new DataError(`Cannot read ${name} as one volume: its setups are ${[...views].sort().join("; ")}`, {
    code: "volume-views",
    hint: "Fuse tiles and angles first, for example with BigStitcher, and give the fused file",
    context: { file: name, views: [...views].sort() },
  });
}

function levelsOf(file: H5File, path: string, id: string, setups: ReadonlyMap<number, Setup>): VolumeLevel[] {
  const { name } = file;
  const stored = file.keys(path).filter((key) => /^\d{1,2}$/.test(key)).sort((a, b) => Number(a) - Number(b));
  if (stored.length === 0 || stored[0] !== "0") throw volumeError(name, path, "has no level 0", "0/cells");
  const setup = setups.get(Number(id.slice(1)));
  const full = setup === undefined ? undefined : positiveSpacing(setup.spacing);
  const resolutions = `${id}/resolutions`;
  const { shape: extents = [] } = file.kind(resolutions) === "dataset" ? file.info(resolutions) : { shape: [] };
  const known = extents.length === 2 && extents[0]! >= stored.length && extents[0]! <= 64 && extents[1] === 3;
  const factors = known ? file.numbers(resolutions) : undefined;
  return stored.map((key, i) => {
    const { shape } = file.info(`${path}/${key}/cells`);
    if (shape?.length !== 3) {
      throw volumeError(name, `${path}/${key}/cells`, `has ${shape?.length ?? 0} axes`, "z, y, x");
    }
    checkShape(name, `${path}/${key}/cells`, shape);
    const [x, y, z] = i === 0 && factors === undefined ? [1, 1, 1] : factors?.subarray(3 * i, 3 * i + 3) ?? [];
    const factor = positiveSpacing([z, y, x]);
    const spacing = full && factor && full.map((um, axis) => um * factor[axis]!) as unknown as Zyx;
    return { shape: shape as unknown as Zyx, spacing };
  });
}

function cellsOf(file: H5File, paths: readonly string[], shape: Zyx): { dtype: VoxelType; chunk: Zyx } {
  let first: { dtype: VoxelType; chunk: Zyx } | undefined;
  for (const path of paths) {
    if (file.kind(path) !== "dataset") throw volumeError(file.name, path, "is missing", "cells of each setup");
    const { shape: own = [], dtype: stored, chunks } = file.info(path);
    const dtype = TYPES[stored];
    if (dtype === undefined) throw volumeError(file.name, path, `has elements of type ${stored}`, "integers or floats");
    if (own.join() !== shape.join() || (first !== undefined && first.dtype !== dtype)) {
      const expected = `${shape.join(" x ")} of ${first?.dtype ?? dtype}, as the first setup`;
      throw volumeError(file.name, path, `has ${own.join(" x ")} voxels of ${dtype}`, expected);
    }
    file.check(path);
    const chunk = chunks?.length === 3 ? chunks as unknown as Zyx : [1, shape[1], shape[2]] as const;
    first ??= { dtype, chunk };
  }
  return first!;
}

function readCells(file: H5File, paths: readonly string[], dtype: VoxelType, from: Zyx, to: Zyx): Voxels {
  const out = voxelsOf(dtype, boxSize(from, to) * paths.length);
  for (const [c, path] of paths.entries()) {
    const box = file.box(path, from, to);
    const values = box instanceof Int16Array && dtype === "u16" ? new Uint16Array(box.buffer) : box as Voxels;
    if (paths.length === 1) return values as Voxels;
    for (let i = 0, at = c; i < values.length; i++, at += paths.length) out[at] = values[i]!;
  }
  return out;
}

function readSpim(disk: Disk, path: string): { file: string | undefined; setups: Map<number, Setup> } {
  let root: XmlElement;
  try {
    root = readXml(decodeXml(readBytes(disk, path)));
  } catch (cause) {
    if (!(cause instanceof XmlProblem)) throw cause;
    throw volumeError(path, "it", `is no XML: ${cause.message}`, "BigDataViewer's SpimData");
  }
  if (nameOf(root).local !== "SpimData") {
    throw volumeError(path, "it", `begins <${nameOf(root).local}>`, "BigDataViewer's <SpimData>");
  }
  const all = () => true;
  const under = (element: XmlElement, ...names: string[]): XmlElement[] =>
    names.reduce<XmlElement[]>((found, name) => found.flatMap((at) => childrenOf(at, name, all)), [element]);
  const text = (element: XmlElement, ...names: string[]) => under(element, ...names)[0]?.text.trim();
  const file = text(root, "SequenceDescription", "ImageLoader", "hdf5");
  if (file !== undefined && (/^[/\\]|:/.test(file) || file.split(/[/\\]/).includes(".."))) {
    throw volumeError(path, "its ImageLoader", `leads to ${JSON.stringify(file.slice(0, 200))}`, "a file beside it");
  }
  const channels = new Map(
    under(root, "SequenceDescription", "ViewSetups", "Attributes").filter((of) => of.attributes.name === "channel")
      .flatMap((of) => under(of, "Channel")).map((channel) => [text(channel, "id"), text(channel, "name")]),
  );
  const setups = new Map<number, Setup>();
  for (const setup of under(root, "SequenceDescription", "ViewSetups", "ViewSetup").slice(0, MOST_SETUPS)) {
    const [id, unit, size] = [text(setup, "id"), text(setup, "voxelSize", "unit"), text(setup, "voxelSize", "size")];
    if (id === undefined || !/^\d{1,3}$/.test(id)) continue;
    const attribute = (name: string) => text(setup, "attributes", name) ?? "0";
    const channel = channels.get(text(setup, "attributes", "channel"));
    const name = channel !== undefined && !/^\d*$/.test(channel) ? channel : text(setup, "name") || undefined;
    const view = ["tile", "angle", "illumination"].map((of) => `${of} ${attribute(of)}`).join(", ");
    setups.set(Number(id), { name, view, ...spacingOf(unit, size) });
  }
  return { file, setups };
}

function spacingOf(unit: string | undefined, size: string | undefined): Pick<Setup, "spacing" | "problem"> {
  const sign = { micron: "um", microns: "um", micrometer: "um", micrometers: "um", micrometre: "um", nanometer: "nm" };
  const scale = micrometresOf((sign as Record<string, string>)[unit ?? ""] ?? unit ?? "");
  const numbers = (size ?? "").split(/\s+/).map(Number).reverse();
  if (scale !== undefined && numbers.length === 3) {
    return { spacing: numbers.map((n) => n * scale), problem: undefined };
  }
  return { spacing: [], problem: `its XML says a voxel is ${size ?? "nothing"} ${unit ?? "of no unit"}` };
}
