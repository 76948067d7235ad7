/**
 * Tiles to embeddings in batches of one shape: one plan a tile size, results collected on the device and read back many
 * batches at a time, since each wait costs about 10 ms on Deno.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { readRanges } from "../gpu/readback.ts";
import { Plan } from "../graph/plan.ts";
import type { MemoryReport, Program } from "../graph/program.ts";
import { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type ImageLimit, overLimit, tileLimit } from "../io/image/rgb_image.ts";
import type { Encoder } from "../models/encoder.ts";
import { preprocess } from "../models/preprocess.ts";
import { OverflowWatch } from "../nn/overflow.ts";
import { ringRows } from "./ring.ts";

/** Options of {@linkcode Embedder}. */
export interface EmbedderOptions {
  /** Tiles a batch; default 32. */
  batchSize?: number;
  /** Told the memory of each plan before it is allocated. */
  onMemory?: (report: MemoryReport) => void;
  /** Most bytes a plan may take. */
  budgetBytes?: number;
}

/** A plan for so many tiles of one size. */
interface Prepared {
  readonly batch: number;
  readonly store: Store;
  readonly tiles: Tensor;
  readonly embedding: Tensor;
  readonly program: Program;
}

/** Plans kept. */
const MAX_PLANS = 6;

/** Embeds tiles with one encoder. */
export class Embedder {
  readonly #gpu: Gpu;
  readonly #encoder: Encoder;
  readonly #options: EmbedderOptions;
  readonly #plans: Map<string, Prepared> = new Map();
  readonly #ring: GPUBuffer;
  readonly #overflow: OverflowWatch;
  #rows = 0;
  /** Tiles a batch. */
  readonly batchSize: number;
  /** How large a tile may be, so that a batch of them fits into one piece of the device's memory. */
  readonly limit: ImageLimit;

  /**
   * Prepares; plans are made when tiles of their size come.
   *
   * @throws {ConfigError} If the batch size is not a whole number above 0.
   */
  constructor(gpu: Gpu, encoder: Encoder, options: EmbedderOptions = {}) {
    const { batchSize = 32 } = options;
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw new ConfigError(`Cannot embed in batches of ${batchSize}: wanted a whole number above 0`, {
        context: { key: "batch_size", given: String(batchSize) },
      });
    }
    this.#gpu = gpu;
    this.#encoder = encoder;
    this.#options = options;
    this.#overflow = new OverflowWatch(gpu);
    this.batchSize = batchSize;
    const { maxStorageBufferBindingSize, maxBufferSize } = gpu.caps.limits;
    this.limit = tileLimit(Math.min(maxStorageBufferBindingSize, maxBufferSize), batchSize);
    this.#ring = gpu.buffer(
      "embeddings",
      ringRows(batchSize) * encoder.dim * 4,
      GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    );
  }

  /** Rows that wait on the device; {@linkcode Embedder.flush} returns them. */
  get waiting(): number {
    return this.#rows;
  }

  /** Whether another batch fits before a flush. */
  get full(): boolean {
    return (this.#rows + this.batchSize) * this.#encoder.dim * 4 > this.#ring.size;
  }

  /**
   * Tiles of the plan for a batch of n. On a software adapter, where all of them cost, a short batch takes a plan of a quarter,
   * a sixteenth … of the tiles; its kernels sum rows of any number alike. A GPU computes a whole one as fast.
   */
  #planFor(n: number): number {
    let batch = this.batchSize;
    while (this.#gpu.caps.software && batch > 1 && n <= Math.ceil(batch / 4)) batch = Math.ceil(batch / 4);
    return batch;
  }

  async #prepare(batch: number, height: number, width: number): Promise<Prepared> {
    const key = `${batch} x ${height} x ${width}`;
    const known = this.#plans.get(key);
    if (known) {
      // The one that was not used for longest goes first.
      this.#plans.delete(key);
      this.#plans.set(key, known);
      return known;
    }
    const large = overLimit({ width, height, bytes: width * height * 3 }, this.limit);
    if (large !== undefined) {
      throw new DataError(`Cannot embed a tile: it has ${width}x${height} pixels, expected ${large.expected}`, {
        code: "tile-size",
        hint: this.limit.hint,
        context: { width, height, batchSize: this.batchSize, most: this.limit.bytes },
      });
    }
    const store = new Store(this.#gpu);
    const tiles = store.tensor("tiles", "tiles", [batch, height, width, 3], "u8");
    const g = new Plan(this.#gpu);
    g.overflow = this.#overflow;
    const { embedding } = this.#encoder.forward(g, preprocess(g, tiles, this.#encoder.spec.input));
    g.output(embedding);
    store.allocate();
    const { onMemory, budgetBytes } = this.#options;
    const program = await g.compile({
      ...(onMemory && { onMemory }),
      ...(budgetBytes !== undefined && { budgetBytes }),
    });
    const prepared = { batch, store, tiles, embedding, program };
    const [oldest] = this.#plans.keys();
    if (this.#plans.size >= MAX_PLANS) {
      close(this.#plans.get(oldest!)!);
      this.#plans.delete(oldest!);
    }
    this.#plans.set(key, prepared);
    return prepared;
  }

  /**
   * Submits one batch and does not wait for it. Flush when {@linkcode Embedder.full}.
   *
   * @param pixels RGB bytes `[n, height, width, 3]`, n at most the batch size.
   * @throws {DataError} If the tile does not suit the encoder.
   */
  async submit(pixels: Uint8Array, height: number, width: number): Promise<void> {
    const size = height * width * 3;
    const n = pixels.length / size;
    const { batch, store, tiles, embedding, program } = await this.#prepare(this.#planFor(n), height, width);
    // A short batch is filled with tiles of its own: no row depends on another, and what f16 cannot hold is counted of all.
    const whole = n === batch ? pixels : new Uint8Array(tiles.size);
    for (let at = 0; whole !== pixels && at < whole.length; at += pixels.length) {
      whole.set(pixels.subarray(0, whole.length - at), at);
    }
    store.write(tiles, whole);
    program.run();
    const encoder = this.#gpu.device.createCommandEncoder();
    const { buffer, offset } = embedding.storage;
    const bytes = n * this.#encoder.dim * 4;
    encoder.copyBufferToBuffer(
      buffer!,
      offset + embedding.byteOffset,
      this.#ring,
      this.#rows * this.#encoder.dim * 4,
      bytes,
    );
    this.#gpu.queue.submit([encoder.finish()]);
    this.#rows += n;
  }

  /**
   * Embeddings of all batches since the last call, `[n, dim]`, in order.
   *
   * @throws {NumericsError} If activations in f16 went beyond its range, naming the layer.
   */
  async flush(): Promise<Float32Array> {
    const bytes = this.#rows * this.#encoder.dim * 4;
    const [values] = await readRanges(this.#gpu, [{ buffer: this.#ring, offset: 0, bytes }]);
    this.#rows = 0;
    await this.#overflow.check("embed");
    return new Float32Array(values!.buffer as ArrayBuffer, values!.byteOffset, bytes / 4);
  }

  /** Frees the plans; the encoder stays. */
  destroy(): void {
    for (const prepared of this.#plans.values()) close(prepared);
    this.#plans.clear();
    this.#overflow.destroy();
    this.#ring.destroy();
  }
}

function close({ program, store }: Prepared): void {
  program.destroy();
  store.destroy();
}
