/**
 * Boxes of arrays of zarr, put together of their chunks, and what lies in a group.
 *
 * @module
 */

import type { ZarrArray, ZarrElements, ZarrFolder } from "./zarr.ts";

/** What an array holds: numbers, flags as 0 and 1, or texts. */
export type ZarrData =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array
  | readonly string[];

/** What lies between two places of each axis. */
export type ZarrRanges = readonly (readonly [from: number, to: number])[];

/** Most elements that are read at once. */
const MOST = 2 ** 28;
/** Elements of unpacked chunks that are kept, for who reads an array in bands. */
const MOST_KEPT = 2 ** 27;
const ROOMS = {
  bool: Uint8Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

/** The path of a name in a group. */
export function below(path: string, name: string): string {
  return path === "" ? name : `${path}/${name}`;
}

/** Names of the groups and arrays in a group, sorted. */
export function namesOf(store: ZarrFolder, path: string): string[] {
  const entry = store.disk.look(path === "" ? store.name : `${store.name}/${path}`);
  const names = entry?.kind === "folder" ? entry.names : [];
  return names.filter((name) => !name.startsWith(".") && name !== "zarr.json")
    .filter((name) => store.disk.look(`${store.name}/${below(path, name)}`)?.kind === "folder")
    .filter((name) => store.kind(below(path, name)) !== undefined)
    .sort();
}

/** An array that is read by boxes. */
export class ZarrBoxes {
  readonly #kept = new Map<string, ZarrElements>();

  private constructor(private readonly store: ZarrFolder, private readonly array: ZarrArray) {}

  /**
   * Opens an array.
   *
   * @throws {FormatError} If there is none, or none of a type that is read.
   */
  static async open(store: ZarrFolder, path: string): Promise<ZarrBoxes> {
    const array = await store.array(path);
    if (!isText(array.dtype) && !(array.dtype in ROOMS)) {
      throw store.fail(path, `has elements of type ${array.dtype}`, `${Object.keys(ROOMS).join(", ")} or texts`);
    }
    return new ZarrBoxes(store, array);
  }

  /** Extents. */
  get shape(): readonly number[] {
    return this.array.shape;
  }

  /** As Zarr 3 names it. */
  get dtype(): string {
    return this.array.dtype;
  }

  /**
   * Reads a box; all of the array if not given.
   *
   * @throws {FormatError} If what is stored there is damaged, or the box reaches beyond the array.
   */
  async read(ranges: ZarrRanges = this.shape.map((extent) => [0, extent] as const)): Promise<ZarrData> {
    const { path, shape, chunks, dtype } = this.array;
    const fits = ranges.length === shape.length &&
      ranges.every(([from, to], k) => from >= 0 && from <= to && to <= shape[k]!);
    if (!fits) throw this.store.fail(path, `has extents ${shape.join("x")}`, `places ${JSON.stringify(ranges)}`);
    const wanted = ranges.map(([from, to]) => to - from);
    const count = product(wanted);
    if (count > MOST) throw this.store.fail(path, `has ${count} elements`, `at most ${MOST} at once`);
    const out = isText(dtype) ? Array<string>(count).fill("") : new ROOMS[dtype as keyof typeof ROOMS](count);
    if (count === 0) return out;
    const first = ranges.map(([from], k) => Math.floor(from / chunks[k]!));
    const across = ranges.map(([, to], k) => Math.ceil(to / chunks[k]!) - first[k]!);
    for (let n = 0; n < product(across); n++) {
      const at = placeOf(n, across).map((place, k) => first[k]! + place);
      const box = at.map((place, k) =>
        [
          Math.max(ranges[k]![0], place * chunks[k]!),
          Math.min(ranges[k]![1], (place + 1) * chunks[k]!),
        ] as const
      );
      copyBox(
        { data: await this.#chunk(at), from: box.map(([begin], k) => begin - at[k]! * chunks[k]!), extents: chunks },
        { data: out, from: box.map(([begin], k) => begin - ranges[k]![0]), extents: wanted },
        box.map(([begin, end]) => end - begin),
        isText(dtype) ? String : dtype === "bool" ? Number : undefined,
      );
    }
    return out;
  }

  /** A chunk, unpacked. */
  async #chunk(at: readonly number[]): Promise<ZarrElements> {
    const key = at.join(".");
    const before = this.#kept.get(key);
    if (before !== undefined) return before;
    const chunk = await this.array.read(at);
    const most = Math.max(1, Math.floor(MOST_KEPT / chunk.length));
    while (this.#kept.size >= most) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(key, chunk);
    return chunk;
  }
}

function product(list: readonly number[]): number {
  return list.reduce((a, b) => a * b, 1);
}

/** Whether elements of a type are texts: of any length, or of version 2 of one. */
export function isText(dtype: string): boolean {
  return /^(string|v2:object|v2:[US]\d+)$/.test(dtype);
}

/** The place of the n-th element of such extents. */
function placeOf(n: number, extents: readonly number[]): number[] {
  const at = extents.map(() => 0);
  for (let k = extents.length - 1; k >= 0; k--) {
    at[k] = n % extents[k]!;
    n = Math.floor(n / extents[k]!);
  }
  return at;
}

/** Elements with a place in them: the last axis lies behind itself. */
interface Placed<T> {
  readonly data: T;
  readonly from: readonly number[];
  readonly extents: readonly number[];
}

function copyBox(
  source: Placed<ZarrElements>,
  target: Placed<ZarrData>,
  box: readonly number[],
  change: ((value: unknown) => string | number) | undefined,
): void {
  const out = target.data as { [at: number]: unknown };
  const width = box.at(-1) ?? 1;
  const lines = box.slice(0, -1);
  const start = ({ from, extents }: Placed<unknown>, line: readonly number[]) =>
    extents.reduce((at, extent, k) => at * extent + from[k]! + (line[k] ?? 0), 0);
  for (let n = 0; n < product(lines); n++) {
    const line = placeOf(n, lines);
    const [from, to] = [start(source, line), start(target, line)];
    if (change === undefined) { for (let i = 0; i < width; i++) out[to + i] = source.data[from + i]; }
    else for (let i = 0; i < width; i++) out[to + i] = change(source.data[from + i]);
  }
}
