/**
 * Places transient storage in few buffers ("slabs"): storage with disjoint lifetimes shares bytes, and no dispatch finds
 * one of its inputs and one of its outputs in the same slab, because WebGPU tracks usage by whole buffer.
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";
import type { Storage } from "./tensor.ts";

/** What one dispatch touches. */
export interface Touch {
  readonly reads: readonly Storage[];
  readonly writes: readonly Storage[];
}

/** Where a storage was put. */
export interface Placement {
  readonly slab: number;
  readonly offset: number;
}

/** Result of {@linkcode placeStorage}. */
export interface Layout {
  readonly places: ReadonlyMap<Storage, Placement>;
  /** Bytes of each slab. */
  readonly slabs: readonly number[];
  /** Most bytes alive at once: what no layout can go below. */
  readonly liveBytes: number;
}

/** Options of {@linkcode placeStorage}. */
export interface LayoutOptions {
  /** Largest slab, bytes. */
  readonly maxSlab: number;
  /** Alignment of offsets, bytes. */
  readonly align: number;
  /** Free bytes kept on both sides of every storage, for tests. */
  readonly guard?: number;
  /** Give every storage bytes of its own, for tests. */
  readonly reuse?: boolean;
  /** Storage that must survive to the end (outputs). */
  readonly keep?: ReadonlySet<Storage>;
}

interface Item {
  readonly storage: Storage;
  first: number;
  last: number;
  readonly conflicts: Set<Item>;
  slab: number;
  offset: number;
}

function collect(touches: readonly Touch[], keep: ReadonlySet<Storage>, reuse: boolean): Map<Storage, Item> {
  const items = new Map<Storage, Item>();
  touches.forEach(({ reads, writes }, step) => {
    const touched = (storages: readonly Storage[]) =>
      storages.filter((s) => s.kind === "transient").map((storage) => {
        let item = items.get(storage);
        if (!item) {
          items.set(storage, item = { storage, first: step, last: step, conflicts: new Set(), slab: -1, offset: 0 });
        }
        item.last = step;
        return item;
      });
    const read = touched(reads);
    const written = touched(writes);
    for (const a of read) {
      for (const b of written) {
        a.conflicts.add(b);
        b.conflicts.add(a);
      }
    }
  });
  for (const item of items.values()) {
    if (!reuse) item.first = 0;
    if (!reuse || keep.has(item.storage)) item.last = touches.length;
  }
  return items;
}

/** Lowest offset in a slab where `bytes` fit beside the items alive at the same time. */
function firstFit(item: Item, placed: readonly Item[], bytes: number, extent: (item: Item) => number): number {
  let offset = 0;
  for (const other of placed) {
    if (other.last < item.first || other.first > item.last) continue;
    if (other.offset >= offset + bytes) break;
    offset = Math.max(offset, other.offset + extent(other));
  }
  return offset;
}

/**
 * Assigns every transient storage a slab and an offset. Largest first; of the slabs allowed, the one that grows least.
 *
 * @throws {LimitError} If one storage is larger than a slab may be.
 */
export function placeStorage(touches: readonly Touch[], options: LayoutOptions): Layout {
  const { maxSlab, align, guard = 0, reuse = true, keep = new Set<Storage>() } = options;
  const items = collect(touches, keep, reuse);
  const extent = (item: Item) => Math.ceil((item.storage.bytes + 2 * guard) / align) * align;
  const slabs: { bytes: number; items: Item[] }[] = [];
  const order = [...items.values()].sort((a, b) => b.storage.bytes - a.storage.bytes || a.first - b.first);
  for (const item of order) {
    const bytes = extent(item);
    if (bytes > maxSlab) {
      throw new LimitError(`Cannot place ${item.storage.label}: ${bytes} bytes, a buffer holds at most ${maxSlab}`, {
        context: { limit: "maxBufferSize", given: bytes, max: maxSlab },
      });
    }
    const taken = new Set([...item.conflicts].map((other) => other.slab));
    let best: { slab: number; offset: number; growth: number } | undefined;
    for (let slab = 0; slab <= slabs.length; slab++) {
      if (taken.has(slab)) continue;
      const offset = slab < slabs.length ? firstFit(item, slabs[slab]!.items, bytes, extent) : 0;
      if (offset + bytes > maxSlab) continue;
      const growth = Math.max(0, offset + bytes - (slabs[slab]?.bytes ?? 0));
      if (!best || growth < best.growth) best = { slab, offset, growth };
    }
    const { slab, offset } = best!;
    item.slab = slab;
    item.offset = offset;
    const target = slabs[slab] ??= { bytes: 0, items: [] };
    target.bytes = Math.max(target.bytes, offset + bytes);
    target.items.push(item);
    target.items.sort((a, b) => a.offset - b.offset);
  }
  const alive = touches.map((_, step) =>
    order.reduce((sum, item) => (item.first <= step && step <= item.last ? sum + item.storage.bytes : sum), 0)
  );
  return {
    places: new Map(order.map((item) => [item.storage, { slab: item.slab, offset: item.offset + guard }])),
    slabs: slabs.map((slab) => slab.bytes),
    liveBytes: alive.reduce((most, bytes) => Math.max(most, bytes), 0),
  };
}
