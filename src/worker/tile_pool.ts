/**
 * A slide's tiles cut in {@linkcode tile} workers.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { openSlide } from "../data/image/slide.ts";
import { startThread } from "../host/threads.ts";
import { openFile } from "../io/fs.ts";
import { type CutGrid, type CutOptions, type CutTiles, cutTiles } from "../slides/tile_reader.ts";
import { type QueueOptions, type TileMaker, TileQueue, waitingBytes } from "../slides/tile_queue.ts";
import { revived } from "./failure.ts";
import type { TileAnswer, TileQuestion } from "./tile.ts";

/** Options of {@linkcode openTiles}. */
export interface TilesOptions extends Omit<QueueOptions, "patch">, CutOptions {
  /** By default one less than the processors, at least one; 0 for this thread. */
  readonly workers?: number | undefined;
}

/** Bytes of decoded tiles of the source that all workers keep. */
const CACHE_BYTES = 96 << 20;

/** Most bytes that reading a slide takes: the source's tiles and those that wait. @param tiles How many it has. */
export function readingBytes(tiles: number, options: QueueOptions): number {
  return CACHE_BYTES + waitingBytes(tiles, options);
}

/** A slide whose tiles are being cut. */
export interface OpenTiles {
  readonly queue: TileQueue;
  readonly workers: number;
  /** Most bytes that the source's tiles and waiting tiles take together. */
  readonly bytes: number;
  close(): void;
}

/**
 * Cuts a slide's tiles in workers. How many there are changes no byte.
 *
 * @param path The slide.
 * @param coords Left upper corners, `[tiles, 2]`, pixels of level 0, row by row.
 * @throws {ConfigError} If the number of workers is no natural one.
 */
export async function openTiles(
  path: string,
  grid: CutGrid,
  coords: Int32Array,
  options: TilesOptions,
): Promise<OpenTiles> {
  const { workers = Math.max(1, navigator.hardwareConcurrency - 1), edge, badTiles } = options;
  if (!Number.isSafeInteger(workers) || workers < 0) {
    throw new ConfigError(`Cannot start ${workers} workers: a whole number from 0 wanted`);
  }
  const cut = { edge, badTiles };
  const many = Math.max(1, workers);
  const each = Math.floor(CACHE_BYTES / many);
  const makers = workers === 0
    ? [await hereMaker(path, grid, cut, each)]
    : Array.from({ length: many }, () => workerMaker({ path, grid, options: cut, cacheBytes: each }));
  const queue = new TileQueue(coords, makers, { ...options, patch: grid.patch });
  return {
    queue,
    workers,
    bytes: readingBytes(coords.length >> 1, { ...options, patch: grid.patch }),
    close: () => makers.forEach((maker) => maker.close()),
  };
}

type Closing = TileMaker & { close(): void };

async function hereMaker(path: string, grid: CutGrid, options: CutOptions, cacheBytes: number): Promise<Closing> {
  const damagedTiles = options.badTiles === "white" ? "white" : "fail";
  const slide = await openSlide(await openFile(path), { cacheBytes, damagedTiles });
  let last: Promise<unknown> = Promise.resolve();
  return {
    cut: (coords) => {
      const result = last.then(() => cutTiles(slide, grid, coords, options));
      last = result.catch(() => {});
      return result;
    },
    close: () => slide.close(),
  };
}

function workerMaker(task: Extract<TileQuestion, { path: string }>): Closing {
  const waiting = new Map<number, { resolve(tiles: CutTiles): void; reject(error: Error): void }>();
  let next = 0;
  let ended: Error | undefined;
  const end = (error: Error): void => {
    ended ??= error;
    worker.end();
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  const worker = startThread<TileQuestion, TileAnswer>(new URL("./tile.ts", import.meta.url), {
    answer(answer) {
      const asked = waiting.get(answer.id);
      waiting.delete(answer.id);
      if ("error" in answer) asked?.reject(revived(answer.error));
      else asked?.resolve(answer);
    },
    failure: (message) => end(new Error(`Cannot cut tiles: a worker stopped (${message})`)),
  });
  worker.post(task);
  return {
    cut(coords) {
      if (ended !== undefined) return Promise.reject(ended);
      const id = next++;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        worker.post({ id, coords });
      });
    },
    close: () => end(new Error("Cannot cut tiles: the pool was closed")),
  };
}
