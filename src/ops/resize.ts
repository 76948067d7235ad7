/**
 * Image resizing as Pillow and PyTorch do it: separable, along each row and then along each column, half-pixel centres.
 *
 * With `rounding: "pil"` bytes stay bytes and the result is that of `Image.resize`, bit for bit: integer weights of 22
 * bits, rounded and clipped after either pass. (Pillow 13 swaps the passes where the height shrinks by more than twice
 * as many pixels as the width; this is the order of all earlier versions, with which the encoders were trained.)
 * Otherwise the result is f32 as `torch.nn.functional.interpolate` gives it (`align_corners=False`, same `antialias`).
 *
 * @module
 */

import { ConfigError, DtypeError } from "../core/errors.ts";
import { cropTaps, fixedTaps, type ResampleFilter, resampleTaps, type Taps, transposeTaps } from "../core/resample.ts";
import { expectShape, type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/** Options of {@linkcode resize}. */
export interface ResizeOptions {
  /** Height of the whole resized image, px. */
  readonly height: number;
  /** Width of the whole resized image, px. */
  readonly width: number;
  /** Default bilinear. */
  readonly filter?: ResampleFilter;
  /** Stretch the filter when shrinking. Default true. */
  readonly antialias?: boolean;
  /** `pil`: from bytes to bytes, exactly as Pillow. Default `none`: to f32, in the units of the input. */
  readonly rounding?: "none" | "pil";
  /** Part of the resized image to return, the only one computed; the whole by default. */
  readonly crop?: { readonly top: number; readonly left: number; readonly height: number; readonly width: number };
}

/** One axis of a resize: how the image is seen as `[A, N, C]`, and the weights. */
interface Axis {
  readonly key: string;
  readonly taps: Taps;
}

function axis(from: number, to: number, first: number, count: number, options: ResizeOptions): Axis {
  const { filter = "bilinear", antialias = true } = options;
  const taps = cropTaps(resampleTaps(from, to, { filter, antialias }), first, count);
  return { key: `resize ${filter}${antialias ? " antialias" : ""} ${from} to ${to} at ${first} + ${count}`, taps };
}

/** The result of one pass over `x` seen as `[A, N, C]`. */
function pass(g: Plan, x: Tensor, A: number, C: number, { key, taps }: Axis, transposed = false): Tensor {
  const weights = transposed ? transposeTaps(taps) : taps;
  const name = transposed ? `${key}, transposed` : key;
  const { from, to, width } = weights;
  const start = g.constant(`${name}, start`, [to], "u32", () => weights.start);
  const weight = g.constant(`${name}, weight`, [to, width], "f32", () => weights.weights);
  const view = x.reshape([A, from, C]);
  const y = g.tensor([A, to, C], "f32", "resize.y");
  g.run(k.resize_axis, { ...(x.dtype === "u8" ? { bytes: view } : { x: view }), start, weight, y });
  return y;
}

function bytePass(g: Plan, x: Tensor, A: number, C: number, { key, taps }: Axis): Tensor {
  const { from, to, width } = taps;
  const start = g.constant(`${key}, start`, [to], "u32", () => taps.start);
  const weight = g.constant(`${key}, fixed weight`, [to, width], "i32", () => fixedTaps(taps));
  const y = g.tensor([A, to, C], "u8", "resize.y");
  g.run(k.resize_axis_bytes, { x: x.reshape([A, from, C]), start, weight, y });
  return y;
}

function check(image: Tensor, options: ResizeOptions): Required<NonNullable<ResizeOptions["crop"]>> {
  const { height, width, antialias = true, rounding = "none", filter = "bilinear" } = options;
  const fail = (what: string): never => {
    throw new ConfigError(`Cannot run resize: ${what}`, { context: { op: "resize", given: { ...options } } });
  };
  expectShape("resize", "image", image.shape, [null, null, null, null]);
  if (!["u8", "f32"].includes(image.dtype)) {
    throw new DtypeError(`Cannot run resize: the image is ${image.dtype}, wanted u8 or f32`);
  }
  if (filter !== "bilinear" && filter !== "bicubic") {
    fail(`filter is "${String(filter)}", wanted bilinear or bicubic`);
  }
  if (![height, width, image.dim(1), image.dim(2)].every((extent) => Number.isInteger(extent) && extent > 0)) {
    fail(`${image.dim(1)} x ${image.dim(2)} to ${height} x ${width} px, wanted positive integers`);
  }
  const crop = options.crop ?? { top: 0, left: 0, height, width };
  const fits = (first: number, count: number, whole: number) =>
    Number.isInteger(first) && Number.isInteger(count) && first >= 0 && count > 0 && first + count <= whole;
  if (!fits(crop.top, crop.height, height) || !fits(crop.left, crop.width, width)) {
    fail(
      `the crop is ${crop.height} x ${crop.width} at ${crop.top}, ${crop.left}, wanted it within ${height} x ${width}`,
    );
  }
  if (rounding === "pil" && (image.dtype !== "u8" || !antialias)) {
    fail(`rounding is "pil" of ${image.dtype} with antialias ${antialias}, wanted u8 with antialias`);
  }
  return crop;
}

/**
 * Resizes images.
 *
 * @param image Bytes or f32 `[B, H, W, C]`.
 * @returns `[B, height, width, C]`, or the extents of the crop: f32, or bytes with `rounding: "pil"`.
 * @throws {ShapeError} If the image has not four dimensions.
 * @throws {ConfigError} If an extent is no positive integer, the crop leaves the image, or Pillow has no such resize.
 * @throws {DtypeError} If the image is neither u8 nor f32.
 */
export function resize(g: Plan, image: Tensor, options: ResizeOptions): Tensor {
  const crop = check(image, options);
  const [B = 0, H = 0, W = 0, C = 0] = image.shape;
  const shape = [B, crop.height, crop.width, C];
  const columns = axis(W, options.width, crop.left, crop.width, options);
  const rows = axis(H, options.height, crop.top, crop.height, options);
  if (options.rounding === "pil") {
    // An axis that keeps its extent has the weights 2^22 and copies; whole axes are skipped, as Pillow skips them.
    const across = W === crop.width && W === options.width ? image : bytePass(g, image, B * H, C, columns);
    if (H === crop.height && H === options.height) return across.reshape(shape);
    return bytePass(g, across, B, crop.width * C, rows).reshape(shape);
  }
  const y = pass(g, pass(g, image, B * H, C, columns), B, crop.width * C, rows).reshape(shape);
  g.record("resize", [image], [y], ([dy]) => {
    const across = pass(g, dy!, B, crop.width * C, rows, true);
    return [pass(g, across, B * H, C, columns, true).reshape(image.shape)];
  });
  return y;
}

/** Cost of resizing bytes `[B, H, W, C]` with antialiasing. */
export function resizeCost(image: Shape, { height, width, filter = "bilinear" }: ResizeOptions): Cost {
  const [B = 0, H = 0, W = 0, C = 0] = image;
  const support = filter === "bicubic" ? 4 : 2;
  const across = B * H * width * C;
  const down = B * height * width * C;
  const flops = 2 * support * (across * Math.max(1, W / width) + down * Math.max(1, H / height));
  return { flops, bytes: sizeOf(image) + 8 * across + 4 * down };
}
