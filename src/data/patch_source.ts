/**
 * Batches of patches in the order in which they are asked for, made ahead of their use. What makes them is handed in: this
 * thread (`openPatchSource`, which a browser can use) or workers (`src/worker/patch_pool.ts`); the bytes are the same.
 *
 * @module
 */

import type { ReadDisk } from "./data_folder.ts";
import { patchCache, PatchReader, type PatchRequest, type PatchTable, type PatchTimes } from "./patch_reader.ts";

/** A batch. */
export interface PatchBatch extends PatchRequest {
  /** RGB `[pairs, size, size, 3]`; the receiver's own, to keep or to transfer. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Where time went since the source was opened, in milliseconds; work of several workers adds up. */
export interface SourceTimes extends PatchTimes {
  /** That the caller of `batch` and `batches` waited. */
  readonly wait: number;
  readonly batches: number;
}

/** Gives batches. */
export interface PatchSource {
  /** Side of a patch in pixels. */
  readonly size: number;
  readonly times: SourceTimes;
  /** Makes one batch. Errors are those of `PatchReader`. */
  batch(request: PatchRequest): Promise<PatchBatch>;
  /**
   * Makes batches one after another, the next ones while the caller works on one. An error comes in the place of its batch;
   * leaving the loop early is no error.
   */
  batches(requests: Iterable<PatchRequest>): AsyncGenerator<PatchBatch>;
  /** Releases files, memory and workers. */
  close(): void;
}

/** What makes a batch. */
export interface PatchMaker {
  make(request: PatchRequest): Promise<{ data: Uint8Array<ArrayBuffer>; times: PatchTimes }>;
  close(): void;
}

/** How batches are made. */
export interface SourceOptions {
  /** Batches made before they are asked for. */
  readonly ahead?: number | undefined;
  /** Bytes of patches kept in memory as they are in the files, those of the first pairs; 256 MiB by default. */
  readonly cache?: number | undefined;
}

/** Bytes of patches kept where nothing is said. */
export const CACHE = 2 ** 28;

/** Orders what a maker makes. */
export class PatchQueue implements PatchSource {
  readonly #times = { read: 0, augment: 0, patches: 0, cached: 0, wait: 0, batches: 0 };

  /** @param ahead Batches made before they are asked for. */
  constructor(readonly size: number, readonly maker: PatchMaker, readonly ahead: number) {}

  get times(): SourceTimes {
    return { ...this.#times };
  }

  async batch(request: PatchRequest): Promise<PatchBatch> {
    const started = performance.now();
    try {
      return await this.#make(request);
    } finally {
      this.#times.wait += performance.now() - started;
    }
  }

  async *batches(requests: Iterable<PatchRequest>): AsyncGenerator<PatchBatch> {
    const under: Promise<PatchBatch>[] = [];
    for (const request of requests) {
      const made = this.#make(request);
      // An error waits for its turn, and for nobody when the loop is left.
      made.catch(() => {});
      under.push(made);
      if (under.length > this.ahead) yield await this.#waitFor(under.shift()!);
    }
    while (under.length > 0) yield await this.#waitFor(under.shift()!);
  }

  close(): void {
    this.maker.close();
  }

  async #waitFor(made: Promise<PatchBatch>): Promise<PatchBatch> {
    const started = performance.now();
    try {
      return await made;
    } finally {
      this.#times.wait += performance.now() - started;
    }
  }

  async #make(request: PatchRequest): Promise<PatchBatch> {
    const { data, times } = await this.maker.make(request);
    for (const key of ["read", "augment", "patches", "cached"] as const) this.#times[key] += times[key];
    this.#times.batches++;
    return { ...request, data };
  }
}

/**
 * Batches made on this thread.
 *
 * @param options `ahead` is 0 by default: there is nobody to work while the caller does.
 */
export function openPatchSource(
  disk: Pick<ReadDisk, "open">,
  table: PatchTable,
  options: SourceOptions = {},
): PatchSource {
  const reader = new PatchReader(disk, table, patchCache(table, options.cache ?? CACHE, false));
  let last: Promise<unknown> = Promise.resolve();
  return new PatchQueue(table.size, {
    make(request) {
      // One after another: they share open files.
      const made = last.then(() => reader.batch(request));
      last = made.catch(() => {});
      return made;
    },
    close: () => reader.close(),
  }, options.ahead ?? 0);
}
