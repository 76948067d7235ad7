/**
 * Attention of tiles as files, a slide each, in the form that prediction writes. What is kept of a bag is a number a tile: where
 * its tiles lie is read again when a file is written.
 *
 * @module
 */

import { type AttentionPlaces, placesOf, writeAttention } from "../../io/attention.ts";
import type { Disk } from "../../io/disk.ts";
import { openFeatures } from "../../io/features.ts";
import { MemoryStorage } from "../../io/hdf5/h5_library.ts";
import { H5Writer } from "../../io/hdf5/h5_write.ts";
import type { Bag, FeatureFile } from "./bags.ts";

/** Attention of the tiles of a slide. */
export interface TileAttention {
  readonly file: FeatureFile;
  readonly attention: Float32Array;
}

/** Attention of a slide and where its tiles are. */
export interface SlideAttention {
  readonly slide: string;
  readonly attention: Float32Array;
  readonly places: AttentionPlaces | undefined;
}

/** Attention of the slides of a bag. @param attention Of all its rows. */
export function bySlides(bag: Pick<Bag, "files">, attention: Float32Array): TileAttention[] {
  let end = 0;
  return bag.files.map((file) => ({ file, attention: attention.subarray(end, end += file.rows) }));
}

/** Looks where tiles lie. */
export async function placed(disk: Pick<Disk, "open">, { file, attention }: TileAttention): Promise<SlideAttention> {
  const features = await openFeatures(disk.open(file.path, "read"));
  const places = placesOf(features);
  features.close();
  return { slide: file.slide, attention, places };
}

/** The file of a slide. */
export async function attentionFile(disk: Pick<Disk, "open">, tiles: TileAttention): Promise<Uint8Array> {
  const { slide, attention, places } = await placed(disk, tiles);
  const storage = new MemoryStorage(slide);
  const h5 = (await H5Writer.prepare())(storage);
  writeAttention(h5, attention, places);
  h5.close();
  const bytes = new Uint8Array(storage.size());
  storage.read(0, bytes);
  return bytes;
}
