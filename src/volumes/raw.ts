/**
 * Raw voxels beside a JSON header, the simplest form in which a volume changes hands:
 * `{"data": "brain.raw", "shape": [z, y, x], "spacing_um": [z, y, x], "dtype": "u16"}`, and if need be `channels` (names),
 * `byte_order` ("little", "big"), `offset` (bytes), `origin_um` and `direction` (x, y, z). Voxels lie `[z, y, x, channel]`.
 *
 * @module
 */

import { nearest } from "../core/nearest.ts";
import type { Disk } from "../io/disk.ts";
import { readBytes } from "../io/disk.ts";
import { parseJson } from "../io/json.ts";
import { parentOf } from "../io/output.ts";
import { isPlainName } from "../io/random_access.ts";
import { denseBytes, type DenseLayout, readDense, writeDense } from "./dense_file.ts";
import { checkShape, type FoundVolume, positiveSpacing, volumeError } from "./found.ts";
import { type Place, type Placement, type VolumeShape, VOXEL_BYTES, type VoxelType, type Zyx } from "./volume.ts";
import type { VolumeSink } from "./sink.ts";

const KEYS = ["data", "shape", "spacing_um", "dtype", "channels", "byte_order", "offset", "origin_um", "direction"];
/** Most bytes of a header. */
const MOST_HEADER = 1 << 20;

/** Whether the content of a JSON file is meant as the header of a volume. */
export function isRawHeader(text: string): boolean {
  return /"data"\s*:/.test(text) && /"shape"\s*:/.test(text) && /"dtype"\s*:/.test(text);
}

/** A header: JSON with known keys. */
export function readHeader(disk: Disk, path: string, known: readonly string[]): Record<string, unknown> {
  const entry = disk.look(path);
  if (entry?.kind === "file" && entry.size > MOST_HEADER) {
    throw volumeError(path, "it", `has ${entry.size} bytes`, `a header of at most ${MOST_HEADER}`);
  }
  const fail = (offset: number, found: string, expected: string) =>
    volumeError(path, `byte ${offset}`, found, expected);
  const header = parseJson(readBytes(disk, path), fail);
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw volumeError(path, "it", "is no object", `JSON with ${known.join(", ")}`);
  }
  for (const key of Object.keys(header)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    throw volumeError(
      path,
      `key ${JSON.stringify(key.slice(0, 80))}`,
      "is not known",
      `one of ${known.join(", ")}`,
      near === undefined ? undefined : `Did you mean "${near}"?`,
    );
  }
  return header as Record<string, unknown>;
}

/** Numbers of a key, as many as wanted; undefined where the key is not there. */
export function numbersOf(
  path: string,
  header: Record<string, unknown>,
  key: string,
  count: number,
): number[] | undefined {
  const value = header[key];
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.length === count && value.every((n) => typeof n === "number")) return value;
  throw volumeError(path, `"${key}"`, `is ${JSON.stringify(value)?.slice(0, 80)}`, `${count} numbers`);
}

/** Names of channels. */
export function channelsOf(path: string, header: Record<string, unknown>): string[] | undefined {
  const value = header.channels;
  if (value === undefined) return undefined;
  const names = Array.isArray(value) && value.length >= 1 && value.length <= 4096 &&
    value.every((name) => typeof name === "string" && name !== "") && new Set(value).size === value.length;
  if (names) return value as string[];
  throw volumeError(path, '"channels"', `is ${JSON.stringify(value)?.slice(0, 80)}`, "names, each once");
}

/** Opens a volume by its header, or by the data with a header of its name beside it. */
// deno-lint-ignore require-await -- what it throws is to reject
export async function openRaw(disk: Disk, given: string): Promise<FoundVolume> {
  const path = /\.json$/i.test(given) ? given : given.replace(/\.[^./\\]*$/, ".json");
  if (disk.look(path)?.kind !== "file") {
    throw volumeError(given, "it", `has no header ${path}`, '{"data", "shape", "spacing_um", "dtype"} as JSON');
  }
  const header = readHeader(disk, path, KEYS);
  const channels = channelsOf(path, header) ?? ["intensity"];
  const layout = layoutOf(path, header, channels.length);
  const data = header.data;
  if (typeof data !== "string" || !isPlainName(data)) {
    throw volumeError(
      path,
      '"data"',
      `is ${JSON.stringify(data)?.slice(0, 80)}`,
      "the name of a file beside the header",
    );
  }
  const file = disk.open(`${parentOf(path)}/${data}`, "read");
  const wanted = layout.offset + denseBytes(layout);
  if (file.size() !== wanted) {
    const found = file.size();
    file.close();
    throw volumeError(
      file.name,
      "it",
      `has ${found} bytes`,
      `${wanted}: ${layout.offset} before ${layout.shape.join(" x ")} voxels of ${channels.length} ${layout.dtype}`,
      found < wanted
        ? "The file is cut short, or shape and dtype are another's"
        : "Shape, dtype or offset are another's",
    );
  }
  const spacing = numbersOf(path, header, "spacing_um", 3);
  const { shape, dtype } = layout;
  const found = spacing === undefined ? undefined : positiveSpacing(spacing);
  return {
    ...{ name: given, format: "raw voxels with JSON", shape, channels, dtype, spacing: found },
    problem: spacing !== undefined && found === undefined ? `spacing_um is ${spacing.join(", ")}` : undefined,
    placement: placementOf(path, header),
    chunk: [1, shape[1], shape[2]],
    levels: [{ shape, spacing: found }],
    notes: [],
    read: (from, to) => Promise.resolve(readDense(file, layout, from, to)),
    close: () => file.close(),
  };
}

function layoutOf(path: string, header: Record<string, unknown>, channels: number): DenseLayout {
  const shape = numbersOf(path, header, "shape", 3);
  const { dtype, byte_order: order = "little", offset = 0 } = header;
  if (shape === undefined) throw volumeError(path, '"shape"', "is missing", "voxels along z, y, x");
  checkShape(path, '"shape"', shape);
  if (typeof dtype !== "string" || !Object.hasOwn(VOXEL_BYTES, dtype)) {
    throw volumeError(
      path,
      '"dtype"',
      `is ${JSON.stringify(dtype)?.slice(0, 80)}`,
      Object.keys(VOXEL_BYTES).join(", "),
    );
  }
  if (order !== "little" && order !== "big") {
    throw volumeError(path, '"byte_order"', `is ${JSON.stringify(order)?.slice(0, 80)}`, '"little" or "big"');
  }
  if (typeof offset !== "number" || !Number.isSafeInteger(offset) || offset < 0) {
    throw volumeError(path, '"offset"', `is ${JSON.stringify(offset)?.slice(0, 80)}`, "bytes before the voxels");
  }
  return {
    ...{ offset, channels, dtype: dtype as VoxelType, little: order === "little", order: "zyxc" },
    shape: shape as unknown as Zyx,
  };
}

function placementOf(path: string, header: Record<string, unknown>): Placement | undefined {
  const origin = numbersOf(path, header, "origin_um", 3);
  const direction = numbersOf(path, header, "direction", 9);
  if (origin === undefined && direction === undefined) return undefined;
  const of = direction ?? [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const axis = (i: number) => of.slice(3 * i, 3 * i + 3) as unknown as Place;
  return { origin: (origin ?? [0, 0, 0]) as unknown as Place, direction: [axis(0), axis(1), axis(2)] };
}

/** Writes `NAME.json` and `NAME.raw`. */
export function rawSink(path: string, { shape, spacing, channels, dtype, placement }: VolumeShape): VolumeSink {
  const data = path.replace(/\.json$/i, "").replace(/^.*[/\\]/, "") + ".raw";
  const layout: DenseLayout = { offset: 0, shape, channels: channels.length, dtype, little: true, order: "zyxc" };
  const header = {
    ...{ data, shape, spacing_um: spacing, dtype, channels, byte_order: "little" },
    ...(placement === undefined ? {} : { origin_um: placement.origin, direction: placement.direction.flat() }),
  };
  const dataPath = `${parentOf(path)}/${data}`;
  return {
    files: [dataPath, path],
    wholeRows: true,
    async fill(disk, boxes) {
      await disk.writeSlowly(dataPath, async (file) => {
        file.truncate(denseBytes(layout));
        for await (const { from, to, voxels } of boxes) writeDense(file, layout, from, to, voxels);
      });
      // The header comes last: without it the data is no volume.
      disk.write(path, `${JSON.stringify(header, null, 1)}\n`);
    },
  };
}
