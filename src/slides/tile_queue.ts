/**
 * Tiles in order from several makers that work at once. Each maker has a vertical stripe of the slide, so that every tile of the
 * source is decoded by one of them, once, and they read ahead only as far as a bound of memory allows.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { CutTiles } from "./tile_reader.ts";

/** Cuts tiles of one slide: in a worker, or on this thread. */
export interface TileMaker {
  /** Cuts tiles by their left upper corners, `[tiles, 2]`. */
  cut(coords: Int32Array): Promise<CutTiles>;
}

/** A batch of tiles in the order of the grid; tiles that are left out are not in it. */
export interface TileBatch {
  /** Numbers of the tiles among those that were asked for. */
  readonly tiles: Uint32Array;
  /** `[tiles, patch, patch, 3]`. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Share of each that lies beyond the slide's edge. */
  readonly padding: Float32Array;
}

/** What became of a slide's tiles. */
export interface TileTally {
  /** Numbers of tiles that were left out, as their pixels are damaged. */
  readonly skipped: number[];
  /** What is wrong with the source, each once. */
  readonly damage: string[];
}

/** Options of {@linkcode TileQueue}. */
export interface QueueOptions {
  readonly patch: number;
  /** Tiles of a batch. */
  readonly batch: number;
  /** Bytes of tiles that wait to be taken. Default 64 MiB. */
  readonly ahead?: number;
}

/** Tiles that a maker cuts at a time. */
const CHUNK = 16;
const AHEAD = 1 << 26;

/** Tiles ahead of the first that was not taken that may be cut. */
function windowOf({ patch, batch, ahead = AHEAD }: QueueOptions): number {
  return Math.max(batch, 2 * CHUNK, Math.floor(ahead / (patch * patch * 3)));
}

/** Most bytes of tiles of a slide that wait. @param tiles How many it has. */
export function waitingBytes(tiles: number, options: QueueOptions): number {
  return Math.min(windowOf(options), tiles) * options.patch ** 2 * 3;
}

interface Ready {
  readonly from: CutTiles;
  readonly at: number;
}

/** A slide's tiles, batch by batch. */
export class TileQueue {
  readonly tally: TileTally = { skipped: [], damage: [] };
  readonly #ready: Map<number, Ready> = new Map();
  readonly #stripes: { readonly maker: TileMaker; readonly tiles: readonly number[]; next: number; busy: number }[];
  readonly #known: Set<string> = new Set();
  readonly #window: number;
  /** The first tile that was not taken yet. */
  #taken = 0;
  #failed: { readonly error: unknown } | undefined;
  #wake: () => void = () => {};

  /** @param coords Left upper corners, `[tiles, 2]`, pixels of level 0, row by row. */
  constructor(readonly coords: Int32Array, makers: readonly TileMaker[], readonly options: QueueOptions) {
    const { batch } = options;
    if (!(makers.length >= 1 && Number.isInteger(batch) && batch >= 1)) {
      throw new ConfigError(
        `Cannot read tiles: ${makers.length} makers, batches of ${batch}; one of each at least wanted`,
      );
    }
    this.#window = windowOf(options);
    this.#stripes = stripes(coords, makers.length).map((tiles, i) => ({ maker: makers[i]!, tiles, next: 0, busy: 0 }));
  }

  /** The batches; ends with the error of the first maker that fails. */
  async *batches(signal?: AbortSignal): AsyncGenerator<TileBatch> {
    const { patch, batch } = this.options;
    const bytes = patch * patch * 3;
    const total = this.coords.length >> 1;
    let tiles: number[] = [];
    let data = new Uint8Array(Math.min(batch, total) * bytes);
    let padding: number[] = [];
    while (this.#taken < total) {
      signal?.throwIfAborted();
      const { from, at } = await this.#next();
      if (from.skipped[at]) this.tally.skipped.push(this.#taken);
      else {
        data.set(from.data.subarray(at * bytes, (at + 1) * bytes), tiles.length * bytes);
        padding.push(from.padding[at]!);
        tiles.push(this.#taken);
      }
      this.#ready.delete(this.#taken++);
      if (tiles.length === batch || (this.#taken === total && tiles.length > 0)) {
        const whole = tiles.length * bytes === data.length ? data : data.slice(0, tiles.length * bytes);
        // Makers go on while the batch is worked on.
        this.#feed();
        yield { tiles: Uint32Array.from(tiles), data: whole, padding: Float32Array.from(padding) };
        data = new Uint8Array(Math.min(batch, total - this.#taken) * bytes);
        [tiles, padding] = [[], []];
      }
    }
  }

  async #next(): Promise<Ready> {
    while (true) {
      if (this.#failed !== undefined) throw this.#failed.error;
      const ready = this.#ready.get(this.#taken);
      if (ready !== undefined) return ready;
      const woken = new Promise<void>((resolve) => this.#wake = resolve);
      this.#feed();
      await woken;
    }
  }

  /** Gives makers what they may work on: two chunks each, within the window. */
  #feed(): void {
    for (const stripe of this.#stripes) {
      while (stripe.busy < 2 && stripe.next < stripe.tiles.length && this.#failed === undefined) {
        const chunk: number[] = [];
        while (chunk.length < CHUNK && stripe.tiles[stripe.next]! < this.#taken + this.#window) {
          chunk.push(stripe.tiles[stripe.next++]!);
        }
        if (chunk.length === 0) break;
        stripe.busy++;
        void this.#cut(stripe, chunk);
      }
    }
  }

  async #cut(stripe: { readonly maker: TileMaker; busy: number }, chunk: readonly number[]): Promise<void> {
    try {
      const corners = Int32Array.from(chunk.flatMap((tile) => [this.coords[2 * tile]!, this.coords[2 * tile + 1]!]));
      const from = await stripe.maker.cut(corners);
      for (const [at, tile] of chunk.entries()) this.#ready.set(tile, { from, at });
      for (const { key, message } of from.damage) {
        if (!this.#known.has(key)) this.tally.damage.push(message);
        this.#known.add(key);
      }
    } catch (error) {
      this.#failed ??= { error };
    } finally {
      stripe.busy--;
      this.#feed();
      this.#wake();
    }
  }
}

/** Tiles of each stripe, by x, so that stripes have about as many; each in the order of the grid. */
function stripes(coords: Int32Array, count: number): number[][] {
  const total = coords.length >> 1;
  const xs = Int32Array.from({ length: total }, (_, i) => coords[2 * i]!).sort();
  const bounds = Array.from({ length: count - 1 }, (_, i) => xs[Math.floor((i + 1) * total / count)] ?? Infinity);
  const found: number[][] = Array.from({ length: count }, () => []);
  for (let tile = 0; tile < total; tile++) {
    const stripe = bounds.findIndex((bound) => coords[2 * tile]! < bound);
    found[stripe < 0 ? count - 1 : stripe]!.push(tile);
  }
  return found;
}
