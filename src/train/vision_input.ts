/**
 * Where the image side of a step begins: at rows of the trunk's cache, or at pixels.
 *
 * @module
 */

import type { Plan } from "../graph/plan.ts";
import type { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Encoder, EncoderCut } from "../models/encoder.ts";
import { preprocess } from "../models/preprocess.ts";
import { stemInputs, stemTensors, type Trunk, type ViewImages, type ViewOf } from "./trunk.ts";

/** Options that both ways of running the encoder take. */
export interface VisionForward {
  /** Dropout of low-rank branches. */
  readonly training: boolean;
  /** Keep nothing of these blocks but their input. */
  readonly recompute?: readonly boolean[];
}

/** The image side of a plan. */
export interface VisionInput {
  /** Adds the tensors that {@linkcode VisionInput.load} fills, for `batch` images. */
  tensors(store: Store, batch: number): Tensor[];
  /** Appends the encoder: embedding `[B, dim]`. */
  record(g: Plan, tensors: readonly Tensor[], options: VisionForward): Tensor;
  /** Told the views of a whole batch before its parts are loaded, so that what is missing is computed together. */
  prepare?(views: readonly ViewOf[]): Promise<void>;
  /** Fills the tensors; places behind the last view keep what they have. */
  load(store: Store, tensors: readonly Tensor[], views: readonly ViewOf[]): Promise<void>;
}

/** The rest of the encoder behind its cached part. */
export function cachedInput(encoder: Encoder, cut: EncoderCut, trunk: Trunk, dtype: "f32" | "f16"): VisionInput {
  return {
    tensors: (store, batch) => stemInputs(store, encoder, { cut, dtype }, batch),
    record: (g, tensors, options) => encoder.finish(g, stemTensors(g, tensors), cut, options),
    prepare: (views) => trunk.ensure(views),
    load: (_, tensors, views) => trunk.load(views, tensors),
  };
}

/** The whole encoder, from pixels each time. @param tile Side of a patch, px. */
export function pixelInput(encoder: Encoder, images: ViewImages, tile: number): VisionInput {
  return {
    tensors: (store, batch) => [store.tensor("tiles", "tiles", [batch, tile, tile, 3], "u8")],
    record: (g, [tiles], options) => encoder.forward(g, preprocess(g, tiles!, encoder.spec.input), options).embedding,
    async load(store, [tiles], views) {
      const pixels = await images(views);
      const whole = pixels.length === tiles!.size ? pixels : new Uint8Array(tiles!.size);
      if (whole !== pixels) whole.set(pixels);
      store.write(tiles!, whole);
    },
  };
}
