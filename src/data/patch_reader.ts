/**
 * Patches of pairs by number: read from their files, kept in memory as far as a budget allows, augmented.
 *
 * The same code runs on the caller's thread and in workers. Workers share the memory; what one has read, none reads again.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { openPatches, type Patches } from "../io/patches.ts";
import { augment, type Colours, type Recipe, view } from "./image/augment.ts";
import type { ReadDisk } from "./data_folder.ts";

/** Most patch files open at once, by all readers of a pool together: systems allow a process 256 to 1024 files. */
export const OPEN_FILES = 128;

/** Where the patches of all pairs are; plain data that may be posted to a worker. */
export interface PatchTable {
  /** Paths of patch files. */
  readonly files: readonly string[];
  /** Place in `files` of each pair's, `[pairs]`. */
  readonly file: Uint32Array;
  /** Row in that file, `[pairs]`. */
  readonly row: Uint32Array;
  /** Side of every patch in pixels. */
  readonly size: number;
}

/** Patches as they are, augmented for an epoch, or in fixed variants: see `augment.ts`. */
export type PatchVariant =
  | { readonly recipe: Recipe; readonly seed: number; readonly epoch: number; readonly colours?: Colours | undefined }
  | {
    /** Of all pairs, or one of each. */
    readonly view: number | ArrayLike<number>;
    readonly seed?: number;
    readonly colours?: Colours | undefined;
  };

/** A batch that is wanted. */
export interface PatchRequest {
  /** Numbers of the pairs; one may come twice. */
  readonly pairs: Uint32Array;
  /** The patches as they are, when it is left out. */
  readonly variant?: PatchVariant | undefined;
}

/** Patches kept in memory: those of the first pairs, as many as fit. */
export interface PatchCache {
  /** `[pairs kept, size, size, 3]`. */
  readonly bytes: Uint8Array;
  /** Whether each is there, `[pairs kept]`. */
  readonly filled: Int32Array;
}

/** Where a reader's time went, and how often the cache had the patch. */
export interface PatchTimes {
  /** Milliseconds of reading and unpacking. */
  readonly read: number;
  /** Milliseconds of augmenting. */
  readonly augment: number;
  readonly patches: number;
  readonly cached: number;
}

/**
 * Makes room.
 *
 * @param budget Bytes.
 * @param shared Whether workers are to see it too.
 */
export function patchCache(table: PatchTable, budget: number, shared: boolean): PatchCache {
  const each = table.size * table.size * 3;
  const kept = Math.min(table.row.length, Math.max(0, Math.floor(budget / (each + 4))));
  const buffer = (bytes: number) => shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
  return { bytes: new Uint8Array(buffer(kept * each)), filled: new Int32Array(buffer(kept * 4)) };
}

/** Reads patches by number of the pair. */
export class PatchReader {
  /** By path; the one used last comes last. */
  readonly #open = new Map<string, Patches>();
  readonly #cache: PatchCache;
  /** The read before: they share open files. */
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param cache None by default.
   * @param files Most patch files it keeps open; the one used longest ago is closed first.
   */
  constructor(
    readonly disk: Pick<ReadDisk, "open">,
    readonly table: PatchTable,
    cache?: PatchCache,
    readonly files: number = OPEN_FILES,
  ) {
    this.#cache = cache ?? patchCache(table, 0, false);
  }

  /**
   * Makes a batch.
   *
   * @returns `data` u8 `[pairs, size, size, 3]` in the order of the request.
   * @throws {DataError} If a file is missing or its patches have another size than before.
   * @throws {FormatError} If a file is damaged.
   * @throws {ConfigError} If there is no such pair.
   */
  async batch({ pairs, variant }: PatchRequest): Promise<{ data: Uint8Array<ArrayBuffer>; times: PatchTimes }> {
    const { size } = this.table;
    const each = size * size * 3;
    const data = new Uint8Array(pairs.length * each);
    const times = { read: 0, augment: 0, patches: pairs.length, cached: 0 };
    for (let i = 0; i < pairs.length; i++) {
      const started = performance.now();
      const { rgb, cached } = await this.#patch(pairs[i]!);
      if (variant === undefined) data.set(rgb, i * each);
      const read = performance.now();
      if (variant !== undefined) data.set(varied(rgb, size, variant, pairs[i]!, i), i * each);
      times.read += read - started;
      times.augment += performance.now() - read;
      times.cached += Number(cached);
    }
    return { data, times };
  }

  /** Closes the files. */
  close(): void {
    for (const patches of this.#open.values()) patches.close();
    this.#open.clear();
  }

  async #patch(pair: number): Promise<{ rgb: Uint8Array; cached: boolean }> {
    const { file, row, files, size } = this.table;
    if (!(pair < row.length)) throw new ConfigError(`Cannot read patch ${pair}: there are ${row.length}`);
    const { bytes, filled } = this.#cache;
    const each = size * size * 3;
    const place = bytes.subarray(pair * each, (pair + 1) * each);
    if (pair < filled.length && Atomics.load(filled, pair) === 1) return { rgb: place, cached: true };
    const path = files[file[pair]!]!;
    const made = this.#last.then(async () => (await this.#file(path)).read(row[pair]!, row[pair]! + 1));
    this.#last = made.catch(() => {});
    const rgb = await made;
    if (pair < filled.length) {
      // Two workers may write at once; both write the same.
      place.set(rgb);
      Atomics.store(filled, pair, 1);
    }
    return { rgb, cached: false };
  }

  async #file(path: string): Promise<Patches> {
    let patches = this.#open.get(path);
    if (patches === undefined) {
      for (const [oldest, file] of this.#open) {
        if (this.#open.size < this.files) break;
        file.close();
        this.#open.delete(oldest);
      }
      patches = await openPatches(this.disk.open(path, "read"));
      this.#checkSize(path, patches);
    }
    this.#open.delete(path);
    this.#open.set(path, patches);
    return patches;
  }

  #checkSize(path: string, patches: Patches): void {
    const { size } = this.table;
    if (patches.width === size && patches.height === size) return;
    patches.close();
    throw new DataError(`Cannot read ${path}: patches of ${patches.width} x ${patches.height}, ${size} wanted`, {
      code: "patch-size",
      context: { file: path },
    });
  }
}

function varied(rgb: Uint8Array, size: number, variant: PatchVariant, index: number, i: number): Uint8Array {
  if ("recipe" in variant) {
    return variant.recipe === "none" ? rgb : augment(rgb, size, variant.recipe, { ...variant, index });
  }
  const k = typeof variant.view === "number" ? variant.view : variant.view[i]!;
  return k === 0 ? rgb : view(rgb, size, k, { ...variant, index });
}
