/**
 * Predicts a volume on a grid: slices are encoded once for all patches that read them, plane by plane along z, and kept as long as
 * a patch still needs them. A patch is told what it would be told alone, whatever slab it is predicted in.
 *
 * @module
 */

import { type Volume, VOXEL_BYTES } from "../../volumes/volume.ts";
import { BAND, bandsOf, type Grid, neededSlices, placeOf } from "./grid.ts";
import { type PatchShape, readPlane, samplePlane, type Window } from "./sampler.ts";

/** What turns slices into tokens and tokens into expression. */
export interface DenseModel {
  /** Numbers of a slice, and features of a token. */
  readonly size: number;
  readonly dim: number;
  readonly genes: number;
  /** @param rows `[n, size]`. @returns `[n, dim]`. */
  encode(rows: Float32Array): Promise<Float32Array>;
  /** @param z Tokens of patches, `[n, Z, dim]`. @returns Expression, `[n, genes]`. */
  say(z: Float32Array, depths: readonly Grid["windows"][number]["depths"][]): Promise<Float32Array>;
}

/** How it is done. */
export interface DenseOptions {
  readonly volume: Volume;
  readonly grid: Grid;
  readonly patch: PatchShape;
  readonly window: Window;
  readonly signal?: AbortSignal | undefined;
  /** Voxels of a plane that are read at a time. */
  readonly band?: number | undefined;
  /** Told how many slices are encoded. */
  onEncoded?(count: number): void;
}

/** Slices that are cut and encoded at a time, and patches behind them: of large ones fewer. */
const BLOCK = 512;
/** Numbers of a block, at most. */
const NUMBERS = 1 << 24;

function blockOf(size: number): number {
  return Math.max(32, Math.min(BLOCK, Math.floor(NUMBERS / size)));
}

/** Tokens of the places of a slice that need them. */
interface Tokens {
  /** Row of each place; -1 without one. */
  readonly row: Int32Array;
  readonly data: Float32Array;
}

/** Predicts planes of a grid in any order; forwards is the cheapest, since tokens are kept as long as that needs them. */
export class DensePredictor {
  readonly #model: DenseModel;
  readonly #options: DenseOptions;
  readonly #needed: readonly Uint8Array[];
  readonly #kept = new Map<number, Tokens>();
  #rows: Float32Array | undefined;

  constructor(model: DenseModel, options: DenseOptions) {
    this.#model = model;
    this.#options = options;
    this.#needed = neededSlices(options.grid);
  }

  /** Slices kept now. */
  get kept(): number {
    return this.#kept.size;
  }

  /** Expression of a plane's places, `[ny, nx, genes]`, NaN where nothing is predicted. */
  async plane(k: number): Promise<Float32Array<ArrayBuffer>> {
    const { grid: { shape, mask, windows } } = this.#options;
    const { genes, dim } = this.#model;
    const size = shape[1] * shape[2];
    const out = new Float32Array(size * genes).fill(NaN);
    const places = [...Array(size).keys()].filter((i) => mask[k * size + i]);
    const { slices, depths } = windows[k]!;
    this.#forget(Math.min(...slices.filter((j) => j >= 0)));
    if (places.length === 0) return out;
    const tokens: (Tokens | undefined)[] = [];
    for (const j of slices) tokens.push(j < 0 ? undefined : await this.#tokens(j));
    for (let from = 0; from < places.length; from += BLOCK) {
      const some = places.slice(from, from + BLOCK);
      const z = new Float32Array(some.length * slices.length * dim);
      some.forEach((place, n) =>
        tokens.forEach((of, s) => {
          if (of === undefined) return;
          const row = of.row[place]!;
          z.set(of.data.subarray(row * dim, (row + 1) * dim), (n * slices.length + s) * dim);
        })
      );
      const said = await this.#model.say(z, some.map(() => depths));
      some.forEach((place, n) => out.set(said.subarray(n * genes, (n + 1) * genes), place * genes));
    }
    return out;
  }

  /** Drops slices before one. */
  #forget(first: number): void {
    for (const j of this.#kept.keys()) if (j < first) this.#kept.delete(j);
  }

  async #tokens(j: number): Promise<Tokens> {
    const found = this.#kept.get(j);
    if (found) return found;
    const { grid, volume, patch, window, signal, band, onEncoded } = this.#options;
    const [, ny, nx] = grid.shape;
    const needed = this.#needed[j]!;
    const row = new Int32Array(ny * nx).fill(-1);
    let count = 0;
    for (let i = 0; i < row.length; i++) if (needed[i]) row[i] = count++;
    const { size, dim } = this.#model;
    const data = new Float32Array(count * dim);
    const block = blockOf(size);
    const rows = (this.#rows ??= new Float32Array(block * size));
    let [filled, done] = [0, 0];
    const flush = async () => {
      if (filled === 0) return;
      signal?.throwIfAborted();
      data.set(await this.#model.encode(rows.subarray(0, filled * size)), done * dim);
      onEncoded?.(filled);
      done += filled;
      filled = 0;
    };
    for (const { from, to, box } of bandsOf(volume, grid, reachOf(patch), band)) {
      const wanted = needed.subarray(from * nx, to * nx);
      if (!wanted.includes(1)) continue;
      const plane = await readPlane(volume, j * patch.step, box, window);
      for (let i = 0; i < wanted.length; i++) {
        if (!wanted[i]) continue;
        const place = placeOf(grid, from + Math.floor(i / nx), i % nx);
        samplePlane(plane, place, patch, volume, rows.subarray(filled * size, (filled + 1) * size));
        if (++filled === block) await flush();
      }
    }
    await flush();
    const tokens = { row, data };
    this.#kept.set(j, tokens);
    return tokens;
  }
}

/**
 * Reads what a prediction will read once, so that nothing is begun on voxels that cannot be used. Whole numbers are finite.
 *
 * @throws {DataError} If a voxel is no finite number.
 */
export async function checkPlanes({ volume, grid, patch, window, band }: DenseOptions): Promise<void> {
  if (volume.dtype !== "f32" && volume.dtype !== "f64") return;
  const nx = grid.shape[2];
  for (const [j, needed] of neededSlices(grid).entries()) {
    for (const { from, to, box } of bandsOf(volume, grid, reachOf(patch), band)) {
      if (!needed.subarray(from * nx, to * nx).includes(1)) continue;
      await readPlane(volume, j * patch.step, box, window);
    }
  }
}

/** How far pixels of a patch lie from its middle, µm. */
const reachOf = ({ field, side }: Pick<PatchShape, "field" | "side">) => field / side * (side - 1) / 2;

/** Most bytes that a prediction holds at once: tokens, blocks of slices and of patches, two planes of results, bands of voxels. */
export function densePlan(
  { volume, grid, patch }: DenseOptions,
  { size, dim, genes }: Pick<DenseModel, "size" | "dim" | "genes">,
): number {
  const [, ny, nx] = grid.shape;
  const band = Math.min(BAND, volume.shape[1] * volume.shape[2] * volume.channels.length);
  const tokens = (patch.slices + 1) * ny * nx * dim;
  // Of a plane between slices two are read; what is read is in the volume's type, then a number.
  const voxels = band * (2 * VOXEL_BYTES[volume.dtype] + 4);
  return 4 * (tokens + blockOf(size) * size + BLOCK * (patch.slices * dim + genes) + 2 * ny * nx * genes) + voxels;
}

/**
 * Blends a plane: every place is the mean of those around it in its patch, by a normal weight of a quarter of the field.
 *
 * @param plane `[ny, nx, genes]`; NaN takes no part and stays.
 */
export function blended(
  plane: Float32Array,
  [ny, nx]: readonly [number, number],
  genes: number,
  { stride, field }: { readonly stride: number; readonly field: number },
): Float32Array<ArrayBuffer> {
  const reach = Math.floor(field / 2 / stride);
  const weight = (dy: number, dx: number) => Math.exp(-0.5 * (dy * dy + dx * dx) * (stride / (field / 4)) ** 2);
  const out = new Float32Array(plane.length).fill(NaN);
  const sums = new Float64Array(genes);
  for (let y = 0; y < ny; y++) {
    for (let x = 0; x < nx; x++) {
      if (Number.isNaN(plane[(y * nx + x) * genes]!)) continue;
      sums.fill(0);
      let total = 0;
      for (let v = Math.max(0, y - reach); v <= Math.min(ny - 1, y + reach); v++) {
        for (let u = Math.max(0, x - reach); u <= Math.min(nx - 1, x + reach); u++) {
          const at = (v * nx + u) * genes;
          if (Number.isNaN(plane[at]!)) continue;
          const w = weight(v - y, u - x);
          total += w;
          for (let g = 0; g < genes; g++) sums[g]! += w * plane[at + g]!;
        }
      }
      sums.forEach((sum, g) => out[(y * nx + x) * genes + g] = sum / total);
    }
  }
  return out;
}
