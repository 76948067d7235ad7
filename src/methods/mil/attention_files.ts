/**
 * Attention of tiles as files, a slide each, in the form that prediction writes.
 *
 * @module
 */

import { type AttentionPlaces, placesOf, writeAttention } from "../../io/attention.ts";
import type { Disk } from "../../io/disk.ts";
import { openFeatures } from "../../io/features.ts";
import { MemoryStorage } from "../../io/hdf5/h5_library.ts";
import { H5Writer } from "../../io/hdf5/h5_write.ts";
import type { Bag } from "./bags.ts";
import { type BagResult, meanAttention } from "./inference.ts";

/** Attention of a slide and where its tiles are. */
export interface SlideAttention {
  readonly slide: string;
  readonly attention: Float64Array;
  readonly places: AttentionPlaces | undefined;
}

/** Attention of the slides of a bag, the mean over heads. */
export async function slideAttention(disk: Disk, bag: Bag, result: BagResult): Promise<SlideAttention[]> {
  const all = meanAttention(result, bag.count);
  const slides: SlideAttention[] = [];
  let at = 0;
  for (const { path, slide, rows } of bag.files) {
    const file = await openFeatures(disk.open(path, "read"));
    slides.push({ slide, attention: all.subarray(at, at + rows), places: placesOf(file) });
    file.close();
    at += rows;
  }
  return slides;
}

/** The file of a slide. */
export async function attentionFile({ slide, attention, places }: SlideAttention): Promise<Uint8Array> {
  const storage = new MemoryStorage(slide);
  const h5 = (await H5Writer.prepare())(storage);
  writeAttention(h5, attention, places);
  h5.close();
  const bytes = new Uint8Array(storage.size());
  storage.read(0, bytes);
  return bytes;
}
