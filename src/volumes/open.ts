/**
 * Opens a volume of any format that is read, and settles what all of them must say: spacing in µm, the order of axes, more than
 * one slice.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { type Disk, readBytes } from "../io/disk.ts";
import { isTiff } from "../io/image/tiff_ifd.ts";
import { parentOf, trimmed } from "../io/output.ts";
import type { FoundVolume, VolumeLevel } from "./found.ts";
import { isBdvXml } from "./bdv.ts";
import { isRawHeader } from "./raw.ts";
import { isSerialTable, type SerialStack } from "./serial.ts";
import { isSlice } from "./slices.ts";
import { boxSize, type Volume, volumeFrom, type Voxels, voxelsOf, type Zyx } from "./volume.ts";

/** Orders of axes that a file may have them in, whatever it calls them. */
export const AXIS_ORDERS = ["zyx", "zxy", "yzx", "yxz", "xzy", "xyz"] as const;
/** An order of axes. */
export type AxisOrder = (typeof AXIS_ORDERS)[number];

/** How a volume is opened. */
export interface VolumeOptions {
  /** µm along z, y, x (after {@linkcode axes}), where the file does not say. */
  readonly spacing?: Zyx | undefined;
  /** Takes `spacing` also where the file says another. */
  readonly overrideSpacing?: boolean | undefined;
  /** What the axes are that the file has as z, y and x: `xyz` where they are the other way round. */
  readonly axes?: AxisOrder | undefined;
  /** Of several levels, 0 the finest. */
  readonly level?: number | undefined;
  /** Channels that are read, by name or number, in this order; all if not given. */
  readonly channels?: readonly string[] | undefined;
  /** Fewest slices; 2 if not given. */
  readonly least?: number | undefined;
  /** Table and line whose column `spacing` gives {@linkcode spacing}, and which has no other options; flags if not given. */
  readonly table?: string | undefined;
}

/** An open volume, and how it was found. */
export interface OpenVolume extends Volume {
  readonly format: string;
  /** Who says how far apart voxels are. */
  readonly spacingFrom: "file" | "option";
  readonly levels: readonly VolumeLevel[];
  readonly notes: readonly string[];
  /** What it is made of where it is no continuous volume but serial sections. */
  readonly serial?: SerialStack | undefined;
}

/** Spacings of anything that is a tissue, µm: a tenth of what light resolves, and a section in ten. */
const BELIEVABLE: readonly [number, number] = [0.01, 2000];

/** Names that make a folder Zarr. */
const ZARR: readonly string[] = [".zattrs", ".zgroup", "zarr.json"];

/** What kind of volume lies at a path; undefined where it is none. */
export function volumeKind(disk: Disk, path: string): keyof typeof OPENERS | undefined {
  const entry = disk.look(path);
  if (entry === undefined) return undefined;
  if (entry.kind === "folder") {
    return entry.names.some((name) => ZARR.includes(name)) ? "zarr" : entry.names.some(isSlice) ? "slices" : undefined;
  }
  const file = disk.open(path, "read");
  const head = new Uint8Array(1 << 16);
  let text = "";
  try {
    text = new TextDecoder("latin1").decode(head.subarray(0, file.read(0, head)));
  } finally {
    file.close();
  }
  if (/\.nii(?:\.gz)?$/i.test(path)) return "nifti";
  if (isTiff(head)) return "tiff";
  if (head[0] === 0x89 && text.startsWith("HDF", 1)) return "bdv";
  if (/^\s*</.test(text) && isBdvXml(text)) return "bdv";
  if (/\.(?:tsv|csv)$/i.test(path)) return isSerialTable(text) ? "serial" : undefined;
  if (/\.json$/i.test(path)) return isRawHeader(text) ? "raw" : undefined;
  const header = path.replace(/\.[^./\\]*$/, ".json");
  const beside = /\.(?:raw|bin|dat)$/i.test(path) && disk.look(header)?.kind === "file";
  return beside && isRawHeader(new TextDecoder().decode(readBytes(disk, header))) ? "raw" : undefined;
}

const OPENERS = {
  zarr: async (disk: Disk, path: string, level: number) =>
    (await import("./ome_zarr.ts")).openOmeZarr(disk, path, level),
  slices: async (disk: Disk, path: string) => (await import("./slices.ts")).openSlices(disk, path),
  nifti: async (disk: Disk, path: string) => (await import("./nifti.ts")).openNifti(disk, path),
  tiff: async (disk: Disk, path: string) => (await import("./tiff_stack.ts")).openTiffStack(disk, path),
  bdv: async (disk: Disk, path: string, level: number) => (await import("./bdv.ts")).openBdv(disk, path, level),
  raw: async (disk: Disk, path: string) => (await import("./raw.ts")).openRaw(disk, path),
  serial: async (disk: Disk, path: string) => (await import("./serial.ts")).openSerial(disk, path),
} as const;

/** Finds out what a file says, without asking for more. @throws {DataError} If it is no volume that is read. */
export async function findVolume(disk: Disk, given: string, level = 0): Promise<FoundVolume> {
  const path = trimmed(given);
  if (disk.look(path) === undefined) {
    throw new DataError(`Cannot open ${given}: there is no such file or folder`, {
      code: "file-missing",
      hint: `Look into ${parentOf(path)}`,
      context: { path: given },
    });
  }
  const kind = volumeKind(disk, path);
  if (kind === undefined) {
    const expected =
      "slices in a folder, TIFF, OME-Zarr, NIfTI, BigDataViewer's HDF5, a JSON header of raw voxels or a table of serial sections";
    throw new DataError(`Cannot read ${given} as a volume: it is nothing known, expected ${expected}`, {
      code: "volume-unknown",
      hint: "Convert it to one of them",
      context: { file: given, expected },
    });
  }
  const leveled = kind === "zarr" || kind === "bdv";
  if (level > 0 && !leveled) {
    throw new ConfigError(`Cannot read level ${level} of ${given}: its format has one`, {
      hint: "Leave --level away",
      context: { file: given, level },
    });
  }
  return await OPENERS[kind](disk, path, level);
}

/**
 * Opens a volume.
 *
 * @throws {DataError | FormatError} If it is damaged, none, has one slice, or no spacing that can be believed.
 * @throws {ConfigError} If options contradict the file.
 */
export async function openVolume(disk: Disk, path: string, options: VolumeOptions = {}): Promise<OpenVolume> {
  const found = await findVolume(disk, path, options.level ?? 0);
  try {
    return settled(chosen(turned(found, options.axes), options.channels), options);
  } catch (error) {
    found.close();
    throw error;
  }
}

function settled(found: FoundVolume, options: VolumeOptions): OpenVolume {
  const { name, shape, format, levels, notes, serial } = found;
  const { spacing: given, overrideSpacing, axes, least = 2, table } = options;
  if (shape[0] < least) {
    const hint = "A slide of its own is no volume: deno task predict --run RUN --slide FILE predicts it";
    throw dataError(
      "volume-slices",
      `Cannot use ${name} as a volume: it has ${shape[0]} slice, expected ${least} or more`,
      hint,
      {
        ...{ file: name, slices: shape[0] },
      },
    );
  }
  if (given !== undefined && found.spacing !== undefined && overrideSpacing !== true) {
    const apart = given.findIndex((um, axis) => Math.abs(um / found.spacing![axis]! - 1) > 0.01);
    if (apart >= 0) {
      const um = given.join(",");
      const said = table === undefined ? `--spacing ${um} µm` : `spacing ${um} µm of ${table},`;
      throw new ConfigError(
        `Cannot open ${name}: ${said} contradicts the file, which says ${found.spacing.join(",")}`,
        {
          code: "volume-spacing",
          hint: table === undefined
            ? "Leave --spacing away, or pass --override-spacing too if the file is wrong"
            : `Leave the column spacing of ${table}, empty, or if the file is wrong: ` +
              converted(name, `--spacing ${um} --override-spacing`),
          context: { file: name, given, found: found.spacing },
        },
      );
    }
  }
  const fromOption = given !== undefined && (found.spacing === undefined || overrideSpacing === true);
  const spacing = fromOption ? given : found.spacing;
  if (spacing === undefined) throw noSpacing(found, table);
  checkSpacing(name, spacing, fromOption, table);
  if (axes === undefined) checkAxes(name, shape, spacing, table);
  const facts = { ...found, spacing };
  const { problem: _, read, close, ...rest } = facts;
  return {
    ...volumeFrom(rest, read, close),
    format,
    levels,
    notes,
    serial,
    spacingFrom: fromOption ? "option" : "file",
  };
}

function dataError(code: string, message: string, hint: string, context: Record<string, unknown>): DataError {
  return new DataError(message, { code, hint, context });
}

/** The command that mends a file for those who can say nothing of it. */
function converted(name: string, flags: string): string {
  return `deno task convert volume ${name} OUT.ome.zarr ${flags}`;
}

function noSpacing({ name, problem }: FoundVolume, table: string | undefined): DataError {
  const why = problem === undefined ? "it does not say how far apart its voxels are" : problem;
  return dataError(
    "volume-spacing",
    `Cannot use ${name} as a volume: ${why}, expected µm along z, y, x`,
    table === undefined
      ? "Pass --spacing Z,Y,X in µm, for example --spacing 4,1,1"
      : `Fill the column spacing of ${table}: Z,Y,X in µm, for example 4,1,1`,
    { file: name, problem: problem ?? null },
  );
}

function checkSpacing(name: string, spacing: Zyx, fromOption: boolean, table: string | undefined): void {
  const [least, most] = BELIEVABLE;
  const axis = spacing.findIndex((um) => !(um >= least && um <= most));
  if (axis < 0) return;
  const message = `Cannot use ${name} as a volume: its voxels are ${spacing[axis]} µm apart along ${"zyx"[axis]}, ` +
    `expected ${least} to ${most}`;
  if (fromOption) {
    const hint = table === undefined ? "Pass --spacing in µm" : `Write µm into the column spacing of ${table}`;
    throw new ConfigError(message, { code: "volume-spacing", hint, context: { spacing } });
  }
  const mend = table === undefined
    ? "pass --spacing Z,Y,X in µm with --override-spacing"
    : converted(name, "--spacing Z,Y,X --override-spacing");
  throw dataError("volume-spacing", message, `The unit of the file is wrong: ${mend}`, { file: name, spacing });
}

/** Microscopes have the same spacing along y and x: where two agree and the third does not, that one is z. */
function checkAxes(name: string, shape: Zyx, spacing: Zyx, table: string | undefined): void {
  const same = (a: number, b: number) => Math.abs(spacing[a]! / spacing[b]! - 1) < 0.01;
  const odd = same(1, 2) ? undefined : same(0, 2) ? "y" : same(0, 1) ? "x" : undefined;
  if (odd === undefined) return;
  const order = odd === "x" ? "xyz" : "yzx";
  throw dataError(
    "volume-axes",
    `Cannot use ${name} as a volume: its axes seem to be swapped, ${odd} alone has another spacing ` +
      `(z, y, x: ${spacing.join(", ")} µm, ${shape.join(" x ")} voxels), expected z to be the one`,
    table === undefined
      ? `Pass --axes ${order} if the file's first axis is not z, or --axes zyx if it is right as it is`
      : `${converted(name, `--axes ${order}`)} if the file's first axis is not z; if it is right as it is, ` +
        `--axes zyx --resample Z,Y,X of convert with one spacing for y and x`,
    { file: name, spacing, shape },
  );
}

/** The volume with its axes renamed: what the file has as its first axis is `order[0]`. */
function turned(found: FoundVolume, order: AxisOrder | undefined): FoundVolume {
  if (order === undefined || order === "zyx") return found;
  // Where in the file each of z, y and x stands.
  const places = ["z", "y", "x"].map((axis) => order.indexOf(axis));
  const renamed = (of: Zyx): Zyx => places.map((place) => of[place]!) as unknown as Zyx;
  const stored = (of: Zyx): Zyx => [0, 1, 2].map((axis) => of[places.indexOf(axis)]!) as unknown as Zyx;
  const read = async (from: Zyx, to: Zyx): Promise<Voxels> => {
    const [low, high] = [stored(from), stored(to)];
    return transposed(await found.read(low, high), low, high, places, found.channels.length);
  };
  return {
    ...found,
    shape: renamed(found.shape),
    spacing: found.spacing && renamed(found.spacing),
    chunk: renamed(found.chunk),
    levels: found.levels.map(({ shape, spacing }) => ({ shape: renamed(shape), spacing: spacing && renamed(spacing) })),
    // It was said of the axes as they were.
    placement: undefined,
    read,
  };
}

function transposed(voxels: Voxels, from: Zyx, to: Zyx, places: readonly number[], channels: number): Voxels {
  const size = to.map((end, axis) => end - from[axis]!);
  const strides = [size[1]! * size[2]! * channels, size[2]! * channels, channels];
  const out = voxels.slice() as Voxels;
  const [depth, height, width] = places.map((place) => size[place]!) as [number, number, number];
  const [dz, dy, dx] = places.map((place) => strides[place]!) as [number, number, number];
  let at = 0;
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0, row = z * dz + y * dy; x < width; x++, row += dx) {
        for (let c = 0; c < channels; c++) out[at++] = voxels[row + c]!;
      }
    }
  }
  return out;
}

/** The volume with some of its channels. */
function chosen(found: FoundVolume, names: readonly string[] | undefined): FoundVolume {
  if (names === undefined || names.length === 0) return found;
  const places = names.map((name) => {
    const named = found.channels.indexOf(name);
    const place = named >= 0 ? named : /^\d+$/.test(name) ? Number(name) : -1;
    if (place >= 0 && place < found.channels.length) return place;
    throw new ConfigError(
      `Cannot read channel ${JSON.stringify(name)} of ${found.name}: it has ${found.channels.join(", ")}`,
      {
        hint: `Name some of them, or number them from 0`,
        context: { file: found.name, channel: name, channels: found.channels },
      },
    );
  });
  if (new Set(places).size < places.length) {
    throw new ConfigError(`Cannot read channels ${names.join(", ")} of ${found.name}: one is named twice`, {
      context: { channels: names },
    });
  }
  const all = found.channels.length;
  return {
    ...found,
    channels: places.map((place) => found.channels[place]!),
    async read(from, to) {
      const voxels = await found.read(from, to);
      const out = voxelsOf(found.dtype, boxSize(from, to) * places.length);
      for (let i = 0, at = 0; at < out.length; i += all) for (const place of places) out[at++] = voxels[i + place]!;
      return out;
    },
  };
}
