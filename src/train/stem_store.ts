/**
 * Where the results of the frozen blocks are kept: rows of fixed size, one a (patch, view), on the device or in a file.
 *
 * A row is the concatenation of what the encoder gives before its cut, for one image. Rows move between store and batch by
 * copies on the device, without a kernel; a file adds a checksum a row, so that a row that was torn by a crash or damaged
 * later is computed again.
 *
 * @module
 */

import { crc32 } from "../host/zlib.ts";
import { type Dtype, dtypeBytes } from "../core/dtype.ts";
import { ConfigError, LimitError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { Gpu } from "../gpu/device.ts";
import { readRanges } from "../gpu/readback.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Disk, HostFile } from "../io/disk.ts";

/** Sizes of a store. */
export interface StemRows {
  /** Rows. */
  readonly rows: number;
  /** Shapes of the pieces of a row. */
  readonly shapes: readonly (readonly number[])[];
  /** Type of their elements. */
  readonly dtype: Dtype;
}

/** Rows that may be there. */
export interface StemStore {
  /** Bytes of a row. */
  readonly rowBytes: number;
  /** Whether a row is there. */
  has(row: number): boolean;
  /** Keeps row `rows[i]` from place `i` of the pieces, each `[B, ...shape]` on the device. */
  put(rows: readonly number[], pieces: readonly Tensor[]): Promise<void>;
  /** Copies row `rows[i]` to place `i` of the pieces. @returns Rows that turned out damaged and are no longer there. */
  load(rows: readonly number[], pieces: readonly Tensor[]): number[];
  /** Writes what is pending and frees the memory. */
  close(): void;
}

/** Bytes of each piece of a row. */
export function pieceBytes({ shapes, dtype }: StemRows): number[] {
  return shapes.map((shape) => sizeOf(shape) * dtypeBytes(dtype));
}

/** Bytes of a whole store. */
export function stemBytes(rows: StemRows): number {
  return rows.rows * pieceBytes(rows).reduce((a, b) => a + b, 0);
}

/** Most bytes of one buffer of rows. */
const SHARD = 1 << 30;

/** Rows in buffers of the device, made when the first row of one comes. */
export class DeviceStemStore implements StemStore {
  readonly rowBytes: number;
  readonly #gpu: Gpu;
  readonly #pieces: number[];
  readonly #perShard: number;
  readonly #rows: number;
  readonly #shards: (GPUBuffer | undefined)[] = [];
  readonly #there: Uint8Array;

  /** @throws {LimitError} If pieces are no whole words, or a row is larger than a buffer may be. */
  constructor(gpu: Gpu, rows: StemRows) {
    this.#gpu = gpu;
    this.#pieces = pieceBytes(rows);
    this.rowBytes = this.#pieces.reduce((a, b) => a + b, 0);
    const most = Math.min(SHARD, gpu.caps.limits.maxBufferSize);
    if (this.#pieces.some((bytes) => bytes % 4) || this.rowBytes > most) {
      throw new LimitError(`Cannot keep rows of ${this.rowBytes} bytes: wanted whole words, at most ${most} bytes`);
    }
    this.#perShard = Math.floor(most / this.rowBytes);
    this.#rows = rows.rows;
    this.#there = new Uint8Array(rows.rows);
  }

  has(row: number): boolean {
    return this.#there[row] === 1;
  }

  // deno-lint-ignore require-await -- the file's is asynchronous
  async put(rows: readonly number[], pieces: readonly Tensor[]): Promise<void> {
    this.#copy(rows, pieces, "put");
    for (const row of rows) this.#there[row] = 1;
  }

  load(rows: readonly number[], pieces: readonly Tensor[]): number[] {
    this.#copy(rows, pieces, "load");
    return [];
  }

  #copy(rows: readonly number[], pieces: readonly Tensor[], way: "put" | "load"): void {
    const encoder = this.#gpu.device.createCommandEncoder();
    rows.forEach((row, i) => {
      const shard = Math.floor(row / this.#perShard);
      const kept = this.#shards[shard] ??= this.#allocate(shard);
      let at = (row % this.#perShard) * this.rowBytes;
      pieces.forEach(({ storage, byteOffset }, k) => {
        const bytes = this.#pieces[k]!;
        const place = storage.offset + byteOffset + i * bytes;
        if (way === "put") encoder.copyBufferToBuffer(storage.buffer!, place, kept, at, bytes);
        else encoder.copyBufferToBuffer(kept, at, storage.buffer!, place, bytes);
        at += bytes;
      });
    });
    this.#gpu.queue.submit([encoder.finish()]);
  }

  #allocate(shard: number): GPUBuffer {
    const rows = Math.min(this.#perShard, this.#rows - shard * this.#perShard);
    return this.#gpu.buffer(`stem.${shard}`, rows * this.rowBytes, GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST);
  }

  close(): void {
    for (const shard of this.#shards) shard?.destroy();
    this.#shards.length = 0;
    this.#there.fill(0);
  }
}

/** Rows that belong together, such as those of one view of a sample. */
export interface StemSegment {
  /** Hash of what its rows were computed from: the patches. */
  readonly key: string;
  readonly rows: number;
}

/** What a file of rows was computed from: encoder weights, preparation, cut, and the patches of each segment. */
export interface StemFile {
  readonly disk: Disk;
  /** Without ending; `.rows`, `.sums` and `.json` are added. */
  readonly path: string;
  /** Hash of everything all rows depend on. */
  readonly key: string;
  /** What the rows of the store are made up of, in their order: together as many. The file may have others besides. */
  readonly segments: readonly StemSegment[];
  /** Told when the files are let go. */
  readonly onClose?: () => void;
}

/** A segment and the first of its rows in the file. */
interface Placed extends StemSegment {
  readonly first: number;
}

/** What a file of rows is, beside them. */
interface StemHead {
  readonly format: 2;
  readonly key: string;
  readonly rowBytes: number;
  readonly segments: readonly Placed[];
}

/**
 * Rows in a file, with a checksum each in a second one. The file keeps the segments of all runs that were given it: which of
 * them a run has, in which order and for what, does not matter to those that it shares with others.
 */
export class DiskStemStore implements StemStore {
  readonly rowBytes: number;
  /** Whether rows of an earlier run were found. */
  readonly reused: boolean;
  /** Row in the file of each row of the store. */
  readonly #place: Uint32Array;
  readonly #gpu: Gpu;
  readonly #pieces: number[];
  readonly #data: HostFile;
  readonly #sumsFile: HostFile;
  /** Checksum + 1 of each row; 0 is a row that is missing. */
  readonly #sums: Float64Array;
  readonly #checked: Uint8Array;
  readonly #onClose: (() => void) | undefined;

  /**
   * @throws {ConfigError} If there are files of these names that are no cache.
   * @throws {DataError} If the files cannot be made.
   */
  constructor(gpu: Gpu, rows: StemRows, { disk, path, key, segments, onClose }: StemFile) {
    this.#gpu = gpu;
    this.#onClose = onClose;
    this.#pieces = pieceBytes(rows);
    this.rowBytes = this.#pieces.reduce((a, b) => a + b, 0);
    if (this.#pieces.some((bytes) => bytes % 4)) {
      throw new LimitError(`Cannot keep rows of ${this.#pieces.join(" + ")} bytes: wanted whole words`);
    }
    checkOwned(disk, path);
    const found = headOf(disk, `${path}.json`);
    const kept = found?.key === key && found.rowBytes === this.rowBytes ? found.segments : [];
    const { all, chosen } = placeSegments(kept, segments);
    this.reused = chosen.some((segment) => kept.includes(segment));
    if (kept.length === 0) {
      // Rows count by their sums only: without them the head is one of an empty cache, whenever this is cut short.
      disk.remove(`${path}.sums`);
      disk.remove(`${path}.rows`);
    }
    if (all.length > kept.length || found === undefined) {
      const head: StemHead = { format: 2, key, rowBytes: this.rowBytes, segments: all };
      disk.write(`${path}.json`, JSON.stringify(head));
    }
    this.#place = placesOf(chosen, rows.rows);
    const fileRows = all.reduce((sum, segment) => sum + segment.rows, 0);
    this.#data = disk.open(`${path}.rows`, "update");
    this.#sumsFile = disk.open(`${path}.sums`, "update");
    const stored = new Uint8Array(fileRows * 8);
    this.#sumsFile.read(0, stored);
    this.#sums = new Float64Array(stored.buffer);
    this.#checked = new Uint8Array(fileRows);
  }

  has(row: number): boolean {
    return this.#sums[this.#place[row]!]! > 0;
  }

  async put(rows: readonly number[], pieces: readonly Tensor[]): Promise<void> {
    const ranges = pieces.map(({ storage, byteOffset }, k) => ({
      buffer: storage.buffer!,
      offset: storage.offset + byteOffset,
      bytes: rows.length * this.#pieces[k]!,
    }));
    const all = await readRanges(this.#gpu, ranges);
    const bytes = new Uint8Array(this.rowBytes);
    rows.forEach((given, i) => {
      const row = this.#place[given]!;
      let at = 0;
      all.forEach((piece, k) => {
        bytes.set(piece.subarray(i * this.#pieces[k]!, (i + 1) * this.#pieces[k]!), at);
        at += this.#pieces[k]!;
      });
      this.#data.write(row * this.rowBytes, bytes);
      this.#sum(row, crc32(bytes) + 1);
      this.#checked[row] = 1;
    });
  }

  load(rows: readonly number[], pieces: readonly Tensor[]): number[] {
    const damaged: number[] = [];
    const batches = this.#pieces.map((bytes) => new Uint8Array(bytes * rows.length));
    const bytes = new Uint8Array(this.rowBytes);
    rows.forEach((given, i) => {
      const row = this.#place[given]!;
      const got = this.#data.read(row * this.rowBytes, bytes);
      if (got < this.rowBytes || (!this.#checked[row] && crc32(bytes) + 1 !== this.#sums[row])) {
        this.#sum(row, 0);
        damaged.push(given);
        return;
      }
      this.#checked[row] = 1;
      let at = 0;
      batches.forEach((batch, k) => batch.set(bytes.subarray(at, at += this.#pieces[k]!), i * this.#pieces[k]!));
    });
    if (damaged.length) return damaged;
    pieces.forEach((piece, k) => {
      const place = piece.storage.offset + piece.byteOffset;
      this.#gpu.queue.writeBuffer(piece.storage.buffer!, place, batches[k] as Uint8Array<ArrayBuffer>);
    });
    return damaged;
  }

  #sum(row: number, value: number): void {
    this.#sums[row] = value;
    this.#sumsFile.write(row * 8, new Uint8Array(Float64Array.of(value).buffer));
  }

  close(): void {
    this.#data.close();
    this.#sumsFile.close();
    this.#onClose?.();
  }
}

/** Places of the wanted segments among those that are kept; new ones come behind. */
function placeSegments(
  kept: readonly Placed[],
  wanted: readonly StemSegment[],
): { all: readonly Placed[]; chosen: readonly Placed[] } {
  const all = [...kept];
  let next = kept.reduce((sum, { rows }) => sum + rows, 0);
  const chosen = wanted.map(({ key, rows }) => {
    const known = all.find((segment) => segment.key === key && segment.rows === rows);
    if (known) return known;
    const placed = { key, rows, first: next };
    next += rows;
    all.push(placed);
    return placed;
  });
  return { all, chosen };
}

function placesOf(chosen: readonly Placed[], count: number): Uint32Array {
  const places = new Uint32Array(count);
  let at = 0;
  for (const { first, rows } of chosen) for (let i = 0; i < rows; i++) places[at++] = first + i;
  if (at !== count) throw new LimitError(`Cannot keep ${count} rows in segments of ${at}: wanted as many`);
  return places;
}

/** Refuses files that carry the names of a cache and are none. Where all three are there, a damaged head is forgotten. */
function checkOwned(disk: Disk, path: string): void {
  const there = ["json", "sums", "rows"].filter((ending) => disk.look(`${path}.${ending}`) !== undefined);
  const [found] = there;
  if (found === undefined || there.length === 3 || headOf(disk, `${path}.json`) !== undefined) return;
  const missing = disk.look(`${path}.json`) === undefined;
  throw new ConfigError(
    `Cannot cache in ${path}.${found}: ${path}.json ${missing ? "is missing" : "is none of a cache"}, ` +
      "wanted a cache of this program or nothing",
    { hint: "Set cache_dir to another folder, or remove the file", context: { file: `${path}.${found}` } },
  );
}

/** The head of a cache, if the file is one: segments follow one another without a gap. */
function headOf(disk: Disk, path: string): StemHead | undefined {
  const text = textOf(disk, path);
  if (text === undefined) return undefined;
  try {
    const head = JSON.parse(text) as StemHead;
    const { format, key, rowBytes, segments } = head;
    if (format !== 2 || typeof key !== "string" || typeof rowBytes !== "number" || !Array.isArray(segments)) return;
    let next = 0;
    for (const segment of segments as readonly Placed[]) {
      const sound = typeof segment?.key === "string" && Number.isSafeInteger(segment.rows) && segment.rows >= 0;
      if (!sound || segment.first !== next) return undefined;
      next += segment.rows;
    }
    if (next > MOST_ROWS) return undefined;
    return head;
  } catch {
    return undefined;
  }
}

/** Most bytes of a head: some ten thousand samples; most rows that one may name. */
const [MOST_HEAD, MOST_ROWS] = [1 << 21, 2 ** 28];

function textOf(disk: Disk, path: string): string | undefined {
  const found = disk.look(path);
  if (found?.kind !== "file" || found.size > MOST_HEAD) return undefined;
  const file = disk.open(path, "read");
  try {
    const bytes = new Uint8Array(found.size);
    file.read(0, bytes);
    return new TextDecoder().decode(bytes);
  } finally {
    file.close();
  }
}

/**
 * Refuses a store that is larger than allowed, with the numbers.
 *
 * @throws {LimitError}
 */
export function checkStemBudget(rows: StemRows, budgetBytes: number): void {
  const bytes = stemBytes(rows);
  if (bytes <= budgetBytes) return;
  const gib = (n: number) => (n / 2 ** 30).toFixed(2);
  throw new LimitError(
    `Cannot cache the frozen blocks: ${rows.rows} rows take ${gib(bytes)} GiB, cache_budget is ${gib(budgetBytes)}`,
    {
      hint: "Lower cache_views, set cache_dtype=f16 or cache=disk, raise cache_budget, or set cache=off",
      context: { limit: "cache_budget", given: bytes, max: budgetBytes },
    },
  );
}
