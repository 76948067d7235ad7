/**
 * `retrieve --embeddings`: what retrieval compared, as feature files in TRIDENT's form, so that recall can be computed by others.
 *
 * @module
 */

import type { TrainingSet } from "../data/training_set.ts";
import { writeFeatures } from "../embed/formats.ts";
import type { EmbeddedPairs } from "../eval/inference.ts";
import { disk, makeFolder } from "../io/fs.ts";

/** Folders below the output, one for each side. */
export const EMBEDDING_SIDES = ["image", "gene"] as const;

/** Path of a sample's file below the output folder. */
export function embeddingPath(side: (typeof EMBEDDING_SIDES)[number], id: string): string {
  return `embeddings/${side}/${id}.h5`;
}

/**
 * Writes `embeddings/image/ID.h5` and `embeddings/gene/ID.h5`: `features` f32 `[pairs, width]`, not normalised, `coords` of the
 * spots' centres and `barcode`, rows of both in the same order. Recall is of their cosines.
 *
 * @param attributes What made them.
 */
export async function writeEmbeddings(
  out: string,
  set: TrainingSet,
  embedded: EmbeddedPairs,
  attributes: Readonly<Record<string, string | number>>,
): Promise<void> {
  const { width } = embedded;
  for (const side of EMBEDDING_SIDES) {
    makeFolder(`${out}/embeddings/${side}`);
    for (const { id, first, count, barcodes, spatial } of set.samples) {
      const rows = embedded[side].subarray(first * width, (first + count) * width);
      const known = spatial.xy.every(Number.isFinite);
      await writeFeatures(disk, `${out}/${embeddingPath(side, id)}`, "h5", {
        count,
        dim: width,
        attributes: { ...attributes, side, sample: id },
        rowNames: { kind: "barcode", values: barcodes },
        ...(known && { coords: Int32Array.from(spatial.xy, Math.round), coordsAttributes: { coords_of: "centre" } }),
      }, (from, to) => rows.slice(from * width, to * width));
    }
  }
}
