/**
 * What a feature file says of its features: made from an input and what embedded it. Names follow TRIDENT where it has them.
 *
 * @module
 */

import type { FeatureTable } from "./formats.ts";
import type { EmbedInput } from "./inputs.ts";

/** What makes features of images. Names are no paths: outputs do not depend on where things lie. */
export interface MadeBy {
  /** Name of the encoder. */
  readonly encoder: string;
  /** Numbers a row. */
  readonly dim: number;
  /** SHA-256 of the weights. */
  readonly weightsHash: string;
  /** Name of the adapter, if there is one, and SHA-256 of its weights. */
  readonly adapter?: string | undefined;
  readonly adapterHash?: string | undefined;
  /** Storage of the weights. */
  readonly precision: "f32" | "f16";
  /** What the picks of measured kernels (`--tuning`) are known by, if they were used. */
  readonly tuning?: string | undefined;
  /** Matrix units of products, if they were used. */
  readonly matrix?: string | undefined;
  /** How tokens became one row. */
  readonly pooling: string;
  /** Side of what the encoder sees, px. */
  readonly inputSize: number;
  /** How tiles become that, in words. */
  readonly preparation: string;
  /** What no file says of the encoder, and the value assumed for it. */
  readonly assumed: readonly string[];
  /** Program and version. */
  readonly software: string;
}

/**
 * The table of an input's features.
 *
 * @param inputHash Digest of `inputParts`.
 */
export function featureTable(input: EmbedInput, inputHash: string, by: MadeBy): FeatureTable {
  const { count, size, coords, coordsOf, sizeOnSlide, rowNames } = input;
  const patchSize = size === undefined ? "mixed" : size[0] === size[1] ? size[0] : `${size[0]}x${size[1]}`;
  return {
    count,
    dim: by.dim,
    rowNames,
    coords,
    attributes: {
      encoder: by.encoder,
      weights_sha256: by.weightsHash,
      adapter: by.adapter ?? "none",
      adapter_sha256: by.adapterHash ?? "none",
      pooling: by.pooling,
      precision: by.precision,
      tuning: by.tuning ?? "none",
      matrix_units: by.matrix ?? "none",
      input_size: by.inputSize,
      preparation: by.preparation,
      assumed: by.assumed.join("; ") || "nothing",
      patch_size: patchSize,
      pixel_size: input.pixelSize ?? "unknown",
      input: input.name,
      input_sha256: inputHash,
      ...(input.generation && { patch_generation: input.generation }),
      software: by.software,
    },
    coordsAttributes: {
      patch_size: patchSize,
      ...(sizeOnSlide === undefined ? {} : { patch_size_level0: sizeOnSlide }),
      coords_of: coordsOf ?? "unknown",
    },
  };
}
