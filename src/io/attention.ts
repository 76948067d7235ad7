/**
 * Attention of the tiles of a slide as HDF5: `attention` f32 `[n]`, which sums to 1 over a bag, and `coords` i32 `[n, 2]` with
 * what the features say of them, where they have coordinates: side of a tile, size of the slide.
 *
 * @module
 */

import type { Features } from "./features.ts";
import type { H5Writer } from "./hdf5/h5_write.ts";

/** Where tiles lie, and attributes of their coordinates. */
export interface AttentionPlaces {
  readonly coords: Float64Array;
  readonly said: Readonly<Record<string, number | string>>;
}

const PREFIX = "coords/";

/** Places of the tiles of a feature file; undefined where it has none. */
export function placesOf({ coords, facts }: Pick<Features, "coords" | "facts">): AttentionPlaces | undefined {
  if (coords === undefined) return undefined;
  const said = Object.entries(facts()).flatMap(([name, value]) => {
    const plain = typeof value === "bigint" ? Number(value) : value;
    const kept = name.startsWith(PREFIX) && (typeof plain === "number" || typeof plain === "string");
    return kept ? [[name.slice(PREFIX.length), plain] as const] : [];
  });
  return { coords, said: Object.fromEntries(said) };
}

/** Writes a slide. */
export function writeAttention(h5: H5Writer, attention: ArrayLike<number>, places: AttentionPlaces | undefined): void {
  h5.dataset("/attention", "f4", [attention.length], Float32Array.from(attention));
  if (places === undefined) return;
  h5.dataset("/coords", "i4", [attention.length, 2], Int32Array.from(places.coords));
  for (const [name, value] of Object.entries(places.said)) h5.attribute("/coords", name, value);
}
