/**
 * Normalisation of RGB bytes.
 *
 * y = (x / 255 - mean) / std by channel. Same as torchvision's `ToTensor` and `Normalize`, but with the channel last.
 *
 * @module
 */

import { ConfigError, DtypeError } from "../core/errors.ts";
import { expectShape, type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/** Options of {@linkcode normalizeImage}. */
export interface NormalizeImageOptions {
  /** Channel means of x/255. */
  readonly mean: readonly [number, number, number];
  /** Channel standard deviations of x/255. */
  readonly std: readonly [number, number, number];
}

/**
 * Normalises images. Bytes have no gradient.
 *
 * @param images RGB bytes `[B, H, W, 3]`.
 * @returns `[B, H, W, 3]`, f32.
 * @throws {ShapeError} If the last dimension is not 3.
 * @throws {DtypeError} If the images are not bytes.
 * @throws {ConfigError} If a standard deviation is not above zero.
 */
export function normalizeImage(g: Plan, images: Tensor, { mean, std }: NormalizeImageOptions): Tensor {
  expectShape("normalizeImage", "images", images.shape, [null, null, null, 3]);
  if (images.dtype !== "u8") {
    throw new DtypeError(`Cannot run normalizeImage: images are ${images.dtype}, wanted u8`);
  }
  if (!mean.every(Number.isFinite) || !std.every((value) => value > 0 && Number.isFinite(value))) {
    throw new ConfigError(
      `Cannot run normalizeImage: mean is ${mean} and std ${std}, wanted finite numbers, std above zero`,
    );
  }
  const y = g.tensor(images.shape, "f32", "normalize_image.y");
  g.run(k.normalize_image, { bytes: images.reshape([images.size]), y: y.reshape([y.size]) }, {
    scale0: 1 / (255 * std[0]),
    scale1: 1 / (255 * std[1]),
    scale2: 1 / (255 * std[2]),
    shift0: -mean[0] / std[0],
    shift1: -mean[1] / std[1],
    shift2: -mean[2] / std[2],
  });
  return y;
}

/** Cost of normalising `[B, H, W, 3]`. */
export function normalizeImageCost(images: Shape): Cost {
  return { flops: 2 * sizeOf(images), bytes: 5 * sizeOf(images) };
}
