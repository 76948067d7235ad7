/**
 * Patches as rows of a step: each slice a row that the encoder makes a token of, or, by tubelets (`tubelets.ts`), the patch whole.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { sidesOf } from "../../models/vit.ts";
import type { Encoder } from "../../models/encoder.ts";
import type { RowForward } from "../../train/row_input.ts";
import { sliceRows, type View } from "./batch.ts";
import { createColours } from "./colours.ts";
import type { VortexConfig } from "./config.ts";
import type { VortexModel } from "./model.ts";
import type { Patch } from "./sampler.ts";
import { tubeletEncoder } from "./tubelets.ts";

/** Encodes patches. */
export interface PatchEncoder {
  /** Side of a slice, pixels. */
  readonly side: number;
  readonly channels: number;
  /** Features of a row. */
  readonly dim: number;
  /** Whether a row is a patch whole. */
  readonly whole: boolean;
  /** Whether anything before the poolers trains. */
  trains(): boolean;
  /** Rows of a patch of so many slices. */
  rowsOf(slices: number): number;
  /** Numbers of a row of a patch of so many slices. */
  size(slices: number): number;
  /** Patches as rows. @param views How each is seen. */
  rows(patches: readonly Patch[], views?: readonly View[]): Float32Array<ArrayBuffer>[];
  /** Appends the encoder. @param x `[R, size]`, pixels from 0 to 1. @returns `[R, dim]`. */
  record(g: Plan, x: Tensor, slices: number, options?: RowForward): Tensor;
}

/** Adds the encoder of patches by a configuration; the model comes first, whose poolers tubelets go through. */
export function createPatchEncoder(
  encoder: Encoder,
  model: Pick<VortexModel, "poolWhole">,
  { channels, config: { patch, model: { aggregate, tubelet, width } } }: {
    readonly channels: number;
    readonly config: Pick<VortexConfig, "patch" | "model">;
  },
): PatchEncoder {
  if (aggregate !== "tubelets") return sliceEncoder(encoder, channels);
  const pool = (g: Plan, tokens: Tensor) => model.poolWhole(g, tokens);
  return tubeletEncoder(encoder, channels, { tubelet, slices: patch.slices, dim: 2 * width, pool });
}

/** Encodes slices one by one. */
export function sliceEncoder(encoder: Encoder, channels: number): PatchEncoder {
  const [side] = sidesOf(encoder.imageSize);
  const colours = createColours(encoder, channels);
  const size = side * side * channels;
  return {
    ...{ side, channels, dim: encoder.dim, whole: false },
    // A mixture of channels does.
    trains: () => (channels !== 1 && channels !== 3) || encoder.deepestCut() !== "embedding",
    rowsOf: (slices) => slices,
    size: () => size,
    rows: (patches, views) => sliceRows(patches, { side }, channels, views),
    record(g, x, _slices, options = { training: false }) {
      const R = x.dim(0);
      const images = colours(g, x.reshape([R * side * side, channels])).reshape([R, side, side, 3]);
      return encoder.forward(g, images, options).embedding;
    },
  };
}
