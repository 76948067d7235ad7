/**
 * Embeddings on the device as a gallery to be searched by cosine, exactly: ranks of known partners and the nearest rows. The
 * gallery lies in as many buffers as the device's binding size needs; the matrix of similarities never exists.
 *
 * Precision: products and sums are f32, so scores closer than about 1e-7 may be in either order; equal rows tie bit for bit.
 * With `storage: "f16"` the gallery's unit vectors are rounded to half precision (cosines change by up to 5e-4, typically
 * 1e-5 at width 512), and what is found is exact for the rounded gallery.
 *
 * @module
 */

import { LimitError, ShapeError } from "../core/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { type Readable, readback } from "../gpu/readback.ts";
import { Plan } from "../graph/plan.ts";
import type { Program } from "../graph/program.ts";
import { Store, upload } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import { cosineRank, rankKeys } from "../ops/rank.ts";
import { cosineTopk } from "../ops/topk.ts";
import { collapsed, cpuRanks, equalRanks, expectPairs, type RankInput, type Ranks, unitRows } from "./ranks.ts";

/** Options of {@linkcode Gallery}. */
export interface GalleryOptions {
  /** How unit vectors are stored; default f32. */
  storage?: "f32" | "f16";
  /** Queries a pass over the gallery; default 256. */
  queriesAtOnce?: number;
}

/** Result of {@linkcode Gallery.nearest}. */
export interface Nearest {
  /** Cosines, `[Q, k]`, largest first. */
  readonly scores: Float32Array;
  /** Rows of the gallery, `[Q, k]`; equal scores by lower row. */
  readonly rows: Uint32Array;
}

interface Prepared {
  readonly program: Program;
  readonly queries: Tensor;
  readonly partner: Tensor;
  readonly results: readonly Readable[];
  readonly store: Store;
}

/** Rows at a time while writing; also keeps offsets aligned. */
const CHUNK = 4096;

/** A gallery of unit vectors. */
export class Gallery {
  readonly #gpu: Gpu;
  readonly #store: Store;
  readonly #atOnce: number;
  readonly #prepared: Map<string, Promise<Prepared>> = new Map();
  /** The buffers, each `[rows, width]`. */
  readonly parts: readonly Tensor[];
  /** Keys of their rows, made before the first ranks, and again after rows were written. */
  readonly #keys: readonly Tensor[];
  #keyProgram: Promise<Program> | undefined;
  #keyed = false;

  /**
   * Allocates a gallery of zeros; rows come by {@linkcode Gallery.write}.
   *
   * @throws {LimitError} If a row is larger than a binding.
   * @throws {DeviceError} If the device has not that much memory.
   */
  constructor(gpu: Gpu, readonly rows: number, readonly width: number, options: GalleryOptions = {}) {
    const { storage = "f32", queriesAtOnce = 256 } = options;
    if (!(rows > 0 && width > 0 && Number.isInteger(rows * width) && queriesAtOnce > 0)) {
      throw new LimitError(`Cannot make a gallery of ${rows} rows of ${width}: wanted at least one of each`);
    }
    const { maxStorageBufferBindingSize, maxBufferSize } = gpu.caps.limits;
    // A row's key has 8 bytes.
    const bytes = Math.max(8, width * (storage === "f16" ? 2 : 4));
    const most = Math.floor(Math.min(maxStorageBufferBindingSize, maxBufferSize) / bytes / 128) * 128;
    this.#gpu = gpu;
    this.#store = new Store(gpu);
    this.#atOnce = queriesAtOnce;
    const parts: Tensor[] = [];
    for (let first = 0; first < rows; first += Math.max(1, most)) {
      const label = `gallery ${parts.length}`;
      parts.push(this.#store.tensor(label, label, [Math.min(Math.max(1, most), rows - first), width], storage));
    }
    this.parts = parts;
    this.#keys = parts.map((part, i) => this.#store.tensor(`keys ${i}`, `keys ${i}`, [part.dim(0), 2], "u32"));
    this.#store.allocate();
  }

  /**
   * A gallery of all rows of a matrix, `[N, width]`, of any length but zero.
   *
   * @throws {ShapeError} If the data does not divide into rows.
   */
  static from(gpu: Gpu, data: Float32Array, width: number, options: GalleryOptions = {}): Gallery {
    const gallery = new Gallery(gpu, data.length / width, width, options);
    for (let first = 0; first < gallery.rows; first += CHUNK) {
      gallery.write(first, data.subarray(first * width, (first + CHUNK) * width));
    }
    return gallery;
  }

  /**
   * Writes rows, dividing each by its length in f64.
   *
   * @param first Row they begin at, a multiple of 128.
   * @throws {ShapeError} If they do not fit.
   */
  write(first: number, data: Float32Array): void {
    const unit = unitChunk(data, this.width);
    const count = data.length / this.width;
    if (first % 128 !== 0 || first + count > this.rows) {
      throw new ShapeError(`Cannot write ${count} rows at ${first}: wanted a multiple of 128 within ${this.rows}`);
    }
    this.#keyed = false;
    let start = 0;
    for (const part of this.parts) {
      const [rows, from] = [part.dim(0), Math.max(first, start)];
      const to = Math.min(first + count, start + rows);
      if (from < to) {
        const place = part.slice((from - start) * this.width, [to - from, this.width]);
        upload(this.#gpu, place, unit.subarray((from - first) * this.width, (to - first) * this.width));
      }
      start += rows;
    }
  }

  /**
   * How many rows score above, and how many the same as, the row each query belongs to.
   *
   * @param queries `[Q, width]`.
   * @param partner `[Q]`, rows of the gallery.
   * @throws {ShapeError} If extents differ or a partner is no row.
   */
  async ranks(queries: Float32Array, partner: ArrayLike<number>): Promise<{ above: Uint32Array; equal: Uint32Array }> {
    const bad = Array.from(partner).find((row) => !(Number.isInteger(row) && row >= 0 && row < this.rows));
    if (bad !== undefined) throw new ShapeError(`Cannot rank row ${bad}: the gallery has ${this.rows}`);
    const { width } = this;
    if (queries.length !== partner.length * width) {
      throw new ShapeError(`Cannot rank ${queries.length} numbers of ${partner.length} queries of width ${width}`);
    }
    await this.#makeKeys();
    const above = new Uint32Array(partner.length);
    const equal = new Uint32Array(partner.length);
    await this.#eachBlock("rank", queries, Uint32Array.from(partner), (first, count, [more, same]) => {
      above.set((more as Uint32Array).subarray(0, count), first);
      equal.set((same as Uint32Array).subarray(0, count), first);
    }, (g, q, partner) => {
      const found = cosineRank(g, q, this.parts, partner, this.#keys);
      return [found.above, found.equal];
    });
    return { above, equal };
  }

  /**
   * The k rows nearest to each query.
   *
   * @param queries `[Q, width]`.
   * @throws {LimitError} If k is not from 1 to 256, or more than the gallery has.
   */
  async nearest(queries: Float32Array, k: number): Promise<Nearest> {
    const Q = queries.length / this.width;
    const scores = new Float32Array(Q * k);
    const rows = new Uint32Array(Q * k);
    await this.#eachBlock(`topk ${k}`, queries, new Uint32Array(Q), (first, count, [score, row]) => {
      scores.set((score as Float32Array).subarray(0, count * k), first * k);
      rows.set((row as Uint32Array).subarray(0, count * k), first * k);
    }, (g, q) => {
      const found = cosineTopk(g, q, this.parts, { k });
      return [found.scores, found.indices];
    });
    return { scores, rows };
  }

  async #makeKeys(): Promise<void> {
    if (this.#keyed) return;
    const compile = (): Promise<Program> => {
      const g = new Plan(this.#gpu);
      rankKeys(g, this.parts, this.#keys);
      return g.compile();
    };
    const program = await (this.#keyProgram ??= compile());
    program.run();
    this.#keyed = true;
  }

  async #eachBlock(
    key: string,
    queries: Float32Array,
    partner: Uint32Array,
    take: (first: number, count: number, results: readonly ArrayLike<number>[]) => void,
    record: (g: Plan, queries: Tensor, partner: Tensor) => Tensor[],
  ): Promise<void> {
    const { width } = this;
    const unit = unitChunk(queries, width);
    const Q = partner.length;
    // Few queries get a program of their own size, in steps, so that few are compiled.
    const size = Math.min(this.#atOnce, Math.ceil(Q / 32) * 32);
    if (Q === 0) return;
    const id = `${key} ${size}`;
    let pending = this.#prepared.get(id);
    if (!pending) this.#prepared.set(id, pending = this.#prepare(size, record));
    pending.catch(() => this.#prepared.delete(id));
    const prepared = await pending;
    for (let first = 0; first < Q; first += size) {
      const count = Math.min(size, Q - first);
      const block = new Float32Array(size * width);
      block.set(unit.subarray(first * width, (first + count) * width));
      const rows = new Uint32Array(size);
      rows.set(partner.subarray(first, first + count));
      prepared.store.write(prepared.queries, block);
      prepared.store.write(prepared.partner, rows);
      prepared.program.run();
      take(first, count, await readback(this.#gpu, ...prepared.results));
    }
  }

  async #prepare(size: number, record: (g: Plan, queries: Tensor, partner: Tensor) => Tensor[]): Promise<Prepared> {
    const store = new Store(this.#gpu);
    const queries = store.tensor("queries", "queries", [size, this.width]);
    const partner = store.tensor("partner", "partner", [size], "u32");
    store.allocate();
    const g = new Plan(this.#gpu);
    const results = record(g, queries, partner);
    g.output(...results);
    return { program: await g.compile(), queries, partner, results, store };
  }

  /** Frees everything on the device. */
  async destroy(): Promise<void> {
    for (const pending of this.#prepared.values()) {
      const { program, store } = await pending;
      program.destroy();
      store.destroy();
    }
    this.#prepared.clear();
    (await this.#keyProgram)?.destroy();
    this.#store.destroy();
  }
}

/**
 * Ranks as `cpuRanks` finds them, on the device in f32: for pools of thousands and more.
 *
 * @throws {ShapeError} If the rows do not pair.
 */
export async function gpuRanks(gpu: Gpu, input: RankInput, options: GalleryOptions = {}): Promise<Ranks> {
  const N = expectPairs(input);
  const { queries, gallery, width } = input;
  const precision = options.storage === "f16" ? "f32 on the GPU, gallery in f16" : "f32 on the GPU";
  const bad = badRows(gallery, width);
  const invalid = badRows(queries, width).map((flag, i) => flag | bad[i]!);
  const places = Array.from({ length: N }, (_, i) => i).filter((i) => !bad[i]);
  if (!places.length || collapsed(gallery, width)) return equalRanks(invalid, places.length, precision);
  const asked = places.filter((i) => !invalid[i]);
  const place = new Uint32Array(N);
  places.forEach((row, i) => place[row] = i);
  const whole = places.length === N;
  const held = Gallery.from(gpu, whole ? gallery : rowsOf(gallery, width, places), width, options);
  try {
    const given = asked.length === N ? queries : rowsOf(queries, width, asked);
    const found = await held.ranks(given, asked.map((row) => place[row]!));
    const above = new Uint32Array(N);
    const equal = new Uint32Array(N);
    asked.forEach((row, i) => {
      above[row] = found.above[i]!;
      equal[row] = found.equal[i]!;
    });
    return { above, equal, invalid, valid: places.length, precision };
  } finally {
    await held.destroy();
  }
}

/** Products of a pool up to which f64 on the processor takes well below a second. */
const SMALL = 2 ** 27;

/**
 * Ranks small pools in f64 on the processor and large ones on the device, for `retrieval`. The choice depends on the sizes
 * alone.
 */
export function ranker(gpu: Gpu, options: GalleryOptions = {}): (input: RankInput) => Ranks | Promise<Ranks> {
  return (input) => {
    const N = input.queries.length / input.width;
    const small = N * N * input.width <= SMALL && options.storage !== "f16";
    return small ? cpuRanks(input) : gpuRanks(gpu, input, options);
  };
}

/** Rows of a matrix by number. */
export function rowsOf(data: Float32Array, width: number, rows: readonly number[]): Float32Array {
  const out = new Float32Array(rows.length * width);
  rows.forEach((row, i) => out.set(data.subarray(row * width, (row + 1) * width), i * width));
  return out;
}

function unitChunk(data: Float32Array, width: number): Float32Array {
  return Float32Array.from(unitRows(data, width).unit);
}

/** 1 for each row without a direction, by blocks so that no second matrix is made. */
export function badRows(data: Float32Array, width: number): Uint8Array {
  const out = new Uint8Array(data.length / width);
  for (let first = 0; first < out.length; first += CHUNK) {
    out.set(unitRows(data.subarray(first * width, (first + CHUNK) * width), width).bad, first);
  }
  return out;
}
