/**
 * The file that `scripts/parity_kit.py` writes: tiles, and what PyTorch makes of them with one encoder.
 *
 * @module
 */

import { DataError, FormatError } from "../core/errors.ts";
import { formatShape, type Shape } from "../core/shape.ts";
import type { RandomAccess } from "../io/random_access.ts";
import { openSafetensors } from "../io/torch/safetensors.ts";
import type { WeightDtype, WeightTensor } from "../io/torch/weight_tensor.ts";

/** What the metadata call this format. */
const FORMAT = "seal-webgpu parity 1";
/** Most bytes of a tensor. */
const MOST_BYTES = 1 << 28;

/** Tiles of one size. */
export interface ParitySet {
  readonly name: string;
  /** RGB bytes `[count, height, width, 3]`. */
  readonly tiles: Uint8Array<ArrayBuffer>;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** What the model saw, `[count, side, side, 3]`; undefined where the file does not hold it. */
  readonly pixels: { readonly side: number; readonly values: Uint8Array } | undefined;
  /** `[count, dim]`. */
  readonly embedding: Float32Array;
  readonly dim: number;
  /** First and last token after each stage, `[count, 2, width]`, by the stage's name. */
  readonly taps: ReadonlyMap<string, { readonly width: number; readonly values: Float32Array }>;
}

/** All of a file. */
export interface ParityFile {
  readonly file: string;
  /** Library, versions, pooling, hashes. */
  readonly facts: Readonly<Record<string, string>>;
  /** Side of what the model saw, px; undefined where it was its own. */
  readonly imageSize: number | undefined;
  readonly sets: readonly ParitySet[];
}

/** Reads and checks tensors of the file. */
class Reader {
  constructor(readonly file: string, readonly tensors: ReadonlyMap<string, WeightTensor>) {}

  #refuse(name: string, found: string, expected: string): never {
    throw new FormatError(`Cannot read ${this.file} as a parity file: ${name} ${found}, expected ${expected}`, {
      hint: "Make it again: python scripts/parity_kit.py FOLDER FILE",
      context: { file: this.file, tensor: name, found, expected },
    });
  }

  /** A tensor of this type whose extents are these; 0 for any. */
  find(name: string, dtype: WeightDtype, shape: Shape): WeightTensor {
    const tensor = this.tensors.get(name);
    const expected = `${dtype} [${shape.map((n) => n || "any").join(", ")}]`;
    if (!tensor) this.#refuse(name, "is missing", expected);
    const fits = tensor.shape.length === shape.length &&
      tensor.shape.every((n, i) => n > 0 && (shape[i] === 0 || n === shape[i]));
    if (tensor.dtype !== dtype || !fits) {
      this.#refuse(name, `is ${tensor.dtype} ${formatShape(tensor.shape)}`, expected);
    }
    if (tensor.bytes > MOST_BYTES) this.#refuse(name, `has ${tensor.bytes} bytes`, `at most ${MOST_BYTES}`);
    return tensor;
  }

  async numbers(tensor: WeightTensor): Promise<Float32Array> {
    const values = await tensor.readF32();
    const at = values.findIndex((value) => !Number.isFinite(value));
    if (at < 0) return values;
    throw new DataError(
      `Cannot compare with ${this.file}: element ${at} of ${tensor.name} is ${values[at]}, expected a finite number`,
      { hint: "Look at the model in PyTorch", context: { file: this.file, tensor: tensor.name, at } },
    );
  }

  async set(name: string): Promise<ParitySet> {
    const tiles = this.find(`tiles/${name}`, "U8", [0, 0, 0, 3]);
    const [count, height, width] = tiles.shape as unknown as [number, number, number];
    const embedding = this.find(`embedding/${name}`, "F32", [count, 0]);
    const pixels = this.tensors.has(`pixels/${name}`) ? this.find(`pixels/${name}`, "U8", [count, 0, 0, 3]) : undefined;
    const side = pixels?.shape[1] ?? 0;
    if (pixels) this.find(pixels.name, "U8", [count, side, side, 3]);
    const taps = new Map<string, { width: number; values: Float32Array }>();
    const prefix = `tap/${name}/`;
    for (const key of this.tensors.keys()) {
      if (!key.startsWith(prefix)) continue;
      const tap = this.find(key, "F32", [count, 2, 0]);
      taps.set(key.slice(prefix.length), { width: tap.shape[2]!, values: await this.numbers(tap) });
    }
    return {
      name,
      tiles: await tiles.read(),
      count,
      height,
      width,
      pixels: pixels && { side, values: await pixels.read() },
      embedding: await this.numbers(embedding),
      dim: embedding.shape[1]!,
      taps,
    };
  }
}

function imageSizeOf(file: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  if (/^[1-9]\d{0,4}$/.test(given)) return Number(given);
  throw new FormatError(
    `Cannot read ${file} as a parity file: image_size is ${
      JSON.stringify(given.slice(0, 80))
    }, expected a number of pixels`,
    {
      hint: "Make it again: python scripts/parity_kit.py FOLDER FILE --image-size N",
      context: { file, found: given.slice(0, 80) },
    },
  );
}

/**
 * Reads a file.
 *
 * @throws {FormatError} If it is no such file, or a tensor is missing or of another shape.
 * @throws {DataError} If a number of it is not finite.
 */
export async function readParityFile(source: RandomAccess): Promise<ParityFile> {
  const file = source.name;
  const { tensors, metadata } = await openSafetensors(source);
  const { format, ...facts } = metadata;
  const names = [...tensors.keys()].filter((name) => name.startsWith("tiles/")).map((name) => name.slice(6)).sort();
  if (format !== FORMAT || names.length === 0) {
    const found = format !== FORMAT
      ? `its format is ${JSON.stringify(format?.slice(0, 80) ?? null)}`
      : "it has no tiles";
    throw new FormatError(`Cannot read ${file} as a parity file: ${found}, expected "${FORMAT}" with tiles/NAME`, {
      hint: "Make one: python scripts/parity_kit.py FOLDER FILE",
      context: { file, format: format ?? null },
    });
  }
  const imageSize = imageSizeOf(file, facts["image_size"]);
  const reader = new Reader(file, tensors);
  const sets: ParitySet[] = [];
  for (const name of names) sets.push(await reader.set(name));
  return { file, facts, imageSize, sets };
}
