/**
 * Encoders that are loaded: which there are, and images to features.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Embedder } from "../embed/embedder.ts";
import { ringRows } from "../embed/ring.ts";
import type { Gpu } from "../gpu/device.ts";
import { ENCODERS } from "../models/encoder_registry.ts";
import type { Encoder } from "../models/encoder.ts";
import { type Pooling, POOLINGS } from "../models/encoder_spec.ts";
import type { OpenedEncoder } from "../models/opened_encoder.ts";
import { checkChoice, checkCount, checkOptions, type Known } from "./check.ts";
import { type Device, onDevice } from "./device.ts";
import type { AdapterFiles } from "./encoder_files.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import { Turns } from "./turns.ts";
import { forPrograms } from "./hints.ts";
import { type ImageInput, rgbOf } from "./images.ts";

/** An encoder of the registry. */
export interface EncoderInfo {
  /** What {@linkcode loadEncoder} takes. */
  readonly name: string;
  /** Other names that it takes. */
  readonly aliases: readonly string[];
  /** Hugging Face repository of the weights. */
  readonly repository: string;
  /** Licence of the weights. */
  readonly licence: string;
  /** Whether access to the weights must be asked for. */
  readonly gated: boolean;
  /** Where it was published. */
  readonly paper: string;
  /** Features of an embedding. */
  readonly dim: number;
  /** Side of the images the network sees, px. */
  readonly imageSize: number;
  /** Micrometres a pixel it was trained at. */
  readonly mpp: number;
  /** Whether it was trained on tissue; the others are baselines of photographs. */
  readonly pathology: boolean;
}

/** Which encoders are listed. */
export interface ListEncodersOptions {
  /** Those trained on tissue, or the others; both by default. */
  readonly pathology?: boolean | undefined;
  /** Those whose weights must be asked for, or the others; both by default. */
  readonly gated?: boolean | undefined;
}

/**
 * The encoders that can be loaded by name.
 *
 * ```ts
 * import { listEncoders } from "@seal-webgpu/seal";
 *
 * const open = listEncoders({ pathology: true, gated: false }).map(({ name }) => name);
 * ```
 */
export function listEncoders(options: ListEncodersOptions = {}): EncoderInfo[] {
  checkOptions("list encoders", options, { pathology: true, gated: true });
  const { pathology, gated } = options;
  return ENCODERS.filter(({ refused }) => refused === undefined).map((
    { name, aliases, natural = false, source, output, input },
  ) => ({
    name,
    aliases,
    repository: source.repo,
    licence: source.licence,
    gated: source.gated,
    paper: source.paper,
    dim: output.dim,
    imageSize: input.size,
    mpp: input.mpp,
    pathology: !natural,
  })).filter((one) => one.pathology === (pathology ?? one.pathology) && one.gated === (gated ?? one.gated));
}

/** How an encoder is loaded. */
export interface LoadEncoderOptions {
  /** The device; one is opened by default, and closed with the encoder. */
  readonly gpu?: Device | undefined;
  /** Storage of the weights: `f32` (default), or `f16` in half the memory. */
  readonly dtype?: "f32" | "f16" | undefined;
  /** A low-rank adapter: a folder of PEFT's two files, or the vision file of a SEAL checkpoint; or PEFT's files themselves. */
  readonly adapter?: string | AdapterFiles | undefined;
  /** Side of the images the network sees, px, where it is not the encoder's own. */
  readonly imageSize?: number | undefined;
  /** Instead of the encoder's own pooling of tokens. */
  readonly pooling?: Pooling | undefined;
  /** Images a batch; default 32. */
  readonly batchSize?: number | undefined;
  /** Told of what is assumed about the encoder because no file says it. */
  readonly onWarning?: ((text: string) => void) | undefined;
  /** Told while weights are read: bytes done, of how many. */
  readonly onProgress?: ((what: string, done: number, total: number) => void) | undefined;
}

const LOAD_OPTIONS: Known<LoadEncoderOptions> = {
  gpu: true,
  dtype: true,
  adapter: true,
  imageSize: true,
  pooling: true,
  batchSize: true,
  onWarning: true,
  onProgress: true,
};

/** Refuses what are no options of an encoder. */
export function checkLoad(options: LoadEncoderOptions): void {
  checkOptions("load an encoder", options, LOAD_OPTIONS);
}

/** Features of images. */
export interface Features {
  /** `[rows, dim]`, row by row, f32. */
  readonly data: Float32Array;
  /** Images. */
  readonly rows: number;
  /** Features of an image. */
  readonly dim: number;
}

/** How images become what the network sees. */
export interface EncoderPreparation {
  /** Side of the network's input, px. */
  readonly size: number;
  /** Micrometres a pixel the encoder was trained at. */
  readonly mpp: number;
  /** Channel means of values in [0, 1]. */
  readonly mean: readonly [number, number, number];
  /** Their standard deviations. */
  readonly std: readonly [number, number, number];
  /** All steps, in words. */
  readonly text: string;
}

/** What an encoder was loaded from. */
export interface LoadedFrom extends Pick<LoadEncoderOptions, "adapter" | "imageSize" | "pooling" | "dtype"> {
  /** Its name or path; undefined of files in hand. */
  readonly source: string | undefined;
}

const LOADED: WeakMap<ImageEncoder, LoadedFrom> = new WeakMap();

/** What an encoder was loaded from. */
export function loadedFrom(encoder: ImageEncoder): LoadedFrom {
  return LOADED.get(encoder)!;
}

/** A loaded encoder. Close it, or declare it with `using`. */
export class ImageEncoder implements Disposable {
  readonly #opened: OpenedEncoder;
  readonly #gpu: Gpu;
  readonly #owned: boolean;
  readonly #batch: number;
  #embedder: Embedder | undefined;
  readonly #turns: Turns = new Turns();
  #closed = false;

  /** Made by {@linkcode loadEncoder}. */
  constructor(
    opened: OpenedEncoder,
    gpu: Gpu,
    options: { owned: boolean; batchSize: number; loaded: LoadedFrom },
  ) {
    LOADED.set(this, options.loaded);
    this.#opened = opened;
    this.#gpu = gpu;
    this.#owned = options.owned;
    this.#batch = options.batchSize;
  }

  /** Name, as outputs carry it. */
  get name(): string {
    return this.#opened.name;
  }

  /** Features of an embedding. */
  get dim(): number {
    return this.#opened.encoder.dim;
  }

  /** SHA-256 of the weights file. */
  get weightsHash(): string {
    return this.#opened.weightsHash;
  }

  /** How images become the network's input. */
  get input(): EncoderPreparation {
    const { size, mpp, mean, std } = this.#opened.encoder.spec.input;
    return { size, mpp, mean, std, text: this.#opened.preparation };
  }

  /** The encoder of the engine, for plans of one's own. @throws {ConfigError} If it is closed. */
  get inner(): Encoder {
    this.#check();
    return this.#opened.encoder;
  }

  /** The device it is on. */
  get gpu(): Gpu {
    return this.#gpu;
  }

  /**
   * Features of images.
   *
   * @param images One or many, of any sizes: each is resized, cropped and normalised as the encoder's files say.
   * @returns One row an image, in order.
   * @throws {DataError | FormatError} If an image cannot be read, or is too small for the encoder.
   * @throws {ConfigError} If the encoder is closed.
   */
  async embed(images: ImageInput | readonly ImageInput[]): Promise<Features> {
    const list = Array.isArray(images) ? images as readonly ImageInput[] : [images as ImageInput];
    this.#check();
    const data = new Float32Array(list.length * this.dim);
    let row = 0;
    for await (const part of this.embedStream(list)) {
      data.set(part.data, row * this.dim);
      row += part.rows;
    }
    return { data, rows: list.length, dim: this.dim };
  }

  /**
   * Features of images as they come, in constant memory.
   *
   * @param images In order; those of one size that follow each other share batches.
   * @returns Parts of rows, in order, as many as are read back together.
   * @throws {DataError | FormatError} If an image cannot be read, or is too small for the encoder.
   * @throws {ConfigError} If the encoder is closed.
   */
  async *embedStream(images: Iterable<ImageInput> | AsyncIterable<ImageInput>): AsyncGenerator<Features> {
    this.#check();
    checkStream(images);
    const chunk = new Chunk(this.#batch);
    // While one chunk is on the device the next is decoded.
    let running: Promise<Features> | undefined;
    let i = 0;
    try {
      for await (const image of images) {
        this.#check();
        const rgb = await rgbOf(image, i++);
        if (chunk.isFullFor(rgb)) {
          const before = running;
          const batches = chunk.take();
          if (before !== undefined) yield await before;
          running = this.#run(batches);
          // Whoever awaits it is told; until then nobody is to be.
          running.catch(() => {});
        }
        chunk.add(rgb);
      }
      const rest = chunk.take();
      if (running !== undefined) yield await running;
      running = undefined;
      if (rest.length > 0) yield await this.#run(rest);
    } catch (error) {
      throw forPrograms(error, { names: { precision: "dtype" } });
    } finally {
      await running?.catch(() => {});
    }
  }

  /** Embeds batches, after those of other calls: they share plans. Nobody's code runs meanwhile. */
  async #run(batches: readonly (readonly RgbImage[])[]): Promise<Features> {
    return await this.#turns.take(async () => {
      this.#check();
      const { Embedder } = await import("../embed/embedder.ts");
      const embedder = this.#embedder ??= new Embedder(this.#gpu, this.#opened.encoder, { batchSize: this.#batch });
      try {
        for (const batch of batches) {
          const [{ width, height, data: { length } }] = batch as [RgbImage];
          const pixels = new Uint8Array(batch.length * length);
          batch.forEach(({ data }, i) => pixels.set(data, i * length));
          await embedder.submit(pixels, height, width);
        }
      } catch (error) {
        // What was submitted before belongs to nobody.
        if (embedder.waiting > 0) await embedder.flush();
        throw error;
      }
      const data = await embedder.flush();
      return { data, rows: data.length / this.dim, dim: this.dim };
    });
  }

  #check(): void {
    if (!this.#closed) return;
    throw new ConfigError(`Cannot use ${this.name}: the encoder is closed`, { hint: "Load it again with loadEncoder" });
  }

  /** Frees plans and weights, and the device if it was opened for this encoder; what is on the device is waited for. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#turns.waiting === 0) this.#free();
    else void this.#turns.end().then(() => this.#free());
  }

  #free(): void {
    this.#embedder?.destroy();
    this.#opened.encoder.parameters.destroy();
    if (this.#owned) this.#gpu.destroy();
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function checkStream(images: unknown): void {
  const many = typeof images === "object" && images !== null &&
    (Symbol.iterator in images || Symbol.asyncIterator in images);
  if (many && !(images instanceof Uint8Array)) return;
  throw new ConfigError("Cannot embed a stream: images is one image or none, a list or generator of images is wanted", {
    hint: "embed(image) takes one",
  });
}

/** Bytes of images after which no further batch of them is decoded before the device has had them. */
const CHUNK_BYTES = 2 ** 27;

/** Images that were decoded and wait for the device, in batches of one size: as many as are read back together. */
class Chunk {
  #batches: RgbImage[][] = [];
  #images = 0;
  #bytes = 0;

  constructor(readonly batchSize: number) {}

  /** Whether a chunk ends before an image. */
  isFullFor({ width, height }: RgbImage): boolean {
    const last = this.#batches.at(-1);
    if (last === undefined) return false;
    const [first] = last;
    if (last.length < this.batchSize && first!.width === width && first!.height === height) return false;
    return this.#images + this.batchSize > ringRows(this.batchSize) || this.#bytes >= CHUNK_BYTES;
  }

  add(image: RgbImage): void {
    const last = this.#batches.at(-1);
    const [first] = last ?? [];
    const fits = first?.width === image.width && first.height === image.height && last!.length < this.batchSize;
    if (fits) last!.push(image);
    else this.#batches.push([image]);
    this.#images++;
    this.#bytes += image.data.length;
  }

  /** What waits; afterwards nothing does. */
  take(): RgbImage[][] {
    const batches = this.#batches;
    this.#batches = [];
    this.#images = 0;
    this.#bytes = 0;
    return batches;
  }
}

/**
 * Loads an encoder by `open` on the device of the options.
 *
 * @throws {ConfigError} If `batchSize` is no whole number above 0; what `open` throws.
 */
export async function loadWith(
  name: string,
  options: LoadEncoderOptions & { readonly source?: string | undefined },
  open: (gpu: Gpu) => Promise<OpenedEncoder>,
): Promise<ImageEncoder> {
  const { batchSize = 32, gpu: device, onWarning, source, adapter, imageSize, pooling, dtype } = options;
  const what = `load ${name}`;
  checkCount(what, "batchSize", batchSize);
  checkCount(what, "imageSize", imageSize);
  checkChoice(what, "dtype", dtype, ["f32", "f16"]);
  checkChoice(what, "pooling", pooling, POOLINGS);
  return await onDevice(device, async (gpu, owned) => {
    const opened = await open(gpu);
    if (opened.assumed.length > 0) onWarning?.(`${opened.name}: assumed: ${opened.assumed.join("; ")}`);
    return new ImageEncoder(opened, gpu, {
      owned,
      batchSize,
      loaded: { source, adapter, imageSize, pooling, dtype },
    });
  });
}
