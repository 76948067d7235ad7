/**
 * What is in a file or folder. One row of {@linkcode FORMATS} a kind.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { disk, openFile } from "../io/fs.ts";
import { isData } from "./inspect_data.ts";
import { isRecipe } from "./inspect_recipe.ts";
import { isRun } from "./inspect_run.ts";
import { isStore } from "./inspect_store.ts";
import { isVolume } from "./inspect_volume.ts";
import { isNamedSlide } from "../slides/slide_inputs.ts";
import { HEAD_BYTES, type Inspection, type InspectOptions, type Inspector, type Target } from "./inspection.ts";

/** A kind of thing, how it is recognised, and what looks into it. */
interface Format {
  readonly kind: string;
  readonly is: (target: Target) => boolean;
  readonly load: () => Promise<Inspector>;
}

/** The first that fits is taken. */
const FORMATS: readonly Format[] = [
  { kind: "adapter", is: holds("adapter_config.json"), load: () => import("./inspect_adapter.ts") },
  { kind: "run", is: isRun, load: () => import("./inspect_run.ts") },
  { kind: "data", is: isData, load: () => import("./inspect_data.ts") },
  { kind: "recipe", is: isRecipe, load: () => import("./inspect_recipe.ts") },
  { kind: "store", is: isStore, load: () => import("./inspect_store.ts") },
  { kind: "volume", is: isVolume, load: () => import("./inspect_volume.ts") },
  { kind: "HDF5", is: isHdf5, load: () => import("./inspect_h5.ts") },
  { kind: "slide", is: isImageFile, load: () => import("./inspect_slide.ts") },
  // Whatever else a file is, reading it as weights says so.
  { kind: "weights", is: ({ names }) => !names || holdsWeights(names), load: () => import("./inspect_weights.ts") },
];

function holds(file: string): Format["is"] {
  return ({ names }) => names?.includes(file) ?? false;
}

function holdsWeights(names: readonly string[]): boolean {
  return names.some((file) => /\.(safetensors|bin|pth|pt|ckpt|torch|index\.json)$/.test(file));
}

/** The signature stands at byte 0, or behind a user block of 512 bytes or a power of two more. */
function isHdf5({ head }: Target): boolean {
  return [0, 512, 1024, 2048].some((at) => String.fromCharCode(...head.subarray(at, at + 8)) === "\x89HDF\r\n\x1a\n");
}

/** By the first bytes: TIFF, JPEG, PNG; also DICOM and CZI, which the reader refuses by name; and whatever a slide's file may be. */
function isImageFile({ path, head, names }: Target): boolean {
  if (names === undefined && isNamedSlide(path)) return true;
  const text = String.fromCharCode(...head.subarray(0, 16));
  const begins = ["II*\0", "II+\0", "MM\0*", "MM\0+", "\xff\xd8\xff", "\x89PNG", "ZISRAWFILE"];
  return begins.some((magic) => text.startsWith(magic)) ||
    String.fromCharCode(...head.subarray(128, 132)) === "DICM";
}

async function look(path: string): Promise<Target> {
  const entry = disk.look(path);
  if (entry?.kind === "folder") return { path, head: new Uint8Array(0), bytes: 0, names: entry.names };
  const file = await openFile(path);
  try {
    return { path, head: await file.read(0, Math.min(file.size, HEAD_BYTES)), bytes: file.size, names: undefined };
  } finally {
    file.close?.();
  }
}

/**
 * Looks into a file or folder.
 *
 * @throws {DataError} If it is not there, or nothing that is known.
 */
export async function inspectPath(path: string, options: InspectOptions): Promise<Inspection> {
  const target = await look(path);
  const format = FORMATS.find(({ is }) => is(target));
  if (format === undefined) {
    throw new DataError(`Cannot tell what ${path} is: it holds no weights, adapter or anything else that is known`, {
      code: "format-unknown",
      hint: "Name a run, a data folder in HEST's layout (st/, patches/), a store of zarr, a weights folder, or a file",
      context: { folder: path, found: target.names?.slice(0, 10) },
    });
  }
  return await (await format.load()).inspect(target, options);
}
